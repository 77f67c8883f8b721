//! Two engines on a fake clock, with a wire between them that can be cut anywhere.

pub(crate) mod driver;

use moorline_amqp::connection::{Closed, SaslServer};
use moorline_amqp::{
    Attach, Config, Connection, DeliveryState, End, Event, Incoming, LinkId, Outgoing, Role, Sasl, SessionId, Terminus,
};
use std::time::{Duration, Instant};

/// Runs a scenario with the wire cut into single bytes, into sevens, and not at all.
pub fn each_cut(scenario: impl Fn(usize)) {
    for cut in [1, 7, usize::MAX] {
        scenario(cut);
    }
}

/// The one instant that tests count from.
#[allow(clippy::disallowed_methods)]
pub fn epoch() -> Instant {
    Instant::now()
}

pub fn config(name: &str) -> Config {
    Config {
        container_id: name.to_owned(),
        hostname: None,
        max_frame_size: 16_384,
        channel_max: 255,
        handle_max: 1_000,
        idle_timeout: Duration::from_secs(16),
        incoming_window: 640,
        output_limit: 256 * 1024,
        max_unsettled: 1_000,
        capabilities: vec!["qd.streaming-links".to_owned()],
        properties: Vec::new(),
        sasl: Sasl::None,
    }
}

pub fn client_config() -> Config {
    Config {
        hostname: Some("localhost".to_owned()),
        sasl: Sasl::Anonymous { trace: "anonymous@test".to_owned() },
        ..config("client")
    }
}

pub fn server_config() -> Config {
    let server = SaslServer { anonymous: true, ..SaslServer::default() };
    Config { sasl: Sasl::Server(server), ..config("server") }
}

pub fn sender(name: &str) -> Attach {
    attach(name, Role::Sender)
}

pub fn receiver(name: &str) -> Attach {
    attach(name, Role::Receiver)
}

fn attach(name: &str, role: Role) -> Attach {
    Attach {
        name: name.to_owned(),
        role,
        source: Some(Terminus::anonymous()),
        target: Some(Terminus::anonymous()),
        snd_settle_mode: 2,
        rcv_settle_mode: 0,
        properties: Vec::new(),
    }
}

/// A payload whose bytes depend on their position and on `seed`.
pub fn pattern(seed: u64, len: usize) -> Vec<u8> {
    let mut random = Random(seed + 1);
    (0..len).map(|_| random.next() as u8).collect()
}

/// xorshift64*: the same numbers in each run.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

/// An event that owns its payload.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Transfers: with an empty payload.
    pub event: Event<'static>,
    pub payload: Vec<u8>,
}

pub fn own(event: Event<'_>) -> Seen {
    let (event, payload): (Event<'static>, &[u8]) = match event {
        Event::Transfer { link, delivery, first, more, settled, aborted, payload } => {
            (Event::Transfer { link, delivery, first, more, settled, aborted, payload: &[] }, payload)
        }
        Event::Opened(open) => (Event::Opened(open), &[]),
        Event::SessionUp(id) => (Event::SessionUp(id), &[]),
        Event::SessionDown(id, error) => (Event::SessionDown(id, error), &[]),
        Event::AttachRequested(link, session, attach) => (Event::AttachRequested(link, session, attach), &[]),
        Event::AttachConfirmed(link, attach) => (Event::AttachConfirmed(link, attach), &[]),
        Event::Detached(link, error) => (Event::Detached(link, error), &[]),
        Event::Credit(link) => (Event::Credit(link), &[]),
        Event::Room(session) => (Event::Room(session), &[]),
        Event::Drained(link) => (Event::Drained(link), &[]),
        Event::Disposition { delivery, state, settled } => (Event::Disposition { delivery, state, settled }, &[]),
        Event::SenderDisposition { delivery, state, settled } => {
            (Event::SenderDisposition { delivery, state, settled }, &[])
        }
        Event::IncomingGone(delivery) => (Event::IncomingGone(delivery), &[]),
        Event::OutgoingGone(delivery) => (Event::OutgoingGone(delivery), &[]),
        Event::Closed(closed) => (Event::Closed(closed), &[]),
    };
    Seen { event, payload: payload.to_vec() }
}

/// One engine, the bytes that have come to it, and what it told.
pub struct Side {
    pub engine: Connection,
    pub inbox: Vec<u8>,
    pub seen: Vec<Seen>,
    /// Everything that it sent.
    pub sent: Vec<u8>,
}

impl Side {
    pub fn new(engine: Connection) -> Side {
        Side { engine, inbox: Vec::new(), seen: Vec::new(), sent: Vec::new() }
    }

    /// Lets the engine read its inbox. True if something happened.
    pub fn read(&mut self, now: Instant) -> bool {
        let mut any = false;
        loop {
            let mut input = &self.inbox[..];
            let event = self.engine.poll_event(now, &mut input).map(own);
            let used = self.inbox.len() - input.len();
            self.inbox.drain(..used);
            any |= used > 0;
            match event {
                Some(event) => self.seen.push(event),
                None => return any,
            }
        }
    }

    /// Takes the events out.
    pub fn take(&mut self) -> Vec<Seen> {
        std::mem::take(&mut self.seen)
    }

