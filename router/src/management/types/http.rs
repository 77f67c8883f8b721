//! `httpListener` and `httpConnector`.

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
