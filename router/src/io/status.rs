//! The state of the router, as `status` shows it.

use std::cell::Cell;

use serde::Serialize;

use super::Timestamp;
use super::http::HttpRequestsStatus;
use super::process::MemoryStatus;
use super::tally::ServiceCounts;
use crate::service_sync::Service;

/// Everything that can be said of a running router.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RouterStatus {
    /// Router id.
    pub id: String,
    /// Product version.
    pub version: String,
    /// `edge` or `hub`.
    pub mode: &'static str,
    /// When it began to run.
    pub started: Timestamp,
    /// True after a drain began.
    pub draining: bool,
    /// Connections to the network.
    pub uplinks: Vec<UplinkStatus>,
    /// Services whose clients connect to us.
    pub listeners: Vec<ListenerStatus>,
    /// Servers that we connect to.
    pub connectors: Vec<ConnectorStatus>,
    /// HTTP services whose clients connect to us.
    pub http_listeners: Vec<HttpBridgeStatus>,
    /// HTTP servers that we connect to.
    pub http_connectors: Vec<HttpBridgeStatus>,
    /// `sslProfile`s in use.
    pub certificates: Vec<CertificateStatus>,
    /// Edges that are linked to us.
    pub edges: Vec<EdgeStatus>,
    /// Services that this router announces to other sites.
    pub announced: Vec<Service>,
    /// Services that other sites announce.
    pub services: Vec<HeardService>,
    /// Sums since the start.
    pub totals: TotalsStatus,
    /// Memory of the process.
    pub memory: MemoryStatus,
}

/// One connection to the network.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UplinkStatus {
    /// Connector name.
    pub name: String,
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
    /// What it does now.
    pub state: UplinkState,
    /// Since when.
    pub since: Timestamp,
    /// The other end, while up.
    pub peer: Option<PeerIdentity>,
    /// Cause of the last failure; none after a success.
    pub last_error: Option<String>,
    /// Attempts since it was last up.
    pub attempts: u64,
    /// How often it was linked since the start.
    pub links: u64,
    /// How often it was lost since the start.
    pub losses: u64,
    /// When our certificate expires.
    pub certificate_not_after: Option<Timestamp>,
}

/// The certificates of one `sslProfile`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateStatus {
    /// Profile name.
    pub profile: String,
    /// When our certificate expires; none without one.
    pub not_after: Option<Timestamp>,
    /// When the first certificate of the CA expires.
    pub ca_not_after: Option<Timestamp>,
    /// How often new files were taken into use since the start.
    pub renewals: u64,
    /// Why the files as they are now cannot be used; older ones are.
    pub problem: Option<String>,
}

/// What an uplink does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UplinkState {
    /// TCP, TLS or AMQP is being set up.
    Connecting,
    /// Linked.
    Up,
    /// Waits for the next attempt.
    Down,
    /// Another uplink serves.
    Standby,
}

/// What a router says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PeerIdentity {
    /// Container id.
    pub container: String,
    /// Product version, when it says one.
    pub version: Option<String>,
}

/// One `tcpListener`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ListenerStatus {
    /// Entity name.
    pub name: String,
    /// Service address.
    pub address: String,
    /// Host as configured; empty: every interface.
    pub host: String,
    /// Port; the one that the system chose when 0 is configured and the port is open.
    pub port: u16,
    /// What it does now.
    pub state: ListenerState,
    /// Why it failed.
    pub error: Option<String>,
    /// Open TCP connections.
    pub open_flows: usize,
    /// What went through it.
    pub counts: ServiceCounts,
}

/// What a listener does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ListenerState {
    /// Its port is open.
    Listening,
    /// The network has no server for its address (or is not linked): its port is closed.
    Waiting,
    /// Its port cannot be opened; tried again each second.
    Failed,
}

/// One `tcpConnector`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConnectorStatus {
    /// Entity name.
    pub name: String,
    /// Service address.
    pub address: String,
    /// Target host.
    pub host: String,
    /// Target port.
    pub port: u16,
    /// Open TCP connections.
    pub open_flows: usize,
    /// Why the last connection to the server failed; none after a success.
    pub last_error: Option<String>,
    /// What went through it.
    pub counts: ServiceCounts,
}

/// One `httpListener` or `httpConnector`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HttpBridgeStatus {
    /// Entity name.
    pub name: String,
    /// Service address.
    pub address: String,
    /// Host as configured; empty (listener): every interface.
    pub host: String,
    /// Port; the one that the system chose when 0 is configured and the port is open.
    pub port: u16,
    /// `http1` or `http2`.
    pub version: &'static str,
    /// What a listener does now; none for a connector.
    pub state: Option<ListenerState>,
    /// Open TCP connections.
    pub open_connections: usize,
    /// Requests that run.
    pub open_requests: usize,
    /// Requests since it was added.
    pub requests: u64,
    /// Those that are over.
    pub finished: HttpRequestsStatus,
    /// Bytes read from its sockets.
    pub bytes_in: u64,
    /// Bytes written to its sockets.
    pub bytes_out: u64,
    /// Why its port cannot be opened, or why the last connection to the server failed.
    pub last_error: Option<String>,
}

/// One edge of ours.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EdgeStatus {
    /// Its container id.
    pub container: String,
    /// Its version, when it says one.
    pub version: Option<String>,
    /// Its socket address.
    pub peer: String,
    /// Since when.
    pub since: Timestamp,
}

/// A service of another site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeardService {
    /// Identity of the site.
    pub origin: String,
    /// What it says of the service.
    #[serde(flatten)]
    pub service: Service,
    /// Since the site last said so; it does every few seconds, and is forgotten after three minutes.
    pub seconds_since_heard: u64,
}

/// Sums over all TCP connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TotalsStatus {
    /// Bytes read from TCP sockets.
    pub bytes_in: u64,
    /// Bytes written to TCP sockets.
    pub bytes_out: u64,
    /// TCP connections since the start.
    pub flows: u64,
    /// TCP connections that are open.
    pub open_flows: usize,
}

/// Running sums of the router thread.
#[derive(Debug, Default)]
pub(super) struct Totals {
    bytes_in: Cell<u64>,
    bytes_out: Cell<u64>,
    flows: Cell<u64>,
}

impl Totals {
    pub(super) fn count_in(&self, n: usize) {
        self.bytes_in.set(self.bytes_in.get() + n as u64);
    }

    pub(super) fn count_out(&self, n: usize) {
        self.bytes_out.set(self.bytes_out.get() + n as u64);
    }

    pub(super) fn count_flow(&self) {
        self.flows.set(self.flows.get() + 1);
    }

    pub(super) fn status(&self, open_flows: usize) -> TotalsStatus {
        TotalsStatus {
            bytes_in: self.bytes_in.get(),
            bytes_out: self.bytes_out.get(),
            flows: self.flows.get(),
            open_flows,
        }
    }
}
