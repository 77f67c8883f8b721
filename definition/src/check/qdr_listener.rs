//! One element of `qdr-listeners`.

use super::Checker;
use super::fields::{At, Fields, Shape};
use super::keys;
use super::service::ALL_FILES;
use crate::definition::{CredentialName, EntityName, Host, Port, QdrListener};
use crate::problem::{Severity, quote};
use crate::router_config::Role;
use crate::yaml::{Node, Value};

const SHAPE: Shape = Shape { keys: keys::QDR_LISTENER, elsewhere: &[], where_else: "" };

/// A listener as far as it could be read.
pub(super) struct Found {
    pub(super) path: String,
    pub(super) name: Option<At<String>>,
    /// Bind address; empty for every interface, none when it is written wrongly.
    pub(super) host: Option<String>,
    pub(super) port: Option<At<Port>>,
    pub(super) listener: Option<QdrListener>,
}

impl Checker<'_> {
    pub(super) fn qdr_listeners(&mut self, top: &Fields<'_>) -> Vec<Found> {
        let items = self.items(top, "qdr-listeners");
        items
            .iter()
            .enumerate()
            .map(|(index, item)| self.qdr_listener(item, format!("qdr-listeners[{index}]")))
            .collect()
    }

    fn qdr_listener(&mut self, node: &Node, path: String) -> Found {
        let Some(fields) = self.fields(node, &path, &SHAPE) else {
            return Found { path, name: None, host: None, port: None, listener: None };
        };
        let name = self.parsed::<EntityName>(&fields, "name", "entity-name");
        let host = self.parsed::<Host>(&fields, "host", "host");
        let host_is_wrong = host.is_none()
            && fields.node("host").is_some_and(|n| !matches!(&n.value, Value::Scalar(s) if s.text.is_empty()));
        self.required(&fields, "port", "");
        let port = self.integer(&fields, "port").and_then(|found| {
            let value = self.in_range(found.value, &fields.path("port"), &found.at)?;
            Some(At { value, at: found.at })
        });
        let ssl_profile = self.parsed::<CredentialName>(&fields, "ssl-profile", "credentials");
        if let Some(found) = &ssl_profile {
            self.credential("ssl-profile", ALL_FILES, &fields, found);
        }
        let listener = QdrListener {
            name: name.as_ref().map(|found| found.value.clone()),
            host: host.as_ref().map(|found| found.value.clone()),
            // Stands in until it is known whether there is a port.
            port: port.as_ref().map_or(AMQP, |found| found.value),
            role: self.role(&fields),
            route_container: self.boolean(&fields, "route-container"),
            http: self.boolean(&fields, "http"),
            cost: self.count(&fields, "cost"),
            ssl_profile: ssl_profile.map(|found| found.value),
            sasl_mechanisms: self.plain_text(&fields, "sasl-mechanisms"),
            authenticate_peer: self.boolean(&fields, "authenticate-peer"),
            link_capacity: self.count(&fields, "link-capacity"),
            http_root_dir: self.plain_text(&fields, "http-rootdir"),
            web_sockets: self.boolean(&fields, "web-sockets"),
            healthz: self.boolean(&fields, "healthz"),
            metrics: self.boolean(&fields, "metrics"),
            max_frame_size: self.count(&fields, "max-frame-size"),
            max_session_frames: self.count(&fields, "max-session-frames"),
        };
        if !host_is_wrong {
            let at = fields.node("host").map_or(fields.head.clone(), |node| node.at.clone());
            self.management(&listener, &fields, &at);
        }
        let entity_name = port.is_some().then(|| listener.entity_name());
        let name_at = name.map_or(fields.head.clone(), |found| found.at);
        Found {
            path,
            name: entity_name.map(|value| At { value, at: name_at }),
            host: (!host_is_wrong).then(|| host.map(|found| found.value.to_string()).unwrap_or_default()),
            listener: port.is_some().then_some(listener),
            port,
        }
    }

    /// A text that cannot be taken for a variable when the configuration is read.
    fn plain_text(&mut self, fields: &Fields<'_>, key: &'static str) -> Option<String> {
        self.parsed::<EntityName>(fields, key, "text").map(|found| found.value.to_string())
    }

    fn role(&mut self, fields: &Fields<'_>) -> Option<Role> {
        let text = self.string(fields, "role")?;
        let role = match text.value.as_str() {
            "normal" => Some(Role::Normal),
            "edge" => Some(Role::Edge),
            "inter-router" => Some(Role::InterRouter),
            "route-container" => Some(Role::RouteContainer),
            _ => None,
        };
        if role.is_none() {
            let message =
                format!("unknown role {}; use normal, edge, inter-router or route-container", quote(&text.value));
            self.error("role", &fields.path("role"), &text.at, message);
        }
        role
    }

    /// Whoever reaches an AMQP port without authentication can change the router.
    fn management(&mut self, listener: &QdrListener, fields: &Fields<'_>, at: &std::ops::Range<usize>) {
        let authenticated = listener.authenticate_peer == Some(true) && listener.ssl_profile.is_some();
        let http_only = listener.http == Some(true) && listener.web_sockets == Some(false);
        if authenticated || http_only || listener.host.as_ref().is_some_and(Host::is_loopback) {
            return;
        }
        let reach = match &listener.host {
            Some(host) if !host.is_wildcard() => format!("on {host}"),
            _ => "on all interfaces".to_owned(),
        };
        let words =
            listener.sasl_mechanisms.as_deref() == Some("ANONYMOUS") && listener.authenticate_peer == Some(false);
        let allowed = words || self.options.allow_insecure_management;
        let severity = if allowed { Severity::Warning } else { Severity::Error };
        let message = format!("unauthenticated management port {reach}");
        let path = if listener.host.is_some() { fields.path("host") } else { fields.path.clone() };
        let problem = self.report(severity, "insecure-management", &path, at, message);
        problem.help = Some(
            "write host: localhost, or ssl-profile with authenticate-peer: true; whoever means it writes \
             sasl-mechanisms: ANONYMOUS and authenticate-peer: false, or uses --allow-insecure-management"
                .to_owned(),
        );
    }
}

const AMQP: Port = Port::AMQP;
