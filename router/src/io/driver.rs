//! What all tasks of the router thread share: the core, the wake-ups, the buffers.
//!
//! Tasks borrow the core between two awaits, never across one, so no lock is needed and no message is passed.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use slotmap::SecondaryMap;
use tokio::sync::broadcast;

use super::listen::TcpListening;
use super::signal::Signal;
use super::status::{PeerIdentity, Totals, UplinkBoard};
use super::target::Target;
use super::vanflow;
use super::{Event, Timestamp, access, flow};
use crate::core::{Action, ConnId, ConnectorId, EndpointId, FlowId, ListenerId, Report, Router};
use crate::vanflow::Recorder;

/// One system call reads at most this much.
const WIRE_BUFFER: usize = 128 * 1024;

/// Scratch space that is used within one pass and holds nothing between passes, so that an idle socket owns none.
#[derive(Debug)]
pub(super) struct Buffers {
    /// What a socket read returns.
    pub(super) wire: Box<[u8]>,
    /// Decrypted bytes of an AMQP connection, behind what its last pass left.
    pub(super) plain: Vec<u8>,
}

/// Which service a TCP connection belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Listener(ListenerId),
    Connector(ConnectorId),
}

#[derive(Debug)]
pub(super) struct FlowEntry {
    pub(super) signal: Rc<Signal>,
    pub(super) service: Service,
}

/// Whose AMQP connection it is.
#[derive(Debug, Clone)]
pub(super) enum Owner {
    /// Index of the uplink.
    Uplink(usize),
    /// Address of an edge.
    Edge(String),
    /// Address of an AMQP client.
    Client(String),
}

#[derive(Debug)]
pub(super) struct ConnectionEntry {
    pub(super) signal: Rc<Signal>,
    pub(super) owner: Owner,
    /// Set while AMQP is up.
    pub(super) peer: Option<PeerIdentity>,
    pub(super) since: Timestamp,
}

/// A `tcpConnector` as status shows it.
#[derive(Debug)]
pub(super) struct ConnectorEntry {
    pub(super) name: String,
    pub(super) address: String,
    pub(super) target: Target,
    pub(super) last_error: RefCell<Option<String>>,
    pub(super) added: Timestamp,
}

/// The state of the router thread.
pub(super) struct Driver {
    router: RefCell<Router>,
    buffers: RefCell<Buffers>,
    pub(super) flows: RefCell<SecondaryMap<FlowId, FlowEntry>>,
    pub(super) connections: RefCell<SecondaryMap<ConnId, ConnectionEntry>>,
    pub(super) listeners: RefCell<SecondaryMap<ListenerId, Rc<TcpListening>>>,
    pub(super) connectors: RefCell<SecondaryMap<ConnectorId, Rc<ConnectorEntry>>>,
    endpoints: RefCell<SecondaryMap<EndpointId, Rc<Signal>>>,
    pub(super) uplinks: UplinkBoard,
    pub(super) recorder: RefCell<Recorder>,
    pub(super) totals: Totals,
    pub(super) draining: Cell<bool>,
    /// A task has panicked.
    pub(super) broken: Signal,
    events: broadcast::Sender<Event>,
}

impl Driver {
    pub(super) fn new(router: Router, uplinks: UplinkBoard, events: broadcast::Sender<Event>) -> Rc<Driver> {
        Rc::new(Driver {
            recorder: RefCell::new(vanflow::recorder(&router)),
            router: RefCell::new(router),
            buffers: RefCell::new(Buffers {
                wire: vec![0; WIRE_BUFFER].into_boxed_slice(),
                plain: Vec::with_capacity(2 * WIRE_BUFFER),
            }),
            flows: RefCell::default(),
            connections: RefCell::default(),
            listeners: RefCell::default(),
            connectors: RefCell::default(),
            endpoints: RefCell::default(),
            uplinks,
            totals: Totals::default(),
            draining: Cell::new(false),
            broken: Signal::default(),
            events,
        })
    }

    /// Calls the core, then does what it asks for.
    pub(super) fn core<R>(self: &Rc<Self>, call: impl FnOnce(&mut Router, Instant) -> R) -> R {
        let mut router = self.router.borrow_mut();
        let result = call(&mut router, Instant::now());
        self.carry_out(&mut router);
        result
    }

    /// The same with the scratch buffers.
    pub(super) fn core_with_buffers<R>(
        self: &Rc<Self>,
        call: impl FnOnce(&mut Router, &mut Buffers, Instant) -> R,
    ) -> R {
        let mut buffers = self.buffers.borrow_mut();
        self.core(|router, now| call(router, &mut buffers, now))
    }

