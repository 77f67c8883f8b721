//! A hub and an edge joined in memory: clients at the hub, servers behind the edge. No sockets, no TLS, no clock: what is
//! counted is the routers' own work, and the little that it takes to move bytes between them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use moorline_router::core::{
    Action, ConnId, ConnRole, ConnectionSpec, ConnectorSpec, Encapsulation, FlowId, ListenerId, ListenerSpec, Mode,
    Router, Settings,
};

/// What is read from a socket at once.
pub(super) const BLOCK: usize = 16 * 1024;
static BYTES: [u8; BLOCK] = [7; BLOCK];

const HUB: usize = 0;
const EDGE: usize = 1;

/// Stands for a client or server.
#[derive(Debug, Default, Clone, Copy)]
struct Socket {
    to_send: usize,
    received: usize,
    /// It sends back what it gets.
    echoes: bool,
    ends: bool,
    ended: bool,
}

struct End {
    router: Router,
    connection: ConnId,
    sockets: HashMap<FlowId, Socket>,
}

/// The network.
pub(super) struct Network {
    ends: [End; 2],
    listener: ListenerId,
    now: Instant,
    /// Servers send back what they get.
    echoes: bool,
    /// Bytes that any socket received.
    pub(super) arrived: usize,
}

impl Network {
    /// With so many addresses served by the edge; clients come for the last.
    pub(super) fn new(encapsulation: Encapsulation, addresses: usize, echoes: bool) -> Self {
        let now = Instant::now();
        let end = |id: &str, mode, role| {
            let mut router = Router::new(Settings { id: id.to_owned(), mode, seed: 7, version: "0.1.0".to_owned() });
            let connection = router.add_connection(
                ConnectionSpec {
                    role,
                    label: "link".to_owned(),
                    hostname: (mode == Mode::Edge).then(|| "hub".to_owned()),
                    max_frame_size: 16_384,
                    max_session_frames: 640,
                    idle_timeout: Duration::from_secs(16),
                    external: true,
                },
                now,
            );
            End { router, connection, sockets: HashMap::new() }
        };
        let mut ends = [end("hub", Mode::Hub, ConnRole::Edge), end("edge", Mode::Edge, ConnRole::Uplink)];
        for at in 0..addresses {
            ends[EDGE].router.add_connector(ConnectorSpec {
                name: format!("connector-{at}"),
                address: format!("service-{at}:5432"),
            });
        }
        let listener = ends[HUB].router.add_listener(ListenerSpec {
            name: "listener".to_owned(),
            address: format!("service-{}:5432", addresses - 1),
            encapsulation: Some(encapsulation),
            site_id: "site".to_owned(),
        });
        let mut network = Self { ends, listener, now, echoes, arrived: 0 };
        network.settle();
        network
    }

    /// A client connects.
    pub(super) fn client(&mut self) -> FlowId {
        let hub = &mut self.ends[HUB];
        let flow = hub.router.accepted(self.listener, "192.0.2.1:40000".to_owned(), None, self.now);
        let flow = flow.expect("the service is reachable");
        hub.sockets.insert(flow, Socket::default());
        self.settle();
        flow
    }

    /// A client sends; nothing moves yet.
    pub(super) fn give(&mut self, flow: FlowId, bytes: usize) {
        if let Some(socket) = self.ends[HUB].sockets.get_mut(&flow) {
            socket.to_send += bytes;
        }
        self.serve(HUB, flow);
    }

    /// A client has said all.
    pub(super) fn finish(&mut self, flow: FlowId) {
        if let Some(socket) = self.ends[HUB].sockets.get_mut(&flow) {
            socket.ends = true;
        }
        self.serve(HUB, flow);
        self.settle();
    }

    /// How many connections are open at the edge.
    pub(super) fn open(&self) -> usize {
        self.ends[EDGE].router.open_flows()
    }

    /// Until nothing moves any more.
    pub(super) fn settle(&mut self) {
        loop {
            let mut moved = false;
            for end in [HUB, EDGE] {
                moved |= self.act(end);
            }
            moved |= self.carry(HUB, EDGE);
            moved |= self.carry(EDGE, HUB);
            if !moved {
                return;
            }
        }
    }

    fn act(&mut self, end: usize) -> bool {
        let mut moved = false;
        while let Some(action) = self.ends[end].router.poll_action() {
            moved = true;
            match action {
                Action::Connect { flow, .. } => {
                    let End { router, sockets, .. } = &mut self.ends[end];
                    sockets.insert(flow, Socket { echoes: self.echoes, ..Socket::default() });
                    router.connected(flow, "127.0.0.1:5432".to_owned(), "127.0.0.1:40001".to_owned(), self.now);
                }
                Action::WakeFlow(flow) => self.serve(end, flow),
                _ => {}
            }
        }
        moved
    }

    /// Moves what a socket can move now.
    fn serve(&mut self, end: usize, flow: FlowId) {
        let End { router, sockets, .. } = &mut self.ends[end];
        let Some(socket) = sockets.get_mut(&flow) else { return };
        loop {
            let io = router.flow_io(flow);
            if io.close.is_some() {
                router.forget_flow(flow, self.now);
                sockets.remove(&flow);
                return;
            }
            let mut moved = false;
            if io.has_output {
                let (first, second) = router.flow_output(flow);
                let count = first.len() + second.len();
                router.handle_written(flow, count, self.now);
                socket.received += count;
                self.arrived += count;
                socket.to_send += if socket.echoes { count } else { 0 };
                moved = true;
            }
            // A server that has heard all says so too.
            socket.ends |= io.shutdown_write && end == EDGE;
            let take = io.read_budget.min(socket.to_send).min(BLOCK);
            if take > 0 {
                router.handle_data(flow, &BYTES[..take], self.now);
                socket.to_send -= take;
                moved = true;
            } else if io.read_budget > 0 && socket.ends && !socket.ended && socket.to_send == 0 {
                socket.ended = true;
                router.handle_read_closed(flow, self.now);
                moved = true;
            }
            if !moved {
                return;
            }
        }
    }

    fn carry(&mut self, from: usize, to: usize) -> bool {
        let [hub, edge] = &mut self.ends;
        let (source, target) = if (from, to) == (HUB, EDGE) { (hub, edge) } else { (edge, hub) };
        let bytes = source.router.output(source.connection);
        if bytes.is_empty() {
            return false;
        }
        let used = target.router.handle_input(target.connection, bytes, self.now);
        source.router.consume_output(source.connection, used, self.now);
        used > 0
    }
}
