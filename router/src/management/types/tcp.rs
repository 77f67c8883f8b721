//! `tcpListener`, `tcpConnector` and their connections.

use moorline_definition::router_config::TcpBridge;

use super::{configuration, operational, placed};
use crate::core::Encapsulation;
use crate::management::record::Record;
use crate::management::schema::{EntityType, IDENTITY, Kind, NAME, TYPE, boolean, integer, text};
use moorline_amqp::Value;

pub(super) static LISTENER: EntityType = configuration(
    "tcpListener",
    Kind::TcpListener,
    &["CREATE", "DELETE"],
    &[
        text("address").required(),
        text("host").create().or_text("0.0.0.0"),
        integer("backlog").create().or_integer(0),
        text("port").required(),
        text("siteId").create(),
        integer("connectionsOpened"),
        integer("connectionsClosed"),
        integer("bytesIn"),
        integer("bytesOut"),
        text("sslProfile").create(),
        boolean("authenticatePeer").create().or_bool(false),
        text("encapsulation").create().or_text("legacy"),
        text("operStatus"),
        text("connectionMsg"),
        NAME,
        IDENTITY,
        TYPE,
    ],
);

pub(super) static CONNECTOR: EntityType = configuration(
    "tcpConnector",
    Kind::TcpConnector,
    &["CREATE", "DELETE"],
    &[
        text("address").required(),
        text("host").required(),
        text("port").required(),
        text("siteId").create(),
        integer("connectionsOpened"),
        integer("connectionsClosed"),
        integer("bytesIn"),
        integer("bytesOut"),
        text("sslProfile").create(),
        boolean("verifyHostname").create().or_bool(true),
        text("encapsulation").create().or_text("legacy"),
        boolean("announce").create(),
        NAME,
        IDENTITY,
        TYPE,
    ],
);

pub(super) static CONNECTION: EntityType = operational(
    "tcpConnection",
    Kind::TcpConnection,
    &[
        NAME,
        IDENTITY,
        text("address"),
        text("host"),
        text("direction"),
        integer("bytesIn"),
        integer("bytesOut"),
        integer("uptimeSeconds"),
        integer("lastInSeconds"),
        integer("lastOutSeconds"),
        TYPE,
    ],
);

/// What a listener or a connector has carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Traffic {
    pub opened: u64,
    pub closed: u64,
    /// Bytes read from sockets.
    pub bytes_in: u64,
    /// Bytes written to sockets.
    pub bytes_out: u64,
}

/// The `tcpListener` entity. `encapsulation`: in use; `trouble`: why its port cannot be opened.
pub fn listener(
    entity: &TcpBridge,
    traffic: &Traffic,
    encapsulation: Encapsulation,
    up: bool,
    trouble: Option<&str>,
) -> Record {
    let encapsulation = match encapsulation {
        Encapsulation::Legacy => "legacy",
        Encapsulation::Lite => "lite",
    };
    carried(Record::configured(&LISTENER, &entity.attributes()), traffic)
        .set("encapsulation", encapsulation)
        .set("operStatus", if up { "up" } else { "down" })
        .set("connectionMsg", trouble.unwrap_or_default())
}

/// The `tcpConnector` entity.
pub fn connector(entity: &TcpBridge, traffic: &Traffic) -> Record {
    carried(Record::configured(&CONNECTOR, &entity.attributes()), traffic)
}

fn carried(record: Record, traffic: &Traffic) -> Record {
    let whole = |n: u64| i32::try_from(n).map_or_else(|_| Value::Long(n.try_into().unwrap_or(i64::MAX)), Value::Int);
    placed(record).set_all([
        ("connectionsOpened", whole(traffic.opened)),
        ("connectionsClosed", whole(traffic.closed)),
        ("bytesIn", whole(traffic.bytes_in)),
        ("bytesOut", whole(traffic.bytes_out)),
    ])
}

/// One TCP connection of a client or to a server.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct Connection {
    /// The id of its `connection` entity.
    pub id: u64,
    pub address: String,
    /// The socket's other end.
    pub host: String,
    pub site_id: String,
    /// A client's.
    pub incoming: bool,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub uptime_seconds: u32,
}

/// The `tcpConnection` entity.
pub fn connection(facts: Connection) -> Record {
    // Uints, as the network expects; what does not fit stands still at the greatest.
    let uint = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    Record::new(&CONNECTION)
        .called(format!("{}@{}", facts.host, facts.site_id), facts.id.to_string())
        .set("address", facts.address)
        .set("host", facts.host)
        .set("direction", if facts.incoming { "in" } else { "out" })
        .set("bytesIn", uint(facts.bytes_in))
        .set("bytesOut", uint(facts.bytes_out))
        .set("uptimeSeconds", facts.uptime_seconds)
}
