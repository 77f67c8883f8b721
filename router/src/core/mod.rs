//! The router without its sockets.
//!
//! Everything happens on one thread: the driver calls a `handle_*` or query method, then drains
//! [`Router::poll_action`] and does what it says. No method blocks, none reads a clock.

mod address;
mod attach;
mod conn;
mod distribution;
mod edge;
mod endpoint;
mod facts;
mod flow;
mod head;
mod hub;
mod inbound;
mod inspect;
mod legacy;
mod link_queue;
mod multicast;
mod names;
mod pool;
mod queue;
mod route;
mod splice;
mod streams;
mod table;
mod types;

pub use distribution::Pattern;
pub use facts::{AddressFacts, ConnectionFacts, LinkFacts, Passages};
pub use flow::FlowSnapshot;
pub use types::*;

use conn::{Conn, LinkUse, Owner};
use distribution::Distribution;
use endpoint::Endpoint;
use flow::{FailedState, Flow};
use inbound::Transfer;
use moorline_amqp::{Condition, DeliveryState, Event, LinkId, Outgoing, Tally};
use names::Names;
use rustc_hash::FxHashMap;
use slotmap::SlotMap;
use splice::Splice;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;
use table::{Dest, Entry, Table};

/// A listener and whether its port shall be open.
struct ListenerEntry {
    encapsulation: Option<Encapsulation>,
    site_id: String,
    tally: ServiceTally,
    entity: Arc<str>,
    address: Arc<str>,
    listening: bool,
}

struct ConnectorEntry {
    tally: ServiceTally,
    entity: Arc<str>,
    address: Arc<str>,
}

/// What a name means that only this router knows: a temporary address, or `$management`.
#[derive(Debug, Clone)]
enum Local {
    /// A listener's flow, which waits for its answer.
    Flow(FlowId),
    /// An endpoint, and what it calls this address.
    Endpoint(EndpointId, Arc<str>),
    /// A client's link.
    Link(ConnId, LinkId),
}

/// The router.
pub struct Router {
    settings: Settings,
    distributions: Vec<Distribution>,
    distribution_numbers: u64,
    names: Names,
    mesh_id: Option<String>,
    /// Five characters in front of the number of each of our flow records.
    record_prefix: String,
    records: u64,
    listeners: SlotMap<ListenerId, ListenerEntry>,
    connectors: SlotMap<ConnectorId, ConnectorEntry>,
    conns: SlotMap<ConnId, Conn>,
    /// Boxed: room for the most that ever were stays.
    flows: SlotMap<FlowId, Box<Flow>>,
    splices: SlotMap<MessageId, Box<Splice>>,
    endpoints: SlotMap<EndpointId, Endpoint>,
    table: Table,
    /// Edge: the connection to the network, while it is up.
    uplink: Option<ConnId>,
    /// Hub: edges by container id, the newest last.
    edges: FxHashMap<String, Vec<ConnId>>,
    /// The hub drains: it answers for nothing any more.
    leaving: bool,
    locals: FxHashMap<String, Local>,
    passages: Passages,
    /// Deliveries of connections that are gone.
    gone: Tally,
    actions: VecDeque<Action>,
}

impl Router {
    /// A router without connections or services.
    pub fn new(settings: Settings) -> Router {
        let mut names = Names::new(settings.seed);
        Router {
            mesh_id: (settings.mode == Mode::Edge).then(|| names.random(15)),
            record_prefix: names.random(5),
            records: 0,
            names,
            settings,
            listeners: SlotMap::with_key(),
            connectors: SlotMap::with_key(),
            conns: SlotMap::with_key(),
            flows: SlotMap::with_key(),
            splices: SlotMap::with_key(),
            endpoints: SlotMap::with_key(),
            uplink: None,
            distributions: Vec::new(),
            distribution_numbers: 0,
            table: Table::default(),
            edges: FxHashMap::default(),
            leaving: false,
            locals: FxHashMap::default(),
            passages: Passages::default(),
            gone: Tally::default(),
            actions: VecDeque::new(),
        }
    }

    fn warn(&mut self, text: impl Into<String>) {
        self.actions.push_back(Action::Report(Report::Warning(text.into())));
    }

    /// How routers name us in annotations.
    fn node_id(&self) -> String {
        format!("0/{}", self.settings.id)
    }

    // ---- services, at any time

