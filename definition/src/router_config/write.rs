//! Writing a router configuration: the same configuration is always the same bytes.

use std::collections::BTreeMap;

use serde::Serialize as _;
use serde_json::{Map, Value};

use super::entities::{
    AddressEntity, Aggregation, Connector, Encapsulation, HttpBridge, HttpVersion, Listener, LogEntity, ProxyProfile,
    Role, RouterConfig, RouterEntity, RouterMode, SslProfile, TcpBridge,
};

type Pair = (String, BTreeMap<String, Value>);

impl RouterConfig {
    /// The configuration as the text of `skrouterd.json`.
    ///
    /// Entities are in Skupper's order of kinds, inside one kind by name; attributes are alphabetical; the indent is
    /// four spaces; `<`, `>` and `&` are escaped as Go does. Ends with a newline.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut pairs: Vec<Pair> = vec![("router".to_owned(), self.router.attributes())];
        section(&mut pairs, "sslProfile", &self.ssl_profiles, |e| &e.name, SslProfile::attributes);
        section(&mut pairs, "proxyProfile", &self.proxy_profiles, |e| &e.name, ProxyProfile::attributes);
        section(&mut pairs, "connector", &self.connectors, |e| &e.name, Connector::attributes);
        section(&mut pairs, "listener", &self.listeners, |e| &e.name, Listener::attributes);
        section(&mut pairs, "address", &self.addresses, |e| e.means(), AddressEntity::attributes);
        section(&mut pairs, "tcpConnector", &self.tcp_connectors, |e| &e.name, TcpBridge::attributes);
        section(&mut pairs, "tcpListener", &self.tcp_listeners, |e| &e.name, TcpBridge::attributes);
        section(&mut pairs, "httpConnector", &self.http_connectors, |e| &e.name, HttpBridge::attributes);
        section(&mut pairs, "httpListener", &self.http_listeners, |e| &e.name, HttpBridge::attributes);
        section(&mut pairs, "log", &self.logs, |e| &e.module, LogEntity::attributes);
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
    name: fn(&'a T) -> &'a str,
    write: fn(&T) -> BTreeMap<String, Value>,
) where
    T: 'a,
{
    let mut sorted: Vec<&T> = entities.iter().collect();
    sorted.sort_by_key(|entity| name(entity));
    pairs.extend(sorted.into_iter().map(|entity| (kind.to_owned(), write(entity))));
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

impl RouterEntity {
    /// Its attributes as a file has them, by name; what is not set is left out.
    #[must_use]
    pub fn attributes(&self) -> BTreeMap<String, Value> {
        let mode = match self.mode {
            RouterMode::Edge => "edge",
            RouterMode::Interior => "interior",
        };
        Attributes::with(&self.extra)
            .set("id", self.id.as_str())
            .set("mode", mode)
            .text("metadata", &self.metadata)
            .text("helloMaxAgeSeconds", &self.hello_max_age_seconds)
            .0
    }
}

impl SslProfile {
    /// Its attributes as a file has them, by name; what is not set is left out.
    #[must_use]
    pub fn attributes(&self) -> BTreeMap<String, Value> {
        Attributes::with(&self.extra)
            .set("name", self.name.as_str())
            .text("caCertFile", &self.ca_cert_file)
            .text("certFile", &self.cert_file)
            .text("privateKeyFile", &self.private_key_file)
            .0
    }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Edge => "edge",
        Role::InterRouter => "inter-router",
        Role::Normal => "normal",
        Role::RouteContainer => "route-container",
    }
}

impl ProxyProfile {
    /// Its attributes as a file has them, by name; what is not set is left out.
    #[must_use]
    pub fn attributes(&self) -> BTreeMap<String, Value> {
        Attributes::with(&self.extra)
            .set("name", self.name.as_str())
            .set("host", self.host.as_str())
            .set("port", self.port.as_str())
            .text("username", &self.username)
            .text("password", &self.password)
            .0
    }
}

impl Connector {
    /// Its attributes as a file has them, by name; what is not set is left out.
    #[must_use]
    pub fn attributes(&self) -> BTreeMap<String, Value> {
        Attributes::with(&self.extra)
            .set("name", self.name.as_str())
            .set("role", role(self.role))
            .set("host", self.host.as_str())
            .set("port", self.port.as_str())
            .maybe("cost", &self.cost)
            .text("sslProfile", &self.ssl_profile)
            .text("proxyProfile", &self.proxy_profile)
            .maybe("maxFrameSize", &self.max_frame_size)
            .maybe("maxSessionFrames", &self.max_session_frames)
            .maybe("idleTimeoutSeconds", &self.idle_timeout_seconds)
            .maybe("verifyHostname", &self.verify_hostname)
            .0
    }
}

impl Listener {
    /// Its attributes as a file has them, by name; what is not set is left out.
    #[must_use]
    pub fn attributes(&self) -> BTreeMap<String, Value> {
        Attributes::with(&self.extra)
            .set("name", self.name.as_str())
            .maybe("role", &(self.role != Role::Normal).then(|| role(self.role)))
            .text("host", &self.host)
            .set("port", self.port)
            .text("sslProfile", &self.ssl_profile)
            .text("saslMechanisms", &self.sasl_mechanisms)
            .maybe("authenticatePeer", &self.authenticate_peer)
            .maybe("http", &self.http)
            .text("httpRootDir", &self.http_root_dir)
            .maybe("websockets", &self.websockets)
            .maybe("healthz", &self.healthz)
            .maybe("metrics", &self.metrics)
            .maybe("cost", &self.cost)
            .maybe("linkCapacity", &self.link_capacity)
            .maybe("maxFrameSize", &self.max_frame_size)
            .maybe("maxSessionFrames", &self.max_session_frames)
            .maybe("idleTimeoutSeconds", &self.idle_timeout_seconds)
            .0
    }
}

impl AddressEntity {
    /// What says which addresses are meant: the prefix, or the pattern.
    #[must_use]
    pub fn means(&self) -> &str {
        self.pattern.as_deref().unwrap_or(&self.prefix)
    }

