//! What can be told of a flow: who it is, how it came, how much went through it.

use super::{Flow, Net, Side};
use crate::core::types::{Encapsulation, FlowRecord};
use std::time::{Duration, Instant};

/// What a flow record says beyond the traffic.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::core) struct RecordFacts {
    pub(in crate::core) number: u64,
    /// Number of the record of its listener or connector.
    pub(in crate::core) parent: u64,
    /// Connector's end: the flow at the listener's end, as that one's router names it.
    pub(in crate::core) counterflow: Option<Box<str>>,
    /// Connector's end: the routers passed.
    pub(in crate::core) trace: Option<Box<str>>,
    /// Connector's end: our address of the socket.
    pub(in crate::core) local: String,
    /// The first byte towards the server.
    asked: Option<Instant>,
    /// From there to the first byte from it.
    latency: Option<Duration>,
}

/// A flow as it is at one moment, or was at its end.
#[derive(Debug, Clone, Copy)]
pub struct FlowSnapshot<'a> {
    /// Number of its record at this router; the network knows it as `<prefix>:<number>`.
    pub number: u64,
    /// Number of the record of its listener or connector.
    pub parent: u64,
    /// Whether it is a client of one of our listeners.
    pub listener: bool,
    /// Service address.
    pub address: &'a str,
    /// The socket's peer; empty while it is being connected.
    pub peer: &'a str,
    /// Connector's end: our address of the socket; else empty.
    pub local: &'a str,
    /// When it began.
    pub started: Instant,
    /// Bytes read from the socket.
    pub bytes_in: u64,
    /// Bytes written to the socket.
    pub bytes_out: u64,
    /// Bytes that may be under way, and those that are; none for a flow that does not leave this router.
    pub window: Option<(u64, u64)>,
    /// From the first byte towards the server to the first from it.
    pub latency: Option<Duration>,
    /// Connector's end: the record of the flow at the listener's end.
    pub counterflow: Option<&'a str>,
    /// Connector's end: the ids of the routers passed, joined by `|`.
    pub trace: Option<&'a str>,
    /// Why it ended, if not well.
    pub error: Option<&'a str>,
}

impl Flow {
    pub(super) fn count_read(&mut self, n: usize, now: Instant) {
        if self.bytes_in == 0 {
            match self.side {
                Side::Listener(_) => self.record.asked = Some(now),
                Side::Connector(_) => self.answered_at(now),
            }
        }
        self.bytes_in += n as u64;
    }

    pub(super) fn count_written(&mut self, n: usize, now: Instant) {
        if self.bytes_out == 0 {
            match self.side {
                Side::Listener(_) => self.answered_at(now),
                Side::Connector(_) => self.record.asked = Some(now),
            }
        }
        self.bytes_out += n as u64;
    }

    fn answered_at(&mut self, now: Instant) {
        self.record.latency = self.record.asked.map(|asked| now.saturating_duration_since(asked));
    }

    pub(in crate::core) fn snapshot(&self) -> FlowSnapshot<'_> {
        let window = match &self.net {
            Net::Remote(remote) if remote.encapsulation == Encapsulation::Legacy => Some(remote.window.facts()),
            _ => None,
        };
        FlowSnapshot {
            listener: matches!(self.side, Side::Listener(_)),
            address: &self.address,
            peer: &self.peer,
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            window,
            error: self.error.as_deref(),
            ..self.record.snapshot(self.started)
        }
    }
}

impl FlowRecord {
    /// The flow at its end.
    pub fn snapshot(&self) -> FlowSnapshot<'_> {
        FlowSnapshot {
            listener: self.listener,
            address: &self.address,
            peer: &self.peer,
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            error: self.error.as_deref(),
            ..self.facts.snapshot(self.started)
        }
    }
}

impl RecordFacts {
    pub(super) fn new(number: u64, parent: u64) -> RecordFacts {
        RecordFacts { number, parent, ..RecordFacts::default() }
    }

    fn snapshot(&self, started: Instant) -> FlowSnapshot<'_> {
        FlowSnapshot {
            number: self.number,
            parent: self.parent,
            listener: false,
            address: "",
            peer: "",
            local: &self.local,
            started,
            bytes_in: 0,
            bytes_out: 0,
            window: None,
            latency: self.latency,
            counterflow: self.counterflow.as_deref(),
            trace: self.trace.as_deref(),
            error: None,
        }
    }
}
