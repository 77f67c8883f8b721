//! A driver for the engine over tokio, and two users of it: a small broker, and a client that talks to a queue.

use moorline_amqp::codec::Value;
use moorline_amqp::connection::{Closed, SaslServer};
use moorline_amqp::message::{VALUE, encode_section, section};
use moorline_amqp::{
    Attach, Condition, Config, Connection, DeliveryState, End, Event, Incoming, LinkId, Outgoing, Role, Sasl,
    SessionId, Terminus,
};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Who uses the engine.
pub trait User: Send {
    fn on(&mut self, engine: &mut Connection, event: Event<'_>);
    /// After each round: send what there is room for.
    fn pump(&mut self, engine: &mut Connection);
}

/// Runs a connection to its end.
pub async fn drive(io: impl AsyncRead + AsyncWrite + Send, mut engine: Connection, mut user: impl User) {
    let (mut read, mut write) = tokio::io::split(io);
    let mut inbox: Vec<u8> = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let mut input = &inbox[..];
        while let Some(event) = engine.poll_event(now(), &mut input) {
            user.on(&mut engine, event);
        }
        let left = input.len();
        inbox.drain(..inbox.len() - left);
        user.pump(&mut engine);
        if engine.is_closed() && engine.output().is_empty() {
            // The peer may still be writing; what it says no longer matters.
            let _ = write.shutdown().await;
            return;
        }
        let deadline = engine.poll_timeout().map(tokio::time::Instant::from_std);
        let far = tokio::time::Instant::now() + Duration::from_secs(3_600);
        tokio::select! {
            n = write.write(engine.output()), if !engine.output().is_empty() => match n {
                Ok(n) => engine.consume_output(now(), n),
                Err(_) => return,
            },
            n = read.read(&mut buffer), if engine.wants_input() && !engine.is_closed() => match n {
                Ok(0) | Err(_) => engine.handle_eof(),
                Ok(n) => inbox.extend_from_slice(&buffer[..n]),
            },
            () = tokio::time::sleep_until(deadline.unwrap_or(far)) => engine.handle_timeout(now()),
        }
    }
}

/// The body of a message of this length: each character depends on its place.
pub fn text(len: usize) -> String {
    (0..len).map(|at| char::from(b'a' + ((at * 7 + at / 977) % 26) as u8)).collect()
}

pub fn message(body: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_section(VALUE as u8, &Value::String(body.to_owned()), &mut bytes);
    bytes
}

/// The text of a message, whatever sections come before it.
fn body(mut bytes: &[u8]) -> String {
    while let Some(part) = section(bytes).unwrap() {
        if part.descriptor == VALUE {
            return Value::decode(&mut &part.value[..]).unwrap().as_str().unwrap().to_owned();
        }
        bytes = &bytes[part.len..];
    }
    panic!("a message without a value")
}

/// Messages on their way out.
#[derive(Default)]
pub struct Outbox {
    waiting: HashMap<LinkId, Vec<Vec<u8>>>,
    current: HashMap<LinkId, (Outgoing, Vec<u8>, usize)>,
}

impl Outbox {
    pub fn put(&mut self, link: LinkId, messages: Vec<Vec<u8>>) {
        self.waiting.insert(link, messages);
    }

    pub fn pump(&mut self, engine: &mut Connection) {
        for (&link, messages) in &mut self.waiting {
            loop {
                if let Some((delivery, bytes, at)) = self.current.get_mut(&link) {
                    let pushed = engine.push(*delivery, &bytes[*at..], End::Last);
                    *at += pushed.bytes;
                    if !pushed.done {
                        break;
                    }
                    self.current.remove(&link);
                }
                if messages.is_empty() || !engine.can_start(link) {
                    break;
                }
                let bytes = messages.remove(0);
                let (delivery, pushed) = engine.start(link, &bytes, End::Last).unwrap();
                self.current.insert(link, (delivery, bytes, pushed.bytes));
            }
        }
    }
}

/// What came to pass, for the test to look at.
#[derive(Default, Debug)]
pub struct Log {
    pub received: Vec<usize>,
    pub outcomes: Vec<DeliveryState>,
    pub drained: usize,
    pub detached: Vec<Option<Condition>>,
    pub user: Option<String>,
    pub closed: Option<Closed>,
}

pub type Shared = Arc<Mutex<Log>>;

/// What both users do with the deliveries that come in.
#[derive(Default)]
struct Inbox {
    bodies: HashMap<Incoming, Vec<u8>>,
    addresses: HashMap<LinkId, String>,
}

impl Inbox {
    /// Takes a part; the whole message with the address of its link when it is the last.
    fn part(&mut self, link: LinkId, delivery: Incoming, more: bool, payload: &[u8]) -> Option<(String, Vec<u8>)> {
        let bytes = self.bodies.entry(delivery).or_default();
        bytes.extend_from_slice(payload);
        if more {
            return None;
        }
        Some((self.addresses.get(&link).cloned().unwrap_or_default(), self.bodies.remove(&delivery)?))
    }
}

/// A broker without queues. What is sent to the target `accept`, `reject`, `release` or `modify` gets this outcome,
/// `slam` detaches the link. A source `N:SIZE` gives N messages of this size.
#[derive(Default)]
pub struct Broker {
    inbox: Inbox,
    outbox: Outbox,
    pub log: Shared,
}