    /// Takes the events out, payloads left aside.
    pub fn events(&mut self) -> Vec<Event<'static>> {
        self.take().into_iter().map(|seen| seen.event).collect()
    }

    pub fn find<T>(&self, pick: impl Fn(&Event<'static>) -> Option<T>) -> T {
        let found = self.seen.iter().find_map(|seen| pick(&seen.event));
        found.unwrap_or_else(|| panic!("no such event in {:?}", self.seen))
    }

    pub fn requested(&self, name: &str) -> LinkId {
        self.find(|event| match event {
            Event::AttachRequested(link, _, attach) if attach.name == name => Some(*link),
            _ => None,
        })
    }

    pub fn closed(&self) -> Closed {
        self.find(|event| match event {
            Event::Closed(closed) => Some(closed.clone()),
            _ => None,
        })
    }

    /// The first delivery that came in.
    pub fn delivery(&self) -> Incoming {
        self.find(|event| match event {
            Event::Transfer { delivery, .. } => Some(*delivery),
            _ => None,
        })
    }

    /// What came of a delivery.
    pub fn body(&self, of: Incoming) -> Vec<u8> {
        let parts =
            self.seen.iter().filter(|seen| matches!(seen.event, Event::Transfer { delivery, .. } if delivery == of));
        parts.flat_map(|seen| seen.payload.clone()).collect()
    }

    /// How often a delivery was ended by its last part.
    pub fn ends(&self) -> usize {
        self.seen.iter().filter(|seen| matches!(seen.event, Event::Transfer { more: false, .. })).count()
    }
}

/// Two engines.
pub struct Pair {
    pub client: Side,
    pub server: Side,
    pub now: Instant,
    pub cut: usize,
}

impl Pair {
    pub fn with(cut: usize, client: Config, server: Config) -> Pair {
        let now = epoch();
        let client = Side::new(Connection::client(client, now));
        let server = Side::new(Connection::server(server, now));
        Pair { client, server, now, cut }
    }

    /// Opened, nothing begun.
    pub fn open(cut: usize) -> Pair {
        Pair::opened(cut, client_config(), server_config())
    }

    pub fn opened(cut: usize, client: Config, server: Config) -> Pair {
        let mut pair = Pair::with(cut, client, server);
        pair.run();
        assert!(matches!(pair.client.events()[..], [Event::Opened(_)]));
        assert!(matches!(pair.server.events()[..], [Event::Opened(_)]));
        pair
    }

    /// Carries bytes until nothing moves.
    pub fn run(&mut self) {
        while self.step() {}
    }

    /// Carries one piece each way.
    pub fn step(&mut self) -> bool {
        // Events that no bytes cause.
        self.client.read(self.now);
        self.server.read(self.now);
        let there = carry(&mut self.client, &mut self.server, self.now, self.cut);
        let back = carry(&mut self.server, &mut self.client, self.now, self.cut);
        there || back
    }

    pub fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// A session of the client's.
    pub fn session(&mut self) -> SessionId {
        let session = self.client.engine.begin();
        self.run();
        assert_eq!(self.client.events(), [Event::SessionUp(session)]);
        session
    }

    /// A link of the client's, up on both sides, without credit: the client's and the server's name for it.
    pub fn link(&mut self, session: SessionId, attach: Attach) -> (LinkId, LinkId) {
        let name = attach.name.clone();
        let ours = self.client.engine.attach(session, attach).unwrap();
        self.run();
        let theirs = self.server.requested(&name);
        self.server.engine.accept(theirs, Some(Terminus::anonymous()), Some(Terminus::anonymous()));
        self.run();
        assert!(matches!(self.client.events()[..], [Event::AttachConfirmed(link, _)] if link == ours));
        self.server.take();
        (ours, theirs)
    }

    /// A link on which the client sends, with credit.
    pub fn sending(&mut self, credit: u32) -> (LinkId, LinkId) {
        let session = self.session();
        let (ours, theirs) = self.link(session, sender("out"));
        self.server.engine.keep_credit(theirs, credit);
        self.run();
        assert_eq!(self.client.events(), [Event::Credit(ours)]);
        (ours, theirs)
    }

    /// Sends a whole delivery from the client, however often the wire has to be emptied for it.
    pub fn send(&mut self, link: LinkId, payload: &[u8], end: End) -> Outgoing {
        let (delivery, pushed) = self.client.engine.start(link, payload, end).unwrap();
        let mut sent = pushed.bytes;
        let mut done = pushed.done;
        while !done {
            assert!(self.step(), "stuck after {sent} bytes");
            let pushed = self.client.engine.push(delivery, &payload[sent..], end);
            sent += pushed.bytes;
            done = pushed.done;
        }
        assert_eq!(sent, payload.len());
        self.run();
        delivery
    }
}

fn carry(from: &mut Side, to: &mut Side, now: Instant, cut: usize) -> bool {
    let output = from.engine.output();
    let n = output.len().min(cut);
    to.inbox.extend_from_slice(&output[..n]);
    from.sent.extend_from_slice(&output[..n]);
    if n > 0 {
        from.engine.consume_output(now, n);
    }
    to.read(now) || n > 0
}

/// An AMQP frame.
pub fn frame(channel: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(body.len() + 8).unwrap().to_be_bytes().to_vec();
    bytes.extend([2, 0]);
    bytes.extend(channel.to_be_bytes());
    bytes.extend(body);
    bytes
}

/// A performative whose list has these encoded fields.
pub fn list(code: u8, count: u8, fields: &[u8]) -> Vec<u8> {
    let size = u8::try_from(fields.len() + 1).unwrap();
    [&[0x00, 0x53, code, 0xc0, size, count], fields].concat()
}

/// Frames of a byte stream without headers.
pub fn frames(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while bytes.len() >= 8 {
        let len =
            if bytes.starts_with(b"AMQP") { 8 } else { u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize };
        let (frame, rest) = bytes.split_at(len);
        frames.push(frame.to_vec());
        bytes = rest;
    }
    frames
}

pub fn modified() -> DeliveryState {
    DeliveryState::Modified { delivery_failed: true, undeliverable_here: false }
}
