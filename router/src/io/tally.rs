//! What is counted of one service since it was added: connections, failures by cause, latency.

use std::cell::{Cell, RefCell};
use std::io;
use std::time::Duration;

use rustc_hash::FxHashMap;
use serde::Serialize;

use super::connect::ConnectFailure;
use super::driver::Service;
use super::target::TargetFailure;
use super::transport::TransportError;
use crate::management::types::tcp::Traffic;

/// Why a connection of a service failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The server's host refused the connection.
    Refused,
    /// There is no way to the server's host.
    Unreachable,
    /// The server did not answer in time.
    Timeout,
    /// The server's name has no address.
    Unresolved,
    /// The HTTP proxy did not let us through.
    Proxy,
    /// TLS with the client or server failed.
    Tls,
    /// The client or server broke off.
    Reset,
    /// The far end of the network failed, or the way there.
    Network,
    /// Anything else that connecting can meet.
    Other,
}

impl Cause {
    /// All of them, in the order of their numbers.
    pub const ALL: [Cause; 9] = [
        Cause::Refused,
        Cause::Unreachable,
        Cause::Timeout,
        Cause::Unresolved,
        Cause::Proxy,
        Cause::Tls,
        Cause::Reset,
        Cause::Network,
        Cause::Other,
    ];

    /// One word, for labels.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Cause::Refused => "refused",
            Cause::Unreachable => "unreachable",
            Cause::Timeout => "timeout",
            Cause::Unresolved => "unresolved",
            Cause::Proxy => "proxy",
            Cause::Tls => "tls",
            Cause::Reset => "reset",
            Cause::Network => "network",
            Cause::Other => "other",
        }
    }

    /// Of a connection attempt.
    pub(super) fn of_connect(error: &io::Error) -> Cause {
        use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable, TimedOut};
        match error.kind() {
            ConnectionRefused => Cause::Refused,
            HostUnreachable | NetworkUnreachable => Cause::Unreachable,
            TimedOut => Cause::Timeout,
            _ => Cause::Other,
        }
    }
}

impl From<&TransportError> for Cause {
    fn from(error: &TransportError) -> Cause {
        match error {
            TransportError::Tls(_) => Cause::Tls,
            TransportError::Lost(_) | TransportError::BrokenOff => Cause::Reset,
        }
    }
}

impl From<&TargetFailure> for Cause {
    fn from(failure: &TargetFailure) -> Cause {
        match failure {
            TargetFailure::Absent(ConnectFailure { cause, .. }) => *cause,
            TargetFailure::Proxy(_) => Cause::Proxy,
            TargetFailure::Tls(..) => Cause::Tls,
        }
    }
}

/// How often a service failed for a cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FailureCount {
    /// Why.
    pub cause: Cause,
    /// How often since the service was added; never 0.
    pub count: u64,
}

/// Upper bounds of the latency histogram, in microseconds; the last bucket has none.
pub const LATENCY_BOUNDS: [u64; 9] = [10, 100, 1_000, 2_000, 5_000, 10_000, 100_000, 1_000_000, 10_000_000];

/// How long servers took to answer: from the first byte towards them to the first from them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LatencyStatus {
    /// Connections or requests that were answered.
    pub count: u64,
    /// Sum in microseconds.
    pub sum_micros: u64,
    /// How many took at most [`LATENCY_BOUNDS`] and more than the bound before; the last: more than all.
    pub buckets: [u64; LATENCY_BOUNDS.len() + 1],
}

impl LatencyStatus {
    pub(super) fn count(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let bucket = LATENCY_BOUNDS.iter().position(|bound| micros <= *bound).unwrap_or(LATENCY_BOUNDS.len());
        self.buckets[bucket] += 1;
        self.count += 1;
        self.sum_micros = self.sum_micros.saturating_add(micros);
    }
}

