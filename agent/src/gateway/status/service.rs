//! A binding or a forward: what is configured of it, and what the router says.

use moorline_definition::router_config::{HttpVersion, RouterConfig};
use moorline_definition::{Definition, Port};
use serde::Serialize;
use serde_json::Value;

use crate::installation::router::forward_name;
use crate::tree::Tree;

/// What `status` tells of a service. A router that does not count something leaves it out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Service {
    name: String,
    protocol: &'static str,
    address: String,
    /// A binding: of the server. A forward: where it listens, every interface if empty.
    host: String,
    port: String,
    /// The port that a forward was asked for, which another program may have had.
    #[serde(skip_serializing_if = "Option::is_none")]
    requested_port: Option<String>,
    /// Of a forward: listening, waiting (the network has no server for it) or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    open_connections: Option<u64>,
    /// Since the router began to serve it.
    #[serde(skip_serializing_if = "Option::is_none")]
    connections: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requests: Option<u64>,
    /// Bytes from its clients or server.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_in: Option<u64>,
    /// Bytes to its clients or server.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_out: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
}

/// Bindings and forwards, each in the order of their names.
pub(super) fn of(config: &RouterConfig, definition: Option<&Definition>, router: &Value) -> [Vec<Service>; 2] {
    let http = |version: Option<HttpVersion>| if version == Some(HttpVersion::Http2) { "http2" } else { "http" };
    let service = |kind: &str, protocol, name: &str, address: &str, host: &Option<String>, port: &str| {
        let rows = router[kind].as_array().map(Vec::as_slice).unwrap_or_default();
        let live = rows.iter().find(|row| row["name"] == name).unwrap_or(&Value::Null);
        let service = Service {
            name: name.to_owned(),
            protocol,
            address: address.to_owned(),
            host: host.clone().unwrap_or_default(),
            port: port.to_owned(),
            requested_port: None,
            state: None,
            open_connections: None,
            connections: None,
            requests: None,
            bytes_in: None,
            bytes_out: None,
            last_error: None,
        };
        service.with(live)
    };
    let mut bindings: Vec<Service> = config
        .tcp_connectors
        .iter()
        .map(|tcp| service("connectors", "tcp", &tcp.name, &tcp.address, &tcp.host, &tcp.port))
        .collect();
    bindings.extend(config.http_connectors.iter().map(|bridge| {
        let protocol = http(bridge.protocol_version);
        service("http_connectors", protocol, &bridge.name, &bridge.address, &bridge.host, &bridge.port)
    }));
    let mut forwards: Vec<Service> = config
        .tcp_listeners
        .iter()
        .map(|tcp| service("listeners", "tcp", &tcp.name, &tcp.address, &tcp.host, &tcp.port))
        .collect();
    forwards.extend(config.http_listeners.iter().map(|bridge| {
        let protocol = http(bridge.protocol_version);
        service("http_listeners", protocol, &bridge.name, &bridge.address, &bridge.host, &bridge.port)
    }));
    for forward in &mut forwards {
        forward.name = forward_name(config, &forward.name).to_owned();
        forward.requested_port = Some(requested(forward, definition).unwrap_or_else(|| forward.port.clone()));
    }
    bindings.sort_by(|a, b| a.name.cmp(&b.name));
    forwards.sort_by(|a, b| a.name.cmp(&b.name));
    [bindings, forwards]
}

fn requested(forward: &Service, definition: Option<&Definition>) -> Option<String> {
    let endpoint = definition?.forwards.iter().find(|endpoint| endpoint.entity_name() == forward.name)?;
    endpoint.service.ports.first().map(Port::to_string)
}

impl Service {
    fn with(self, live: &Value) -> Service {
        let text = |name: &str| live[name].as_str().map(str::to_owned);
        let number = |value: &Value| value.as_u64();
        let counts = if live["counts"].is_object() { &live["counts"] } else { live };
        let open = number(&live["open_flows"]).or_else(|| number(&live["open_connections"]));
        Service {
            state: text("state"),
            open_connections: open,
            connections: number(&counts["connections"]),
            requests: number(&live["requests"]),
            bytes_in: number(&counts["bytes_in"]),
            bytes_out: number(&counts["bytes_out"]),
            last_error: text("last_error").or_else(|| text("error")),
            ..self
        }
    }

