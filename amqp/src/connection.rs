//! One AMQP connection.

use crate::{Attach, Condition, DeliveryState, RemoteOpen, Terminus, Value};
use std::time::{Duration, Instant};

/// How this side of the connection behaves and what it advertises.
#[derive(Clone, Debug)]
pub struct Config {
    /// `container-id`.
    pub container_id: String,
    /// `hostname` of our open; none for a server.
    pub hostname: Option<String>,
    /// Largest frame that we take, bytes; at least 512.
    pub max_frame_size: u32,
    /// Highest channel number that the peer may use.
    pub channel_max: u16,
    /// Highest link handle in a session that the peer may use.
    pub handle_max: u32,
    /// The connection is dead when nothing arrives for this long. Half of it is advertised. Zero: never.
    pub idle_timeout: Duration,
    /// Frames per session that we take before the peer needs a new window.
    pub incoming_window: u32,
    /// Bound on bytes waiting in the output before [`Connection::room`] says 0 and input is no longer taken
    /// (control answers may exceed it by a frame or two).
    pub output_limit: usize,
    /// Unsettled incoming deliveries of all links together; more is a protocol error.
    pub max_unsettled: usize,
    /// `offered-capabilities`, also sent as desired.
    pub capabilities: Vec<String>,
    /// Open properties.
    pub properties: Vec<(String, Value)>,
    /// SASL layer.
    pub sasl: Sasl,
}

/// SASL, from one side or the other.
#[derive(Clone)]
pub enum Sasl {
    /// No SASL layer: the AMQP header comes first.
    None,
    /// Client: identity comes from the TLS certificate; the initial response is empty, not absent.
    External,
    /// Client: no identity.
    Anonymous {
        /// Trace information, for instance `anonymous@host`.
        trace: String,
    },
    /// Client: user and password.
    Plain {
        /// User.
        user: String,
        /// Password.
        password: String,
    },
    /// Server: which mechanisms are offered.
    Server(SaslServer),
}

impl std::fmt::Debug for Sasl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sasl(..)")
    }
}

/// Checks user and password of SASL PLAIN.
pub type PlainCheck = std::sync::Arc<dyn Fn(&str, &str) -> bool + Send + Sync>;

/// What a server offers.
#[derive(Clone, Default)]
pub struct SaslServer {
    /// EXTERNAL, for a peer that TLS has authenticated.
    pub external: bool,
    /// ANONYMOUS.
    pub anonymous: bool,
    /// PLAIN.
    pub plain: Option<PlainCheck>,
    /// A peer may leave SASL out and begin with the AMQP header (only sensible with ANONYMOUS).
    pub optional: bool,
}

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

/// What [`Connection::push`] took.
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
    /// The peer wants a link: answer with [`Connection::accept`] or [`Connection::refuse`].
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
    /// [`Connection::output`], then close the transport. The last event.
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

/// The engine.
pub struct Connection {}

