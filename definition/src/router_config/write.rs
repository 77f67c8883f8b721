//! Writing a router configuration: the same configuration is always the same bytes.

use std::collections::BTreeMap;

use serde::Serialize as _;
use serde_json::{Map, Value};

use super::entities::{
    AddressEntity, Aggregation, Connector, Encapsulation, HttpBridge, HttpVersion, Listener, LogEntity, Role,
    RouterConfig, RouterEntity, RouterMode, SslProfile, TcpBridge,
};

type Pair = (String, BTreeMap<String, Value>);

impl RouterConfig {
    /// The configuration as the text of `skrouterd.json`.
    ///
    /// Entities are in Skupper's order of kinds, inside one kind by name; attributes are alphabetical; the indent is
    /// four spaces; `<`, `>` and `&` are escaped as Go does. Ends with a newline.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut pairs: Vec<Pair> = vec![("router".to_owned(), router(&self.router))];
        section(&mut pairs, "sslProfile", &self.ssl_profiles, |e| &e.name, ssl_profile);
        section(&mut pairs, "connector", &self.connectors, |e| &e.name, connector);
        section(&mut pairs, "listener", &self.listeners, |e| &e.name, listener);
        section(&mut pairs, "address", &self.addresses, |e| &e.prefix, address);
        section(&mut pairs, "tcpConnector", &self.tcp_connectors, |e| &e.name, tcp_bridge);
        section(&mut pairs, "tcpListener", &self.tcp_listeners, |e| &e.name, tcp_bridge);
        section(&mut pairs, "httpConnector", &self.http_connectors, |e| &e.name, http_bridge);
        section(&mut pairs, "httpListener", &self.http_listeners, |e| &e.name, http_bridge);
        section(&mut pairs, "log", &self.logs, |e| &e.module, log);
        let mut unknown: Vec<Pair> =
            self.unknown.iter().map(|e| (e.kind.clone(), Attributes::with(&e.attributes).0)).collect();
        unknown.sort_by_cached_key(|(kind, map)| (kind.clone(), Value::from_iter(map.clone()).to_string()));
        pairs.extend(unknown);
        to_text(&pairs)
    }
}

fn section<'a, T>(
    pairs: &mut Vec<Pair>,
    kind: &str,
    entities: &'a [T],
    name: fn(&'a T) -> &'a String,
    write: fn(&T) -> Attributes,
) where
    T: 'a,
{
    let mut sorted: Vec<&T> = entities.iter().collect();
    sorted.sort_by_key(|entity| name(entity));
    pairs.extend(sorted.into_iter().map(|entity| (kind.to_owned(), write(entity).0)));
}

fn to_text(pairs: &[Pair]) -> String {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let written = pairs.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter));
    debug_assert!(written.is_ok(), "writing to memory fails only for map keys that are not strings");
    let mut text = String::with_capacity(bytes.len() + 64);
    // These characters occur only inside JSON strings, so the whole text can be treated alike.
    for c in String::from_utf8_lossy(&bytes).chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push('\n');
    text
}

/// The attributes of one entity, sorted; nested maps are sorted too.
struct Attributes(BTreeMap<String, Value>);

impl Attributes {
    fn with(extra: &Map<String, Value>) -> Self {
        Self(extra.iter().map(|(name, value)| (name.clone(), sorted(value))).collect())
    }

    fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    fn maybe<T: Clone + Into<Value>>(self, name: &str, value: &Option<T>) -> Self {
        match value {
            Some(value) => self.set(name, value.clone()),
            None => self,
        }
    }

    /// An empty string is the same as none.
    fn text(self, name: &str, value: &Option<String>) -> Self {
        match value.as_deref() {
            None | Some("") => self,
            Some(value) => self.set(name, value),
        }
    }
}

