//! One entity of any kind: from its attributes, into a configuration.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::attributes::Attributes;
use super::decode::{address, connector, http_bridge, listener, log, proxy_profile, ssl_profile, tcp_bridge};
use super::entities::{
    AddressEntity, Connector, HttpBridge, Listener, LogEntity, ProxyProfile, RouterConfig, SslProfile, TcpBridge,
    UnknownEntity,
};
use super::{ConfigProblem, RouterConfigError};

/// An entity of a kind that a configuration may have several of.
#[derive(Clone, Debug, PartialEq)]
pub enum Entity {
    /// `sslProfile`.
    SslProfile(SslProfile),
    /// `proxyProfile`.
    ProxyProfile(ProxyProfile),
    /// `connector`.
    Connector(Connector),
    /// `listener`.
    Listener(Listener),
    /// `address`.
    Address(AddressEntity),
    /// `tcpConnector`.
    TcpConnector(TcpBridge),
    /// `tcpListener`.
    TcpListener(TcpBridge),
    /// `httpConnector`.
    HttpConnector(HttpBridge),
    /// `httpListener`.
    HttpListener(HttpBridge),
    /// `log`.
    Log(LogEntity),
    /// Of a kind that this model does not know.
    Unknown(UnknownEntity),
}

impl Entity {
    /// Makes an entity of its kind and attributes, named as in a file; for what is not read from a file.
    ///
    /// # Errors
    /// All problems of its attributes at once, without a line.
    pub fn decode(kind: &str, attributes: Map<String, Value>) -> Result<Entity, RouterConfigError> {
        let mut problems = Vec::new();
        let entity = Entity::read(0, kind, attributes, &mut problems);
        if problems.is_empty() { Ok(entity) } else { Err(RouterConfigError { problems }) }
    }

    /// The same for an entity that starts on `line` of a file.
    pub(super) fn read(line: usize, kind: &str, map: Map<String, Value>, problems: &mut Vec<ConfigProblem>) -> Entity {
        let known = KINDS.iter().find(|(known, _)| *known == kind);
        let Some((kind, key)) = known else {
            return Entity::Unknown(UnknownEntity { kind: kind.to_owned(), attributes: map });
        };
        let attributes = Attributes::new(line, kind, key, map, problems);
        match *kind {
            "sslProfile" => Entity::SslProfile(ssl_profile(attributes)),
            "proxyProfile" => Entity::ProxyProfile(proxy_profile(attributes)),
            "connector" => Entity::Connector(connector(attributes)),
            "listener" => Entity::Listener(listener(attributes)),
            "address" => Entity::Address(address(attributes)),
            "tcpConnector" => Entity::TcpConnector(tcp_bridge(1, attributes)),
            "tcpListener" => Entity::TcpListener(tcp_bridge(0, attributes)),
            "httpConnector" => Entity::HttpConnector(http_bridge(1, attributes)),
            "httpListener" => Entity::HttpListener(http_bridge(0, attributes)),
            _ => Entity::Log(log(attributes)),
        }
    }

    /// Its attributes as a file has them, by name; what is not set is left out.
    #[must_use]
    pub fn attributes(&self) -> BTreeMap<String, Value> {
        match self {
            Entity::SslProfile(e) => e.attributes(),
            Entity::ProxyProfile(e) => e.attributes(),
            Entity::Connector(e) => e.attributes(),
            Entity::Listener(e) => e.attributes(),
            Entity::Address(e) => e.attributes(),
            Entity::TcpConnector(e) | Entity::TcpListener(e) => e.attributes(),
            Entity::HttpConnector(e) | Entity::HttpListener(e) => e.attributes(),
            Entity::Log(e) => e.attributes(),
            Entity::Unknown(e) => e.attributes.clone().into_iter().collect(),
        }
    }

    /// Kind, as files name it, and name.
    #[must_use]
    pub fn place(&self) -> (&str, &str) {
        match self {
            Entity::SslProfile(e) => ("sslProfile", &e.name),
            Entity::ProxyProfile(e) => ("proxyProfile", &e.name),
            Entity::Connector(e) => ("connector", &e.name),
            Entity::Listener(e) => ("listener", &e.name),
            Entity::Address(e) => ("address", e.means()),
            Entity::TcpConnector(e) => ("tcpConnector", &e.name),
            Entity::TcpListener(e) => ("tcpListener", &e.name),
            Entity::HttpConnector(e) => ("httpConnector", &e.name),
            Entity::HttpListener(e) => ("httpListener", &e.name),
            Entity::Log(e) => ("log", &e.module),
            Entity::Unknown(e) => (&e.kind, ""),
        }
    }
}

/// Kinds, and the attribute that names an entity of each.
const KINDS: [(&str, &str); 10] = [
    ("sslProfile", "name"),
    ("proxyProfile", "name"),
    ("connector", "name"),
    ("listener", "name"),
    ("address", "prefix"),
    ("tcpConnector", "name"),
    ("tcpListener", "name"),
    ("httpConnector", "name"),
    ("httpListener", "name"),
    ("log", "module"),
];

impl RouterConfig {
    /// Adds an entity behind the others of its kind.
    pub fn push(&mut self, entity: Entity) {
        match entity {
            Entity::SslProfile(e) => self.ssl_profiles.push(e),
            Entity::ProxyProfile(e) => self.proxy_profiles.push(e),
            Entity::Connector(e) => self.connectors.push(e),
            Entity::Listener(e) => self.listeners.push(e),
            Entity::Address(e) => self.addresses.push(e),
            Entity::TcpConnector(e) => self.tcp_connectors.push(e),
            Entity::TcpListener(e) => self.tcp_listeners.push(e),
            Entity::HttpConnector(e) => self.http_connectors.push(e),
            Entity::HttpListener(e) => self.http_listeners.push(e),
            Entity::Log(e) => self.logs.push(e),
            Entity::Unknown(e) => self.unknown.push(e),
        }
    }

    /// All entities but the router itself, in the order of a file: who names another comes after it.
    #[must_use]
    pub fn entities(&self) -> Vec<Entity> {
        let Self { ssl_profiles, proxy_profiles, connectors, listeners, addresses, .. } = self;
        let Self { tcp_connectors, tcp_listeners, http_connectors, http_listeners, logs, unknown, .. } = self;
        let mut all: Vec<Entity> = ssl_profiles.iter().cloned().map(Entity::SslProfile).collect();
        all.extend(proxy_profiles.iter().cloned().map(Entity::ProxyProfile));
        all.extend(connectors.iter().cloned().map(Entity::Connector));
        all.extend(listeners.iter().cloned().map(Entity::Listener));
        all.extend(addresses.iter().cloned().map(Entity::Address));
        all.extend(tcp_connectors.iter().cloned().map(Entity::TcpConnector));
        all.extend(tcp_listeners.iter().cloned().map(Entity::TcpListener));
        all.extend(http_connectors.iter().cloned().map(Entity::HttpConnector));
        all.extend(http_listeners.iter().cloned().map(Entity::HttpListener));
        all.extend(logs.iter().cloned().map(Entity::Log));
        all.extend(unknown.iter().cloned().map(Entity::Unknown));
        all
    }
}
