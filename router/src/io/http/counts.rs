//! What is counted of requests that are over. Clients and servers choose methods and codes, so that those which nobody
//! registered are counted as one: what is kept is bounded.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;
use serde::Serialize;

use super::record::RequestRecord;

/// Methods that are counted apart.
const METHODS: [&str; 9] = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];
const OTHER: &str = "OTHER";
/// Upper bounds of latencies in milliseconds; the last count has none.
const BOUNDS: [u64; 11] = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000];

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
    pub latency: HttpLatencyStatus,
}

/// Times from requests to the heads of their answers, as a histogram.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HttpLatencyStatus {
    /// Answers.
    pub count: u64,
    /// Sum of their times, microseconds.
    pub sum: u64,
    /// Answers by time, each counted once; bounds grow, the last is none.
    pub buckets: Vec<HttpLatencyBucket>,
}

/// Answers of about the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct HttpLatencyBucket {
    /// They took at most this many milliseconds; none: longer than all others.
    pub most: Option<u64>,
    /// How many.
    pub count: u64,
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

impl Default for HttpLatencyStatus {
    fn default() -> HttpLatencyStatus {
        let bounds = BOUNDS.into_iter().map(Some).chain([None]);
        let buckets = bounds.map(|most| HttpLatencyBucket { most, count: 0 }).collect();
        HttpLatencyStatus { count: 0, sum: 0, buckets }
    }
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

impl HttpLatencyStatus {
    fn count(&mut self, latency: Duration) {
        self.count += 1;
        self.sum = self.sum.saturating_add(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
        let fits =
            |bucket: &&mut HttpLatencyBucket| bucket.most.is_none_or(|most| latency <= Duration::from_millis(most));
        if let Some(bucket) = self.buckets.iter_mut().find(fits) {
            bucket.count += 1;
        }
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

    #[test]
    fn a_latency_is_in_the_first_bucket_that_has_room_for_it() {
        let mut latency = HttpLatencyStatus::default();
        for millis in [0, 5, 6, 10_000, 10_001] {
            latency.count(Duration::from_millis(millis));
        }
        assert_eq!((latency.count, latency.sum), (5, 20_012_000));
        let found = |most| latency.buckets.iter().find(|bucket| bucket.most == most).unwrap().count;
        assert_eq!([Some(5), Some(10), Some(10_000), None].map(found), [2, 1, 1, 1]);
    }
}
