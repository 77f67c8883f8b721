//! What all tasks of the router thread share: the core, the wake-ups, the buffers.
//!
//! Tasks borrow the core between two awaits, never across one, so no lock is needed and no message is passed.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use moorline_amqp::Condition;
use moorline_definition::router_config::RouterConfig;
use slotmap::SecondaryMap;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;

use super::doors::Door;
use super::handle::Command;
use super::http::{HttpConnecting, HttpConnection, HttpListening, RequestBook, RequestRecord};
use super::listen::TcpListening;
use super::memory::{self, Crowd};
use super::pipe::Pipes;
use super::signal::Signal;
use super::status::{PeerIdentity, Totals};
use super::tally::{Cause, OpenTraffic, Tally};
use super::target::Target;
use super::tls::Profiles;
use super::uplinks::{Uplink, Uplinks};
use super::vanflow;
use super::{Event, Timestamp, access, flow};
use crate::core::{Action, ConnId, ConnectorId, EndpointId, FlowId, FlowRecord, ListenerId, Report, Router, Settings};
use crate::management::types::connection::Tls;
use crate::service_sync::ServiceSync;
use crate::vanflow::Recorder;

/// One system call reads at most this much.
const WIRE_BUFFER: usize = 128 * 1024;

/// Time for the answer to AMQP's close.
pub(super) const CLOSE_LIMIT: Duration = Duration::from_secs(3);

/// Scratch space that is used within one pass and holds nothing between passes, so that an idle socket owns none.
#[derive(Debug)]
pub(super) struct Buffers {
    /// What a socket read returns.
    pub(super) wire: Box<[u8]>,
    /// Decrypted bytes of an AMQP connection, behind what its last pass left.
    pub(super) plain: Vec<u8>,
}

/// Which service a TCP connection belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Service {
    Listener(ListenerId),
    Connector(ConnectorId),
}

#[derive(Debug)]
pub(super) struct FlowEntry {
    /// Unique among connections of all kinds.
    pub(super) number: u64,
    pub(super) signal: Rc<Signal>,
    pub(super) service: Service,
    /// Nothing stands between its socket and what is sent there.
    pub(super) plain: Cell<bool>,
    /// What is known of its failure.
    pub(super) cause: Cell<Option<Cause>>,
}

/// Whose AMQP connection it is.
#[derive(Debug, Clone)]
pub(super) enum Owner {
    /// An uplink.
    Uplink(Rc<Uplink>),
    /// Address of an edge.
    Edge(String),
    /// Address of an AMQP client.
    Client(String),
}

#[derive(Debug)]
pub(super) struct ConnectionEntry {
    /// Unique among connections of all kinds.
    pub(super) number: u64,
    pub(super) signal: Rc<Signal>,
    pub(super) owner: Owner,
    /// Set while AMQP is up.
    pub(super) peer: Option<PeerIdentity>,
    pub(super) since: Timestamp,
    /// When the transport was up.
    pub(super) began: Instant,
    pub(super) tls: Option<Tls>,
    /// It is being closed, and is over at this moment at the latest.
    pub(super) closing: Option<Instant>,
}

/// A `tcpConnector` as status shows it.
#[derive(Debug)]
pub(super) struct ConnectorEntry {
    pub(super) name: String,
    pub(super) address: String,
    pub(super) target: Target,
    pub(super) last_error: RefCell<Option<String>>,
    pub(super) added: Timestamp,
    pub(super) tally: Tally,
}

