//! Seeded chaos of AMQP clients on a network of router cores: producers, consumers that come and go and stop taking,
//! links that are cut. Whatever happens, an accepted message arrived exactly once, one that was rejected or released
//! never did, every message gets a verdict, and nothing is left behind.
//!
//! `SEED=n cargo test -p moorline-router --test pure message_simulation` runs one seed again; `SEEDS=n` runs so many.

use crate::peers::{Peer, body_of, text_message};
use crate::world::World;
use moorline_amqp::{Attach, DeliveryState, End, LinkId, Outgoing, Role, SessionId, Terminus};
use moorline_router::core::*;
use std::collections::HashMap;

const QUEUES: [&str; 3] = ["orders", "mail", "large"];

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }
}

/// A client and its node; a producer has a link for each queue.
struct Client {
    node: usize,
    peer: Peer,
    session: SessionId,
    senders: Vec<LinkId>,
    /// Its consuming link, if it has one.
    receiver: Option<LinkId>,
    links: usize,
    /// A message that is not all written: what is left of it.
    partial: Option<(Outgoing, Vec<u8>)>,
}

struct Chaos {
    world: World,
    random: Random,
    clients: Vec<Client>,
    edges: Vec<usize>,
    hub: usize,
    wires: Vec<Option<usize>>,
    /// Name of each message by its delivery.
    sent: HashMap<(usize, Outgoing), String>,
    cut: bool,
}

impl Chaos {
    fn new(seed: u64) -> Chaos {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let chunk = [7, 100, 5000, usize::MAX][random.below(4)];
        let mut world = World::new(chunk);
        let hub = world.node("hub", Mode::Hub);
        let edges: Vec<usize> = (0..2).map(|n| world.node(&format!("edge-{n}"), Mode::Edge)).collect();
        let wires = edges.iter().map(|edge| Some(world.link(*edge, hub))).collect();
        let cut = random.below(3) == 0;
        let mut chaos = Chaos { world, random, clients: Vec::new(), edges, hub, wires, sent: HashMap::new(), cut };
        for (n, node) in
            [chaos.edges[0], chaos.edges[1], hub, chaos.edges[0], chaos.edges[1], hub].into_iter().enumerate()
        {
            chaos.join(node, n < 3);
        }
        chaos
    }

    fn join(&mut self, node: usize, producer: bool) {
        let now = self.world.now;
        let id = format!("client-{}", self.clients.len());
        let mut peer = Peer::join(&mut self.world.nodes[node].router, &id, ConnRole::Client, &[], None, now);
        let session = peer.amqp.begin();
        let mut client = Client { node, peer, session, senders: Vec::new(), receiver: None, links: 0, partial: None };
        if producer {
            client.senders = QUEUES.iter().map(|queue| client.attach(Role::Sender, queue)).collect();
        }
        self.clients.push(client);
        self.run();
    }

    fn run(&mut self) {
        loop {
            let mut moved = self.world.step();
            for client in &mut self.clients {
                moved |= client.peer.step(&mut self.world.nodes[client.node].router, self.world.now);
            }
            if !moved {
                return;
            }
        }
    }

    /// A little of everything, not to the end.
    fn steps(&mut self, n: usize) {
        for _ in 0..n {
            self.world.step();
            for client in &mut self.clients {
                client.peer.step(&mut self.world.nodes[client.node].router, self.world.now);
            }
        }
    }

    fn act(&mut self) {
        let at = self.random.below(self.clients.len());
        let choice = self.random.below(12);
        let queue = self.random.below(QUEUES.len());
        let size = if queue == 2 { self.random.below(600_000) } else { self.random.below(300) };
        let client = &mut self.clients[at];
        match (client.senders.is_empty(), choice) {
            (false, _) => {
                let count = self.sent.len();
                if let Some(out) = client.send(queue, &format!("m{count}"), size) {
                    self.sent.insert((at, out), format!("m{count}"));
                }
            }
            (true, 0..4) => {
                if client.receiver.is_none() {
                    client.receiver = Some(client.attach(Role::Receiver, QUEUES[queue]));
                }
            }
            (true, 4) => {
                if let Some(link) = client.receiver.take() {
                    client.peer.amqp.detach(link, None);
                }
            }
            (true, 5..7) => {
                if let Some(link) = client.receiver {
                    client.peer.amqp.grant_credit(link, 0);
                }
            }
            (true, 7..10) => {
                if let Some(link) = client.receiver {
                    client.peer.amqp.keep_credit(link, 1 + size as u32 % 50);
                }
            }
            (true, _) if self.cut => {
                let which = self.random.below(self.wires.len());
                match self.wires[which].take() {
                    Some(wire) => self.world.cut(wire),
                    None => self.wires[which] = Some(self.world.link(self.edges[which], self.hub)),
                }
            }
            (true, _) => {}
        }
    }