    /// As Skupper writes it.
    pub(super) fn line(&self) -> String {
        let Service { name, protocol, address, host, port, .. } = self;
        let port = match &self.requested_port {
            Some(requested) => format!("{requested}:{port}"),
            None => port.clone(),
        };
        format!("{name} {protocol} {address} {host} {port}")
    }

    /// What else is known of it, a line each.
    pub(super) fn facts(&self) -> Vec<Tree> {
        let bad = |line: String| Tree::new(line).bad();
        let mut facts = Vec::new();
        match self.state.as_deref() {
            Some("failed") => facts.push(bad("its port cannot be opened".to_owned())),
            Some("waiting") => facts.push(bad("closed: no site of the network has a server for it".to_owned())),
            _ => {}
        }
        let traffic: Vec<String> = [
            self.open_connections.map(|open| format!("{open} open")),
            self.connections.map(|all| format!("{all} connections")),
            self.requests.map(|all| format!("{all} requests")),
            self.bytes_in.map(|bytes| format!("{} in", size(bytes))),
            self.bytes_out.map(|bytes| format!("{} out", size(bytes))),
        ]
        .into_iter()
        .flatten()
        .collect();
        if !traffic.is_empty() {
            facts.push(traffic.join(", ").into());
        }
        facts.extend(self.last_error.as_ref().map(|error| bad(format!("last error: {error}"))));
        facts
    }
}

/// `1.5 MB`.
#[allow(clippy::cast_precision_loss)]
fn size(bytes: u64) -> String {
    let mut size = bytes as f64;
    let mut units = ["kB", "MB", "GB", "TB", "PB"].iter();
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut unit = "B";
    while size >= 999.95 {
        let Some(next) = units.next() else { break };
        size /= 1000.0;
        unit = next;
    }
    format!("{size:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use moorline_definition::router_config::parse;
    use serde_json::json;

    use super::*;

    fn told(service: &Service) -> Vec<String> {
        service.facts().iter().map(Tree::to_string).collect()
    }

    #[test]
    fn lines_as_skupper_writes_them() {
        let text = r#"[["router", {"id": "g", "mode": "edge"}],
            ["tcpConnector", {"name": "mydb:3306", "address": "mydb:3306", "host": "localhost", "port": "3306"}],
            ["httpConnector", {"name": "web:8080", "address": "web:8080", "host": "10.0.0.5", "port": "8081"}],
            ["tcpListener", {"name": "api:443", "address": "api:443", "port": "8443"}]]"#;
        let router = json!({
            "connectors": [{"name": "mydb:3306", "open_flows": 3, "last_error": "refused",
                "counts": {"connections": 12, "bytes_in": 1_200_000, "bytes_out": 999}}],
            "listeners": [{"name": "api:443", "state": "waiting", "open_flows": 0, "counts": {"connections": 0}}],
        });
        let [bindings, forwards] = of(&parse(text, &|_| None).unwrap(), None, &router);
        assert_eq!(bindings[0].line(), "mydb:3306 tcp mydb:3306 localhost 3306");
        assert_eq!(
            told(&bindings[0]),
            ["3 open, 12 connections, 1.2 MB in, 999 B out".to_owned(), "last error: refused".to_owned()]
        );
        assert_eq!(bindings[1].line(), "web:8080 http web:8080 10.0.0.5 8081");
        assert!(bindings[1].facts().is_empty());
        assert_eq!(forwards[0].line(), "api:443 tcp api:443  8443:8443");
        assert!(told(&forwards[0])[0].starts_with("closed: "));
    }

    #[test]
    fn sizes() {
        for (bytes, expected) in
            [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_960, "1.0 MB"), (1_234_567, "1.2 MB")]
        {
            assert_eq!(size(bytes), expected);
        }
        assert!(size(u64::MAX).ends_with(" PB"));
    }
}
