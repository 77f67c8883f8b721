//! `httpListener`, `httpConnector` and their requests.

use std::collections::BTreeMap;

use moorline_amqp::Value;
use moorline_definition::router_config::HttpBridge;

use super::{configuration, operational, placed};
use crate::management::record::Record;
use crate::management::schema::{EntityType, IDENTITY, Kind, NAME, TYPE, boolean, integer, map, text};

pub(super) static LISTENER: EntityType = configuration(
    "httpListener",
    Kind::HttpListener,
    &["CREATE", "DELETE"],
    &[
        text("host").create().or_text("0.0.0.0"),
        text("address").required(),
        text("port").required(),
        integer("backlog").create().or_integer(0),
        text("siteId").create(),
        text("sslProfile").create(),
        boolean("authenticatePeer").create().or_bool(false),
        text("protocolVersion").create().or_text("HTTP1"),
        text("aggregation").create(),
        boolean("eventChannel").create(),
        text("operStatus"),
        NAME,
        IDENTITY,
        TYPE,
    ],
);

pub(super) static CONNECTOR: EntityType = configuration(
    "httpConnector",
    Kind::HttpConnector,
    &["CREATE", "DELETE"],
    &[
        text("address").required(),
        text("host").create().or_text("127.0.0.1"),
        text("siteId").create(),
        text("port").required(),
        text("sslProfile").create(),
        text("protocolVersion").create().or_text("HTTP1"),
        text("aggregation").create(),
        boolean("eventChannel").create(),
        boolean("verifyHostname").create().or_bool(true),
        text("hostOverride").create(),
        boolean("announce").create(),
        NAME,
        IDENTITY,
        TYPE,
    ],
);

pub(super) static REQUEST_INFO: EntityType = operational(
    "httpRequestInfo",
    Kind::HttpRequestInfo,
    &[
        NAME,
        IDENTITY,
        text("address"),
        text("host"),
        text("site"),
        text("direction"),
        integer("requests"),
        integer("bytesIn"),
        integer("bytesOut"),
        integer("maxLatency"),
        map("details"),
        TYPE,
    ],
);

/// The `httpListener` entity.
pub fn listener(entity: &HttpBridge, up: bool) -> Record {
    placed(Record::configured(&LISTENER, &entity.attributes())).set("operStatus", if up { "up" } else { "down" })
}

/// The `httpConnector` entity.
pub fn connector(entity: &HttpBridge) -> Record {
    placed(Record::configured(&CONNECTOR, &entity.attributes()))
}

/// Requests between this router and one host for one service.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct RequestInfo {
    pub address: String,
    /// Of the client, or the server as configured.
    pub host: String,
    /// The other end's, when it told.
    pub site: Option<String>,
    /// Clients connected to us.
    pub incoming: bool,
    pub requests: u64,
    /// Octets of bodies from sockets.
    pub bytes_in: u64,
    /// Octets of bodies to sockets.
    pub bytes_out: u64,
    /// The longest request, milliseconds.
    pub most_millis: u64,
    /// Requests by method and status, such as `GET:200`.
    pub details: BTreeMap<String, u64>,
}

/// The `httpRequestInfo` entity.
pub fn request_info(info: &RequestInfo) -> Record {
    // Uints, as the network expects; what does not fit stands still at the greatest.
    let uint = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    let int = |n: &u64| i32::try_from(*n).unwrap_or(i32::MAX);
    let site = info.site.as_ref().map(|site| format!("@{site}")).unwrap_or_default();
    let key = format!("{}_{}_{}{site}", if info.incoming { "i" } else { "o" }, info.host, info.address);
    let details = info.details.iter().map(|(result, requests)| (result.as_str().into(), int(requests).into()));
    Record::new(&REQUEST_INFO)
        .called(key.as_str(), key.as_str())
        .set("address", info.address.as_str())
        .set("host", info.host.as_str())
        .set("site", info.site.as_deref())
        .set("direction", if info.incoming { "in" } else { "out" })
        .set("requests", uint(info.requests))
        .set("bytesIn", uint(info.bytes_in))
        .set("bytesOut", uint(info.bytes_out))
        .set("maxLatency", uint(info.most_millis))
        .set("details", Value::Map(details.collect()))
}