    /// Adds a listener; [`Action::Listen`] follows when its service is reachable.
    pub fn add_listener(&mut self, spec: ListenerSpec) -> ListenerId {
        let (entity, address): (Arc<str>, Arc<str>) = (spec.name.as_str().into(), spec.address.as_str().into());
        let tally = self.new_tally();
        let ListenerSpec { encapsulation, site_id, .. } = spec;
        let id = self.listeners.insert(ListenerEntry {
            encapsulation,
            site_id,
            tally,
            entity,
            address: address.clone(),
            listening: false,
        });
        self.table.add_listener(&address, id);
        self.address_changed(&address);
        id
    }

    /// Removes a listener; its connections go on.
    pub fn remove_listener(&mut self, id: ListenerId) {
        let Some(entry) = self.listeners.remove(id) else { return };
        if entry.listening {
            self.actions.push_back(Action::Unlisten(id));
        }
        self.table.remove_listener(&entry.address, id);
        self.address_changed(&entry.address);
    }

    /// Adds a connector and announces its address.
    pub fn add_connector(&mut self, spec: ConnectorSpec) -> ConnectorId {
        let (entity, address): (Arc<str>, Arc<str>) = (spec.name.as_str().into(), spec.address.as_str().into());
        let tally = self.new_tally();
        let id = self.connectors.insert(ConnectorEntry { tally, entity, address: address.clone() });
        self.table.add_server(&address, Dest::Local(id));
        self.address_changed(&address);
        id
    }

    /// Withdraws a connector; its connections go on.
    pub fn remove_connector(&mut self, id: ConnectorId) {
        let Some(entry) = self.connectors.remove(id) else { return };
        self.table.remove_server(&entry.address, Dest::Local(id));
        self.address_changed(&entry.address);
    }

    /// Who sends to an address or serves it has changed: the network is told, listeners open or close, those who send
    /// are told.
    fn address_changed(&mut self, address: &str) {
        self.announce(&address.into());
        let entry = self.table.get(address);
        let reachable = entry.is_some_and(Entry::serves_sockets);
        let listeners = entry.map(|entry| entry.listeners.clone()).unwrap_or_default();
        for id in listeners {
            if let Some(listener) = self.listeners.get_mut(id)
                && listener.listening != reachable
            {
                listener.listening = reachable;
                self.actions.push_back(if reachable { Action::Listen(id) } else { Action::Unlisten(id) });
            }
        }
        self.tell_producers(address);
        self.tell_endpoints(address);
    }

    // ---- AMQP connections

    /// A transport is up (TLS done): starts AMQP on it.
    pub fn add_connection(&mut self, spec: ConnectionSpec, now: Instant) -> ConnId {
        let conn = Conn::new(&self.settings.id, &self.settings.version, spec, now);
        let id = self.conns.insert(conn);
        self.wake_conn(id);
        id
    }

    /// Bytes from the peer. Returns how many were used; the rest (less than a frame) must come again with more behind
    /// it.
    pub fn handle_input(&mut self, conn_id: ConnId, input: &[u8], now: Instant) -> usize {
        let mut rest = input;
        loop {
            let Some(conn) = self.conns.get_mut(conn_id) else { return input.len() };
            let Some(event) = conn.amqp.poll_event(now, &mut rest) else { break };
            self.on_event(conn_id, event, now);
        }
        self.wake_conn(conn_id);
        let used = input.len() - rest.len();
        if let Some(conn) = self.conns.get_mut(conn_id) {
            conn.traffic.0 += used as u64;
        }
        used
    }

    /// Whether to read more from the peer now.
    pub fn wants_input(&self, conn: ConnId) -> bool {
        self.conns.get(conn).is_some_and(|conn| conn.closed.is_none() && conn.amqp.wants_input())
    }

    /// Bytes to send to the peer.
    pub fn output(&self, conn: ConnId) -> &[u8] {
        self.conns.get(conn).map(|conn| conn.amqp.output()).unwrap_or_default()
    }

    /// `n` bytes of the output are sent.
    pub fn consume_output(&mut self, conn_id: ConnId, n: usize, now: Instant) {
        if let Some(conn) = self.conns.get_mut(conn_id) {
            conn.amqp.consume_output(now, n);
            conn.traffic.1 += n as u64;
            self.room_opened(conn_id);
        }
    }

