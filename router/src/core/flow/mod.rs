//! A TCP connection of a listener or connector: its two streams, their windows and their ends.

mod begin;
mod end;
mod inspect;
mod receive;
mod send;
mod window;

pub use inspect::FlowSnapshot;
pub(in crate::core) use inspect::RecordFacts;

use super::legacy::DataSections;
use super::queue::ByteQueue;
use super::table::Dest;
use super::types::{CloseKind, ConnId, ConnectorId, Encapsulation, FlowId, ListenerId};
use moorline_amqp::{DeliveryState, Incoming, Outgoing};
use std::sync::Arc;
use std::time::Instant;
use window::Window;

/// Octets that may wait between two sockets of one router.
const LOCAL_WINDOW: usize = 256 * 1024;
/// No socket is read further than this at once: others want their turn.
const READ_AT_ONCE: usize = 64 * 1024;
/// Head of a data section.
const SECTION_HEAD: usize = 8;
/// A peer that fills a flow's queue to here does not keep to the window.
const QUEUE_LIMIT: usize = 4 * 1024 * 1024;

/// How a stream that failed is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::core) enum FailedState {
    /// Nobody acted on it.
    Released,
    /// The socket failed.
    Modified,
    /// Against the rules.
    Rejected,
}

impl FailedState {
    pub(in crate::core) fn state(self) -> DeliveryState {
        match self {
            FailedState::Released => DeliveryState::Released,
            FailedState::Modified => DeliveryState::Modified { delivery_failed: true, undeliverable_here: false },
            FailedState::Rejected => DeliveryState::Rejected(None),
        }
    }
}

/// What becomes of a stream that comes as an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::core) enum Answer {
    /// It is the flow's.
    Taken,
    /// It is in another encapsulation than the flow's own.
    Mismatch,
    /// The flow has its answer, or is gone.
    Unwanted,
}

/// Which end of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::core) enum Side {
    Listener(ListenerId),
    Connector(ConnectorId),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Socket {
    Connecting,
    Open,
}

pub(in crate::core) struct Flow {
    side: Side,
    entity: Arc<str>,
    address: Arc<str>,
    peer: String,
    record: RecordFacts,
    started: Instant,
    /// What the listener's client speaks in TLS.
    alpn: Option<Arc<str>>,
    socket: Socket,
    net: Net,
    /// Where it was counted as open, to be uncounted.
    dest: Option<Dest>,
    /// For the socket.
    write: ByteQueue,
    /// Bytes for the socket that the driver holds. While there are any, `write` is empty.
    moved: usize,
    /// Nothing more will come for the socket.
    write_ended: bool,
    /// The socket gave its end.
    read_closed: bool,
    close: Option<CloseKind>,
    pub(in crate::core) woken: bool,
    /// Stands in the connection's queue for room.
    blocked: bool,
    error: Option<String>,
    bytes_in: u64,
    bytes_out: u64,
}

/// What the flow is joined to.
enum Net {
    /// Another socket of this router.
    Local(FlowId),
    /// Two streams of an AMQP connection.
    Remote(Box<Remote>),
    /// Nothing any more.
    Cut,
}

pub(in crate::core) struct Remote {
    pub(in crate::core) conn: ConnId,
    encapsulation: Encapsulation,
    /// Head of our stream, until it is sent.
    intro: Option<Intro>,
    out: Option<Outgoing>,
    /// Encoded bytes that the connection did not take yet; nearly always empty.
    backlog: Vec<u8>,
    window: Window,
    /// The routers between limit us instead, see `Head::is_throttled`.
    throttled: bool,
    /// Our last transfer is out.
    ended: bool,
    /// The far end has refused our stream, or given it up.
    refused: bool,
    incoming: Option<Incoming>,
    /// The peer's stream has begun (its head was there).
    answered: bool,
    sections: DataSections,
    /// Offset that we reported last.
    reported: u64,
    /// Name under which the answer finds us (listener side).
    temp: Option<String>,
}

struct Intro {
    to: String,
    subject: String,
    reply_to: Option<String>,
}

impl Remote {
    /// Whether the socket may be read for this stream at all: lite waits for the answer's head, which says that
    /// the server is connected.
    fn sendable(&self, side: Side) -> Option<Outgoing> {
        let waits = matches!(side, Side::Listener(_)) && self.encapsulation == Encapsulation::Lite && !self.answered;
        if self.ended || waits || !self.backlog.is_empty() { None } else { self.out }
    }
}

impl Flow {
    pub(in crate::core) fn new(
        side: Side,
        entity: Arc<str>,
        address: Arc<str>,
        peer: String,
        record: RecordFacts,
        now: Instant,
    ) -> Flow {
        Flow {
            side,
            entity,
            address,
            peer,
            record,
            started: now,
            alpn: None,
            socket: if matches!(side, Side::Listener(_)) { Socket::Open } else { Socket::Connecting },
            net: Net::Cut,
            dest: None,
            write: ByteQueue::default(),
            moved: 0,
            write_ended: false,
            read_closed: false,
            close: None,
            woken: false,
            blocked: false,
            error: None,
            bytes_in: 0,
            bytes_out: 0,
        }
    }

    fn remote(&mut self) -> Option<&mut Remote> {
        match &mut self.net {
            Net::Remote(remote) => Some(remote),
            _ => None,
        }
    }

    pub(in crate::core) fn alpn(&self) -> Option<&Arc<str>> {
        self.alpn.as_ref()
    }

    pub(in crate::core) fn output(&self) -> (&[u8], &[u8]) {
        self.write.slices()
    }

    /// All that came for the socket is written.
    fn is_drained(&self) -> bool {
        self.write.is_empty() && self.moved == 0
    }

    /// The end of the peer's stream was received.
    pub(in crate::core) fn has_all(&self) -> bool {
        self.write_ended
    }

    pub(in crate::core) fn uses(&self, conn: ConnId) -> bool {
        matches!(&self.net, Net::Remote(remote) if remote.conn == conn)
    }
}

impl Remote {
    fn new(conn: ConnId, encapsulation: Encapsulation) -> Remote {
        Remote {
            conn,
            encapsulation,
            intro: None,
            out: None,
            backlog: Vec::new(),
            window: Window::new(encapsulation),
            throttled: false,
            ended: false,
            refused: false,
            incoming: None,
            answered: false,
            sections: DataSections::default(),
            reported: 0,
            temp: None,
        }
    }
}
