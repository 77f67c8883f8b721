//! The entities of a router configuration and their attributes.

use std::fmt;

use serde_json::{Map, Value};

/// A whole router configuration: what one `skrouterd.json` says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouterConfig {
    /// The `router` entity. A file has exactly one.
    pub router: RouterEntity,
    /// `sslProfile` entities: the certificate files that connectors, listeners and bridges name.
    pub ssl_profiles: Vec<SslProfile>,
    /// `proxyProfile` entities: forward proxies that connectors name. Routers know them since 3.x.
    pub proxy_profiles: Vec<ProxyProfile>,
    /// `connector` entities: AMQP connections that the router opens. A gateway has one, its uplink.
    pub connectors: Vec<Connector>,
    /// `listener` entities: AMQP (and HTTP) ports that the router accepts connections on.
    pub listeners: Vec<Listener>,
    /// `address` entities: how messages to a prefix are distributed.
    pub addresses: Vec<AddressEntity>,
    /// `tcpConnector` entities: bindings, local servers that the router connects to.
    pub tcp_connectors: Vec<TcpBridge>,
    /// `tcpListener` entities: forwards, local ports that the router listens on.
    pub tcp_listeners: Vec<TcpBridge>,
    /// `httpConnector` entities: bindings of HTTP servers.
    pub http_connectors: Vec<HttpBridge>,
    /// `httpListener` entities: forwards of HTTP services.
    pub http_listeners: Vec<HttpBridge>,
    /// `log` entities: log levels by router module.
    pub logs: Vec<LogEntity>,
    /// Entities that this model does not know, kept so that they are written back.
    pub unknown: Vec<UnknownEntity>,
}

/// How a router takes part in the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RouterMode {
    /// A leaf with one uplink; every gateway is one.
    #[default]
    Edge,
    /// A member of the routing mesh.
    Interior,
}

/// What a connection is used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Role {
    /// An edge router's uplink.
    Edge,
    /// A link between interior routers.
    InterRouter,
    /// An ordinary AMQP client; the default.
    #[default]
    Normal,
    /// A broker or other AMQP container.
    RouteContainer,
}

impl Role {
    /// The role of a listener that may say it in the old way: `routeContainer`, which routers do not know.
    pub(super) fn or_route_container(self, old: Option<bool>) -> Role {
        if self == Role::Normal && old == Some(true) { Role::RouteContainer } else { self }
    }
}

/// Which TCP adaptor encoding a bridge speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encapsulation {
    /// The encoding of router 2.x, the default.
    Legacy,
    /// The encoding of the newer adaptor.
    Lite,
}

/// The HTTP version of an HTTP bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HttpVersion {
    /// `HTTP1`, the router's default.
    Http1,
    /// `HTTP2`.
    Http2,
}

/// How answers from several servers become one HTTP answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Aggregation {
    /// No aggregation, the router's default.
    None,
    /// One JSON array.
    Json,
    /// One multipart body.
    Multipart,
}

/// The `router` entity.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouterEntity {
    /// The router's id: unique in the network.
    pub id: String,
    /// Edge or interior.
    pub mode: RouterMode,
    /// Site identity as a JSON text, see [`Metadata`](super::Metadata).
    pub metadata: Option<String>,
    /// Seconds until a silent neighbour is lost; a string in the file (`"3"`).
    pub hello_max_age_seconds: Option<String>,
    /// Attributes that this model does not name, kept as they were.
    pub extra: Map<String, Value>,
}

/// An `sslProfile` entity: paths of PEM files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SslProfile {
    /// What others refer to.
    pub name: String,
    /// Path of the certificates that the other side's chain must end in.
    pub ca_cert_file: Option<String>,
    /// Path of our own certificate chain.
    pub cert_file: Option<String>,
    /// Path of the key of `cert_file`.
    pub private_key_file: Option<String>,
    /// Attributes that this model does not name, kept as they were.
    pub extra: Map<String, Value>,
}

/// A `proxyProfile` entity: an HTTP proxy that opens tunnels with `CONNECT`.
#[derive(Clone, Default, PartialEq)]
pub struct ProxyProfile {
    /// What connectors refer to.
    pub name: String,
    /// The proxy's host name or address.
    pub host: String,
    /// Its TCP port as a decimal number.
    pub port: String,
    /// User of HTTP basic authorization.
    pub username: Option<String>,
    /// Its password: `file:PATH`, `env:NAME`, `pass:WORD`, `literal:WORD` or the word itself. A secret.
    pub password: Option<String>,
    /// Attributes that this model does not name, kept as they were.
    pub extra: Map<String, Value>,
}

impl fmt::Debug for ProxyProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the password.
        f.debug_struct("ProxyProfile").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A `connector` entity: an AMQP connection that the router opens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Connector {
    /// Unique among connectors.
    pub name: String,
    /// What the connection is for. An absent role means [`Role::Normal`].
    pub role: Role,
    /// Host name or address; the router's default is `127.0.0.1`.
    pub host: String,
    /// TCP port as a decimal number, 1 to 65535; checked by [`parse`](super::parse).
    pub port: String,
    /// Routing cost, default 1.
    pub cost: Option<i64>,
    /// Name of an [`SslProfile`]; without one the connection is in clear.
    pub ssl_profile: Option<String>,
    /// Name of a [`ProxyProfile`]; without one the connection is direct.
    pub proxy_profile: Option<String>,
    /// Largest AMQP frame, in bytes.
    pub max_frame_size: Option<u32>,
    /// Session window, in frames.
    pub max_session_frames: Option<u32>,
    /// AMQP idle timeout, in seconds; 0 is none.
    pub idle_timeout_seconds: Option<u32>,
    /// Whether the certificate must name `host`; the router's default is true.
    pub verify_hostname: Option<bool>,
    /// Attributes that this model does not name, kept as they were.
    pub extra: Map<String, Value>,
}