/// What went through one service since it was added.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ServiceCounts {
    /// TCP connections, open ones included.
    pub connections: u64,
    /// Bytes read from its sockets.
    pub bytes_in: u64,
    /// Bytes written to its sockets.
    pub bytes_out: u64,
    /// Connections that failed, by cause.
    pub failures: Vec<FailureCount>,
    /// How long servers took to answer.
    pub latency: LatencyStatus,
}

/// The running counts of one service.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Of connections that are over; `opened` counts all.
    pub(super) past: Cell<Traffic>,
    /// None before the first: of many services most are never asked.
    outcomes: RefCell<Option<Box<Outcomes>>>,
}

#[derive(Debug, Default)]
struct Outcomes {
    failures: [u64; Cause::ALL.len()],
    latency: LatencyStatus,
}

impl Tally {
    pub(super) fn traffic(&self, count: impl FnOnce(&mut Traffic)) {
        let mut traffic = self.past.get();
        count(&mut traffic);
        self.past.set(traffic);
    }

    pub(super) fn failed(&self, cause: Cause) {
        self.outcomes.borrow_mut().get_or_insert_default().failures[cause as usize] += 1;
    }

    pub(super) fn answered(&self, latency: Duration) {
        self.outcomes.borrow_mut().get_or_insert_default().latency.count(latency);
    }

    pub(super) fn failures(&self) -> Vec<FailureCount> {
        let outcomes = self.outcomes.borrow();
        let counts = outcomes.iter().flat_map(|outcomes| Cause::ALL.into_iter().zip(outcomes.failures));
        counts.filter(|(_, count)| *count > 0).map(|(cause, count)| FailureCount { cause, count }).collect()
    }

    pub(super) fn latency(&self) -> LatencyStatus {
        self.outcomes.borrow().as_ref().map(|outcomes| outcomes.latency).unwrap_or_default()
    }
}

/// What open connections have carried, by service.
#[derive(Debug, Default)]
pub(super) struct OpenTraffic(FxHashMap<Service, (usize, Traffic)>);

impl OpenTraffic {
    pub(super) fn add(&mut self, service: Service, (bytes_in, bytes_out): (u64, u64)) {
        let (connections, traffic) = self.0.entry(service).or_default();
        *connections += 1;
        traffic.bytes_in += bytes_in;
        traffic.bytes_out += bytes_out;
    }

    /// Connections of a service that are open.
    pub(super) fn connections(&self, service: Service) -> usize {
        self.0.get(&service).map_or(0, |(connections, _)| *connections)
    }

    /// All that a service has carried.
    pub(super) fn with_past(&self, service: Service, tally: &Tally) -> Traffic {
        let (past, open) = (tally.past.get(), self.0.get(&service).map(|(_, traffic)| *traffic).unwrap_or_default());
        Traffic { bytes_in: past.bytes_in + open.bytes_in, bytes_out: past.bytes_out + open.bytes_out, ..past }
    }

    /// The same as status shows it.
    pub(super) fn counts(&self, service: Service, tally: &Tally) -> ServiceCounts {
        let traffic = self.with_past(service, tally);
        ServiceCounts {
            connections: traffic.opened,
            bytes_in: traffic.bytes_in,
            bytes_out: traffic.bytes_out,
            failures: tally.failures(),
            latency: tally.latency(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_is_in_the_bucket_of_its_bound() {
        let mut status = LatencyStatus::default();
        for micros in [10, 11, 1_000, 20_000_000] {
            status.count(Duration::from_micros(micros));
        }
        assert_eq!(status.buckets, [1, 1, 1, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!((status.count, status.sum_micros), (4, 20_001_021));
    }

    #[test]
    fn causes_are_counted_each_for_itself() {
        let tally = Tally::default();
        for cause in Cause::ALL {
            tally.failed(cause);
        }
        tally.failed(Cause::Tls);
        let expected = Cause::ALL.map(|cause| FailureCount { cause, count: 1 + u64::from(cause == Cause::Tls) });
        assert_eq!(tally.failures(), expected);
    }
}
