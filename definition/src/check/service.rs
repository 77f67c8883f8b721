//! The `service` of an endpoint.

use super::endpoint::Ports;
use super::fields::{At, Fields, Shape, kept};
use super::{Checker, CredentialUse, keys};
use crate::definition::{Aggregate, CredentialName, Protocol, Section, Service as Good, ServiceAddress};
use crate::problem::quote;
use crate::yaml::{Node, Value};

const SHAPE: Shape =
    Shape { keys: keys::SERVICE, elsewhere: keys::ENDPOINT, where_else: "it belongs beside service, not under it" };

pub(super) const ALL_FILES: &[&str] = &["tls.crt", "tls.key", "ca.crt"];
const AUTHORITY: &[&str] = &["ca.crt"];

/// A service as far as it could be read.
pub(super) struct Service {
    pub(super) address: Option<At<ServiceAddress>>,
    pub(super) ports: Ports,
    pub(super) value: Option<Good>,
}

impl Checker<'_> {
    pub(super) fn service(&mut self, node: &Node, path: &str, section: Section) -> Option<Service> {
        let fields = self.fields(node, path, &SHAPE)?;
        self.required(&fields, "address", "");
        let address = self.parsed::<ServiceAddress>(&fields, "address", "address");
        self.required(&fields, "protocol", ", one of tcp, http, http2");
        let protocol = self.protocol(&fields);
        let ports = self.ports(&fields, "ports");
        let event_channel = self.boolean(&fields, "eventchannel").unwrap_or_default();
        let aggregate = self.aggregate(&fields, protocol, event_channel);
        if event_channel {
            self.http_only(&fields, "eventchannel", "The event-channel option", protocol);
        }
        let expose_ingress = self.string(&fields, "exposeIngress");
        if let Some(found) = &expose_ingress {
            let path = fields.path("exposeIngress");
            self.warning("no-effect", &path, &found.at, "exposeIngress has no effect on a gateway");
        }
        if self.boolean(&fields, "enabletls").is_some() {
            let at = fields.node("enabletls").map_or(fields.head.clone(), |node| node.at.clone());
            let path = fields.path("enabletls");
            let problem = self.warning("no-effect", &path, &at, "enabletls has no effect since Skupper 1.4");
            problem.help = Some("use tlscredentials on a forward, tlscertauthority on a binding".to_owned());
        }
        let (tls_credentials, tls_cert_authority) = self.tls(&fields, section, protocol);
        let rest = Rest {
            headless: self.mapping(&fields, "headless"),
            labels: self.words(&fields, "labels"),
            annotations: self.words(&fields, "annotations"),
            targets: self.items(&fields, "targets").iter().map(kept).collect(),
            origin: self.string(&fields, "origin").map(|found| found.value),
            publish_not_ready_addresses: self.boolean(&fields, "publishnotreadyaddresses").unwrap_or_default(),
            bridge_image: self.string(&fields, "bridgeimage").map(|found| found.value),
        };
        let value = address.clone().zip(protocol).map(|(address, protocol)| Good {
            address: address.value,
            protocol,
            ports: ports.values(),
            expose_ingress: expose_ingress.map(|found| found.value),
            event_channel,
            aggregate,
            headless: rest.headless,
            labels: rest.labels,
            annotations: rest.annotations,
            targets: rest.targets,
            origin: rest.origin,
            tls_credentials,
            tls_cert_authority,
            publish_not_ready_addresses: rest.publish_not_ready_addresses,
            bridge_image: rest.bridge_image,
        });
        Some(Service { address, ports, value })
    }

    fn protocol(&mut self, fields: &Fields<'_>) -> Option<Protocol> {
        let text = self.string(fields, "protocol")?;
        let protocol = match text.value.as_str() {
            "tcp" => Some(Protocol::Tcp),
            "http" => Some(Protocol::Http),
            "http2" => Some(Protocol::Http2),
            _ => None,
        };
        if protocol.is_none() {
            let name = quote(&text.value);
            let message = match probable_protocol(&text.value) {
                Some(meant) => format!("unknown protocol {name}; did you mean {meant}?"),
                None => format!("unknown protocol {name}; use tcp, http or http2"),
            };
            self.error("protocol", &fields.path("protocol"), &text.at, message);
        }
        protocol
    }

    fn aggregate(&mut self, fields: &Fields<'_>, protocol: Option<Protocol>, events: bool) -> Option<Aggregate> {
        let text = self.string(fields, "aggregate")?;
        let path = fields.path("aggregate");
        let aggregate = match text.value.as_str() {
            "json" => Some(Aggregate::Json),
            "multipart" => Some(Aggregate::Multipart),
            other => {
                let name = quote(other);
                let name = name.trim_matches('"');
                let message = format!("{name} is not a valid aggregation strategy. Choose 'json' or 'multipart'.");
                self.error("aggregate", &path, &text.at, message);
                None
            }
        };
        self.http_only(fields, "aggregate", "The aggregate option", protocol);
        if events {
            let message = "Only one of aggregate and event-channel can be specified for a given service.";
            self.error("aggregate", &path, &text.at, message);
        }
        aggregate
    }

    fn http_only(&mut self, fields: &Fields<'_>, key: &'static str, option: &str, protocol: Option<Protocol>) {
        let at = fields.node(key).map_or(fields.head.clone(), |node| node.at.clone());
        let path = fields.path(key);
        match protocol {
            Some(Protocol::Tcp) => {
                self.error("http-only", &path, &at, format!("{option} is currently only valid for http"));
            }
            Some(Protocol::Http2) => {
                // Skupper's gateway writes it; its service commands refuse it.
                self.warning("http-only", &path, &at, format!("{option} is currently only valid for http"));
            }
            Some(Protocol::Http) | None => {}
        }
    }

    fn tls(
        &mut self,
        fields: &Fields<'_>,
        section: Section,
        protocol: Option<Protocol>,
    ) -> (Option<CredentialName>, Option<CredentialName>) {
        let credentials = self.parsed::<CredentialName>(fields, "tlscredentials", "credentials");
        let authority = self.parsed::<CredentialName>(fields, "tlscertauthority", "credentials");
        let given = [("tlscredentials", &credentials), ("tlscertauthority", &authority)];
        if protocol == Some(Protocol::Http) {
            for (key, found) in given {
                if let Some(found) = found {
                    let message = "TLS is supported for tcp and http2 only";
                    self.error("tls", &fields.path(key), &found.at, message);
                }
            }
        }
        match (section, &credentials, &authority) {
            (Section::Forwards, None, Some(authority)) => {
                let path = fields.path("tlscertauthority");
                let message = "tlscertauthority alone does nothing on a forward";
                self.error("tls", &path, &authority.at, message).help =
                    Some("a local port shows a certificate: name it with tlscredentials".to_owned());
            }
            (Section::Bindings, Some(credentials), None) => {
                let path = fields.path("tlscredentials");
                let message = "tlscredentials alone does nothing on a binding";
                self.warning("tls", &path, &credentials.at, message).help =
                    Some("name the authority of the server's certificate with tlscertauthority".to_owned());
            }
            (Section::Forwards, Some(found), _) => self.credential("tlscredentials", ALL_FILES, fields, found),
            (Section::Bindings, _, Some(found)) => self.credential("tlscertauthority", AUTHORITY, fields, found),
            _ => {}
        }
        (credentials.map(|found| found.value), authority.map(|found| found.value))
    }

    pub(super) fn credential(
        &mut self,
        key: &'static str,
        files: &'static [&'static str],
        fields: &Fields<'_>,
        found: &At<CredentialName>,
    ) {
        self.credentials.push(CredentialUse {
            name: found.value.clone(),
            files,
            path: fields.path(key),
            span: self.source.span(&found.at),
        });
    }

    fn mapping(&mut self, fields: &Fields<'_>, key: &'static str) -> Option<serde_json::Value> {
        let node = fields.node(key)?;
        if matches!(node.value, Value::Map(_)) {
            return Some(kept(node));
        }
        let message = format!("expected a mapping, found {}", node.description());
        self.error("type", &fields.path(key), &node.at, message);
        None
    }
}

/// Fields that no gateway reads.
struct Rest {
    headless: Option<serde_json::Value>,
    labels: std::collections::BTreeMap<String, String>,
    annotations: std::collections::BTreeMap<String, String>,
    targets: Vec<serde_json::Value>,
    origin: Option<String>,
    publish_not_ready_addresses: bool,
    bridge_image: Option<String>,
}

fn probable_protocol(text: &str) -> Option<&'static str> {
    match text.trim().to_ascii_lowercase().as_str() {
        "tcp" | "tcp4" | "tcp6" => Some("tcp"),
        "http" | "http1" | "http1.1" | "http/1" | "http/1.1" => Some("http"),
        "http2" | "http/2" | "http-2" | "h2" | "h2c" | "grpc" => Some("http2"),
        _ => None,
    }
}