/// The state of the router thread.
pub(super) struct Driver {
    router: RefCell<Router>,
    buffers: RefCell<Buffers>,
    pub(super) flows: RefCell<SecondaryMap<FlowId, FlowEntry>>,
    pub(super) pipes: Pipes,
    pub(super) connections: RefCell<SecondaryMap<ConnId, ConnectionEntry>>,
    pub(super) listeners: RefCell<SecondaryMap<ListenerId, Rc<TcpListening>>>,
    pub(super) connectors: RefCell<SecondaryMap<ConnectorId, Rc<ConnectorEntry>>>,
    pub(super) http_listeners: RefCell<Vec<Rc<HttpListening>>>,
    pub(super) http_connectors: RefCell<Vec<Rc<HttpConnecting>>>,
    /// By number.
    pub(super) http_connections: RefCell<BTreeMap<u64, Rc<HttpConnection>>>,
    pub(super) http_requests: RefCell<RequestBook>,
    /// Whether it was told that the network carries no HTTP services.
    pub(super) told_of_http: Cell<bool>,
    endpoints: RefCell<SecondaryMap<EndpointId, Rc<Signal>>>,
    /// Ports of the router itself, by listener.
    pub(super) doors: RefCell<BTreeMap<String, Door>>,
    /// For those who ask this router on other threads.
    pub(super) asker: mpsc::WeakSender<Command>,
    pub(super) profiles: Arc<Profiles>,
    pub(super) uplinks: Uplinks,
    /// Number of each configured address, in the same order.
    pub(super) address_numbers: RefCell<Vec<u64>>,
    /// Certificate files shall be looked at now.
    pub(super) renew: Signal,
    pub(super) recorder: RefCell<Recorder>,
    pub(super) service_sync: RefCell<ServiceSync>,
    /// What is configured now; services are added to it and removed with them.
    pub(super) configured: RefCell<RouterConfig>,
    /// Product version.
    pub(super) version: String,
    pub(super) host_name: String,
    pub(super) started: Instant,
    pub(super) began: Timestamp,
    /// AMQP connections that others have opened.
    pub(super) accepted: Cell<u64>,
    numbers: Cell<u64>,
    pub(super) crowd: Crowd,
    pub(super) totals: Totals,
    pub(super) draining: Cell<bool>,
    /// A task has panicked.
    pub(super) broken: Signal,
    events: broadcast::Sender<Event>,
}