#[allow(unused_variables, missing_docs)]
impl Connection {
    /// The side that speaks first.
    pub fn client(config: Config, now: Instant) -> Connection {
        todo!()
    }
    /// The side that answers.
    pub fn server(config: Config, now: Instant) -> Connection {
        todo!()
    }
    /// Takes whole frames from the front of `input` until one event is there. `None`: nothing more in these bytes;
    /// what is left in `input` is the beginning of a frame, to be given again with more behind it (it is never longer
    /// than `max_frame_size`), or the output is over its limit ([`Connection::wants_input`] says so).
    /// Events that do not come from input (time-outs, begin/attach bookkeeping) come out here too.
    pub fn poll_event<'a>(&mut self, now: Instant, input: &mut &'a [u8]) -> Option<Event<'a>> {
        todo!()
    }
    /// False while too much output waits: stop reading.
    pub fn wants_input(&self) -> bool {
        todo!()
    }
    /// The transport ended.
    pub fn handle_eof(&mut self) {
        todo!()
    }
    /// Call when [`Connection::poll_timeout`] has passed: sends a heartbeat, or finds the peer dead.
    pub fn handle_timeout(&mut self, now: Instant) {
        todo!()
    }
    pub fn poll_timeout(&self) -> Option<Instant> {
        todo!()
    }
    /// Bytes to send.
    pub fn output(&self) -> &[u8] {
        todo!()
    }
    /// `n` bytes of the output were sent.
    pub fn consume_output(&mut self, now: Instant, n: usize) {
        todo!()
    }
    /// Begins closing.
    pub fn close(&mut self, error: Option<Condition>) {
        todo!()
    }
    /// Nothing more will come in or out (output may still hold the last bytes).
    pub fn is_closed(&self) -> bool {
        todo!()
    }
    /// The peer's open, once it is there.
    pub fn remote(&self) -> Option<&RemoteOpen> {
        todo!()
    }
    /// SASL user that a server saw (`None` for a client, `anonymous`, the PLAIN user, or `EXTERNAL`).
    pub fn sasl_user(&self) -> Option<&str> {
        todo!()
    }

    /// Begins a session. Sessions of the peer are answered by the engine. May be called before the open.
    pub fn begin(&mut self) -> SessionId {
        todo!()
    }
    /// Attaches a link; may be called before the session is up. `None` when the session is gone or handles ran out.
    pub fn attach(&mut self, session: SessionId, attach: Attach) -> Option<LinkId> {
        todo!()
    }
    /// Answers a peer's attach.
    pub fn accept(&mut self, link: LinkId, source: Option<Terminus>, target: Option<Terminus>) {
        todo!()
    }
    /// Answers a peer's attach with a null terminus and a closing detach. No further event for the link.
    pub fn refuse(&mut self, link: LinkId, error: Condition) {
        todo!()
    }
    /// Detaches and closes; deliveries on it are forgotten (no event for those; the link is gone for the caller).
    pub fn detach(&mut self, link: LinkId, error: Option<Condition>) {
        todo!()
    }
    /// Receiver: keeps `credit` deliveries granted: topped up as first frames arrive (a flow at least each half).
    pub fn keep_credit(&mut self, link: LinkId, credit: u32) {
        todo!()
    }
    /// Receiver: grants exactly this many more deliveries, from now on not topped up.
    pub fn grant_credit(&mut self, link: LinkId, credit: u32) {
        todo!()
    }
    /// Sender: credit that is left.
    pub fn credit(&self, link: LinkId) -> u32 {
        todo!()
    }
    /// Sender: the link is up, has credit, carries no unfinished delivery, and there is room for a frame.
    pub fn can_start(&self, link: LinkId) -> bool {
        todo!()
    }
    /// Starts a delivery if [`Connection::can_start`]; `payload` is taken as far as the window goes.
    /// The tag is an 8-byte little-endian counter of the connection.
    pub fn start(&mut self, link: LinkId, payload: &[u8], end: End) -> Option<(Outgoing, Pushed)> {
        todo!()
    }
    /// Continues a delivery. An unknown or finished delivery takes nothing and is `done`.
    pub fn push(&mut self, delivery: Outgoing, payload: &[u8], end: End) -> Pushed {
        todo!()
    }
    /// Payload bytes that `push` on this session would take now: bounded by the session's window and by what the
    /// output limit leaves.
    pub fn room(&self, session: SessionId) -> usize {
        todo!()
    }
    /// Ends an unfinished delivery with an aborted, settled transfer. A finished one is settled as released-by-sender.
    pub fn abort(&mut self, delivery: Outgoing) {
        todo!()
    }
    /// Tells the sender of a delivery its state; settling forgets the delivery once its last frame was seen.
    pub fn dispose(&mut self, delivery: Incoming, state: Option<DeliveryState>, settled: bool) {
        todo!()
    }
    /// Tells the receiver of a delivery its state (role sender).
    pub fn dispose_sent(&mut self, delivery: Outgoing, state: Option<DeliveryState>, settled: bool) {
        todo!()
    }
    /// The session that a delivery or link runs on.
    pub fn session_of(&self, link: LinkId) -> Option<SessionId> {
        todo!()
    }
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
