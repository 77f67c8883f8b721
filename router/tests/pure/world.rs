//! A network of router cores in memory: fake sockets, wires that cut bytes anywhere, a clock that only tests move.

use moorline_router::core::*;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Stands for a service's server or a client: what it got, and what it has yet to send.
#[derive(Default, Debug)]
pub(crate) struct Socket {
    pub(crate) received: Vec<u8>,
    pub(crate) to_send: Vec<u8>,
    /// On the way from the socket that it is joined with, past the core.
    moved: Vec<u8>,
    /// It will shut its writing half when all is sent.
    pub(crate) finish: bool,
    finished: bool,
    /// It does not read for now.
    pub(crate) stalled: bool,
    /// It saw the end of what the router sends.
    pub(crate) eof: bool,
    /// The router dropped it.
    pub(crate) closed: Option<CloseKind>,
    /// It resets the connection at the next step.
    pub(crate) reset: bool,
}

pub(crate) struct Node {
    pub(crate) router: Router,
    pub(crate) listening: HashMap<ListenerId, bool>,
    pub(crate) sockets: HashMap<FlowId, Socket>,
    pub(crate) reports: Vec<Report>,
    /// What connectors find: true accepts.
    pub(crate) target_up: bool,
    /// Answer of each new server socket: sent at once.
    pub(crate) greeting: Vec<u8>,
    /// Server sockets in order of connecting.
    pub(crate) servers: Vec<FlowId>,
}

/// A socket that has this much to give gives it past the core, where it may.
const MUCH: usize = 2_000;
/// What the sockets' buffers of one direction hold.
const CAPACITY: usize = 64 * 1024;

struct Wire {
    ends: [(usize, ConnId); 2],
    /// Bytes on the way towards end 0 and end 1.
    buffers: [Vec<u8>; 2],
    chunk: usize,
    frozen: bool,
}

pub(crate) struct World {
    pub(crate) nodes: Vec<Node>,
    wires: Vec<Wire>,
    pub(crate) now: Instant,
    pub(crate) chunk: usize,
}

impl World {
    #[allow(clippy::disallowed_methods)]
    pub(crate) fn new(chunk: usize) -> World {
        World { nodes: Vec::new(), wires: Vec::new(), now: Instant::now(), chunk }
    }

    pub(crate) fn node(&mut self, id: &str, mode: Mode) -> usize {
        let router = Router::new(Settings {
            id: id.into(),
            mode,
            seed: 1000 + self.nodes.len() as u64,
            version: "0.1.0".into(),
        });
        self.nodes.push(Node {
            router,
            listening: HashMap::new(),
            sockets: HashMap::new(),
            reports: Vec::new(),
            target_up: true,
            greeting: Vec::new(),
            servers: Vec::new(),
        });
        self.nodes.len() - 1
    }

    pub(crate) fn link(&mut self, edge: usize, hub: usize) -> usize {
        let spec = |role, label: &str| ConnectionSpec {
            role,
            label: label.into(),
            hostname: Some("hub".into()),
            max_frame_size: 16384,
            max_session_frames: 640,
            idle_timeout: Duration::from_secs(16),
            external: true,
        };
        let a = self.nodes[edge].router.add_connection(spec(ConnRole::Uplink, "uplink"), self.now);
        let b = self.nodes[hub].router.add_connection(spec(ConnRole::Edge, "edge"), self.now);
        self.wires.push(Wire {
            ends: [(edge, a), (hub, b)],
            buffers: [Vec::new(), Vec::new()],
            chunk: self.chunk,
            frozen: false,
        });
        self.run();
        self.wires.len() - 1
    }

    /// The connection that a node has at its end of a wire.
    pub(crate) fn end(&self, wire: usize, node: usize) -> ConnId {
        self.wires[wire].ends.iter().find(|(at, _)| *at == node).expect("an end of this wire").1
    }