    /// When to call [`Router::handle_timeout`] at the latest.
    pub fn next_timeout(&self, conn: ConnId) -> Option<Instant> {
        self.conns.get(conn).and_then(|conn| conn.amqp.poll_timeout())
    }

    /// A deadline has passed.
    pub fn handle_timeout(&mut self, conn_id: ConnId, now: Instant) {
        if let Some(conn) = self.conns.get_mut(conn_id) {
            conn.amqp.handle_timeout(now);
            self.handle_input(conn_id, &[], now);
        }
    }

    /// AMQP is over on this connection: flush the output, close the transport, call [`Router::remove_connection`].
    pub fn is_finished(&self, conn: ConnId) -> bool {
        self.conns.get(conn).is_none_or(|conn| conn.closed.is_some() || conn.amqp.is_closed())
    }

    /// The transport is gone, with the cause if it was not a clean end. All flows that used it end.
    pub fn remove_connection(&mut self, conn_id: ConnId, cause: Option<String>, now: Instant) {
        if let Some(conn) = self.conns.get_mut(conn_id) {
            conn.amqp.handle_eof();
        }
        self.handle_input(conn_id, &[], now);
        let Some(mut conn) = self.conns.remove(conn_id) else { return };
        self.gone += conn.amqp.tally();
        self.edge_gone(conn_id, &conn.container);
        if self.uplink == Some(conn_id) {
            let up = |(_, conn): &(ConnId, &Conn)| conn.spec.role == ConnRole::Uplink && conn.opened;
            self.uplink = self.conns.iter().find(up).map(|(id, _)| id);
            self.announce_all();
        }
        self.locals.retain(|_, local| !matches!(local, Local::Link(conn, _) if *conn == conn_id));
        let changed = self.table.remove_connection(conn_id);
        let flows: Vec<FlowId> = self.flows.iter().filter(|(_, flow)| flow.uses(conn_id)).map(|(id, _)| id).collect();
        for flow in flows {
            self.fail_flow(flow, "the connection to the network was lost".to_owned(), FailedState::Modified);
        }
        for (_, inbound) in conn.incoming {
            self.lost_inbound(inbound, "the connection to the network was lost");
        }
        let waiting = conn.pool.waiting.into_iter().chain(conn.queues.take_all()).filter_map(|waiter| match waiter {
            conn::Waiter::Splice(splice) => Some(splice),
            _ => None,
        });
        let sending = conn.outgoing.into_values().filter_map(|outbound| match outbound.owner {
            Owner::Splice(splice) => Some(splice),
            _ => None,
        });
        for splice in waiting.chain(sending).collect::<Vec<_>>() {
            self.lose_splice_sink(splice);
        }
        for address in changed {
            self.address_changed(&address);
        }
        if conn.opened {
            let closed = conn.closed.map(|closed| closed.to_string());
            let cause = cause.or(closed).unwrap_or_else(|| "the transport ended".to_owned());
            self.actions.push_back(Action::Report(Report::ConnectionDown { conn: conn_id, cause }));
        }
    }

    /// Why AMQP ended on this connection, once it has.
    pub fn closed_because(&self, conn: ConnId) -> Option<String> {
        self.conns.get(conn).and_then(|conn| conn.closed.as_ref()).map(ToString::to_string)
    }

    /// Begins an orderly close of an AMQP connection, with the reason that the peer is told.
    pub fn close_connection(&mut self, conn_id: ConnId, error: Option<Condition>) {
        if let Some(conn) = self.conns.get_mut(conn_id) {
            conn.amqp.close(error);
            self.wake_conn(conn_id);
        }
    }

