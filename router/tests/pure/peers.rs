//! A hub and plain AMQP peers around it, joined in memory.

use moorline_amqp::message::{self, Properties};
use moorline_amqp::{
    Attach, Condition, Config, Connection, DeliveryState, End, Event, Incoming, LinkId, Outgoing, Role, Sasl,
    SessionId, Terminus, Value,
};
use moorline_router::core::*;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// A plain AMQP peer; without any of a router's capabilities unless the test wants them.
pub(crate) struct Peer {
    pub(crate) amqp: Connection,
    pub(crate) conn: ConnId,
    pub(crate) wire_in: Vec<u8>,
    pub(crate) wire_out: Vec<u8>,
    pub(crate) received: HashMap<LinkId, Vec<Vec<u8>>>,
    pub(crate) partial: HashMap<Incoming, (LinkId, Vec<u8>)>,
    pub(crate) states: HashMap<Outgoing, DeliveryState>,
    pub(crate) refused: Vec<String>,
    pub(crate) confirmed: Vec<LinkId>,
    /// Source addresses that the router has confirmed.
    pub(crate) sources: HashMap<LinkId, Option<String>>,
    pub(crate) tracking: Vec<(String, bool)>,
    /// It takes nothing of what the router sends for now.
    pub(crate) deaf: bool,
    /// Credit that it keeps on links that the router opens; none: it refuses them.
    pub(crate) credit: Option<u32>,
    /// Links that the router opened.
    pub(crate) offered: Vec<LinkId>,
    session: Option<SessionId>,
    links: usize,
}

pub(crate) struct Hub {
    pub(crate) router: Router,
    pub(crate) peers: Vec<Peer>,
    pub(crate) now: Instant,
}

impl Hub {
    pub(crate) fn new() -> Hub {
        let settings = Settings { id: "hub".into(), mode: Mode::Hub, seed: 1, version: "0.1.0".into() };
        Hub { router: Router::new(settings), peers: Vec::new(), now: Instant::now() }
    }

    pub(crate) fn peer(&mut self, id: &str) -> usize {
        self.peer_with(id, &[], Some(10))
    }

    pub(crate) fn peer_with(&mut self, id: &str, capabilities: &[&str], credit: Option<u32>) -> usize {
        self.join(id, ConnRole::Edge, capabilities, credit)
    }

    /// An ordinary AMQP client.
    pub(crate) fn client(&mut self, id: &str) -> usize {
        self.join(id, ConnRole::Client, &[], None)
    }

    fn join(&mut self, id: &str, role: ConnRole, capabilities: &[&str], credit: Option<u32>) -> usize {
        self.peers.push(Peer::join(&mut self.router, id, role, capabilities, credit, self.now));
        self.run();
        self.peers.len() - 1
    }

    pub(crate) fn run(&mut self) {
        loop {
            while self.router.poll_action().is_some() {}
            let mut moved = false;
            for peer in &mut self.peers {
                moved |= peer.step(&mut self.router, self.now);
            }
            if !moved {
                return;
            }
        }
    }

    pub(crate) fn attach(&mut self, peer: usize, role: Role, source: Terminus, target: Terminus) -> LinkId {
        let Peer { amqp, session, links, .. } = &mut self.peers[peer];
        let session = *session.get_or_insert_with(|| amqp.begin());
        *links += 1;
        let (source, target) = (Some(source), Some(target));
        let name = format!("link-{links}");
        let attach =
            Attach { name, role, source, target, snd_settle_mode: 2, rcv_settle_mode: 0, properties: Vec::new() };
        let link = amqp.attach(session, attach).expect("attached");
        if role == Role::Receiver {
            amqp.keep_credit(link, 10);
        }
        self.run();
        link
    }

    /// A receiver on an address that the router makes, and the address.
    pub(crate) fn dynamic(&mut self, peer: usize) -> (LinkId, String) {
        let source = Terminus { dynamic: true, ..Terminus::anonymous() };
        let link = self.attach(peer, Role::Receiver, source, Terminus::anonymous());
        let address = self.peers[peer].sources.get(&link).cloned().flatten().expect("an address");
        (link, address)
    }

    pub(crate) fn receiver(&mut self, peer: usize, address: &str) -> LinkId {
        self.attach(peer, Role::Receiver, Terminus::at(address), Terminus::anonymous())
    }

    pub(crate) fn sender(&mut self, peer: usize, address: Option<&str>) -> LinkId {
        let target = address.map(Terminus::at).unwrap_or_default();
        self.attach(peer, Role::Sender, Terminus::anonymous(), target)
    }

    pub(crate) fn send(&mut self, peer: usize, link: LinkId, to: Option<&str>, body: &str) -> Outgoing {
        let bytes = text_message(to, body);
        let (delivery, pushed) = self.peers[peer].amqp.start(link, &bytes, End::Last).expect("credit");
        assert!(pushed.done);
        self.run();
        delivery
    }

