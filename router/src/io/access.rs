//! The access log: one line for each TCP connection and each HTTP request, at its end.

use super::http::RequestRecord;
use crate::core::FlowRecord;

/// Writes the line to the tracing target `access`.
pub(super) fn log(record: &FlowRecord) {
    let side = if record.listener { "listener" } else { "connector" };
    tracing::info!(
        target: "access",
        address = %record.address,
        entity = %record.entity,
        side,
        peer = %record.peer,
        bytes_in = record.bytes_in,
        bytes_out = record.bytes_out,
        duration_ms = u64::try_from(record.duration.as_millis()).unwrap_or(u64::MAX),
        error = record.error.as_deref().unwrap_or(""),
        "connection ended"
    );
}

/// The same for an HTTP request.
pub(super) fn log_request(record: &RequestRecord<'_>) {
    let side = if record.bridge.listener { "listener" } else { "connector" };
    tracing::info!(
        target: "access",
        address = %record.bridge.address,
        entity = %record.bridge.name,
        side,
        peer = %record.connection.map_or("", |connection| connection.peer.as_str()),
        method = %record.method,
        status = record.status.map_or(0, |status| status.as_u16()),
        flow = %record.flow_id,
        counterflow = record.counterflow.unwrap_or(""),
        bytes_in = record.bytes_in,
        bytes_out = record.bytes_out,
        duration_ms = u64::try_from(record.duration.as_millis()).unwrap_or(u64::MAX),
        error = record.fault.map_or("", |fault| fault.words.as_str()),
        "request ended"
    );
}
