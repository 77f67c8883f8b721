//! One binding or forward, and which local port it means.

use std::ops::Range;

use super::fields::{At, Fields, Shape};
use super::service::Service as CheckedService;
use super::{Checker, keys};
use crate::definition::{Endpoint, EntityName, Host, InvalidName, Port, Section};
use crate::problem::quote;
use crate::yaml::{Node, Scalar, Value};

const SHAPE: Shape = Shape { keys: keys::ENDPOINT, elsewhere: keys::SERVICE, where_else: "it belongs under service" };

/// What the checks across endpoints need, whether or not the endpoint is good.
pub(super) struct Found {
    pub(super) path: String,
    /// Entity name and where it is written.
    pub(super) name: Option<At<String>>,
    /// Bind address; empty for every interface, none when it is written wrongly.
    pub(super) host: Option<String>,
    pub(super) port: Option<At<Port>>,
    pub(super) endpoint: Option<Endpoint>,
}

/// The endpoints, when all are good.
pub(super) fn all(found: Vec<Found>) -> Option<Vec<Endpoint>> {
    found.into_iter().map(|found| found.endpoint).collect()
}

/// A list of ports as it was written.
pub(super) struct Ports {
    ports: Vec<At<Port>>,
    /// Something was written, perhaps wrongly.
    given: bool,
}

impl Ports {
    fn first(&self) -> Option<&At<Port>> {
        self.ports.first()
    }

    pub(super) fn values(&self) -> Vec<Port> {
        self.ports.iter().map(|port| port.value).collect()
    }
}

