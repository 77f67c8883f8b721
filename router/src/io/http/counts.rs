//! What is counted of requests that are over. Clients and servers choose methods and codes, so that those which nobody
//! registered are counted as one: what is kept is bounded.

use std::cell::RefCell;
use std::collections::BTreeMap;

use http::StatusCode;
use serde::Serialize;

use super::record::RequestRecord;
use crate::io::tally::LatencyStatus;

/// Methods that are counted apart.
const METHODS: [&str; 9] = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];
const OTHER: &str = "OTHER";

/// The requests of one `httpListener` or `httpConnector` that are over.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct HttpRequestsStatus {
    /// By method: those of RFC 9110 and `PATCH`, all others as `OTHER`.
    pub methods: BTreeMap<&'static str, u64>,
    /// By status of the answer: a registered one, or the first of its class (`200`) in place of one that is not.
    /// Requests without an answer are not here.
    pub results: BTreeMap<u16, u64>,
    /// Those that did not go well, by cause: `client`, `server`, `unreachable`, `far_end`, `malformed`.
    pub faults: BTreeMap<&'static str, u64>,
    /// Octets of bodies that came from its sockets.
    pub body_in: u64,
    /// Octets of bodies that went to its sockets.
    pub body_out: u64,
    /// Times from a request to the head of its answer.
    pub latency: LatencyStatus,
}

/// Why a request did not go well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::io) enum FaultKind {
    /// Who asked went away, or did not finish the request.
    Client,
    /// The server broke off, or answered no HTTP.
    Server,
    /// There was no server.
    Unreachable,
    /// The other end broke off: its router, or who is behind it.
    FarEnd,
    /// What came from the other end was not HTTP.
    Malformed,
}

impl FaultKind {
    pub(in crate::io) fn name(self) -> &'static str {
        match self {
            FaultKind::Client => "client",
            FaultKind::Server => "server",
            FaultKind::Unreachable => "unreachable",
            FaultKind::FarEnd => "far_end",
            FaultKind::Malformed => "malformed",
        }
    }

    pub(super) fn because(self, words: impl Into<String>) -> Fault {
        Fault { kind: self, words: words.into() }
    }
}

/// The same, with the cause in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::io) struct Fault {
    pub(in crate::io) kind: FaultKind,
    pub(in crate::io) words: String,
}

/// The running counts of one bridge.
#[derive(Debug, Default)]
pub(super) struct Counts(RefCell<HttpRequestsStatus>);

impl Counts {
    pub(super) fn count(&self, record: &RequestRecord<'_>) {
        let mut counts = self.0.borrow_mut();
        *counts.methods.entry(known_method(record.method)).or_default() += 1;
        if let Some(status) = record.status {
            *counts.results.entry(known_status(status)).or_default() += 1;
        }
        if let Some(fault) = record.fault {
            *counts.faults.entry(fault.kind.name()).or_default() += 1;
        }
        counts.body_in += record.bytes_in;
        counts.body_out += record.bytes_out;
        if let Some(latency) = record.latency {
            counts.latency.count(latency);
        }
    }

    pub(super) fn status(&self) -> HttpRequestsStatus {
        self.0.borrow().clone()
    }
}

/// The method, or `OTHER`.
pub(in crate::io) fn known_method(method: &str) -> &'static str {
    METHODS.into_iter().find(|known| *known == method).unwrap_or(OTHER)
}

/// The status, or the one that RFC 9110 (15) has clients take in its place.
pub(in crate::io) fn known_status(status: StatusCode) -> u16 {
    match status.as_u16() {
        status if status >= 600 => 500,
        known if status.canonical_reason().is_some() => known,
        other => other / 100 * 100,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_registered_is_counted_as_one() {
        assert_eq!(["GET", "PATCH", "get", "BREW"].map(known_method), ["GET", "PATCH", "OTHER", "OTHER"]);
        let known = |status| known_status(StatusCode::from_u16(status).unwrap());
        assert_eq!([200, 299, 418, 499, 599, 600, 999].map(known), [200, 200, 418, 400, 500, 500, 500]);
    }
}