    /// Starts a task of the router thread. A panic in it is a fault of ours and ends the router, which its
    /// supervisor starts again: half a router would be worse than none.
    pub(super) fn spawn(self: &Rc<Self>, task: impl Future<Output = ()> + 'static) -> tokio::task::JoinHandle<()> {
        let guard = PanicGuard(Rc::clone(self));
        tokio::task::spawn_local(async move {
            let _guard = guard;
            task.await;
        })
    }

    /// Tells whoever listens; nobody may.
    pub(super) fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }

    fn carry_out(self: &Rc<Self>, router: &mut Router) {
        while let Some(action) = router.poll_action() {
            match action {
                Action::WakeFlow(flow) => {
                    if let Some(entry) = self.flows.borrow().get(flow) {
                        entry.signal.set();
                    }
                }
                Action::WakeConnection(conn) => {
                    if let Some(entry) = self.connections.borrow().get(conn) {
                        entry.signal.set();
                    }
                }
                Action::Listen(listener) => self.want_listening(listener, true),
                Action::Unlisten(listener) => self.want_listening(listener, false),
                Action::Connect { flow, connector } => {
                    let signal = self.enter_flow(flow, Service::Connector(connector));
                    self.spawn(flow::connect(Rc::clone(self), flow, connector, signal));
                }
                Action::WakeEndpoint(endpoint) => {
                    if let Some(signal) = self.endpoints.borrow().get(endpoint) {
                        signal.set();
                    }
                }
                Action::Report(report) => self.report(report),
            }
        }
    }

    fn want_listening(&self, listener: ListenerId, wanted: bool) {
        if let Some(listening) = self.listeners.borrow().get(listener) {
            listening.want(wanted);
        }
    }

    /// Registers the wake-up of a flow; call it before the core's actions are carried out.
    pub(super) fn enter_flow(&self, flow: FlowId, service: Service) -> Rc<Signal> {
        let signal = Rc::new(Signal::default());
        let entry = FlowEntry { signal: Rc::clone(&signal), service };
        self.flows.borrow_mut().insert(flow, entry);
        self.totals.count_flow();
        signal
    }

    /// Adds an endpoint to the core; the signal is set when it has events.
    pub(super) fn add_endpoint(self: &Rc<Self>) -> (EndpointId, Rc<Signal>) {
        let signal = Rc::new(Signal::default());
        let id = self.core(|router, _| router.add_endpoint());
        self.endpoints.borrow_mut().insert(id, Rc::clone(&signal));
        (id, signal)
    }

    pub(super) fn remove_endpoint(self: &Rc<Self>, id: EndpointId) {
        self.core(|router, _| router.remove_endpoint(id));
        self.endpoints.borrow_mut().remove(id);
    }

    /// TCP connections that are open, or being opened.
    pub(super) fn open_flows(&self) -> usize {
        self.flows.borrow().len()
    }

    fn report(&self, report: Report) {
        match report {
            Report::ConnectionUp { conn, container, version } => {
                self.connection_up(conn, PeerIdentity { container, version })
            }
            // The connection's own task tells, with what happens next.
            Report::ConnectionDown { .. } => {}
            Report::FlowEnded(record) => {
                access::log(&record);
                self.record_end(&record.snapshot());
            }
            Report::Warning(text) => {
                tracing::warn!("{text}");
                self.tell(Event::Warning { text });
            }
        }
    }

    fn connection_up(&self, conn: ConnId, peer: PeerIdentity) {
        let mut connections = self.connections.borrow_mut();
        let Some(entry) = connections.get_mut(conn) else {
            return;
        };
        entry.peer = Some(peer.clone());
        entry.since = Timestamp::now();
        entry.signal.set();
        match &entry.owner {
            Owner::Uplink(index) => {
                let name = self.uplinks.up(*index, peer.clone());
                tracing::info!(uplink = %name, peer = %peer.container,
                    version = peer.version.as_deref().unwrap_or("unknown"), "linked to the network");
                self.tell(Event::Linked { uplink: name, peer });
            }
            Owner::Client(address) => {
                tracing::debug!(client = %peer.container, %address, "client connected");
            }
            Owner::Edge(address) => {
                tracing::info!(edge = %peer.container, %address,
                    version = peer.version.as_deref().unwrap_or("unknown"), "edge linked");
                self.tell(Event::EdgeLinked { address: address.clone(), peer });
            }
        }
    }
}

struct PanicGuard(Rc<Driver>);

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.broken.set();
        }
    }
}
