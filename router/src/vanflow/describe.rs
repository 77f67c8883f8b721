//! What a record of each thing says, in both dialects.

use super::attribute::{Attribute, Kind};
use super::ledger::{Audience, Writer};
use crate::core::FlowSnapshot;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Which records the network's collectors want.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// Of routers 2.x: a record for each end of a connection.
    #[default]
    Ends,
    /// Of routers 3.x: one record a connection.
    Connections,
}

impl Dialect {
    /// What the routers around us, of these versions, speak. Routers of the network that are 2.x are the measure; who
    /// is neither (one of ours) does not matter.
    pub fn of<'a>(versions: impl IntoIterator<Item = &'a str>) -> Dialect {
        let majors = versions.into_iter().filter_map(|version| version.split('.').next()?.parse::<u32>().ok());
        let oldest = majors.filter(|major| *major >= 2).min();
        if oldest.is_some_and(|oldest| oldest >= 3) { Dialect::Connections } else { Dialect::Ends }
    }
}

/// A moment on both clocks: ours, and the wall's in microseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Ours.
    pub now: Instant,
    /// The wall's.
    pub micros: u64,
}

impl Moment {
    /// An earlier moment on the wall's clock.
    pub fn at(&self, earlier: Instant) -> u64 {
        self.micros.saturating_sub(micros(self.now.saturating_duration_since(earlier)))
    }
}

/// This router.
#[derive(Debug, Clone)]
pub struct RouterFacts {
    /// Router id.
    pub id: String,
    /// `edge` or `interior`.
    pub mode: &'static str,
    /// Identity of the site that it belongs to. Without it a console shows the router nowhere.
    pub site: Option<String>,
    /// Name of its host.
    pub host_name: Option<String>,
    /// Product version.
    pub version: String,
    /// Its start, microseconds since 1970.
    pub started: u64,
}

/// A listener or connector.
#[derive(Debug, Clone, Copy)]
pub struct Service<'a> {
    /// Number of its record.
    pub number: u64,
    /// Listener, or connector.
    pub kind: Kind,
    /// Entity name.
    pub name: &'a str,
    /// Service address.
    pub address: &'a str,
    /// `tcp`, `http1` or `http2`.
    pub protocol: &'a str,
    /// Where it listens, or whom it connects to.
    pub host: &'a str,
    /// The same.
    pub port: u16,
    /// When it was added, microseconds since 1970.
    pub started: u64,
    /// Connections since then.
    pub opened: u64,
}

/// A connection to the network, as configured.
#[derive(Debug, Clone, Copy)]
pub struct Link<'a> {
    /// Number of its record.
    pub number: u64,
    /// Connector name.
    pub name: &'a str,
    /// Container id of the router at the other end, while up.
    pub peer: Option<&'a str>,
    /// The record of the port at the other end, when it was told.
    pub access: Option<&'a str>,
    /// Port.
    pub port: u16,
    /// Whether it is encrypted.
    pub tls: bool,
    /// Cost, as configured.
    pub cost: u64,
    /// Since when it is up, or down; microseconds since 1970.
    pub since: u64,
    /// How often it was lost.
    pub losses: u64,
    /// Bytes received and sent since it is up.
    pub traffic: (u64, u64),
}

/// A request, when it is over.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Number of its record; the far end knows it as the flow id of the message.
    pub number: u64,
    /// Number of the record of the connection that it came on.
    pub connection: u64,
    /// When it began.
    pub started: Instant,
    /// Octets of the body from the socket.
    pub octets: u64,
    /// From the request to the head of the answer.
    pub latency: Option<Duration>,
    /// HTTP method.
    pub method: Option<&'a str>,
    /// Status of the answer.
    pub status: Option<u16>,
    /// Reason phrase, or why there was no answer.
    pub reason: Option<&'a str>,
    /// Connector's end: the record at the listener's end.
    pub counterflow: Option<&'a str>,
    /// Connector's end: the ids of the routers passed, joined by `|`.
    pub trace: Option<&'a str>,
}

impl Request<'_> {
    pub(super) fn write(&self, record: &mut Writer<'_>, connection: &str, moment: Moment) {
        let status = self.status.map(|status| status.to_string());
        record
            .put(Attribute::Parent, connection)
            .put(Attribute::Start, moment.at(self.started))
            .put(Attribute::End, moment.micros)
            .put_some(Attribute::Counterflow, self.counterflow)
            .put(Attribute::Octets, self.octets)
            .put_some(Attribute::Latency, self.latency.map(micros))
            .put_some(Attribute::Method, self.method)
            .put_some(Attribute::Result, status.as_deref())
            .put_some(Attribute::Reason, self.reason)
            .put_some(Attribute::Trace, self.trace);
    }
}

impl RouterFacts {
    pub(super) fn write(&self, record: &mut Writer<'_>) {
        let name = format!("0/{}", self.id);
        record
            .put_some(Attribute::Parent, self.site.as_deref())
            .put(Attribute::Start, self.started)
            .put(Attribute::Mode, self.mode)
            .put_some(Attribute::HostName, self.host_name.as_deref())
            .put(Attribute::Name, name.as_str())
            .put(Attribute::BuildVersion, self.version.as_str());
    }
}