    pub(crate) fn bodies(&self, peer: usize, link: LinkId) -> Vec<String> {
        let messages = self.peers[peer].received.get(&link).map(Vec::as_slice).unwrap_or_default();
        messages.iter().map(|bytes| body_of(bytes)).collect()
    }
}

impl Peer {
    pub(crate) fn join(
        router: &mut Router,
        id: &str,
        role: ConnRole,
        capabilities: &[&str],
        credit: Option<u32>,
        now: Instant,
    ) -> Peer {
        let amqp = Connection::client(
            Config {
                container_id: id.into(),
                hostname: None,
                max_frame_size: 16384,
                channel_max: 10,
                handle_max: 100,
                idle_timeout: Duration::from_secs(60),
                incoming_window: 100,
                output_limit: 1 << 20,
                max_unsettled: 100_000,
                capabilities: capabilities.iter().map(|&name| name.to_owned()).collect(),
                properties: Vec::new(),
                sasl: Sasl::External,
            },
            now,
        );
        let spec = ConnectionSpec {
            role,
            label: id.into(),
            hostname: None,
            max_frame_size: 16384,
            max_session_frames: 640,
            idle_timeout: Duration::from_secs(60),
            external: true,
        };
        let conn = router.add_connection(spec, now);
        Peer {
            amqp,
            conn,
            wire_in: Vec::new(),
            wire_out: Vec::new(),
            received: HashMap::new(),
            partial: HashMap::new(),
            states: HashMap::new(),
            refused: Vec::new(),
            confirmed: Vec::new(),
            sources: HashMap::new(),
            tracking: Vec::new(),
            deaf: false,
            credit,
            offered: Vec::new(),
            session: None,
            links: 0,
        }
    }

    pub(crate) fn step(&mut self, router: &mut Router, now: Instant) -> bool {
        let mut moved = false;
        let out = self.amqp.output().len();
        if out > 0 {
            self.wire_out.extend_from_slice(self.amqp.output());
            self.amqp.consume_output(now, out);
            let used = router.handle_input(self.conn, &self.wire_out, now);
            self.wire_out.drain(..used);
            moved = true;
        }
        let theirs = router.output(self.conn).len();
        if theirs > 0 && !self.deaf {
            self.wire_in.extend_from_slice(router.output(self.conn));
            router.consume_output(self.conn, theirs, now);
            moved = true;
        }
        let bytes = std::mem::take(&mut self.wire_in);
        let mut rest = &bytes[..];
        while let Some(event) = self.amqp.poll_event(now, &mut rest) {
            moved = true;
            match event {
                Event::Transfer { link, delivery, more, payload, settled, .. } => {
                    let entry = self.partial.entry(delivery).or_insert_with(|| (link, Vec::new()));
                    entry.1.extend_from_slice(payload);
                    if !more {
                        let (link, bytes) = self.partial.remove(&delivery).expect("begun");
                        if let Some(state) = tracking(&bytes) {
                            self.tracking.push(state);
                        }
                        self.received.entry(link).or_default().push(bytes);
                        if !settled {
                            self.amqp.dispose(delivery, Some(DeliveryState::Accepted), true);
                        }
                    }
                }
                Event::Disposition { delivery, state: Some(state), .. } => {
                    self.states.insert(delivery, state);
                }
                Event::Detached(_, error) => {
                    self.refused.push(error.map(|error| error.condition).unwrap_or_default());
                }
                Event::AttachConfirmed(link, attach) => {
                    self.confirmed.push(link);
                    self.sources.insert(link, attach.source.and_then(|source| source.address));
                }
                Event::AttachRequested(link, _, attach) => {
                    self.offered.push(link);
                    match self.credit {
                        Some(credit) => {
                            self.amqp.accept(link, attach.source, attach.target);
                            self.amqp.keep_credit(link, credit);
                        }
                        None => self.amqp.refuse(link, Condition::new("amqp:resource-limit-exceeded", "no more")),
                    }
                }
                Event::Closed(closed) => panic!("closed: {closed}"),
                _ => {}
            }
        }
        self.wire_in = rest.to_vec();
        moved
    }
}

pub(crate) fn text_message(to: Option<&str>, body: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(to) = to {
        Properties { to: Some(to.into()), ..Properties::default() }.encode(&mut bytes);
    }
    message::encode_section(message::VALUE as u8, &Value::String(body.into()), &mut bytes);
    bytes
}

pub(crate) fn value_of(mut bytes: &[u8]) -> Option<Value> {
    loop {
        let section = message::section(bytes).ok()??;
        if section.descriptor == message::VALUE {
            let mut value = section.value;
            return Value::decode(&mut value).ok();
        }
        bytes = &bytes[section.len..];
    }
}

pub(crate) fn body_of(bytes: &[u8]) -> String {
    value_of(bytes).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

pub(crate) fn tracking(bytes: &[u8]) -> Option<(String, bool)> {
    match value_of(bytes)? {
        Value::List(fields) => match fields.as_slice() {
            [Value::String(key), Value::Bool(reachable)] => Some((key.clone(), *reachable)),
            _ => None,
        },
        _ => None,
    }
}
