//! What goes into the core and what comes out.

use super::flow::RecordFacts;
use moorline_amqp::DeliveryState;
use std::sync::Arc;
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
    /// A producer and consumer of messages inside this process: management, flow records, an HTTP adaptor.
    pub struct EndpointId;
    /// One message on its way through this router.
    pub struct MessageId;
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

/// What became of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceTally {
    /// Number of its record, see [`Router::new_record`](super::Router::new_record).
    pub record: u64,
    /// Connections since it was added.
    pub opened: u64,
}

/// A server that we connect to.
#[derive(Debug, Clone)]
pub struct ConnectorSpec {
    /// Entity name.
    pub name: String,
    /// Service address.
    pub address: String,
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
    /// Uplink: use EXTERNAL (else ANONYMOUS). Edge or client of ours: the peer has a verified certificate, offer
    /// EXTERNAL (else ANONYMOUS is offered).
    pub external: bool,
}

/// Role of an AMQP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnRole {
    /// To the network, we are the edge.
    Uplink,
    /// From an edge, we are the hub.
    Edge,
    /// From an ordinary AMQP client.
    Client,
}

/// What an endpoint hears.
#[derive(Debug, Clone, PartialEq)]
pub enum EndpointEvent {
    /// A message for one of its subscriptions has begun.
    Arrived {
        /// Read it with [`Router::message_input`](super::Router::message_input).
        message: MessageId,
        /// The subscription: a mobile address, a local name, or a whole temporary address.
        address: Arc<str>,
    },
    /// More bytes of an arriving message, or its end.
    Input(MessageId),
    /// The sender of an arriving message vanished; the id is gone.
    Aborted(MessageId),
    /// A message of ours takes bytes again.
    Room(MessageId),
    /// The receiver spoke of a message of ours. Once settled the id is gone, even if it is not finished.
    Outcome {
        /// Which.
        message: MessageId,
        /// Its state; not always a terminal one.
        state: Option<DeliveryState>,
        /// Settled.
        settled: bool,
    },
    /// An address that it produces for can be reached, or not any more.
    Reachable {
        /// Address.
        address: Arc<str>,
        /// Whether.
        reachable: bool,
    },
}

/// What the driver must do.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Open the listening socket of this listener. Its service is reachable.
    Listen(ListenerId),
    /// Close the listening socket; accepted connections stay.
    Unlisten(ListenerId),
    /// Connect a TCP socket, then say [`Router::connected`](super::Router::connected) or [`Router::connect_failed`](super::Router::connect_failed).
    Connect {
        /// The flow to connect.
        flow: FlowId,
        /// Through this connector; its spec holds host and port.
        connector: ConnectorId,
    },
    /// Something changed for this socket: look at [`Router::flow_io`](super::Router::flow_io) again.
    WakeFlow(FlowId),
    /// Something changed for this connection: output, timeout, input wish or its end.
    WakeConnection(ConnId),
    /// An endpoint has events: see [`Router::poll_endpoint`](super::Router::poll_endpoint).
    WakeEndpoint(EndpointId),
    /// Tell people.
    Report(Report),
}

/// What a TCP socket of a flow should do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlowIo {
    /// Bytes that the core takes now; 0: do not read.
    pub read_budget: usize,
    /// The flow whose socket gets what is read here, when nothing waits for it: where the driver can, it may move the
    /// bytes to that socket past the core, and says [`Router::handle_moved`](super::Router::handle_moved).
    pub joined: Option<FlowId>,
    /// Bytes wait in [`Router::flow_output`](super::Router::flow_output).
    pub has_output: bool,
    /// So many bytes wait with the driver, behind the output.
    pub moved: usize,
    /// All output is written and no more will come: shut down the writing half (once).
    pub shutdown_write: bool,
    /// Drop the socket now and forget the flow: it is over ([`Router::forget_flow`](super::Router::forget_flow)).
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
    FlowEnded(Box<FlowRecord>),
    /// Something a person should know (a mismatch of encapsulations, a link refused by the network...).
    Warning(String),
}

/// One TCP connection, when it is over.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowRecord {
    /// Which.
    pub flow: FlowId,
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
    /// Accept, or connect request.
    pub started: Instant,
    /// From there to the end.
    pub duration: Duration,
    /// `None`: ended well. Else the cause in words.
    pub error: Option<String>,
    pub(super) facts: RecordFacts,
}