    /// Cuts a wire: both ends see the transport end.
    pub(crate) fn cut(&mut self, wire: usize) {
        let ends = self.wires[wire].ends;
        self.wires[wire].frozen = true;
        for (node, conn) in ends {
            self.nodes[node].router.remove_connection(conn, Some("cut".into()), self.now);
        }
        self.run();
    }

    /// Nothing passes any more, and nobody is told.
    pub(crate) fn freeze(&mut self, wire: usize) {
        self.wires[wire].frozen = true;
    }

    /// Both ends of a wire have given up on it.
    pub(crate) fn is_finished(&self, wire: usize) -> bool {
        self.wires[wire].ends.iter().all(|(node, conn)| self.nodes[*node].router.is_finished(*conn))
    }

    pub(crate) fn listener(&mut self, node: usize, address: &str, encapsulation: Encapsulation) -> ListenerId {
        let id = self.nodes[node].router.add_listener(ListenerSpec {
            name: format!("l-{address}"),
            address: address.into(),
            encapsulation: Some(encapsulation),
            site_id: "site".into(),
        });
        self.run();
        id
    }

    pub(crate) fn connector(&mut self, node: usize, address: &str) -> ConnectorId {
        let id = self.nodes[node]
            .router
            .add_connector(ConnectorSpec { name: format!("c-{address}"), address: address.into() });
        self.run();
        id
    }

    pub(crate) fn is_listening(&self, node: usize, listener: ListenerId) -> bool {
        self.nodes[node].listening.get(&listener).copied().unwrap_or(false)
    }

    pub(crate) fn client(&mut self, node: usize, listener: ListenerId) -> FlowId {
        let now = self.now;
        let flow = self.nodes[node].router.accepted(listener, "10.0.0.9:4711".into(), None, now).expect("served");
        self.nodes[node].sockets.insert(flow, Socket::default());
        self.run();
        flow
    }

    pub(crate) fn socket(&mut self, node: usize, flow: FlowId) -> &mut Socket {
        self.nodes[node].sockets.get_mut(&flow).expect("socket")
    }

    pub(crate) fn server(&self, node: usize) -> FlowId {
        *self.nodes[node].servers.last().expect("a server was connected")
    }

    pub(crate) fn records(&self, node: usize) -> Vec<&FlowRecord> {
        let reports = self.nodes[node].reports.iter();
        reports
            .filter_map(|report| if let Report::FlowEnded(record) = report { Some(&**record) } else { None })
            .collect()
    }

    /// Runs until nothing moves.
    pub(crate) fn run(&mut self) {
        for round in 0.. {
            assert!(round < 2_000_000, "the network never comes to rest");
            if !self.step() {
                return;
            }
        }
    }

