//! Reading a router configuration.

use serde_json::{Map, Value};

use super::attributes::Attributes;
use super::entities::{
    AddressEntity, Aggregation, Connector, Encapsulation, HttpBridge, HttpVersion, Listener,
    LogEntity, Role, RouterConfig, RouterEntity, RouterMode, SslProfile, TcpBridge, UnknownEntity,
};
use super::{ConfigProblem, RouterConfigError, text};

/// Reads a router configuration, in the spelling of Skupper's tools and of `skrouterd`.
///
/// Lines whose first non-blank character is `#` are dropped, kebab-case names are read as camelCase, and
/// `$VAR` and `${VAR}` are replaced by what `vars` answers.
///
/// # Errors
/// All problems at once: JSON syntax (with line and column), variables that are not set, Go template placeholders
/// left in, wrong shapes, missing or wrong attributes, duplicate names, references to profiles that do not exist.
pub fn parse(
    text: &str,
    vars: &dyn Fn(&str) -> Option<String>,
) -> Result<RouterConfig, RouterConfigError> {
    let expanded = text::expand(text, vars).map_err(|problems| RouterConfigError { problems })?;
    let top: Value =
        serde_json::from_str(&expanded.json).map_err(|error| ConfigProblem::Syntax {
            line: error.line(),
            column: expanded.original_column(error.line(), error.column()),
            message: without_position(&error.to_string()),
        })?;
    let Value::Array(pairs) = top else {
        return Err(shape(1, "array at top level", &top).into());
    };
    let lines = element_lines(&expanded.json);
    let mut reader = Reader::default();
    for (index, pair) in pairs.into_iter().enumerate() {
        reader.pair(lines.get(index).copied().unwrap_or(1), pair);
    }
    reader.finish()
}

#[derive(Default)]
struct Reader {
    config: RouterConfig,
    router_seen: bool,
    problems: Vec<ConfigProblem>,
    /// Kind, name and line of every entity, for the checks across entities.
    places: Vec<(&'static str, String, usize)>,
}

impl Reader {
    fn pair(&mut self, line: usize, pair: Value) {
        let (kind, attributes) = match pair {
            Value::Array(items) => match <[Value; 2]>::try_from(items) {
                Ok([Value::String(kind), Value::Object(attributes)]) => (kind, attributes),
                Ok([Value::String(_), other]) => {
                    return self.problems.push(shape(line, "entity as map", &other));
                }
                Ok([other, _]) => {
                    return self
                        .problems
                        .push(shape(line, "entity type as string", &other));
                }
                Err(items) => {
                    return self.problems.push(shape(
                        line,
                        "array with type and value",
                        &Value::Array(items),
                    ));
                }
            },
            other => {
                return self
                    .problems
                    .push(shape(line, "array with type and value", &other));
            }
        };
        let attributes = attributes
            .into_iter()
            .map(|(name, value)| (camel_case(&name), value))
            .collect();
        self.entity(line, &camel_case(&kind), attributes);
    }

    fn entity(&mut self, line: usize, kind: &str, map: Map<String, Value>) {
        let problems = &mut self.problems;
        let config = &mut self.config;
        let (known, name) = match kind {
            "router" => {
                if self.router_seen {
                    return problems.push(ConfigProblem::SecondRouter { line });
                }
                self.router_seen = true;
                config.router = router(Attributes::new(line, "router", "id", map, problems));
                return;
            }
            "sslProfile" => {
                let entity =
                    ssl_profile(Attributes::new(line, "sslProfile", "name", map, problems));
                (
                    "sslProfile",
                    named(&mut config.ssl_profiles, entity, |e| &e.name),
                )
            }
            "connector" => {
                let entity = connector(Attributes::new(line, "connector", "name", map, problems));
                (
                    "connector",
                    named(&mut config.connectors, entity, |e| &e.name),
                )
            }
            "listener" => {
                let entity = listener(Attributes::new(line, "listener", "name", map, problems));
                (
                    "listener",
                    named(&mut config.listeners, entity, |e| &e.name),
                )
            }
            "address" => {
                let entity = address(Attributes::new(line, "address", "prefix", map, problems));
                (
                    "address",
                    named(&mut config.addresses, entity, |e| &e.prefix),
                )
            }
            "tcpConnector" => {
                let entity = tcp_bridge(
                    1,
                    Attributes::new(line, "tcpConnector", "name", map, problems),
                );
                (
                    "tcpConnector",
                    named(&mut config.tcp_connectors, entity, |e| &e.name),
                )
            }
            "tcpListener" => {
                let entity = tcp_bridge(
                    0,
                    Attributes::new(line, "tcpListener", "name", map, problems),
                );
                (
                    "tcpListener",
                    named(&mut config.tcp_listeners, entity, |e| &e.name),
                )
            }
            "httpConnector" => {
                let entity = http_bridge(
                    1,
                    Attributes::new(line, "httpConnector", "name", map, problems),
                );
                (
                    "httpConnector",
                    named(&mut config.http_connectors, entity, |e| &e.name),
                )
            }
            "httpListener" => {
                let entity = http_bridge(
                    0,
                    Attributes::new(line, "httpListener", "name", map, problems),
                );
                (
                    "httpListener",
                    named(&mut config.http_listeners, entity, |e| &e.name),
                )
            }
            "log" => {
                let entity = log(Attributes::new(line, "log", "module", map, problems));
                ("log", named(&mut config.logs, entity, |e| &e.module))
            }
            _ => {
                return config.unknown.push(UnknownEntity {
                    kind: kind.to_owned(),
                    attributes: map,
                });
            }
        };
        self.places.push((known, name, line));
    }

