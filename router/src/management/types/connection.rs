//! `connection`: AMQP connections, and the TCP connections of services, which are shown among them.

use moorline_amqp::Value;

use super::operational;
use crate::management::record::Record;
use crate::management::schema::{Attribute, EntityType, IDENTITY, Kind, NAME, TYPE, boolean, integer, map, text};

pub(super) static CONNECTION: EntityType =
    EntityType { own_operations: &["UPDATE"], ..operational("connection", Kind::Connection, ATTRIBUTES) };

const ATTRIBUTES: &[Attribute] = &[
    NAME,
    IDENTITY,
    text("host"),
    text("localSocket"),
    text("role"),
    text("protocol"),
    text("dir"),
    text("container"),
    text("sasl"),
    boolean("isAuthenticated"),
    text("user"),
    boolean("isEncrypted"),
    text("sslProto"),
    text("sslCipher"),
    map("properties"),
    integer("sslSsf"),
    TYPE,
    boolean("ssl"),
    boolean("opened"),
    boolean("active"),
    text("adminStatus").update().or_text("enabled"),
    text("operStatus").or_text("up"),
    integer("uptimeSeconds"),
    integer("lastDlvSeconds"),
    boolean("enableProtocolTrace").or_bool(false),
    text("meshId"),
];

/// A connection that is being closed.
pub fn closing(connection: Record) -> Record {
    connection.set("adminStatus", "deleted").set("operStatus", "closing")
}

/// One connection.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct Connection {
    /// Unique for the life of the router.
    pub id: u64,
    /// The other end: `host:port`.
    pub host: String,
    /// Our end, of a client's TCP connection.
    pub local: Option<String>,
    /// `edge` or `normal`.
    pub role: &'static str,
    /// `amqp`, `tcp`, `http/1.x` or `http2`.
    pub protocol: &'static str,
    /// The other end has connected to us.
    pub incoming: bool,
    /// Container id of the other end.
    pub container: String,
    /// SASL mechanism; empty: none was used.
    pub mechanism: String,
    pub authenticated: bool,
    pub user: Option<String>,
    pub tls: Option<Tls>,
    /// What the other end says of itself.
    pub properties: Vec<(Value, Value)>,
    pub opened: bool,
    /// It is in use; a second uplink that stands by is not.
    pub active: bool,
    pub uptime_seconds: u32,
    /// Since the last delivery; none: there was none.
    pub last_delivery_seconds: Option<u32>,
    pub mesh_id: Option<String>,
}

/// How a connection is encrypted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Such as `TLSv1.3`.
    pub protocol: String,
    /// Such as `TLS_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// Bits of its key.
    pub strength: i64,
}

/// The `connection` entity.
pub fn connection(facts: Connection) -> Record {
    let (protocol, cipher, strength) = match &facts.tls {
        Some(tls) => (Some(tls.protocol.as_str()), Some(tls.cipher.as_str()), tls.strength),
        None => (None, None, 0),
    };
    Record::new(&CONNECTION)
        .called(format!("connection/{}", facts.host), facts.id.to_string())
        .set("host", facts.host.as_str())
        .set("localSocket", facts.local)
        .set("role", facts.role)
        .set("protocol", facts.protocol)
        .set("dir", if facts.incoming { "in" } else { "out" })
        .set("container", facts.container)
        .set("sasl", facts.mechanism)
        .set("isAuthenticated", facts.authenticated)
        .set("user", facts.user)
        .set("isEncrypted", facts.tls.is_some())
        .set("sslProto", protocol)
        .set("sslCipher", cipher)
        .set("properties", Value::Map(facts.properties))
        .set("sslSsf", strength)
        .set("ssl", facts.tls.is_some())
        .set("opened", facts.opened)
        .set("active", facts.active)
        .set("uptimeSeconds", facts.uptime_seconds)
        .set("lastDlvSeconds", facts.last_delivery_seconds)
        .set("meshId", facts.mesh_id)
}