    fn on_event(&mut self, conn_id: ConnId, event: Event<'_>, now: Instant) {
        match event {
            Event::Transfer { link, delivery, first, more, settled, aborted, payload } => {
                self.on_transfer(conn_id, Transfer { link, delivery, first, more, settled, aborted, payload }, now);
            }
            Event::Disposition { delivery, state, settled } => {
                self.on_disposition(conn_id, delivery, state, settled, now)
            }
            Event::SenderDisposition { delivery, state, settled } => {
                self.on_sender_disposition(conn_id, delivery, state, settled);
            }
            Event::Room(_) => self.room_opened(conn_id),
            Event::Credit(link) => self.on_credit(conn_id, link),
            Event::AttachRequested(link, _, attach) => self.on_attach(conn_id, link, *attach),
            Event::Detached(link, error) => {
                let refused = error.is_some();
                if let Some(error) = error {
                    let text = error.description.unwrap_or_default();
                    self.warn(format!("the peer closed a link: {} {text}", error.condition));
                }
                self.on_detached(conn_id, link, refused);
            }
            Event::IncomingGone(delivery) => {
                let conn = self.conns.get_mut(conn_id);
                if let Some(inbound) = conn.and_then(|conn| conn.incoming.remove(&delivery)) {
                    self.lost_inbound(inbound, "the peer closed the link in mid-stream");
                }
            }
            Event::OutgoingGone(delivery) => self.on_outgoing_gone(conn_id, delivery),
            Event::Opened(open) => {
                let Some(conn) = self.conns.get_mut(conn_id) else { return };
                conn.opened(&open);
                let (role, container, version) = (conn.spec.role, conn.container.clone(), conn.version.clone());
                self.actions.push_back(Action::Report(Report::ConnectionUp { conn: conn_id, container, version }));
                match role {
                    ConnRole::Uplink => self.uplink_opened(conn_id),
                    ConnRole::Edge => self.edge_opened(conn_id),
                    ConnRole::Client => {}
                }
            }
            Event::Closed(closed) => {
                if let Some(conn) = self.conns.get_mut(conn_id) {
                    conn.closed = Some(closed);
                }
            }
            Event::SessionDown(session, _) if self.is_endpoint_session(conn_id, session) => {
                self.warn("the network ended the session of our links: linking again");
                self.close_connection(conn_id, None);
            }
            Event::SessionDown(session, _) => self.stream_session_down(conn_id, session),
            Event::AttachConfirmed(..) | Event::SessionUp(_) | Event::Drained(_) => {}
        }
    }

    fn on_credit(&mut self, conn_id: ConnId, link: LinkId) {
        match self.conns.get(conn_id).and_then(|conn| conn.links.get(&link)) {
            Some(LinkUse::MeshOut) => self.send_mesh_id(conn_id, link),
            Some(LinkUse::TrackingOut) => self.tell_untold(conn_id),
            _ => self.link_credited(conn_id, link),
        }
    }

    fn on_disposition(
        &mut self,
        conn_id: ConnId,
        delivery: Outgoing,
        state: Option<DeliveryState>,
        settled: bool,
        now: Instant,
    ) {
        let Some(conn) = self.conns.get_mut(conn_id) else { return };
        let Some(outbound) = conn.outgoing.get_mut(&delivery) else { return };
        let (owner, link) = (outbound.owner, outbound.link);
        if settled {
            outbound.settled = true;
            if outbound.ended {
                conn.outgoing.remove(&delivery);
            }
        }
        match owner {
            Owner::Flow(flow) => self.flow_disposition(flow, state, settled, now),
            Owner::Splice(splice) => self.splice_disposition(splice, state, settled),
            Owner::Nobody => {}
        }
        if settled {
            self.detach_spare(conn_id, link);
        }
    }

    fn on_sender_disposition(
        &mut self,
        conn_id: ConnId,
        delivery: moorline_amqp::Incoming,
        state: Option<DeliveryState>,
        settled: bool,
    ) {
        let Some(conn) = self.conns.get_mut(conn_id) else { return };
        match conn.incoming.get(&delivery) {
            Some(conn::Inbound::Flow(flow)) => {
                let flow = *flow;
                let failed = state.is_some_and(|state| state.is_terminal() && state != DeliveryState::Accepted);
                // What is settled before its end still has one to come.
                if settled && self.flows.get(flow).is_none_or(|flow| flow.has_all()) {
                    conn.incoming.remove(&delivery);
                    self.flow_lost_stream(flow);
                }
                if failed {
                    self.fail_flow(flow, "reset by the far side".to_owned(), FailedState::Modified);
                }
            }
            Some(conn::Inbound::Splice(splice)) => {
                let splice = *splice;
                if settled && self.splices.get(splice).is_none_or(|splice| splice.has_all()) {
                    conn.incoming.remove(&delivery);
                }
                self.splice_sender_disposition(splice, state, settled);
            }
            Some(_) if settled => {
                conn.incoming.remove(&delivery);
            }
            _ => {}
        }
    }

