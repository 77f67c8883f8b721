//! The router without its sockets.
//!
//! Everything happens on one thread: the driver calls a `handle_*` or query method, then drains
//! [`Router::poll_action`] and does what it says. No method blocks, none reads a clock.

use std::time::{Duration, Instant};

/// What this router is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Router id; also the AMQP container id. Unique in the network.
    pub id: String,
    /// Edge, or interior (hub).
    pub mode: Mode,
    /// Seed of the router's random names (temporary addresses, link names, mesh id). Not a secret.
    pub seed: u64,
    /// Product version in the open performative.
    pub version: String,
    /// Address prefixes whose messages go to every consumer, for instance `mc`.
    pub multicast_prefixes: Vec<String>,
}

/// Edge or hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One uplink to an interior router or hub.
    Edge,
    /// Accepts edges.
    Hub,
}

/// How TCP bytes travel in AMQP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encapsulation {
    /// Data sections; the only one that a 1.x network speaks by default.
    Legacy,
    /// Bare bytes behind an empty value section; the only one of 3.x routers.
    Lite,
}

slotmap::new_key_type! {
    /// An AMQP connection.
    pub struct ConnId;
    /// A TCP connection of a listener or connector.
    pub struct FlowId;
    /// A `tcpListener`.
    pub struct ListenerId;
    /// A `tcpConnector`.
    pub struct ConnectorId;
}

/// A service whose clients connect to us.
#[derive(Debug, Clone)]
pub struct ListenerSpec {
    /// Entity name.
    pub name: String,
    /// Service address, for instance `database:5432`.
    pub address: String,
    /// None: as the uplink's version asks (2.x legacy, 3.x lite).
    pub encapsulation: Option<Encapsulation>,
    /// `siteId`, goes into the legacy subject.
    pub site_id: String,
}

/// A server that we connect to.
#[derive(Debug, Clone)]
pub struct ConnectorSpec {
    /// Entity name.
    pub name: String,
    /// Service address.
    pub address: String,
    /// Target host.
    pub host: String,
    /// Target port.
    pub port: String,
}

/// The other end of an AMQP connection.
#[derive(Debug, Clone)]
pub struct ConnectionSpec {
    /// We are its edge, or it is ours.
    pub role: ConnRole,
    /// Our name of it, for logs: connector name, or peer address.
    pub label: String,
    /// Host of our open performative (uplink only).
    pub hostname: Option<String>,
    /// `maxFrameSize`, bytes.
    pub max_frame_size: u32,
    /// `maxSessionFrames`.
    pub max_session_frames: u32,
    /// `idleTimeoutSeconds`: the peer is dead when silent for this long; half of it is advertised.
    pub idle_timeout: Duration,
    /// Uplink: use EXTERNAL (else ANONYMOUS). Edge of ours: the peer has a verified certificate, offer EXTERNAL
    /// (else ANONYMOUS is offered).
    pub external: bool,
}

/// Role of an AMQP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnRole {
    /// To the network, we are the edge.
    Uplink,
    /// From an edge, we are the hub.
    Edge,
}

/// What the driver must do.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Open the listening socket of this listener. Its service is reachable.
    Listen(ListenerId),
    /// Close the listening socket; accepted connections stay.
    Unlisten(ListenerId),
    /// Connect a TCP socket, then say [`Router::connected`] or [`Router::connect_failed`].
    Connect {
        /// The flow to connect.
        flow: FlowId,
        /// Through this connector; its spec holds host and port.
        connector: ConnectorId,
    },
    /// Something changed for this socket: look at [`Router::flow_io`] again.
    WakeFlow(FlowId),
    /// Something changed for this connection: output, timeout, input wish or its end.
    WakeConnection(ConnId),
    /// Tell people.
    Report(Report),
}

/// What a TCP socket of a flow should do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlowIo {
    /// Bytes that the core takes now; 0: do not read.
    pub read_budget: usize,
    /// Bytes wait in [`Router::flow_output`].
    pub has_output: bool,
    /// All output is written and no more will come: shut down the writing half (once).
    pub shutdown_write: bool,
    /// Drop the socket now and forget the flow: it is over ([`Router::forget_flow`]).
    pub close: Option<CloseKind>,
}

/// How to drop a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseKind {
    /// Both directions ended well.
    Done,
    /// Reset it (linger 0), so that its peer sees that it did not end well.
    Reset,
}

/// Things worth a log line.
#[derive(Debug, Clone, PartialEq)]
pub enum Report {
    /// An AMQP connection is up: our label, the peer's container id and its version.
    ConnectionUp {
        /// Connection.
        conn: ConnId,
        /// Container id of the peer.
        container: String,
        /// `version` property, when given.
        version: Option<String>,
    },
    /// An AMQP connection ended, with the cause.
    ConnectionDown {
        /// Connection.
        conn: ConnId,
        /// Cause.
        cause: String,
    },
    /// A flow ended: the access log's line.
    FlowEnded(FlowRecord),
    /// Something a person should know (a mismatch of encapsulations, a link refused by the network...).
    Warning(String),
}