/// A `listener` entity: a port for AMQP, or for HTTP (health, metrics, console).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listener {
    /// Unique among listeners; `<host>@<port>` when the file has none.
    pub name: String,
    /// What connections are for. Written only when it is not [`Role::Normal`]; read from its old spelling,
    /// `routeContainer`, too.
    pub role: Role,
    /// Bind address; absent or empty means every interface.
    pub host: Option<String>,
    /// TCP port; a number in the file, where a string is accepted too. 0 lets the system choose.
    pub port: u16,
    /// Name of an [`SslProfile`].
    pub ssl_profile: Option<String>,
    /// SASL mechanisms offered, separated by spaces, such as `EXTERNAL`.
    pub sasl_mechanisms: Option<String>,
    /// Whether clients must authenticate.
    pub authenticate_peer: Option<bool>,
    /// Whether the port speaks HTTP.
    pub http: Option<bool>,
    /// Directory of static files for HTTP, or `disabled`.
    pub http_root_dir: Option<String>,
    /// AMQP over WebSockets on an HTTP port; the router's default is true.
    pub websockets: Option<bool>,
    /// `/healthz` on an HTTP port; the router's default is true.
    pub healthz: Option<bool>,
    /// `/metrics` on an HTTP port; the router's default is true.
    pub metrics: Option<bool>,
    /// Routing cost, default 1.
    pub cost: Option<i64>,
    /// Credit given to each link.
    pub link_capacity: Option<u32>,
    /// Largest AMQP frame, in bytes.
    pub max_frame_size: Option<u32>,
    /// Session window, in frames.
    pub max_session_frames: Option<u32>,
    /// AMQP idle timeout, in seconds; 0 is none.
    pub idle_timeout_seconds: Option<u32>,
    /// Attributes that this model does not name, kept as they were.
    pub extra: Map<String, Value>,
}

/// An `address` entity.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AddressEntity {
    /// Unique among addresses; files have none, and routers make one.
    pub name: Option<String>,
    /// First segments of the addresses meant, such as `mc`; empty when a pattern says which.
    pub prefix: String,
    /// Segments of the addresses meant, where `*` is any one and `#` any number of segments.
    pub pattern: Option<String>,
    /// `multicast`, `closest`, `balanced` or `unavailable`.
    pub distribution: String,
    /// Attributes that this model does not name, kept as they were.
    pub extra: Map<String, Value>,
}

/// A `tcpConnector` or `tcpListener` entity.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TcpBridge {
    /// Unique among the entities of its kind; `<host>@<port>` when the file has none.
    pub name: String,
    /// Connector: the server's host. Listener: bind address, where absent or empty means `0.0.0.0`.
    pub host: Option<String>,
    /// TCP port as a decimal number; 1 to 65535 for a connector, 0 to 65535 for a listener.
    pub port: String,
    /// Address on the service network, such as `database:5432`.
    pub address: String,
    /// Site identity shown in flow records.
    pub site_id: Option<String>,
    /// Name of an [`SslProfile`].
    pub ssl_profile: Option<String>,
    /// Connector: whether the server's certificate must name `host`; the router's default is true.
    pub verify_hostname: Option<bool>,
    /// Listener: whether clients must show a certificate of the profile's CA; the router's default is false.
    pub authenticate_peer: Option<bool>,
    /// TCP adaptor encoding; absent means legacy.
    pub encapsulation: Option<Encapsulation>,
    /// Connector: whether sites of the network are told that there is such a service. This program's router alone knows it.
    pub announce: Option<bool>,
    /// Attributes that this model does not name, kept as they were.
    pub extra: Map<String, Value>,
}

/// An `httpConnector` or `httpListener` entity.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HttpBridge {
    /// Unique among the entities of its kind; `<host>@<port>` when the file has none.
    pub name: String,
    /// Connector: the server's host. Listener: bind address, where absent or empty means `0.0.0.0`.
    pub host: Option<String>,
    /// TCP port as a decimal number; 1 to 65535 for a connector, 0 to 65535 for a listener.
    pub port: String,
    /// Address on the service network, such as `quotes:8080`.
    pub address: String,
    /// Site identity shown in flow records.
    pub site_id: Option<String>,
    /// Name of an [`SslProfile`].
    pub ssl_profile: Option<String>,
    /// Connector: whether the server's certificate must name `host`; the router's default is true.
    pub verify_hostname: Option<bool>,
    /// Listener: whether clients must show a certificate of the profile's CA; the router's default is false.
    pub authenticate_peer: Option<bool>,
    /// HTTP version; absent means HTTP/1.
    pub protocol_version: Option<HttpVersion>,
    /// How several answers become one.
    pub aggregation: Option<Aggregation>,
    /// Whether requests are events: sent to every server, answered at once.
    pub event_channel: Option<bool>,
    /// `Host` header to send in place of the client's.
    pub host_override: Option<String>,
    /// Connector: whether sites of the network are told that there is such a service. This program's router alone knows it.
    pub announce: Option<bool>,
    /// Attributes that this model does not name, kept as they were.
    pub extra: Map<String, Value>,
}

/// A `log` entity.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogEntity {
    /// `DEFAULT` or a router module.
    pub module: String,
    /// Level, such as `info+`.
    pub enable: String,
    /// Attributes that this model does not name, kept as they were.
    pub extra: Map<String, Value>,
}

/// An entity of a kind that this model does not know.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UnknownEntity {
    /// Entity kind as written, in camelCase.
    pub kind: String,
    /// All of its attributes.
    pub attributes: Map<String, Value>,
}
