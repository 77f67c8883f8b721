//! Seeded chaos over a network of router cores: clients and servers that come, send, stall, half-close and reset,
//! links that are cut. Whatever happens, bytes arrive in order, a cut stream never looks like a complete one, and
//! nothing is left behind.
//!
//! `SEED=n cargo test -p moorline-router --test pure simulation` runs one seed again; `SEEDS=n` runs so many.

use crate::world::{World, pattern};
use moorline_router::core::*;
use std::collections::HashMap;

const SERVICE: &str = "database:5432";

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }
}

struct Chaos {
    world: World,
    random: Random,
    hub: usize,
    edges: Vec<usize>,
    wires: Vec<Option<usize>>,
    listeners: Vec<(usize, ListenerId)>,
    /// All that a socket was ever given to send.
    sent: HashMap<(usize, FlowId), Vec<u8>>,
    clients: Vec<(usize, FlowId)>,
}

impl Chaos {
    fn new(seed: u64) -> Chaos {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let chunk = [1, 7, 100, 5000, usize::MAX][random.below(5)];
        let mut world = World::new(chunk);
        let hub = world.node("hub", Mode::Hub);
        let mut chaos = Chaos {
            world,
            random,
            hub,
            edges: Vec::new(),
            wires: Vec::new(),
            listeners: Vec::new(),
            sent: HashMap::new(),
            clients: Vec::new(),
        };
        for i in 0..3 {
            let edge = chaos.world.node(&format!("edge-{i}"), Mode::Edge);
            chaos.edges.push(edge);
            // The first only listens, the second does both, the third only serves.
            if i < 2 {
                for encapsulation in [Encapsulation::Legacy, Encapsulation::Lite] {
                    let listener = chaos.world.listener(edge, SERVICE, encapsulation);
                    chaos.listeners.push((edge, listener));
                }
            }
            if i > 0 {
                chaos.world.connector(edge, SERVICE);
            }
            chaos.wires.push(None);
        }
        chaos
    }

    fn any_socket(&mut self) -> Option<(usize, FlowId)> {
        let node = self.edges[self.random.below(self.edges.len())];
        let mut open: Vec<FlowId> = self.world.nodes[node]
            .sockets
            .iter()
            .filter(|(_, socket)| socket.closed.is_none())
            .map(|(flow, _)| *flow)
            .collect();
        open.sort();
        if open.is_empty() { None } else { Some((node, open[self.random.below(open.len())])) }
    }

    fn act(&mut self) {
        match self.random.below(100) {
            0..15 => {
                let (node, listener) = self.listeners[self.random.below(self.listeners.len())];
                if self.world.is_listening(node, listener) && self.world.nodes[node].router.open_flows() < 40 {
                    let flow = self.world.client(node, listener);
                    self.clients.push((node, flow));
                }
            }
            15..55 => {
                if let Some((node, flow)) = self.any_socket() {
                    let len = [1, 30, 3000, 70_000, 400_000][self.random.below(5)];
                    let more = pattern(len, self.random.below(256) as u8);
                    let socket = self.world.socket(node, flow);
                    if !socket.finish {
                        socket.to_send.extend_from_slice(&more);
                        self.sent.entry((node, flow)).or_default().extend_from_slice(&more);
                    }
                }
            }
            55..70 => {
                if let Some((node, flow)) = self.any_socket() {
                    self.world.socket(node, flow).finish = true;
                }
            }
            70..76 => {
                if let Some((node, flow)) = self.any_socket() {
                    self.world.socket(node, flow).reset = true;
                }
            }
            76..88 => {
                if let Some((node, flow)) = self.any_socket() {
                    let socket = self.world.socket(node, flow);
                    socket.stalled = !socket.stalled;
                }
            }
            88..94 => {
                let edge = self.random.below(3);
                match self.wires[edge].take() {
                    Some(wire) => self.world.cut(wire),
                    None => self.wires[edge] = Some(self.world.link(self.edges[edge], self.hub)),
                }
            }
            94..97 => {
                let node = self.edges[self.random.below(3)];
                self.world.nodes[node].target_up ^= true;
            }
            _ => {}
        }
        for _ in 0..self.random.below(30) {
            self.world.step();
        }
    }

    /// Lets everything come to its end.
    fn settle(&mut self) {
        for node in self.edges.clone() {
            for socket in self.world.nodes[node].sockets.values_mut() {
                socket.stalled = false;
                socket.finish = true;
            }
        }
        self.world.run();
        // Servers that were connected only now.
        for node in self.edges.clone() {
            for socket in self.world.nodes[node].sockets.values_mut() {
                socket.finish = true;
            }
        }
        self.world.run();
    }

    fn check(&mut self, seed: u64) {
        let replay = format!("replay with SEED={seed}");
        for node in self.edges.clone().into_iter().chain([self.hub]) {
            let router = &self.world.nodes[node].router;
            assert_eq!(router.open_flows(), 0, "flows left on node {node}; {replay}");
            assert_eq!(router.open_splices(), 0, "splices left on node {node}; {replay}");
        }
        // Each end knows its peer by what it got: a prefix of what one socket of the other kind sent, and all of it
        // when the socket saw a good end.
        let mut all: Vec<(usize, FlowId)> = Vec::new();
        for node in self.edges.clone() {
            all.extend(self.world.nodes[node].sockets.keys().map(|flow| (node, *flow)));
        }
        for (node, flow) in &all {
            let is_client = self.clients.contains(&(*node, *flow));
            let socket = &self.world.nodes[*node].sockets[flow];
            assert!(socket.closed.is_some(), "a socket was never closed; {replay}");
            if socket.received.is_empty() {
                continue;
            }
            let others = all.iter().filter(|other| self.clients.contains(other) != is_client);
            let fits = others.into_iter().any(|other| {
                let sent = self.sent.get(other).map(Vec::as_slice).unwrap_or_default();
                let whole = socket.closed != Some(CloseKind::Done) || sent.len() == socket.received.len();
                whole && sent.starts_with(&socket.received)
            });
            assert!(
                fits,
                "{} bytes that nobody sent so, or a short stream with a good end; {replay}",
                socket.received.len()
            );
        }
    }
}

fn run(seed: u64) {
    let mut chaos = Chaos::new(seed);
    for edge in 0..3 {
        chaos.wires[edge] = Some(chaos.world.link(chaos.edges[edge], chaos.hub));
    }
    let actions = 40 + chaos.random.below(80);
    for _ in 0..actions {
        chaos.act();
    }
    chaos.settle();
    chaos.check(seed);
}

#[test]
fn chaos_leaves_nothing_behind() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match number("SEED") {
        Some(seed) => run(seed),
        None => (1..=number("SEEDS").unwrap_or(150)).for_each(run),
    }
}
