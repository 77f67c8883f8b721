//! The hub as plain AMQP peers see it: peers without streaming links, messages for many, addresses nobody may claim.

use moorline_amqp::message::{self, Properties};
use moorline_amqp::{
    Attach, Config, Connection, DeliveryState, End, Event, Incoming, LinkId, Outgoing, Role, Sasl, Terminus, Value,
};
use moorline_router::core::*;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// A peer without any of a router's capabilities.
struct Peer {
    amqp: Connection,
    conn: ConnId,
    wire_in: Vec<u8>,
    wire_out: Vec<u8>,
    received: HashMap<LinkId, Vec<Vec<u8>>>,
    partial: HashMap<Incoming, (LinkId, Vec<u8>)>,
    states: HashMap<Outgoing, DeliveryState>,
    refused: Vec<String>,
    confirmed: Vec<LinkId>,
    tracking: Vec<(String, bool)>,
}

struct Hub {
    router: Router,
    peers: Vec<Peer>,
    now: Instant,
}

impl Hub {
    fn new() -> Hub {
        let settings = Settings {
            id: "hub".into(),
            mode: Mode::Hub,
            seed: 1,
            version: "0.1.0".into(),
            multicast_prefixes: vec!["mc".into()],
        };
        Hub { router: Router::new(settings), peers: Vec::new(), now: Instant::now() }
    }

    fn peer(&mut self, id: &str) -> usize {
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
                max_unsettled: 1000,
                capabilities: Vec::new(),
                properties: Vec::new(),
                sasl: Sasl::External,
            },
            self.now,
        );
        let spec = ConnectionSpec {
            role: ConnRole::Edge,
            label: id.into(),
            hostname: None,
            max_frame_size: 16384,
            max_session_frames: 640,
            idle_timeout: Duration::from_secs(60),
            external: true,
        };
        let conn = self.router.add_connection(spec, self.now);
        self.peers.push(Peer {
            amqp,
            conn,
            wire_in: Vec::new(),
            wire_out: Vec::new(),
            received: HashMap::new(),
            partial: HashMap::new(),
            states: HashMap::new(),
            refused: Vec::new(),
            confirmed: Vec::new(),
            tracking: Vec::new(),
        });
        self.run();
        self.peers.len() - 1
    }

    fn run(&mut self) {
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

    fn attach(&mut self, peer: usize, role: Role, source: Terminus, target: Terminus) -> LinkId {
        let amqp = &mut self.peers[peer].amqp;
        let session = amqp.begin();
        let (source, target) = (Some(source), Some(target));
        let name = format!("link-{role:?}-{source:?}-{target:?}");
        let attach =
            Attach { name, role, source, target, snd_settle_mode: 2, rcv_settle_mode: 0, properties: Vec::new() };
        let link = amqp.attach(session, attach).expect("attached");
        if role == Role::Receiver {
            amqp.keep_credit(link, 10);
        }
        self.run();
        link
    }

    fn receiver(&mut self, peer: usize, address: &str) -> LinkId {
        self.attach(peer, Role::Receiver, Terminus::at(address), Terminus::anonymous())
    }

    fn sender(&mut self, peer: usize, address: Option<&str>) -> LinkId {
        let target = address.map(Terminus::at).unwrap_or_default();
        self.attach(peer, Role::Sender, Terminus::anonymous(), target)
    }

    fn send(&mut self, peer: usize, link: LinkId, to: Option<&str>, body: &str) -> Outgoing {
        let bytes = text_message(to, body);
        let (delivery, pushed) = self.peers[peer].amqp.start(link, &bytes, End::Last).expect("credit");
        assert!(pushed.done);
        self.run();
        delivery
    }

    fn bodies(&self, peer: usize, link: LinkId) -> Vec<String> {
        let messages = self.peers[peer].received.get(&link).map(Vec::as_slice).unwrap_or_default();
        messages.iter().map(|bytes| body_of(bytes)).collect()
    }
}

