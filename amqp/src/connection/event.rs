//! What a connection tells its user, and the names it gives to sessions, links and deliveries.

use crate::{Attach, Condition, DeliveryState, RemoteOpen};

/// A session: our channel number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u16);

/// A link of this connection. Never reused for another link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(pub(crate) u64);

/// A delivery that we receive; valid until it is settled (by either side) and complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Incoming {
    pub(crate) session: u16,
    pub(crate) id: u32,
}

/// A delivery that we send; valid until it is settled and its last frame is out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Outgoing {
    pub(crate) session: u16,
    pub(crate) id: u32,
}

/// Does a piece of a delivery end it?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// More follows.
    More,
    /// The last piece.
    Last,
    /// The last piece, and the delivery is settled with it.
    LastSettled,
}

/// What [`Connection::push`](super::Connection::push) took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pushed {
    /// Payload bytes taken.
    pub bytes: usize,
    /// All bytes were taken and, if this was the end, the end was sent.
    pub done: bool,
}

/// What happened. Payload borrows from the input, not from the connection.
#[derive(Debug, Clone, PartialEq)]
pub enum Event<'a> {
    /// The peer's open arrived: the connection is up.
    Opened(Box<RemoteOpen>),
    /// A session that we began is up.
    SessionUp(SessionId),
    /// A session is gone, all its links with it (each was told before).
    SessionDown(SessionId, Option<Condition>),
    /// The peer wants a link: answer with [`Connection::accept`](super::Connection::accept) or [`Connection::refuse`](super::Connection::refuse).
    AttachRequested(LinkId, SessionId, Box<Attach>),
    /// The peer answered our attach. A missing address is *not* a refusal; a detach that follows is.
    AttachConfirmed(LinkId, Box<Attach>),
    /// The link is gone, answered already. `closed=false` is treated alike.
    Detached(LinkId, Option<Condition>),
    /// A sending link has credit, after it had none.
    Credit(LinkId),
    /// A session's outgoing window opened, after it was shut.
    Room(SessionId),
    /// The peer wants the link's credit used up or returned; the engine has answered by advancing delivery-count
    /// (no partial delivery is harmed).
    Drained(LinkId),
    /// A part of a delivery.
    Transfer {
        /// Link.
        link: LinkId,
        /// Delivery.
        delivery: Incoming,
        /// The first part.
        first: bool,
        /// More parts follow.
        more: bool,
        /// The sender has settled it: after the last part it is forgotten here.
        settled: bool,
        /// Aborted: discard. It is settled and over.
        aborted: bool,
        /// Payload of this frame.
        payload: &'a [u8],
    },
    /// The receiver spoke of a delivery that we send (one event a delivery, ranges are taken apart).
    Disposition {
        /// Delivery.
        delivery: Outgoing,
        /// State.
        state: Option<DeliveryState>,
        /// Settled: forgotten here once our last frame is out.
        settled: bool,
    },
    /// The sender spoke of a delivery that we receive.
    SenderDisposition {
        /// Delivery.
        delivery: Incoming,
        /// State.
        state: Option<DeliveryState>,
        /// Settled.
        settled: bool,
    },
    /// An unfinished or unsettled delivery died with its link.
    IncomingGone(Incoming),
    /// An unfinished or unsettled delivery died with its link.
    OutgoingGone(Outgoing),
    /// The connection is over: the peer closed it, broke the protocol, fell silent or failed SASL. Flush
    /// [`Connection::output`](super::Connection::output), then close the transport. The last event.
    Closed(Closed),
}

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// We asked for it and the peer answered.
    #[error("closed by us")]
    Local,
    /// The peer closed.
    #[error("closed by the peer{}", .0.as_ref().map(|c| format!(": {} {}", c.condition, c.description.as_deref().unwrap_or(""))).unwrap_or_default())]
    Remote(Option<Condition>),
    /// The peer broke the protocol; it was told why.
    #[error("protocol error of the peer: {} {}", .0.condition, .0.description.as_deref().unwrap_or(""))]
    Protocol(Condition),
    /// Nothing arrived within the idle time-out.
    #[error("nothing heard from the peer within the idle time-out")]
    Idle,
    /// SASL failed.
    #[error("SASL failed: {0}")]
    Sasl(String),
    /// The transport ended without a close.
    #[error("the transport ended")]
    Eof,
}

impl Incoming {
    /// The session that carries it.
    pub fn session(self) -> SessionId {
        SessionId(self.session)
    }
}

impl Outgoing {
    /// The session that carries it.
    pub fn session(self) -> SessionId {
        SessionId(self.session)
    }
}