impl Checker<'_> {
    pub(super) fn endpoints(&mut self, top: &Fields<'_>, section: Section) -> Vec<Found> {
        let items = self.items(top, section.key());
        items
            .iter()
            .enumerate()
            .map(|(index, item)| self.endpoint(item, format!("{}[{index}]", section.key()), section))
            .collect()
    }

    fn endpoint(&mut self, node: &Node, path: String, section: Section) -> Found {
        let Some(fields) = self.fields(node, &path, &SHAPE) else {
            return Found { path, name: None, host: None, port: None, endpoint: None };
        };
        let name = self.parsed::<EntityName>(&fields, "name", "entity-name");
        let host = self.parsed::<Host>(&fields, "host", "host");
        let host_is_wrong = host.is_none()
            && fields.node("host").is_some_and(|n| !matches!(&n.value, Value::Scalar(s) if s.text.is_empty()));
        let loopback = self.boolean(&fields, "loopback").unwrap_or_default();
        if loopback {
            let at = fields.node("loopback").map_or(fields.head.clone(), |node| node.at.clone());
            let problem = self.warning("no-effect", &fields.path("loopback"), &at, "loopback has no effect here");
            problem.help = (section == Section::Forwards).then(|| "write host: 127.0.0.1".to_owned());
        }
        let local_port = self.string(&fields, "local_port").map(|found| found.value);
        let target_ports = self.ports(&fields, "target_ports");
        let service = self.service_of(&fields, section);
        let no_ports = Ports { ports: Vec::new(), given: false };
        let ports = service.as_ref().map_or(&no_ports, |service| &service.ports);
        let port = self.local_port(&fields, section, ports, &target_ports, service.is_some());
        if section == Section::Bindings && host.is_none() && !host_is_wrong {
            let problem = self.warning(
                "no-host",
                &fields.path("host"),
                &fields.head,
                "no host: the router connects to this host",
            );
            problem.help = Some("write host: localhost to say so".to_owned());
        }
        let address = service.as_ref().and_then(|service| service.address.clone());
        Found {
            path,
            name: name
                .as_ref()
                .map(|name| At { value: name.value.to_string(), at: name.at.clone() })
                .or_else(|| address.map(|address| At { value: address.value.to_string(), at: address.at })),
            host: (!host_is_wrong).then(|| host.as_ref().map(|h| h.value.to_string()).unwrap_or_default()),
            port: port.clone(),
            endpoint: service.and_then(|service| service.value).zip(port).map(|(service, port)| Endpoint {
                name: name.map(|name| name.value),
                host: host.map(|host| host.value),
                loopback,
                local_port,
                service,
                target_ports: target_ports.values(),
                port: port.value,
            }),
        }
    }

    fn service_of(&mut self, fields: &Fields<'_>, section: Section) -> Option<CheckedService> {
        let Some(node) = fields.node("service") else {
            self.required(fields, "service", "");
            return None;
        };
        self.service(node, &fields.path("service"), section)
    }

    /// A list of at most one port. A second one is reported, and left out.
    pub(super) fn ports(&mut self, fields: &Fields<'_>, key: &'static str) -> Ports {
        let mut found = Ports { ports: Vec::new(), given: false };
        let Some(node) = fields.node(key) else {
            return found;
        };
        let path = fields.path(key);
        found.given = true;
        let items = match &node.value {
            Value::List(items) => items,
            Value::Scalar(scalar) => {
                let message = match scalar.text.parse::<u16>() {
                    Ok(port) => format!("expected a list; write [{port}]"),
                    Err(_) => format!("expected a list, found {}", scalar.description()),
                };
                self.error("type", &path, &node.at, message);
                return found;
            }
            Value::Map(_) => {
                self.error("type", &path, &node.at, "expected a list, found a mapping");
                return found;
            }
        };
        found.given = !items.is_empty();
        for (index, item) in items.iter().enumerate() {
            if let Some(port) = self.port(item, &format!("{path}[{index}]")) {
                found.ports.push(At { value: port, at: item.at.clone() });
            }
        }
        if let Some(second) = items.get(1) {
            let message = "only one port per binding/forward; create separate entries";
            self.error("one-port", &path, &second.at, message);
            found.ports.truncate(1);
        }
        found
    }

    fn port(&mut self, item: &Node, path: &str) -> Option<Port> {
        let integer = match &item.value {
            Value::Scalar(scalar) => Scalar::as_integer(scalar),
            Value::List(_) | Value::Map(_) => None,
        };
        let Some(number) = integer else {
            let problem = self.error("type", path, &item.at, format!("expected integer, found {}", item.description()));
            if let Value::Scalar(scalar) = &item.value
                && scalar.text.parse::<u16>().is_ok()
            {
                problem.help = Some(format!("write {} without quotes", quote(&scalar.text).trim_matches('"')));
            }
            return None;
        };
        self.in_range(number, path, &item.at)
    }

    pub(super) fn in_range(&mut self, number: i128, path: &str, at: &Range<usize>) -> Option<Port> {
        let port = Port::new(number);
        if port.is_err() {
            self.error("port-range", path, at, InvalidName::Port.to_string());
        }
        port.ok()
    }

    /// `target_ports[0]`, else `service.ports[0]`; in compatibility mode always the latter.
    fn local_port(
        &mut self,
        fields: &Fields<'_>,
        section: Section,
        ports: &Ports,
        targets: &Ports,
        service_is_readable: bool,
    ) -> Option<At<Port>> {
        if let (Some(port), Some(target)) = (ports.first(), targets.first())
            && port.value != target.value
        {
            self.two_readings(fields, section, port.value, target);
        }
        if self.options.compat_1_8 {
            if !ports.given && service_is_readable {
                let message = format!("{}: a local port is required (service.ports)", fields.path);
                self.error("local-port", &fields.path, &fields.head, message);
            }
            return ports.first().cloned();
        }
        if !ports.given && !targets.given && service_is_readable {
            let message = format!("{}: a local port is required (target_ports or service.ports)", fields.path);
            self.error("local-port", &fields.path, &fields.head, message);
        }
        if targets.given { targets.first().cloned() } else { ports.first().cloned() }
    }

    /// Skupper's own tools read the two lists differently from its documentation.
    fn two_readings(&mut self, fields: &Fields<'_>, section: Section, port: Port, target: &At<Port>) {
        let verb = if section == Section::Bindings { "connect to" } else { "listen on" };
        let tools = if section == Section::Bindings { "generate-bundle" } else { "commands" };
        let target_port = target.value;
        let message = if self.options.compat_1_8 {
            format!("target_ports is not read: the gateway will {verb} local port {port}, not {target_port}")
        } else {
            format!(
                "the gateway will {verb} local port {target_port}; Skupper 1.8's gateway {tools} would {verb} {port}"
            )
        };
        let problem = self.warning("port-meaning", &fields.path("target_ports"), &target.at, message);
        problem.help = Some("write the same port in service.ports and target_ports".to_owned());
    }
}