    fn finish(mut self) -> Result<RouterConfig, RouterConfigError> {
        if !self.router_seen {
            self.problems.push(ConfigProblem::NoRouter);
        }
        let line = |kind: &str, name: &str| {
            // The last of several: a duplicate is reported where it is repeated.
            self.places
                .iter()
                .rev()
                .find(|(k, n, _)| *k == kind && n == name)
                .map_or(0, |(_, _, line)| *line)
        };
        self.problems
            .extend(super::validate::references(&self.config, &line));
        if self.problems.is_empty() {
            Ok(self.config)
        } else {
            Err(RouterConfigError {
                problems: self.problems,
            })
        }
    }
}

fn named<T>(list: &mut Vec<T>, entity: T, name: impl FnOnce(&T) -> &String) -> String {
    let name = name(&entity).clone();
    list.push(entity);
    name
}

fn router(mut a: Attributes<'_>) -> RouterEntity {
    let modes = [
        ("edge", RouterMode::Edge),
        ("interior", RouterMode::Interior),
    ];
    let id = a.required("id");
    let mode = match a.word("mode", "edge or interior", &modes) {
        Some(mode) => mode,
        // The router's own default, standalone, joins no network: a gateway must say what it is.
        None => {
            a.require_present("mode");
            RouterMode::Edge
        }
    };
    RouterEntity {
        id,
        mode,
        metadata: a.string("metadata"),
        hello_max_age_seconds: a.string("helloMaxAgeSeconds"),
        extra: a.extra(),
    }
}

fn ssl_profile(mut a: Attributes<'_>) -> SslProfile {
    SslProfile {
        name: a.required("name"),
        ca_cert_file: a.string("caCertFile"),
        cert_file: a.string("certFile"),
        private_key_file: a.string("privateKeyFile"),
        extra: a.extra(),
    }
}

fn role(a: &mut Attributes<'_>) -> Role {
    let roles = [
        ("edge", Role::Edge),
        ("inter-router", Role::InterRouter),
        ("normal", Role::Normal),
        ("route-container", Role::RouteContainer),
    ];
    a.word(
        "role",
        "edge, inter-router, normal or route-container",
        &roles,
    )
    .unwrap_or_default()
}

fn connector(mut a: Attributes<'_>) -> Connector {
    Connector {
        role: role(&mut a),
        host: a.string("host").unwrap_or_else(|| "127.0.0.1".to_owned()),
        port: a.port_text(1),
        name: a.required("name"),
        cost: a.integer("cost"),
        ssl_profile: a.string("sslProfile"),
        max_frame_size: a.unsigned("maxFrameSize"),
        max_session_frames: a.unsigned("maxSessionFrames"),
        idle_timeout_seconds: a.unsigned("idleTimeoutSeconds"),
        verify_hostname: a.boolean("verifyHostname"),
        extra: a.extra(),
    }
}

fn listener(mut a: Attributes<'_>) -> Listener {
    let host = a.string("host");
    let port = a.listening_port();
    Listener {
        name: name_or_place(&mut a, host.as_deref(), &port.to_string()),
        role: role(&mut a),
        host,
        port,
        ssl_profile: a.string("sslProfile"),
        sasl_mechanisms: a.string("saslMechanisms"),
        authenticate_peer: a.boolean("authenticatePeer"),
        http: a.boolean("http"),
        http_root_dir: a.string("httpRootDir"),
        websockets: a.boolean("websockets"),
        healthz: a.boolean("healthz"),
        metrics: a.boolean("metrics"),
        cost: a.integer("cost"),
        link_capacity: a.unsigned("linkCapacity"),
        route_container: a.boolean("routeContainer"),
        max_frame_size: a.unsigned("maxFrameSize"),
        max_session_frames: a.unsigned("maxSessionFrames"),
        idle_timeout_seconds: a.unsigned("idleTimeoutSeconds"),
        extra: a.extra(),
    }
}

fn address(mut a: Attributes<'_>) -> AddressEntity {
    AddressEntity {
        prefix: a.required("prefix"),
        // The router's own default.
        distribution: a
            .string("distribution")
            .unwrap_or_else(|| "balanced".to_owned()),
        extra: a.extra(),
    }
}

fn tcp_bridge(lowest_port: u16, mut a: Attributes<'_>) -> TcpBridge {
    let encapsulations = [
        ("legacy", Encapsulation::Legacy),
        ("lite", Encapsulation::Lite),
    ];
    let host = a.string("host");
    let port = a.port_text(lowest_port);
    TcpBridge {
        name: name_or_place(&mut a, host.as_deref(), &port),
        host,
        port,
        address: a.required("address"),
        site_id: a.string("siteId"),
        ssl_profile: a.string("sslProfile"),
        verify_hostname: a.boolean("verifyHostname"),
        encapsulation: a.word("encapsulation", "legacy or lite", &encapsulations),
        extra: a.extra(),
    }
}

fn http_bridge(lowest_port: u16, mut a: Attributes<'_>) -> HttpBridge {
    let versions = [
        ("HTTP1", HttpVersion::Http1),
        ("HTTP/1.x", HttpVersion::Http1),
        ("HTTP2", HttpVersion::Http2),
        ("HTTP/2.0", HttpVersion::Http2),
    ];
    let aggregations = [
        ("none", Aggregation::None),
        ("json", Aggregation::Json),
        ("multipart", Aggregation::Multipart),
    ];
    let host = a.string("host");
    let port = a.port_text(lowest_port);
    HttpBridge {
        name: name_or_place(&mut a, host.as_deref(), &port),
        host,
        port,
        address: a.required("address"),
        site_id: a.string("siteId"),
        ssl_profile: a.string("sslProfile"),
        verify_hostname: a.boolean("verifyHostname"),
        protocol_version: a.word("protocolVersion", "HTTP1 or HTTP2", &versions),
        aggregation: a.word("aggregation", "none, json or multipart", &aggregations),
        event_channel: a.boolean("eventChannel"),
        host_override: a.string("hostOverride"),
        extra: a.extra(),
    }
}

fn log(mut a: Attributes<'_>) -> LogEntity {
    LogEntity {
        module: a.required("module"),
        enable: a.string("enable").unwrap_or_default(),
        extra: a.extra(),
    }
}

/// The name that Skupper gives to what has none.
fn name_or_place(a: &mut Attributes<'_>, host: Option<&str>, port: &str) -> String {
    a.string("name")
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| format!("{}@{port}", host.unwrap_or_default()))
}