impl Service<'_> {
    pub(super) fn write(&self, record: &mut Writer<'_>, router: &str) {
        record
            .put(Attribute::Parent, router)
            .put(Attribute::Start, self.started)
            .put(Attribute::TargetHost, self.host)
            .put(Attribute::Protocol, self.protocol)
            .put(Attribute::TargetPort, self.port.to_string().as_str())
            .put(Attribute::Address, self.address)
            .put(Attribute::Name, self.name)
            .put(Attribute::ConnectionCount, self.opened);
    }
}

impl Link<'_> {
    /// Before 3 a link is there while it is up, and is called as the router that it leads to.
    pub(super) fn is_told(&self, dialect: Dialect) -> bool {
        dialect == Dialect::Connections || self.peer.is_some()
    }

    pub(super) fn write(&self, record: &mut Writer<'_>, router: &str, dialect: Dialect) {
        record.put(Attribute::Parent, router).put_once(Attribute::Start, || self.since);
        match dialect {
            Dialect::Ends => {
                record
                    .put(Attribute::Mode, "edge")
                    .put_some(Attribute::Name, self.peer)
                    .put(Attribute::Direction, "outgoing");
            }
            Dialect::Connections => {
                let (status, since) =
                    if self.peer.is_some() { ("up", Attribute::UpSince) } else { ("down", Attribute::DownSince) };
                record
                    .put_some(Attribute::Peer, self.access)
                    .put(Attribute::Protocol, if self.tls { "amqps" } else { "amqp" })
                    .put(Attribute::TargetPort, self.port.to_string().as_str())
                    .put(Attribute::Octets, self.traffic.1)
                    .put(Attribute::OctetsReverse, self.traffic.0)
                    .put(Attribute::Name, self.name)
                    .put(Attribute::Cost, self.cost)
                    .put(Attribute::OperationalStatus, status)
                    .put(Attribute::Role, "edge")
                    .put(since, self.since)
                    .put(Attribute::DownCount, self.losses)
                    .put(Attribute::HttpProxy, "no");
            }
        }
    }
}

/// Whose record a flow is, and of what kind; none when it needs no record of its own.
pub(super) fn flow_record(flow: &FlowSnapshot<'_>, dialect: Dialect) -> Option<(Kind, Audience)> {
    match (dialect, flow.listener) {
        (Dialect::Ends, _) => Some((Kind::Flow, Audience::Flows)),
        (Dialect::Connections, true) => Some((Kind::Connection, Audience::Flows)),
        (Dialect::Connections, false) => flow.counterflow.map(|_| (Kind::Connection, Audience::Owner)),
    }
}

/// One end of a connection, as 2.x has it. The first record of a listener's flow must say the client's host: the
/// collector of Skupper 1.x falls over one of a gateway that does not. It finds the server's process only where the
/// connector's flow says a host.
pub(super) fn write_end(flow: &FlowSnapshot<'_>, record: &mut Writer<'_>, parent: &str, moment: Moment) {
    let (host, port) = host_and_port(if flow.listener { flow.peer } else { flow.local });
    record
        .put(Attribute::Parent, parent)
        .put_once(Attribute::Start, || moment.at(flow.started))
        .put_some(Attribute::Counterflow, flow.counterflow)
        .put(Attribute::SourceHost, host.as_str())
        .put(Attribute::SourcePort, port.as_str())
        .put(Attribute::Octets, flow.bytes_in)
        .put_some(Attribute::Latency, flow.latency.map(micros))
        .put_some(Attribute::Trace, flow.trace)
        .put_some(Attribute::OctetsUnacked, flow.window.map(|(_, unacked)| unacked))
        .put_some(Attribute::WindowSize, flow.window.map(|(size, _)| size))
        .put_some(Attribute::Result, flow.error.map(|_| "failed"))
        .put_some(Attribute::Reason, flow.error);
}

/// A connection, as 3.x has it, at the listener's router.
pub(super) fn write_connection(flow: &FlowSnapshot<'_>, record: &mut Writer<'_>, parent: &str, moment: Moment) {
    let (host, port) = host_and_port(flow.peer);
    record
        .put(Attribute::Parent, parent)
        .put_once(Attribute::Start, || moment.at(flow.started))
        .put(Attribute::SourceHost, host.as_str())
        .put(Attribute::SourcePort, port.as_str())
        .put(Attribute::Octets, flow.bytes_in)
        .put(Attribute::OctetsReverse, flow.bytes_out)
        .put_some(Attribute::Latency, flow.latency.map(micros))
        .put_some(Attribute::ListenerError, flow.error);
}

/// What the connector's router adds to a connection.
pub(super) fn write_addition(flow: &FlowSnapshot<'_>, record: &mut Writer<'_>, connector: &str) {
    record
        .put_some(Attribute::Trace, flow.trace)
        .put(Attribute::Connector, connector)
        .put_some(Attribute::ServerLatency, flow.latency.map(micros))
        .put_some(Attribute::ConnectorError, flow.error);
    if !flow.local.is_empty() {
        let (host, port) = host_and_port(flow.local);
        record.put(Attribute::ProxyHost, host.as_str()).put(Attribute::ProxyPort, port.as_str());
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Host without brackets, and port; both empty when there is no address yet.
fn host_and_port(address: &str) -> (String, String) {
    match address.parse::<SocketAddr>() {
        Ok(address) => (address.ip().to_canonical().to_string(), address.port().to_string()),
        Err(_) => (String::new(), String::new()),
    }
}