impl User for Broker {
    fn on(&mut self, engine: &mut Connection, event: Event<'_>) {
        let mut log = self.log.lock().unwrap();
        match event {
            Event::Opened(_) => log.user = engine.sasl_user().map(str::to_owned),
            Event::AttachRequested(link, _, attach) => {
                let terminus = if attach.role == Role::Sender { &attach.source } else { &attach.target };
                let address = terminus.as_ref().and_then(|terminus| terminus.address.clone()).unwrap_or_default();
                if address == "nowhere" {
                    return engine.refuse(link, Condition::new("amqp:not-found", "there is no such place"));
                }
                if attach.role == Role::Sender {
                    let (count, size) = address.split_once(':').unwrap();
                    let message = message(&text(size.parse().unwrap()));
                    self.outbox.put(link, vec![message; count.parse().unwrap()]);
                } else {
                    engine.keep_credit(link, 10);
                    self.inbox.addresses.insert(link, address);
                }
                engine.accept(link, attach.source, attach.target);
            }
            Event::Transfer { link, delivery, more, payload, .. } => {
                let Some((address, bytes)) = self.inbox.part(link, delivery, more, payload) else { return };
                let text_in = body(&bytes);
                assert_eq!(text_in, text(text_in.len()));
                log.received.push(text_in.len());
                let state = match address.as_str() {
                    "reject" => DeliveryState::Rejected(Some(Condition::new("amqp:not-allowed", "no thanks"))),
                    "release" => DeliveryState::Released,
                    "modify" => DeliveryState::Modified { delivery_failed: true, undeliverable_here: false },
                    "slam" => return engine.detach(link, Some(Condition::new("amqp:resource-deleted", "slammed"))),
                    _ => DeliveryState::Accepted,
                };
                engine.dispose(delivery, Some(state), true);
            }
            Event::Disposition { delivery, state, settled } => {
                log.outcomes.extend(state);
                if !settled {
                    engine.dispose_sent(delivery, None, true);
                }
            }
            Event::Drained(_) => log.drained += 1,
            Event::Detached(_, error) => log.detached.push(error),
            Event::Closed(closed) => log.closed = Some(closed),
            _ => {}
        }
    }

    fn pump(&mut self, engine: &mut Connection) {
        self.outbox.pump(engine);
    }
}

/// A client that sends messages of these sizes to `queue` and takes as many from there, then closes.
pub struct Client {
    pub sizes: Vec<usize>,
    pub log: Shared,
    inbox: Inbox,
    outbox: Outbox,
}

impl Client {
    pub fn new(sizes: &[usize], log: &Shared) -> Client {
        Client { sizes: sizes.to_vec(), log: Arc::clone(log), inbox: Inbox::default(), outbox: Outbox::default() }
    }
}

impl User for Client {
    fn on(&mut self, engine: &mut Connection, event: Event<'_>) {
        let mut log = self.log.lock().unwrap();
        match event {
            Event::Opened(_) => {
                let session: SessionId = engine.begin();
                let link = |name: &str, role| Attach {
                    name: name.to_owned(),
                    role,
                    source: Some(if role == Role::Sender { Terminus::anonymous() } else { Terminus::at("queue") }),
                    target: Some(if role == Role::Sender { Terminus::at("queue") } else { Terminus::anonymous() }),
                    snd_settle_mode: 2,
                    rcv_settle_mode: 0,
                    properties: Vec::new(),
                };
                let out = engine.attach(session, link("out", Role::Sender)).unwrap();
                let back = engine.attach(session, link("back", Role::Receiver)).unwrap();
                engine.keep_credit(back, 4);
                self.outbox.put(out, self.sizes.iter().map(|&size| message(&text(size))).collect());
            }
            Event::Transfer { link, delivery, more, payload, .. } => {
                let Some((_, bytes)) = self.inbox.part(link, delivery, more, payload) else { return };
                let text_in = body(&bytes);
                assert_eq!(text_in, text(text_in.len()));
                log.received.push(text_in.len());
                engine.dispose(delivery, Some(DeliveryState::Accepted), true);
            }
            Event::Disposition { delivery, state, settled } => {
                log.outcomes.extend(state);
                if !settled {
                    engine.dispose_sent(delivery, None, true);
                }
            }
            Event::Detached(_, error) => log.detached.push(error),
            Event::Closed(closed) => log.closed = Some(closed),
            _ => {}
        }
        if log.closed.is_none() && log.received.len() == self.sizes.len() && log.outcomes.len() == self.sizes.len() {
            engine.close(None);
        }
    }

    fn pump(&mut self, engine: &mut Connection) {
        self.outbox.pump(engine);
    }
}

pub fn config(name: &str, sasl: Sasl) -> Config {
    Config {
        container_id: name.to_owned(),
        hostname: None,
        max_frame_size: 16_384,
        channel_max: 255,
        handle_max: 255,
        idle_timeout: Duration::from_secs(16),
        incoming_window: 64,
        output_limit: 128 * 1024,
        max_unsettled: 1_000,
        capabilities: vec!["qd.streaming-links".to_owned()],
        properties: vec![("product".to_owned(), Value::String("moorline".to_owned()))],
        sasl,
    }
}

/// A server that takes ANONYMOUS, and PLAIN for anna.
pub fn server() -> Connection {
    let plain = Arc::new(|user: &str, password: &str| (user, password) == ("anna", "s3cret"));
    let sasl = SaslServer { external: false, anonymous: true, plain: Some(plain), optional: true };
    Connection::server(config("broker", Sasl::Server(sasl)), now())
}
