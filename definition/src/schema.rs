//! The JSON Schema of definition files, for editors.

use std::collections::BTreeMap;

use schemars::JsonSchema;

/// The JSON Schema of a definition file, as published in `schema/gateway.schema.json`.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    schemars::generate::SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Gateway>().to_value()
}

/// A gateway: servers near this host that the service network can use, and network services that this host can use.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, title = "Gateway definition")]
#[expect(dead_code, reason = "only its schema is used")]
struct Gateway {
    /// The gateway's name: its unit, container and bundle are named after it.
    #[schemars(length(max = 128), regex(pattern = r"^[a-z]([a-z0-9.-]*[a-z0-9])?$"))]
    name: String,
    /// Servers near this host, made available on the service network.
    #[schemars(default)]
    bindings: Option<Vec<Endpoint>>,
    /// Network services, made available on local ports.
    #[schemars(default)]
    forwards: Option<Vec<Endpoint>>,
    /// AMQP listeners of the router. Without any, the router listens on localhost:5672.
    #[schemars(rename = "qdr-listeners", default)]
    qdr_listeners: Option<Vec<QdrListener>>,
}

/// A binding (the router connects to a server) or a forward (the router listens on a local port).
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct Endpoint {
    /// The router entity's name, unique in its list. Without it the service address is the name.
    name: Option<String>,
    /// Binding: the server's host. Forward: the address to listen on, every interface when there is none.
    host: Option<String>,
    /// Has no effect in a definition.
    loopback: Option<bool>,
    /// Has no effect in a definition.
    local_port: Option<String>,
    /// The service on the network.
    service: Service,
    /// The local port: the server's port of a binding, the listening port of a forward. One port only.
    /// Without it service.ports is the local port.
    #[schemars(length(max = 1), inner(range(min = 1, max = 65535)))]
    target_ports: Option<Vec<u16>>,
}

/// The service on the network.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct Service {
    /// Address on the network: <name>:<port>.
    #[schemars(regex(pattern = r"^[a-z]([-a-z0-9]*[a-z0-9])?:[1-9][0-9]{0,4}$"))]
    address: String,
    /// What the connections speak.
    protocol: Protocol,
    /// The port of the service. Write the local port, so that Skupper's own tools read it the same way.
    #[schemars(length(max = 1), inner(range(min = 1, max = 65535)))]
    ports: Option<Vec<u16>>,
    /// Has no effect on a gateway.
    #[schemars(rename = "exposeIngress")]
    expose_ingress: Option<String>,
    /// Requests are events: sent to every server, answered at once. For http.
    eventchannel: Option<bool>,
    /// Answers of several servers become one. For http.
    aggregate: Option<Aggregate>,
    /// Has no effect on a gateway.
    headless: Option<serde_json::Map<String, serde_json::Value>>,
    /// Has no effect on a gateway.
    labels: Option<BTreeMap<String, String>>,
    /// Has no effect on a gateway.
    annotations: Option<BTreeMap<String, String>>,
    /// Has no effect on a gateway.
    targets: Option<Vec<serde_json::Value>>,
    /// Has no effect on a gateway.
    origin: Option<String>,
    /// Forward: folder of the certificate that the local port shows (tls.crt, tls.key, ca.crt). For tcp and http2.
    tlscredentials: Option<String>,
    /// Binding: folder of the authority (ca.crt) of the server's certificate. For tcp and http2.
    tlscertauthority: Option<String>,
    /// Has no effect on a gateway.
    publishnotreadyaddresses: Option<bool>,
    /// Has no effect on a gateway.
    bridgeimage: Option<String>,
    /// Has no effect since Skupper 1.4.
    #[schemars(extend("deprecated" = true))]
    enabletls: Option<bool>,
}

/// What the connections of a service speak.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
enum Protocol {
    /// Any byte stream.
    Tcp,
    /// HTTP/1.
    Http,
    /// HTTP/2, such as gRPC.
    Http2,
}

/// How answers of several servers become one. Empty means not at all.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
enum Aggregate {
    /// One JSON array.
    Json,
    /// One multipart body.
    Multipart,
    /// Not at all.
    #[schemars(rename = "")]
    None,
}

/// An AMQP listener of the router.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its schema is used")]
struct QdrListener {
    /// The router entity's name; without it <host>@<port>.
    name: Option<String>,
    /// The address to listen on. Anything but this host's loopback needs authentication.
    host: Option<String>,
    /// TCP port.
    #[schemars(range(min = 1, max = 65535))]
    port: u16,
    /// What connections are for.
    role: Option<Role>,
    /// Old spelling of the role route-container.
    route_container: Option<bool>,
    /// Whether the port speaks HTTP.
    http: Option<bool>,
    /// Routing cost.
    #[schemars(range(max = 2_147_483_647))]
    cost: Option<u32>,
    /// Folder of the certificate that the port shows (tls.crt, tls.key, ca.crt).
    ssl_profile: Option<String>,
    /// SASL mechanisms offered, separated by spaces, such as EXTERNAL.
    sasl_mechanisms: Option<String>,
    /// Whether clients must authenticate.
    authenticate_peer: Option<bool>,
    /// Credit given to each link.
    #[schemars(range(max = 2_147_483_647))]
    link_capacity: Option<u32>,
    /// Directory of static files for HTTP.
    #[schemars(rename = "http-rootdir")]
    http_root_dir: Option<String>,
    /// AMQP over WebSockets on an HTTP port.
    web_sockets: Option<bool>,
    /// /healthz on an HTTP port.
    healthz: Option<bool>,
    /// /metrics on an HTTP port.
    metrics: Option<bool>,
    /// Largest AMQP frame, in bytes.
    #[schemars(range(max = 2_147_483_647))]
    max_frame_size: Option<u32>,
    /// Session window, in frames.
    #[schemars(range(max = 2_147_483_647))]
    max_session_frames: Option<u32>,
    /// Written by Skupper's export; has no effect.
    extrafieldsimpl: Option<serde_json::Map<String, serde_json::Value>>,
}

/// What the connections of a listener are for.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its schema is used")]
enum Role {
    /// Ordinary AMQP clients.
    Normal,
    /// Edge routers.
    Edge,
    /// Other interior routers.
    InterRouter,
    /// Brokers and other AMQP containers.
    RouteContainer,
}