    /// Everything is mended, and there are consumers for all that waits.
    fn end(&mut self) {
        for which in 0..self.wires.len() {
            if self.wires[which].is_none() {
                self.wires[which] = Some(self.world.link(self.edges[which], self.hub));
            }
        }
        for (n, queue) in QUEUES.iter().enumerate() {
            let client = &mut self.clients[3 + n];
            if let Some(link) = client.receiver.take() {
                client.peer.amqp.detach(link, None);
            }
            client.receiver = Some(client.attach(Role::Receiver, queue));
            let link = client.receiver.expect("attached");
            client.peer.amqp.keep_credit(link, 1000);
        }
        for _ in 0..200 {
            self.run();
            if !self.clients.iter_mut().any(Client::finish) {
                break;
            }
        }
        self.run();
    }

    fn check(&self, seed: u64) {
        let replay = format!("replay with SEED={seed}");
        let mut received: HashMap<String, usize> = HashMap::new();
        for client in &self.clients {
            for bytes in client.peer.received.values().flatten() {
                let body = body_of(bytes);
                let name = body.split('.').next().unwrap_or_default().to_owned();
                *received.entry(name).or_default() += 1;
            }
        }
        for ((client, out), name) in &self.sent {
            let times = received.get(name).copied().unwrap_or(0);
            match self.clients[*client].peer.states.get(out) {
                Some(DeliveryState::Accepted) => assert_eq!(times, 1, "{name} was accepted, {replay}"),
                Some(DeliveryState::Released | DeliveryState::Rejected(_)) => {
                    assert_eq!(times, 0, "{name} was given back, {replay}");
                }
                Some(DeliveryState::Modified { .. }) => assert!(times <= 1, "{name} came {times} times, {replay}"),
                other => panic!("{name} has no verdict but {other:?}, {replay}"),
            }
        }
        for (n, node) in self.world.nodes.iter().enumerate() {
            assert_eq!(node.router.open_splices(), 0, "messages left in node {n}, {replay}");
        }
    }
}

impl Client {
    fn attach(&mut self, role: Role, queue: &str) -> LinkId {
        self.links += 1;
        let (source, target) = match role {
            Role::Sender => (Terminus::anonymous(), Terminus::at(queue)),
            Role::Receiver => (Terminus::at(queue), Terminus::anonymous()),
        };
        let (source, target) = (Some(source), Some(target));
        let name = format!("link-{}", self.links);
        let attach =
            Attach { name, role, source, target, snd_settle_mode: 2, rcv_settle_mode: 0, properties: Vec::new() };
        let link = self.peer.amqp.attach(self.session, attach).expect("attached");
        if role == Role::Receiver {
            self.peer.amqp.keep_credit(link, 10);
        }
        link
    }

    fn send(&mut self, queue: usize, name: &str, size: usize) -> Option<Outgoing> {
        if self.finish() {
            return None;
        }
        let bytes = text_message(None, &format!("{name}.{}", "x".repeat(size)));
        let (out, pushed) = self.peer.amqp.start(self.senders[queue], &bytes, End::Last)?;
        if !pushed.done {
            self.partial = Some((out, bytes[pushed.bytes..].to_vec()));
        }
        Some(out)
    }

    /// Writes more of a message that is not all written; true while there is something left.
    fn finish(&mut self) -> bool {
        let Some((out, rest)) = &mut self.partial else { return false };
        let pushed = self.peer.amqp.push(*out, rest, End::Last);
        rest.drain(..pushed.bytes);
        if pushed.done {
            self.partial = None;
        }
        self.partial.is_some()
    }
}

fn run(seed: u64) {
    let mut chaos = Chaos::new(seed);
    for _ in 0..150 {
        chaos.act();
        let n = chaos.random.below(4);
        chaos.steps(n);
    }
    chaos.end();
    chaos.check(seed);
}

#[test]
fn messages_are_neither_lost_nor_doubled() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    match number("SEED") {
        Some(seed) => run(seed),
        None => (1..=number("SEEDS").unwrap_or(60)).for_each(run),
    }
}
