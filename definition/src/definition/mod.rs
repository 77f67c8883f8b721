//! The gateway definition: what the user asks for, in types that cannot be wrong.

mod names;

pub use names::{CredentialName, EntityName, GatewayName, Host, InvalidName, Port, ServiceAddress};

use std::collections::BTreeMap;

use crate::router_config::Role;

/// A gateway definition that was checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// The gateway's name: unit, container and bundle are named after it.
    pub name: GatewayName,
    /// Servers near this host, made available on the network.
    pub bindings: Vec<Endpoint>,
    /// Network services, made available on local ports.
    pub forwards: Vec<Endpoint>,
    /// AMQP listeners of the router; when there are none the router gets `amqp` on `localhost:5672`.
    pub qdr_listeners: Vec<QdrListener>,
}

impl Definition {
    /// The endpoints of a section, in the order of the file.
    #[must_use]
    pub fn endpoints(&self, section: Section) -> &[Endpoint] {
        match section {
            Section::Bindings => &self.bindings,
            Section::Forwards => &self.forwards,
        }
    }
}

/// Which list an endpoint stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Section {
    /// Servers near this host, made available on the network.
    Bindings,
    /// Network services, made available on local ports.
    Forwards,
}

impl Section {
    /// The key in a definition.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Bindings => "bindings",
            Self::Forwards => "forwards",
        }
    }

    /// One of its endpoints, in messages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Bindings => "binding",
            Self::Forwards => "forward",
        }
    }
}

/// A binding or a forward.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// The name as written; see [`entity_name`](Self::entity_name).
    pub name: Option<EntityName>,
    /// Binding: where the server is. Forward: the bind address, where none means every interface.
    pub host: Option<Host>,
    /// Written by some tools; a gateway does not read it.
    pub loopback: bool,
    /// Written by some tools; a gateway does not read it.
    pub local_port: Option<String>,
    /// The network's side.
    pub service: Service,
    /// `target_ports` as written.
    pub target_ports: Vec<Port>,
    /// The local port that the fields mean: the server's port of a binding, the listening port of a forward.
    pub port: Port,
}

impl Endpoint {
    /// The router entity's name: the endpoint's own, else its service address.
    #[must_use]
    pub fn entity_name(&self) -> String {
        self.name.as_ref().map_or_else(|| self.service.address.to_string(), ToString::to_string)
    }
}

/// The `service` of an endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Where the service is on the network.
    pub address: ServiceAddress,
    /// What its connections speak.
    pub protocol: Protocol,
    /// `ports` as written.
    pub ports: Vec<Port>,
    /// No effect on a gateway.
    pub expose_ingress: Option<String>,
    /// Requests are events: sent to every server, answered at once. HTTP only.
    pub event_channel: bool,
    /// Answers of several servers become one. HTTP only.
    pub aggregate: Option<Aggregate>,
    /// No effect on a gateway; kept as written.
    pub headless: Option<serde_json::Value>,
    /// No effect on a gateway.
    pub labels: BTreeMap<String, String>,
    /// [`ANNOUNCE`] among them; others have no effect on a gateway.
    pub annotations: BTreeMap<String, String>,
    /// No effect on a gateway; kept as written.
    pub targets: Vec<serde_json::Value>,
    /// No effect on a gateway.
    pub origin: Option<String>,
    /// Forward: the certificate that the local port shows, by the name of its folder.
    pub tls_credentials: Option<CredentialName>,
    /// Binding: the authority that the server's certificate must come from, by the name of its folder.
    pub tls_cert_authority: Option<CredentialName>,
    /// No effect on a gateway.
    pub publish_not_ready_addresses: bool,
    /// No effect on a gateway.
    pub bridge_image: Option<String>,
}

/// The annotation of a service that sites of the network shall be told of, with the value `true`.
pub const ANNOUNCE: &str = "moorline/announce";

impl Service {
    /// Whether sites of the network shall be told that there is such a service.
    #[must_use]
    pub fn is_announced(&self) -> bool {
        self.annotations.get(ANNOUNCE).is_some_and(|value| value == "true")
    }
}

/// What the connections of a service speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Any byte stream.
    Tcp,
    /// HTTP/1.
    Http,
    /// HTTP/2, such as gRPC.
    Http2,
}

impl Protocol {
    /// The word in a definition.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Http => "http",
            Self::Http2 => "http2",
        }
    }
}

/// How answers of several servers become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Aggregate {
    /// One JSON array.
    Json,
    /// One multipart body.
    Multipart,
}

impl Aggregate {
    /// The word in a definition.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Multipart => "multipart",
        }
    }
}

/// An AMQP listener of the router.
#[derive(Clone, Debug, PartialEq)]
pub struct QdrListener {
    /// The name as written; see [`entity_name`](Self::entity_name).
    pub name: Option<EntityName>,
    /// Bind address; none means every interface.
    pub host: Option<Host>,
    /// TCP port.
    pub port: Port,
    /// What connections are for.
    pub role: Option<Role>,
    /// Old spelling of the role `route-container`.
    pub route_container: Option<bool>,
    /// Whether the port speaks HTTP.
    pub http: Option<bool>,
    /// Routing cost.
    pub cost: Option<u32>,
    /// The certificate that the port shows, by the name of its folder.
    pub ssl_profile: Option<CredentialName>,
    /// SASL mechanisms offered, separated by spaces.
    pub sasl_mechanisms: Option<String>,
    /// Whether clients must authenticate.
    pub authenticate_peer: Option<bool>,
    /// Credit given to each link.
    pub link_capacity: Option<u32>,
    /// Directory of static files for HTTP.
    pub http_root_dir: Option<String>,
    /// AMQP over WebSockets on an HTTP port.
    pub web_sockets: Option<bool>,
    /// `/healthz` on an HTTP port.
    pub healthz: Option<bool>,
    /// `/metrics` on an HTTP port.
    pub metrics: Option<bool>,
    /// Largest AMQP frame, in bytes.
    pub max_frame_size: Option<u32>,
    /// Session window, in frames.
    pub max_session_frames: Option<u32>,
}

impl QdrListener {
    /// The router entity's name: the listener's own, else `<host>@<port>`.
    #[must_use]
    pub fn entity_name(&self) -> String {
        match &self.name {
            Some(name) => name.to_string(),
            None => format!("{}@{}", self.host.as_ref().map_or("", Host::as_str), self.port),
        }
    }
}