    /// Its attributes as a file has them, by name; what is not set is left out.
    #[must_use]
    pub fn attributes(&self) -> BTreeMap<String, Value> {
        Attributes::with(&self.extra)
            .text("name", &self.name)
            .maybe("prefix", &Some(self.prefix.as_str()).filter(|prefix| !prefix.is_empty()))
            .text("pattern", &self.pattern)
            .set("distribution", self.distribution.as_str())
            .0
    }
}

impl TcpBridge {
    /// Its attributes as a file has them, by name; what is not set is left out.
    #[must_use]
    pub fn attributes(&self) -> BTreeMap<String, Value> {
        let encapsulation = self.encapsulation.map(|encapsulation| match encapsulation {
            Encapsulation::Legacy => "legacy",
            Encapsulation::Lite => "lite",
        });
        Attributes::with(&self.extra)
            .set("name", self.name.as_str())
            .text("host", &self.host)
            .set("port", self.port.as_str())
            .set("address", self.address.as_str())
            .text("siteId", &self.site_id)
            .text("sslProfile", &self.ssl_profile)
            .maybe("verifyHostname", &self.verify_hostname)
            .maybe("authenticatePeer", &self.authenticate_peer)
            .maybe("encapsulation", &encapsulation)
            .maybe("announce", &self.announce)
            .0
    }
}

impl HttpBridge {
    /// Its attributes as a file has them, by name; what is not set is left out.
    #[must_use]
    pub fn attributes(&self) -> BTreeMap<String, Value> {
        let version = self.protocol_version.map(|version| match version {
            HttpVersion::Http1 => "HTTP1",
            HttpVersion::Http2 => "HTTP2",
        });
        let aggregation = self.aggregation.map(|aggregation| match aggregation {
            Aggregation::None => "none",
            Aggregation::Json => "json",
            Aggregation::Multipart => "multipart",
        });
        Attributes::with(&self.extra)
            .set("name", self.name.as_str())
            .text("host", &self.host)
            .set("port", self.port.as_str())
            .set("address", self.address.as_str())
            .text("siteId", &self.site_id)
            .text("sslProfile", &self.ssl_profile)
            .maybe("verifyHostname", &self.verify_hostname)
            .maybe("authenticatePeer", &self.authenticate_peer)
            .maybe("protocolVersion", &version)
            .maybe("aggregation", &aggregation)
            .maybe("eventChannel", &self.event_channel)
            .text("hostOverride", &self.host_override)
            .maybe("announce", &self.announce)
            .0
    }
}

impl LogEntity {
    /// Its attributes as a file has them, by name; what is not set is left out.
    #[must_use]
    pub fn attributes(&self) -> BTreeMap<String, Value> {
        Attributes::with(&self.extra).set("module", self.module.as_str()).set("enable", self.enable.as_str()).0
    }
}
