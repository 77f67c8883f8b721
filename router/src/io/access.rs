//! The access log: one line for each TCP connection, at its end.

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
