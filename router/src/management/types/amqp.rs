//! AMQP connections as a configuration has them: `listener`, `connector`, and the `sslProfile`s that they name.

use moorline_definition::router_config::{Connector, Listener, SslProfile};

use super::{configuration, placed};
use crate::management::record::Record;
use crate::management::schema::{EntityType, IDENTITY, Kind, NAME, TYPE, boolean, integer, map, text};

pub(super) static SSL_PROFILE: EntityType = configuration(
    "sslProfile",
    Kind::SslProfile,
    &["CREATE", "DELETE"],
    &[
        text("ciphers").create(),
        text("protocols").create(),
        text("caCertFile").create(),
        text("certFile").create(),
        text("privateKeyFile").create(),
        text("password").create().secret(),
        text("uidFormat").create(),
        text("uidNameMappingFile").create(),
        NAME,
        IDENTITY,
        TYPE,
    ],
);

pub(super) static LISTENER: EntityType = configuration(
    "listener",
    Kind::Listener,
    &["CREATE", "DELETE"],
    &[
        text("host").create().or_text(""),
        text("port").create().or_text("amqp"),
        text("socketAddressFamily").create(),
        text("role").create().or_text("normal"),
        integer("cost").create().or_integer(1),
        text("sslProfile").create(),
        text("saslMechanisms").create(),
        boolean("authenticatePeer").create().or_bool(false),
        boolean("requireEncryption").create().or_bool(false),
        boolean("requireSsl").create().or_bool(false),
        integer("maxFrameSize").create().or_integer(16384),
        integer("maxSessions").create().or_integer(32768),
        integer("maxSessionFrames").create(),
        integer("idleTimeoutSeconds").create().or_integer(16),
        integer("initialHandshakeTimeoutSeconds").create().or_integer(0),
        text("stripAnnotations").create().or_text("both"),
        integer("linkCapacity").create(),
        text("failoverUrls").create(),
        boolean("healthz").create().or_bool(true),
        boolean("metrics").create().or_bool(true),
        boolean("websockets").create().or_bool(true),
        boolean("http").create().or_bool(false),
        text("httpRootDir").create(),
        text("messageLoggingComponents").create().or_text("none"),
        text("policyVhost").create(),
        map("openProperties").create(),
        NAME,
        IDENTITY,
        TYPE,
    ],
);

pub(super) static CONNECTOR: EntityType = configuration(
    "connector",
    Kind::Connector,
    &["CREATE", "DELETE"],
    &[
        text("host").create().or_text("127.0.0.1"),
        text("port").create().or_text("amqp"),
        text("socketAddressFamily").create(),
        text("role").create().or_text("normal"),
        integer("cost").create().or_integer(1),
        text("sslProfile").create(),
        text("proxyProfile").create(),
        text("saslMechanisms").create(),
        boolean("allowRedirect").create().or_bool(true),
        integer("maxFrameSize").create().or_integer(16384),
        integer("maxSessions").create().or_integer(32768),
        integer("maxSessionFrames").create(),
        integer("idleTimeoutSeconds").create().or_integer(16),
        text("stripAnnotations").create().or_text("both"),
        integer("linkCapacity").create(),
        boolean("verifyHostname").create().or_bool(true),
        text("saslUsername").create(),
        text("saslPassword").create().secret(),
        text("messageLoggingComponents").create().or_text("none"),
        text("failoverUrls"),
        text("connectionStatus"),
        text("connectionMsg"),
        text("policyVhost").create(),
        map("openProperties").create(),
        NAME,
        IDENTITY,
        TYPE,
    ],
);

/// The `sslProfile` entity.
pub fn ssl_profile(entity: &SslProfile) -> Record {
    Record::configured(&SSL_PROFILE, &entity.attributes()).set("identity", format!("sslProfile/{}", entity.name))
}

/// The `listener` entity.
pub fn listener(entity: &Listener) -> Record {
    placed(Record::configured(&LISTENER, &entity.attributes()))
}

/// How a connector fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ConnectorState {
    Connecting,
    Connected,
    Failed,
}

/// The `connector` entity. `message`: what happened last.
pub fn connector(entity: &Connector, state: ConnectorState, message: &str) -> Record {
    let scheme = if entity.ssl_profile.as_deref().is_none_or(str::is_empty) { "amqp" } else { "amqps" };
    placed(Record::configured(&CONNECTOR, &entity.attributes()))
        .set("failoverUrls", format!("{scheme}://{}:{}", entity.host, entity.port))
        .set("connectionMsg", message)
        .set(
            "connectionStatus",
            match state {
                ConnectorState::Connecting => "CONNECTING",
                ConnectorState::Connected => "SUCCESS",
                ConnectorState::Failed => "FAILED",
            },
        )
}