fn camel_case(name: &str) -> String {
    let short = name.strip_prefix("io.skupper.router.").unwrap_or(name);
    let short = short.strip_prefix("router.config.").unwrap_or(short);
    let mut camel = String::with_capacity(short.len());
    let mut raise = false;
    for c in short.chars() {
        match c {
            '-' => raise = true,
            c if raise => {
                camel.extend(c.to_uppercase());
                raise = false;
            }
            c => camel.push(c),
        }
    }
    camel
}

fn shape(line: usize, expected: &'static str, got: &Value) -> ConfigProblem {
    let mut got = got.to_string();
    if let Some((cut, _)) = got.char_indices().nth(60) {
        got.truncate(cut);
        got.push('…');
    }
    ConfigProblem::Shape {
        line,
        expected,
        got,
    }
}

/// serde_json's words without the position that it adds; ours is in the original text.
fn without_position(message: &str) -> String {
    message
        .rsplit_once(" at line ")
        .map_or(message, |(words, _)| words)
        .to_owned()
}

/// The line on which each element of the top array starts. The text is known to be valid JSON.
fn element_lines(json: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    let (mut line, mut depth, mut in_string, mut escaped, mut expecting) =
        (1, 0_usize, false, false, false);
    for byte in json.bytes() {
        if expecting && !byte.is_ascii_whitespace() && byte != b']' {
            lines.push(line);
            expecting = false;
        }
        match byte {
            b'\n' => line += 1,
            _ if in_string => match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            },
            b'"' => in_string = true,
            b'[' | b'{' => {
                depth += 1;
                expecting = depth == 1;
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 1 => expecting = true,
            _ => {}
        }
    }
    lines
}