    /// Moves the clock, letting every deadline on the way pass.
    pub(crate) fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        while self.now < end {
            self.now = end.min(self.now + Duration::from_millis(500));
            for w in 0..self.wires.len() {
                for (node, conn) in self.wires[w].ends {
                    if self.nodes[node].router.next_timeout(conn).is_some_and(|at| at <= self.now) {
                        self.nodes[node].router.handle_timeout(conn, self.now);
                    }
                }
            }
            self.run();
        }
    }

    pub(crate) fn step(&mut self) -> bool {
        let mut moved = false;
        for n in 0..self.nodes.len() {
            moved |= self.actions(n);
            let mut flows: Vec<FlowId> = self.nodes[n].sockets.keys().copied().collect();
            flows.sort();
            for flow in flows {
                moved |= self.socket_step(n, flow);
            }
        }
        for w in 0..self.wires.len() {
            moved |= self.wire_step(w);
        }
        moved
    }

    fn actions(&mut self, n: usize) -> bool {
        let now = self.now;
        let node = &mut self.nodes[n];
        let mut moved = false;
        while let Some(action) = node.router.poll_action() {
            moved = true;
            match action {
                Action::Listen(id) => {
                    node.listening.insert(id, true);
                }
                Action::Unlisten(id) => {
                    node.listening.insert(id, false);
                }
                Action::Connect { flow, connector } => {
                    assert!(node.router.connector_tally(connector).is_some());
                    if node.target_up {
                        let socket = Socket { to_send: node.greeting.clone(), ..Socket::default() };
                        node.sockets.insert(flow, socket);
                        node.servers.push(flow);
                        node.router.connected(flow, "127.0.0.1:5432".into(), "127.0.0.1:40000".into(), now);
                    } else {
                        node.router.connect_failed(flow, "connection refused".into(), now);
                    }
                }
                Action::Report(report) => node.reports.push(report),
                Action::WakeFlow(_) | Action::WakeConnection(_) | Action::WakeEndpoint(_) => {}
            }
        }
        moved
    }

    fn socket_step(&mut self, n: usize, flow: FlowId) -> bool {
        let now = self.now;
        let node = &mut self.nodes[n];
        let socket = node.sockets.get_mut(&flow).expect("listed");
        if socket.closed.is_some() {
            return false;
        }
        let io = node.router.flow_io(flow);
        if let Some(kind) = io.close {
            socket.closed = Some(kind);
            node.router.forget_flow(flow, now);
            return true;
        }
        if socket.reset {
            node.router.handle_reset(flow, "connection reset by peer".into(), now);
            return true;
        }
        let mut moved = false;
        assert_eq!(io.moved, socket.moved.len());
        if !io.has_output && io.moved > 0 && !socket.stalled {
            // A part, so that what is left is in the way of what comes.
            let bytes: Vec<u8> = socket.moved.drain(..io.moved.div_ceil(2)).collect();
            socket.received.extend_from_slice(&bytes);
            node.router.handle_written(flow, bytes.len(), now);
            moved = true;
        } else if io.has_output && !socket.stalled {
            let (a, b) = node.router.flow_output(flow);
            let bytes = [a, b].concat();
            assert!(!bytes.is_empty(), "has_output without output");
            socket.received.extend_from_slice(&bytes);
            node.router.handle_written(flow, bytes.len(), now);
            moved = true;
        }
        if io.shutdown_write && !socket.eof {
            socket.eof = true;
            moved = true;
        }
        if io.read_budget > 0 {
            let take = io.read_budget.min(socket.to_send.len());
            if take > 0 {
                let data: Vec<u8> = socket.to_send.drain(..take).collect();
                // As the driver does once much comes at once.
                match io.joined.filter(|_| take >= MUCH).and_then(|other| node.sockets.get_mut(&other)) {
                    Some(other) => {
                        other.moved.extend_from_slice(&data);
                        node.router.handle_moved(flow, take, now);
                    }
                    None => node.router.handle_data(flow, &data, now),
                }
                moved = true;
            } else if socket.finish && !socket.finished {
                socket.finished = true;
                node.router.handle_read_closed(flow, now);
                moved = true;
            }
        }
        moved
    }

    fn wire_step(&mut self, w: usize) -> bool {
        let (now, chunk) = (self.now, self.wires[w].chunk);
        let wire = &mut self.wires[w];
        if wire.frozen {
            return false;
        }
        let mut moved = false;
        for from in [0, 1] {
            let (source, source_conn) = wire.ends[from];
            let (target, target_conn) = wire.ends[1 - from];
            let output = self.nodes[source].router.output(source_conn);
            let n = output.len().min(chunk).min(CAPACITY.saturating_sub(wire.buffers[1 - from].len()));
            let piece = output[..n].to_vec();
            if n > 0 {
                self.nodes[source].router.consume_output(source_conn, n, now);
                wire.buffers[1 - from].extend_from_slice(&piece);
                moved = true;
            }
            // A reader that takes no more leaves the bytes in the wire, as a socket's buffer would.
            let buffer = &mut wire.buffers[1 - from];
            if !buffer.is_empty() && self.nodes[target].router.wants_input(target_conn) {
                let used = self.nodes[target].router.handle_input(target_conn, buffer, now);
                buffer.drain(..used);
                moved |= used > 0;
            }
        }
        moved
    }
}

/// Bytes that tell if they are out of order.
pub(crate) fn pattern(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|i| (i as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0] ^ seed).collect()
}
