//! Two engines joined in memory, and a link between them.

use std::time::{Duration, Instant};

use moorline_amqp::{Attach, Config, Connection, End, Event, LinkId, Outgoing, Role, Sasl, SessionId, Terminus};

/// As skrouterd and ours have it.
const FRAME: u32 = 16_384;
const CREDIT: u32 = 250;

/// A sender, a receiver, and the link.
pub(super) struct Pair {
    sender: Connection,
    receiver: Connection,
    link: LinkId,
    now: Instant,
    /// Payload that has arrived.
    pub(super) arrived: u64,
    answer: bool,
}

impl Pair {
    /// Opens connection, session and link; with `answer` the receiver accepts each delivery.
    pub(super) fn new(answer: bool) -> Self {
        let now = Instant::now();
        let mut sender = Connection::client(config("sender"), now);
        let receiver = Connection::server(config("receiver"), now);
        let session: SessionId = sender.begin();
        let attach = Attach {
            name: "link".to_owned(),
            role: Role::Sender,
            source: Some(Terminus::anonymous()),
            target: Some(Terminus::at("queue")),
            snd_settle_mode: 2,
            rcv_settle_mode: 0,
            properties: Vec::new(),
        };
        let link = sender.attach(session, attach).expect("a link");
        let mut pair = Self { sender, receiver, link, now, arrived: 0, answer };
        pair.carry();
        assert!(pair.sender.can_start(link), "the link has credit");
        pair
    }

    /// Sends a delivery that ends.
    pub(super) fn send(&mut self, payload: &[u8]) {
        let (_, pushed) = self.sender.start(self.link, payload, End::Last).expect("credit");
        assert!(pushed.done, "there is room");
        self.carry();
    }

    /// Begins one that does not.
    pub(super) fn begin(&mut self, payload: &[u8]) -> Outgoing {
        let (delivery, _) = self.sender.start(self.link, payload, End::More).expect("credit");
        self.carry();
        delivery
    }

    /// Continues it.
    pub(super) fn push(&mut self, delivery: Outgoing, payload: &[u8]) {
        assert!(self.sender.push(delivery, payload, End::More).done, "there is room");
        self.carry();
    }

    /// Until both have said all that they have to say.
    fn carry(&mut self) {
        while !self.sender.output().is_empty() || !self.receiver.output().is_empty() {
            let mut bytes = self.sender.output();
            let length = bytes.len();
            while let Some(event) = self.receiver.poll_event(self.now, &mut bytes) {
                match event {
                    Event::AttachRequested(link, _, attach) => {
                        self.receiver.accept(link, attach.source, attach.target);
                        self.receiver.keep_credit(link, CREDIT);
                    }
                    Event::Transfer { delivery, more, payload, .. } => {
                        self.arrived += payload.len() as u64;
                        if self.answer && !more {
                            self.receiver.dispose(delivery, Some(moorline_amqp::DeliveryState::Accepted), true);
                        }
                    }
                    _ => {}
                }
            }
            self.sender.consume_output(self.now, length);
            let mut bytes = self.receiver.output();
            let length = bytes.len();
            while self.sender.poll_event(self.now, &mut bytes).is_some() {}
            self.receiver.consume_output(self.now, length);
        }
    }
}

fn config(name: &str) -> Config {
    Config {
        container_id: name.to_owned(),
        hostname: None,
        max_frame_size: FRAME,
        channel_max: 10,
        handle_max: 100,
        idle_timeout: Duration::ZERO,
        incoming_window: 640,
        output_limit: 256 * 1024,
        max_unsettled: 10_000,
        capabilities: Vec::new(),
        properties: Vec::new(),
        sasl: Sasl::None,
    }
}
