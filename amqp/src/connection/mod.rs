//! One AMQP connection.

mod attach;
mod config;
mod event;
mod facts;
mod fault;
mod flow;
mod incoming;
mod input;
mod link;
mod outgoing;
mod output;
mod sasl;
mod session;
mod timing;

pub use config::{Config, PlainCheck, Sasl, SaslServer};
pub use event::{Closed, End, Event, Incoming, LinkId, Outgoing, Pushed, SessionId};
pub use facts::{LinkFacts, Tally};

use crate::frame::{AMQP_HEADER, MIN_MAX_FRAME_SIZE, SASL_HEADER};
use crate::performative::ending::put_close;
use crate::performative::open::Open;
use crate::{Condition, RemoteOpen};
use link::{Link, LinkKey};
use output::Output;
use session::Sessions;
use slotmap::SlotMap;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How far the connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Waits for the peer's first header: SASL or AMQP, as [`Config::sasl`] says.
    FirstHeader,
    /// Inside of the SASL layer.
    Sasl,
    /// Waits for the AMQP header.
    AmqpHeader,
    /// Waits for the peer's open.
    Opening,
    Up,
    /// We sent our close.
    Closing,
    Done,
}

/// Input is no longer taken when this many times the payload's limit waits in the output.
const ANSWERS_LIMIT: usize = 4;

/// The engine.
pub struct Connection {
    config: Config,
    client: bool,
    phase: Phase,
    /// Our open is out, so a close may follow.
    open_sent: bool,
    /// Client: the mechanism is chosen, the outcome is awaited.
    sasl_init_sent: bool,
    sasl_user: Option<String>,
    output: Output,
    events: VecDeque<Event<'static>>,
    remote: Option<RemoteOpen>,
    /// Highest channel number that we may use.
    channel_limit: u16,
    /// Largest frame that we send.
    frame_limit: usize,
    sessions: Sessions,
    /// Boxed: room for the most that ever were stays.
    links: SlotMap<LinkKey, Box<Link>>,
    /// How many links there were.
    links_made: u64,
    /// What links that are gone have counted.
    gone: Tally,
    next_tag: u64,
    /// Deliveries in the sessions' tables, both bounded by [`Config::max_unsettled`].
    incoming_total: usize,
    outgoing_total: usize,
    last_received: Instant,
    last_delivery: Option<Instant>,
    last_sent: Instant,
    /// Length of the incomplete frame that the last call of `poll_event` left.
    leftover: usize,
}

impl Connection {
    /// The side that speaks first.
    pub fn client(config: Config, now: Instant) -> Connection {
        let mut connection = Connection::new(config, true, now);
        match connection.config.sasl {
            Sasl::None | Sasl::Server(_) => connection.send_open(),
            _ => connection.output.raw(&SASL_HEADER),
        }
        connection
    }

    /// The side that answers.
    pub fn server(config: Config, now: Instant) -> Connection {
        Connection::new(config, false, now)
    }

    fn new(mut config: Config, client: bool, now: Instant) -> Connection {
        config.max_frame_size = config.max_frame_size.max(MIN_MAX_FRAME_SIZE);
        config.incoming_window = config.incoming_window.max(1);
        config.output_limit = config.output_limit.max(1);
        Connection {
            // One below the maximum: the last number names the session that could not be begun.
            channel_limit: config.channel_max.min(u16::MAX - 1),
            config,
            client,
            phase: Phase::FirstHeader,
            open_sent: false,
            sasl_init_sent: false,
            sasl_user: None,
            output: Output::default(),
            events: VecDeque::new(),
            remote: None,
            frame_limit: MIN_MAX_FRAME_SIZE as usize,
            sessions: Sessions::default(),
            links: SlotMap::with_key(),
            links_made: 0,
            gone: Tally::default(),
            next_tag: 1,
            incoming_total: 0,
            outgoing_total: 0,
            last_received: now,
            last_delivery: None,
            last_sent: now,
            leftover: 0,
        }
    }

    /// False while too much output waits: stop reading.
    pub fn wants_input(&self) -> bool {
        // Payload of our own must not stop us reading: two ends that both wait to be read would wait for ever. Only
        // answers to a peer that does not take them do.
        self.output.pending() < self.config.output_limit.saturating_mul(ANSWERS_LIMIT)
    }

    /// The transport ended.
    pub fn handle_eof(&mut self) {
        self.finish(Closed::Eof);
    }

    /// Gives back room that is held for more than there is now.
    pub fn shrink(&mut self) {
        self.output.shrink();
        self.events.shrink_to_fit();
        self.sessions.shrink();
    }

    /// Bytes to send.
    pub fn output(&self) -> &[u8] {
        self.output.waiting()
    }

    /// `n` bytes of the output were sent.
    pub fn consume_output(&mut self, now: Instant, n: usize) {
        if n > 0 {
            self.last_sent = now;
        }
        self.output.consume(n);
    }

    /// Begins closing: sessions, links and deliveries are gone for the caller, what the peer still sends is
    /// swallowed, and [`Event::Closed`] comes with its answer. Before our open there is nobody to tell, and the
    /// connection is over at once.
    pub fn close(&mut self, error: Option<Condition>) {
        if !self.live() {
            return;
        }
        if !self.open_sent {
            return self.finish(Closed::Local);
        }
        self.output.amqp(0, |out| put_close(out, error.as_ref()));
        self.forget_everything();
        self.phase = Phase::Closing;
    }

    /// Nothing more will come in or out (output may still hold the last bytes), and the last event was taken.
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Done && self.events.is_empty()
    }

    /// The peer's open, once it is there.
    pub fn remote(&self) -> Option<&RemoteOpen> {
        self.remote.as_ref()
    }

    /// SASL user that a server saw (`None` for a client, `anonymous`, the PLAIN user, or `EXTERNAL`).
    pub fn sasl_user(&self) -> Option<&str> {
        self.sasl_user.as_deref()
    }

    /// Neither closed nor closing.
    fn live(&self) -> bool {
        !matches!(self.phase, Phase::Closing | Phase::Done)
    }

    fn forget_everything(&mut self) {
        self.sessions = Sessions::default();
        self.gone = self.tally();
        self.links.clear();
        self.incoming_total = 0;
        self.outgoing_total = 0;
    }

    /// Our AMQP header with our open right behind it.
    fn send_open(&mut self) {
        self.output.raw(&AMQP_HEADER);
        let open = Open {
            container_id: &self.config.container_id,
            hostname: self.config.hostname.as_deref(),
            max_frame_size: self.config.max_frame_size,
            channel_max: self.config.channel_max,
            idle_timeout_ms: advertised(self.config.idle_timeout),
            capabilities: &self.config.capabilities,
            properties: &self.config.properties,
        };
        self.output.amqp(0, |out| open.encode(out));
        self.open_sent = true;
    }
}

/// Half of our time-out, so that one late frame does not end the connection (2.4.5).
fn advertised(idle_timeout: Duration) -> u32 {
    if idle_timeout.is_zero() {
        return 0;
    }
    u32::try_from(idle_timeout.as_millis() / 2).unwrap_or(u32::MAX).max(1)
}