/// Independent of the map type that serde_json was built with.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let entries: BTreeMap<&String, &Value> = map.iter().collect();
            Value::Object(entries.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

fn router(e: &RouterEntity) -> BTreeMap<String, Value> {
    let mode = match e.mode {
        RouterMode::Edge => "edge",
        RouterMode::Interior => "interior",
    };
    Attributes::with(&e.extra)
        .set("id", e.id.as_str())
        .set("mode", mode)
        .text("metadata", &e.metadata)
        .text("helloMaxAgeSeconds", &e.hello_max_age_seconds)
        .0
}

fn ssl_profile(e: &SslProfile) -> Attributes {
    Attributes::with(&e.extra)
        .set("name", e.name.as_str())
        .text("caCertFile", &e.ca_cert_file)
        .text("certFile", &e.cert_file)
        .text("privateKeyFile", &e.private_key_file)
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Edge => "edge",
        Role::InterRouter => "inter-router",
        Role::Normal => "normal",
        Role::RouteContainer => "route-container",
    }
}

fn connector(e: &Connector) -> Attributes {
    Attributes::with(&e.extra)
        .set("name", e.name.as_str())
        .set("role", role(e.role))
        .set("host", e.host.as_str())
        .set("port", e.port.as_str())
        .maybe("cost", &e.cost)
        .text("sslProfile", &e.ssl_profile)
        .maybe("maxFrameSize", &e.max_frame_size)
        .maybe("maxSessionFrames", &e.max_session_frames)
        .maybe("idleTimeoutSeconds", &e.idle_timeout_seconds)
        .maybe("verifyHostname", &e.verify_hostname)
}

fn listener(e: &Listener) -> Attributes {
    Attributes::with(&e.extra)
        .set("name", e.name.as_str())
        .maybe("role", &(e.role != Role::Normal).then(|| role(e.role)))
        .text("host", &e.host)
        .set("port", e.port)
        .text("sslProfile", &e.ssl_profile)
        .text("saslMechanisms", &e.sasl_mechanisms)
        .maybe("authenticatePeer", &e.authenticate_peer)
        .maybe("http", &e.http)
        .text("httpRootDir", &e.http_root_dir)
        .maybe("websockets", &e.websockets)
        .maybe("healthz", &e.healthz)
        .maybe("metrics", &e.metrics)
        .maybe("cost", &e.cost)
        .maybe("linkCapacity", &e.link_capacity)
        .maybe("routeContainer", &e.route_container)
        .maybe("maxFrameSize", &e.max_frame_size)
        .maybe("maxSessionFrames", &e.max_session_frames)
        .maybe("idleTimeoutSeconds", &e.idle_timeout_seconds)
}

fn address(e: &AddressEntity) -> Attributes {
    Attributes::with(&e.extra).set("prefix", e.prefix.as_str()).set("distribution", e.distribution.as_str())
}

fn tcp_bridge(e: &TcpBridge) -> Attributes {
    let encapsulation = e.encapsulation.map(|encapsulation| match encapsulation {
        Encapsulation::Legacy => "legacy",
        Encapsulation::Lite => "lite",
    });
    Attributes::with(&e.extra)
        .set("name", e.name.as_str())
        .text("host", &e.host)
        .set("port", e.port.as_str())
        .set("address", e.address.as_str())
        .text("siteId", &e.site_id)
        .text("sslProfile", &e.ssl_profile)
        .maybe("verifyHostname", &e.verify_hostname)
        .maybe("encapsulation", &encapsulation)
}

fn http_bridge(e: &HttpBridge) -> Attributes {
    let version = e.protocol_version.map(|version| match version {
        HttpVersion::Http1 => "HTTP1",
        HttpVersion::Http2 => "HTTP2",
    });
    let aggregation = e.aggregation.map(|aggregation| match aggregation {
        Aggregation::None => "none",
        Aggregation::Json => "json",
        Aggregation::Multipart => "multipart",
    });
    Attributes::with(&e.extra)
        .set("name", e.name.as_str())
        .text("host", &e.host)
        .set("port", e.port.as_str())
        .set("address", e.address.as_str())
        .text("siteId", &e.site_id)
        .text("sslProfile", &e.ssl_profile)
        .maybe("verifyHostname", &e.verify_hostname)
        .maybe("protocolVersion", &version)
        .maybe("aggregation", &aggregation)
        .maybe("eventChannel", &e.event_channel)
        .text("hostOverride", &e.host_override)
}

fn log(e: &LogEntity) -> Attributes {
    Attributes::with(&e.extra).set("module", e.module.as_str()).set("enable", e.enable.as_str())
}