impl Driver {
    pub(super) fn new(
        settings: &Settings,
        configured: RouterConfig,
        host_name: String,
        service_sync: ServiceSync,
        profiles: Arc<Profiles>,
        asker: mpsc::WeakSender<Command>,
        events: broadcast::Sender<Event>,
    ) -> Rc<Driver> {
        let router = Router::new(settings.clone());
        Rc::new(Driver {
            recorder: RefCell::new(vanflow::recorder(&router)),
            service_sync: RefCell::new(service_sync),
            router: RefCell::new(router),
            host_name,
            configured: RefCell::new(configured),
            version: settings.version.clone(),
            started: Instant::now(),
            began: Timestamp::now(),
            accepted: Cell::new(0),
            numbers: Cell::new(0),
            crowd: Crowd::default(),
            buffers: RefCell::new(Buffers {
                wire: vec![0; WIRE_BUFFER].into_boxed_slice(),
                plain: Vec::with_capacity(2 * WIRE_BUFFER),
            }),
            flows: RefCell::default(),
            pipes: Pipes::default(),
            connections: RefCell::default(),
            listeners: RefCell::default(),
            connectors: RefCell::default(),
            doors: RefCell::default(),
            asker,
            profiles,
            http_listeners: RefCell::default(),
            http_connectors: RefCell::default(),
            http_connections: RefCell::default(),
            http_requests: RefCell::default(),
            told_of_http: Cell::new(false),
            endpoints: RefCell::default(),
            uplinks: Uplinks::default(),
            address_numbers: RefCell::default(),
            renew: Signal::default(),
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

    /// Looks at the core.
    pub(super) fn inspect<R>(&self, look: impl FnOnce(&Router) -> R) -> R {
        look(&self.router.borrow())
    }

    /// A number that no other connection has.
    pub(super) fn new_number(&self) -> u64 {
        self.numbers.set(self.numbers.get() + 1);
        self.numbers.get()
    }

    /// The same with the scratch buffers.
    pub(super) fn core_with_buffers<R>(
        self: &Rc<Self>,
        call: impl FnOnce(&mut Router, &mut Buffers, Instant) -> R,
    ) -> R {
        let mut buffers = self.buffers.borrow_mut();
        self.core(|router, now| call(router, &mut buffers, now))
    }

    /// Scratch space for one read.
    pub(super) fn scratch<R>(&self, call: impl FnOnce(&mut [u8]) -> R) -> R {
        call(&mut self.buffers.borrow_mut().wire)
    }

    /// An HTTP request is over.
    pub(super) fn http_request(&self, record: &RequestRecord<'_>) {
        access::log_request(record);
        self.http_requests.borrow_mut().enter(record);
        self.record_request(record);
    }

    /// Starts a task of the router thread. A panic in it is a fault of ours and ends the router, which its
    /// supervisor starts again: half a router would be worse than none.
    pub(super) fn spawn(self: &Rc<Self>, task: impl Future<Output = ()> + 'static) -> JoinHandle<()> {
        let guard = PanicGuard(Rc::clone(self));
        // Held by a pointer, which costs less than the room that a task has for what it was given and for what it awaits.
        let task = Box::pin(task);
        tokio::task::spawn_local(async move {
            let _guard = guard;
            task.await;
        })
    }

    /// Tells whoever listens; nobody may.
    pub(super) fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }

    /// Tells it in the log too.
    pub(super) fn warn(&self, text: String) {
        tracing::warn!("{text}");
        self.tell(Event::Warning { text });
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
        self.crowd.is(memory::size(router));
    }

    /// Closes an AMQP connection in good order. A peer that does not answer is not waited for, and in the middle of the
    /// handshake none is.
    pub(super) fn close_connection(self: &Rc<Self>, conn: ConnId, error: Option<Condition>) {
        if let Some(entry) = self.connections.borrow_mut().get_mut(conn) {
            let limit = if entry.peer.is_some() { CLOSE_LIMIT } else { Duration::ZERO };
            entry.closing.get_or_insert(Instant::now() + limit);
        }
        self.core(|router, _| router.close_connection(conn, error));
    }

    fn want_listening(&self, listener: ListenerId, wanted: bool) {
        if let Some(listening) = self.listeners.borrow().get(listener) {
            listening.want(wanted);
        }
    }

    /// Registers the wake-up of a flow; call it before the core's actions are carried out.
    pub(super) fn enter_flow(&self, flow: FlowId, service: Service) -> Rc<Signal> {
        let signal = Rc::new(Signal::default());
        let entry = FlowEntry {
            number: self.new_number(),
            signal: Rc::clone(&signal),
            service,
            plain: Cell::default(),
            cause: Cell::default(),
        };
        self.tally(service, |tally| tally.traffic(|past| past.opened += 1));
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

    /// Counts for a service that is still there.
    fn tally(&self, service: Service, count: impl FnOnce(&Tally)) {
        let (listeners, connectors) = (self.listeners.borrow(), self.connectors.borrow());
        let tally = match service {
            Service::Listener(id) => listeners.get(id).map(|listening| &listening.tally),
            Service::Connector(id) => connectors.get(id).map(|entry| &entry.tally),
        };
        if let Some(tally) = tally {
            count(tally);
        }
    }

    /// Why a flow fails, before the core hears of it: the core knows words alone.
    pub(super) fn blame(&self, flow: FlowId, cause: Cause) {
        if let Some(entry) = self.flows.borrow().get(flow) {
            entry.cause.set(entry.cause.get().or(Some(cause)));
        }
    }

    /// Whether bytes can be moved to a flow's socket as they are.
    pub(super) fn is_plain(&self, flow: FlowId) -> bool {
        self.flows.borrow().get(flow).is_some_and(|entry| entry.plain.get())
    }

    /// Takes a flow that is over out of the books.
    pub(super) fn forget_flow(self: &Rc<Self>, flow: FlowId) {
        self.core(|router, now| router.forget_flow(flow, now));
        self.flows.borrow_mut().remove(flow);
        self.pipes.forget(flow);
    }

    fn flow_ended(&self, record: &FlowRecord) {
        access::log(record);
        let end = record.snapshot();
        self.record_end(&end);
        let flows = self.flows.borrow();
        let Some(entry) = flows.get(record.flow) else { return };
        self.tally(entry.service, |tally| {
            tally.traffic(|past| {
                past.closed += 1;
                past.bytes_in += end.bytes_in;
                past.bytes_out += end.bytes_out;
            });
            if end.error.is_some() {
                tally.failed(entry.cause.get().unwrap_or(Cause::Network));
            }
            if let Some(latency) = end.latency {
                tally.answered(latency);
            }
        });
    }

    /// What open connections have carried, by service.
    pub(super) fn open_traffic(&self) -> OpenTraffic {
        let flows = self.flows.borrow();
        self.inspect(|router| {
            let mut open = OpenTraffic::default();
            for (id, entry) in flows.iter() {
                open.add(
                    entry.service,
                    router.flow(id).map(|flow| (flow.bytes_in, flow.bytes_out)).unwrap_or_default(),
                );
            }
            open
        })
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
            Report::FlowEnded(record) => self.flow_ended(&record),
            Report::Warning(text) => self.warn(text),
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
            // Removed in the meantime: it is being closed.
            Owner::Uplink(uplink) if !self.uplinks.has(uplink) => {}
            Owner::Uplink(uplink) => {
                self.uplinks.up(uplink, peer.clone());
                let name = uplink.plan.name.clone();
                tracing::info!(uplink = %name, peer = %peer.container,
                    version = peer.version.as_deref().unwrap_or("unknown"), "linked to the network");
                self.tell_of_http_in_vain(peer.version.as_deref());
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