impl Peer {
    fn step(&mut self, router: &mut Router, now: Instant) -> bool {
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
        if theirs > 0 {
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
                Event::AttachConfirmed(link, _) => self.confirmed.push(link),
                Event::Closed(closed) => panic!("closed: {closed}"),
                _ => {}
            }
        }
        self.wire_in = rest.to_vec();
        moved
    }
}

fn text_message(to: Option<&str>, body: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(to) = to {
        Properties { to: Some(to.into()), ..Properties::default() }.encode(&mut bytes);
    }
    message::encode_section(message::VALUE as u8, &Value::String(body.into()), &mut bytes);
    bytes
}

fn value_of(mut bytes: &[u8]) -> Option<Value> {
    loop {
        let section = message::section(bytes).ok()??;
        if section.descriptor == message::VALUE {
            let mut value = section.value;
            return Value::decode(&mut value).ok();
        }
        bytes = &bytes[section.len..];
    }
}

fn body_of(bytes: &[u8]) -> String {
    value_of(bytes).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn tracking(bytes: &[u8]) -> Option<(String, bool)> {
    match value_of(bytes)? {
        Value::List(fields) => match fields.as_slice() {
            [Value::String(key), Value::Bool(reachable)] => Some((key.clone(), *reachable)),
            _ => None,
        },
        _ => None,
    }
}

#[test]
fn a_message_reaches_one_consumer_and_its_outcome_comes_back() {
    let mut hub = Hub::new();
    let (a, b, c) = (hub.peer("a"), hub.peer("b"), hub.peer("c"));
    let (at_b, at_c) = (hub.receiver(b, "queue"), hub.receiver(c, "queue"));
    let anonymous = hub.sender(a, None);
    let addressed = hub.sender(a, Some("queue"));
    let mut sent = Vec::new();
    for i in 0..3 {
        sent.push(hub.send(a, anonymous, Some("queue"), &format!("to {i}")));
        sent.push(hub.send(a, addressed, None, &format!("link {i}")));
    }
    let mut all = [hub.bodies(b, at_b), hub.bodies(c, at_c)].concat();
    all.sort();
    assert_eq!(all, ["link 0", "link 1", "link 2", "to 0", "to 1", "to 2"]);
    assert_eq!(hub.bodies(b, at_b).len(), 3, "they take turns");
    for delivery in sent {
        assert_eq!(hub.peers[a].states.get(&delivery), Some(&DeliveryState::Accepted));
    }
    assert_eq!(hub.router.open_splices(), 0);
}

#[test]
fn nobody_there_means_released() {
    let mut hub = Hub::new();
    let a = hub.peer("a");
    let link = hub.sender(a, None);
    for to in ["nobody", "amqp:/_edge/nowhere/temp.x", "amqp:/_topo/0/other/x", "amqp:/_topo/0/hub/temp.x"] {
        let delivery = hub.send(a, link, Some(to), "x");
        assert_eq!(hub.peers[a].states.get(&delivery), Some(&DeliveryState::Released), "{to}");
    }
    let own = hub.receiver(a, "mine");
    let delivery = hub.send(a, link, Some("mine"), "x");
    assert_eq!(hub.peers[a].states.get(&delivery), Some(&DeliveryState::Released), "never back to the sender");
    assert!(hub.bodies(a, own).is_empty());
}

#[test]
fn multicast_reaches_every_other_consumer() {
    let mut hub = Hub::new();
    let (a, b, c) = (hub.peer("a"), hub.peer("b"), hub.peer("c"));
    let at = [(a, hub.receiver(a, "mc/news")), (b, hub.receiver(b, "mc/news")), (c, hub.receiver(c, "mc/news"))];
    let link = hub.sender(a, Some("mc/news"));
    for text in ["one", "two"] {
        let delivery = hub.send(a, link, Some("mc/news"), text);
        assert_eq!(hub.peers[a].states.get(&delivery), Some(&DeliveryState::Accepted));
    }
    assert_eq!(at.map(|(peer, link)| hub.bodies(peer, link).len()), [0, 2, 2]);
    assert_eq!(hub.bodies(c, at[2].1), ["one", "two"]);
}

#[test]
fn credit_and_tracking_come_with_the_first_consumer_and_tracking_goes_with_the_last() {
    let mut hub = Hub::new();
    let (a, b) = (hub.peer("a"), hub.peer("b"));
    hub.receiver(a, "_$qd.edge_addr_tracking");
    let sender = hub.sender(a, Some("svc:1"));
    assert_eq!(hub.peers[a].amqp.credit(sender), 0);
    assert!(hub.peers[a].tracking.is_empty());
    hub.receiver(a, "svc:1");
    assert!(hub.peers[a].tracking.is_empty(), "being the only server of what one asks for does not count");
    let at_b = hub.receiver(b, "svc:1");
    assert!(hub.peers[a].amqp.credit(sender) > 0);
    assert_eq!(hub.peers[a].tracking, [("Msvc:1".to_owned(), true)]);
    hub.peers[b].amqp.detach(at_b, None);
    hub.run();
    assert_eq!(hub.peers[a].tracking.last(), Some(&("Msvc:1".to_owned(), false)));
}

#[test]
fn edges_of_one_mesh_do_not_reach_each_other_through_the_hub() {
    let mut hub = Hub::new();
    let (a, b) = (hub.peer("a"), hub.peer("b"));
    for peer in [a, b] {
        let mesh = hub.sender(peer, Some("_$qd.mesh_discovery"));
        let mut bytes = Vec::new();
        let properties = vec![(Value::Symbol("meshid".into()), Value::String("samesamesamesam".into()))];
        message::encode_section(message::APPLICATION_PROPERTIES as u8, &Value::Map(properties), &mut bytes);
        hub.peers[peer].amqp.start(mesh, &bytes, End::LastSettled).expect("credit");
        hub.run();
    }
    hub.receiver(b, "svc:1");
    let link = hub.sender(a, None);
    let delivery = hub.send(a, link, Some("svc:1"), "x");
    assert_eq!(hub.peers[a].states.get(&delivery), Some(&DeliveryState::Released));
}

#[test]
fn addresses_that_name_a_place_cannot_be_claimed() {
    let mut hub = Hub::new();
    let a = hub.peer("a");
    for address in ["_edge/b/temp.x", "amqp:/_edge/b/x", "_topo/0/hub/x", "/x", "_local/x"] {
        hub.receiver(a, address);
        assert_eq!(hub.peers[a].refused.pop().as_deref(), Some("amqp:not-allowed"), "{address}");
    }
    let foreign = Terminus {
        address: Some("b".into()),
        capabilities: vec!["qd.router-edge-downlink".into()],
        ..Terminus::default()
    };
    hub.attach(a, Role::Receiver, foreign, Terminus::anonymous());
    assert_eq!(hub.peers[a].refused.pop().as_deref(), Some("amqp:not-allowed"));
}

#[test]
fn a_consumer_that_leaves_before_it_settles_releases_the_sender() {
    let mut hub = Hub::new();
    let (a, b) = (hub.peer("a"), hub.peer("b"));
    let at_b = hub.receiver(b, "queue");
    hub.peers[b].amqp.grant_credit(at_b, 0);
    hub.run();
    let link = hub.sender(a, None);
    let delivery = hub.send(a, link, Some("queue"), "waits for credit");
    assert_eq!(hub.peers[a].states.get(&delivery), None);
    assert_eq!(hub.router.open_splices(), 1);
    let gone = hub.peers.remove(b);
    hub.router.remove_connection(gone.conn, None, hub.now);
    hub.run();
    assert_eq!(hub.peers[a].states.get(&delivery), Some(&DeliveryState::Released));
    assert_eq!(hub.router.open_splices(), 0);
}

#[test]
fn a_long_message_without_the_streaming_flag_is_refused_not_hung() {
    let mut hub = Hub::new();
    let (a, b) = (hub.peer("a"), hub.peer("b"));
    hub.receiver(b, "queue");
    let link = hub.sender(a, None);
    let bytes = text_message(Some("queue"), &"x".repeat(100_000));
    let (delivery, _) = hub.peers[a].amqp.start(link, &bytes, End::Last).expect("credit");
    hub.run();
    assert_eq!(hub.peers[a].states.get(&delivery), Some(&DeliveryState::Rejected(None)));
}