    fn on_outgoing_gone(&mut self, conn_id: ConnId, delivery: Outgoing) {
        let Some(conn) = self.conns.get_mut(conn_id) else { return };
        match conn.outgoing.remove(&delivery).map(|outbound| outbound.owner) {
            Some(Owner::Flow(flow)) => {
                let cause = "the peer closed the link in mid-stream".to_owned();
                self.fail_flow(flow, cause, FailedState::Modified);
            }
            Some(Owner::Splice(splice)) => self.lose_splice_sink(splice),
            Some(Owner::Nobody) | None => {}
        }
    }

    // ---- TCP sockets

    /// A client connected to a listener. `alpn`: what it speaks in TLS, when that was agreed on. `None`: it cannot be
    /// served now, drop the socket.
    pub fn accepted(&mut self, listener: ListenerId, peer: String, alpn: Option<&str>, now: Instant) -> Option<FlowId> {
        self.begin_listener_flow(listener, peer, alpn, now)
    }

    /// What the server of a flow shall be asked to speak in TLS.
    pub fn flow_alpn(&self, flow: FlowId) -> Option<Arc<str>> {
        self.flows.get(flow).and_then(|flow| flow.alpn()).cloned()
    }

    /// The socket of [`Action::Connect`] is connected; `peer` is the address reached, `local` our own.
    pub fn connected(&mut self, flow: FlowId, peer: String, local: String, _now: Instant) {
        self.flow_connected(flow, peer, local);
    }

    /// It could not be connected; the flow is forgotten.
    pub fn connect_failed(&mut self, flow: FlowId, cause: String, now: Instant) {
        self.flow_connect_failed(flow, cause, now);
    }

    /// What the socket should do now. An unknown flow: `close`.
    pub fn flow_io(&mut self, flow: FlowId) -> FlowIo {
        self.flow_io_now(flow)
    }

    /// Bytes read from the socket, at most `read_budget`.
    pub fn handle_data(&mut self, flow: FlowId, data: &[u8], now: Instant) {
        self.flow_data(flow, data, now);
    }

    /// `n` bytes, at most `read_budget`, went from the socket to where the driver has them for the socket of the flow that
    /// is `joined`; what of them is written there, is said as [`Router::handle_written`]. If that flow ends before, they are lost.
    pub fn handle_moved(&mut self, flow: FlowId, n: usize, now: Instant) {
        self.flow_moved(flow, n, now);
    }

    /// The socket's peer has shut down its writing half.
    pub fn handle_read_closed(&mut self, flow: FlowId, _now: Instant) {
        self.flow_read_closed(flow);
    }

    /// The socket died (reset, time-out).
    pub fn handle_reset(&mut self, flow: FlowId, cause: String, _now: Instant) {
        self.fail_flow(flow, cause, FailedState::Modified);
    }

    /// Bytes to write to the socket, in two slices.
    pub fn flow_output(&self, flow: FlowId) -> (&[u8], &[u8]) {
        self.flows.get(flow).map(|flow| flow.output()).unwrap_or_default()
    }

    /// `n` of these, or of those that were moved, were written.
    pub fn handle_written(&mut self, flow: FlowId, n: usize, now: Instant) {
        self.flow_written(flow, n, now);
    }

    /// The driver dropped the socket after `close`; emits the [`FlowRecord`].
    pub fn forget_flow(&mut self, flow: FlowId, now: Instant) {
        self.end_flow(flow, now);
    }

    /// Flows that are open.
    pub fn open_flows(&self) -> usize {
        self.flows.len()
    }

    /// Streams that pass through (hub).
    pub fn open_splices(&self) -> usize {
        self.splices.len()
    }

    /// Gives back room that is held for more than there is now: worth its time after many have gone.
    pub fn shrink(&mut self) {
        self.conns.values_mut().for_each(Conn::shrink);
        self.locals.shrink_to_fit();
        self.actions.shrink_to_fit();
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        let action = self.actions.pop_front()?;
        match &action {
            Action::WakeFlow(id) => {
                if let Some(flow) = self.flows.get_mut(*id) {
                    flow.woken = false;
                }
            }
            Action::WakeConnection(id) => {
                if let Some(conn) = self.conns.get_mut(*id) {
                    conn.woken = false;
                }
            }
            _ => {}
        }
        Some(action)
    }
}