/// One TCP connection, when it is over.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowRecord {
    /// Service address.
    pub address: String,
    /// Listener's or connector's name.
    pub entity: String,
    /// True on the listener side.
    pub listener: bool,
    /// The socket's peer (client, or target server).
    pub peer: String,
    /// Bytes read from the socket.
    pub bytes_in: u64,
    /// Bytes written to the socket.
    pub bytes_out: u64,
    /// From accept (or connect request) to end.
    pub duration: Duration,
    /// `None`: ended well. Else the cause in words.
    pub error: Option<String>,
}

/// The router.
pub struct Router {}

#[allow(unused_variables)]
impl Router {
    /// A router without connections or services.
    pub fn new(settings: Settings) -> Router {
        todo!()
    }

    // ---- services, at any time

    /// Adds a listener; [`Action::Listen`] follows when its service is reachable.
    pub fn add_listener(&mut self, spec: ListenerSpec) -> ListenerId {
        todo!()
    }
    /// Removes a listener; its connections go on.
    pub fn remove_listener(&mut self, id: ListenerId) {
        todo!()
    }
    /// Adds a connector and announces its address.
    pub fn add_connector(&mut self, spec: ConnectorSpec) -> ConnectorId {
        todo!()
    }
    /// Withdraws a connector; its connections go on.
    pub fn remove_connector(&mut self, id: ConnectorId) {
        todo!()
    }
    /// The spec of a connector.
    pub fn connector(&self, id: ConnectorId) -> Option<&ConnectorSpec> {
        todo!()
    }

    // ---- AMQP connections

    /// A transport is up (TLS done): starts AMQP on it.
    pub fn add_connection(&mut self, spec: ConnectionSpec, now: Instant) -> ConnId {
        todo!()
    }
    /// Bytes from the peer. Returns how many were used; the rest (less than a frame) must come again with more behind it.
    pub fn handle_input(&mut self, conn: ConnId, input: &[u8], now: Instant) -> usize {
        todo!()
    }
    /// Whether to read more from the peer now.
    pub fn wants_input(&self, conn: ConnId) -> bool {
        todo!()
    }
    /// Bytes to send to the peer.
    pub fn output(&self, conn: ConnId) -> &[u8] {
        todo!()
    }
    /// `n` bytes of the output are sent.
    pub fn consume_output(&mut self, conn: ConnId, n: usize, now: Instant) {
        todo!()
    }
    /// When to call [`Router::handle_timeout`] at the latest.
    pub fn next_timeout(&self, conn: ConnId) -> Option<Instant> {
        todo!()
    }
    /// A deadline has passed.
    pub fn handle_timeout(&mut self, conn: ConnId, now: Instant) {
        todo!()
    }
    /// AMQP is over on this connection: flush the output, close the transport, call [`Router::remove_connection`].
    pub fn is_finished(&self, conn: ConnId) -> bool {
        todo!()
    }
    /// The transport is gone, with the cause if it was not a clean end. All flows that used it end.
    pub fn remove_connection(&mut self, conn: ConnId, cause: Option<String>, now: Instant) {
        todo!()
    }
    /// Begins an orderly close of an AMQP connection.
    pub fn close_connection(&mut self, conn: ConnId) {
        todo!()
    }

    // ---- TCP sockets

    /// A client connected to a listener. `None`: it cannot be served now, drop the socket.
    pub fn accepted(&mut self, listener: ListenerId, peer: String, now: Instant) -> Option<FlowId> {
        todo!()
    }
    /// The socket of [`Action::Connect`] is connected; `peer` is the address reached.
    pub fn connected(&mut self, flow: FlowId, peer: String, now: Instant) {
        todo!()
    }
    /// It could not be connected.
    pub fn connect_failed(&mut self, flow: FlowId, cause: String, now: Instant) {
        todo!()
    }
    /// What the socket should do now. An unknown flow: `close`.
    pub fn flow_io(&mut self, flow: FlowId) -> FlowIo {
        todo!()
    }
    /// Bytes read from the socket, at most `read_budget`.
    pub fn handle_data(&mut self, flow: FlowId, data: &[u8], now: Instant) {
        todo!()
    }
    /// The socket's peer has shut down its writing half.
    pub fn handle_read_closed(&mut self, flow: FlowId, now: Instant) {
        todo!()
    }
    /// The socket died (reset, time-out).
    pub fn handle_reset(&mut self, flow: FlowId, cause: String, now: Instant) {
        todo!()
    }
    /// Bytes to write to the socket, in two slices.
    pub fn flow_output(&self, flow: FlowId) -> (&[u8], &[u8]) {
        todo!()
    }
    /// `n` of these were written.
    pub fn handle_written(&mut self, flow: FlowId, n: usize, now: Instant) {
        todo!()
    }
    /// The driver dropped the socket after `close`; emits the [`FlowRecord`].
    pub fn forget_flow(&mut self, flow: FlowId, now: Instant) {
        todo!()
    }
    /// Flows that are open.
    pub fn open_flows(&self) -> usize {
        todo!()
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        todo!()
    }
}
