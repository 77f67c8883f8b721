//! Services: `tcpListener` and `tcpConnector`, `httpListener` and `httpConnector`.

use moorline_definition::router_config::{Aggregation, Encapsulation, HttpBridge, HttpVersion, TcpBridge};

use ::http::HeaderValue;

use super::profiles::{server_tls, target_tls};
use super::{ConnectorPlan, ListenerPlan, StartProblem};
use crate::core::{self, ConnectorSpec, ListenerSpec};
use crate::io::http::{self, HttpConnectorPlan, HttpListenerPlan, HttpPlan};
use crate::io::listen::BindTarget;
use crate::io::target::Target;
use crate::io::tls::{Clients, Profiles};

/// What clients of a service may speak in TLS, as skrouterd offers it and in its order.
const SERVICE_ALPN: &[&str] = &["http/1.1", "h2"];

/// A `tcpListener` as the core and the driver want it.
pub(in crate::io) fn listener_plan(bridge: &TcpBridge, profiles: &Profiles) -> Result<ListenerPlan, StartProblem> {
    let entity = format!("tcpListener {}", bridge.name);
    let clients = match bridge.authenticate_peer {
        Some(true) => Clients::Proven,
        _ => Clients::Anonymous,
    };
    let tls = match bridge.ssl_profile.as_deref() {
        None | Some("") if clients == Clients::Proven => return Err(needs_profile(entity)),
        None | Some("") => None,
        Some(profile) => Some(server_tls(profiles, &entity, profile, clients, SERVICE_ALPN)?),
    };
    Ok(ListenerPlan {
        entity: bridge.clone(),
        tls,
        target: BindTarget { host: bridge.host.clone().unwrap_or_default(), port: port(&entity, &bridge.port)? },
        spec: ListenerSpec {
            name: bridge.name.clone(),
            address: bridge.address.clone(),
            encapsulation: bridge.encapsulation.map(|encapsulation| match encapsulation {
                Encapsulation::Legacy => core::Encapsulation::Legacy,
                Encapsulation::Lite => core::Encapsulation::Lite,
            }),
            site_id: bridge.site_id.clone().unwrap_or_default(),
        },
    })
}

/// A `tcpConnector` as the core and the driver want it.
pub(in crate::io) fn connector_plan(bridge: &TcpBridge, profiles: &Profiles) -> Result<ConnectorPlan, StartProblem> {
    let entity = format!("tcpConnector {}", bridge.name);
    let host = bridge.host.clone().unwrap_or_default();
    if host.is_empty() {
        return Err(StartProblem::NoHost { entity });
    }
    let port = port(&entity, &bridge.port).and_then(|port| target_port(&entity, port))?;
    let tls = target_tls(profiles, &entity, bridge.ssl_profile.as_deref(), &host, bridge.verify_hostname)?;
    Ok(ConnectorPlan {
        entity: bridge.clone(),
        spec: ConnectorSpec { name: bridge.name.clone(), address: bridge.address.clone() },
        target: Target { host, port, tls, proxy: None },
    })
}

/// An `httpListener` as the driver wants it.
pub(in crate::io) fn http_listener_plan(
    bridge: &HttpBridge,
    profiles: &Profiles,
) -> Result<HttpListenerPlan, StartProblem> {
    let entity = format!("httpListener {}", bridge.name);
    let plan = http_plan(&entity, bridge)?;
    let clients = match bridge.authenticate_peer {
        Some(true) => Clients::Proven,
        _ => Clients::Anonymous,
    };
    let tls = match bridge.ssl_profile.as_deref() {
        None | Some("") if clients == Clients::Proven => return Err(needs_profile(entity)),
        None | Some("") => None,
        Some(profile) => Some(server_tls(profiles, &entity, profile, clients, plan.encapsulation.alpn())?),
    };
    Ok(HttpListenerPlan {
        target: BindTarget { host: plan.host.clone(), port: plan.port },
        tls,
        plan,
        entity: bridge.clone(),
    })
}

/// An `httpConnector` as the driver wants it.
pub(in crate::io) fn http_connector_plan(
    bridge: &HttpBridge,
    profiles: &Profiles,
) -> Result<HttpConnectorPlan, StartProblem> {
    let entity = format!("httpConnector {}", bridge.name);
    let plan = http_plan(&entity, bridge)?;
    if plan.host.is_empty() {
        return Err(StartProblem::NoHost { entity });
    }
    let port = target_port(&entity, plan.port)?;
    let tls = target_tls(profiles, &entity, bridge.ssl_profile.as_deref(), &plan.host, bridge.verify_hostname)?;
    Ok(HttpConnectorPlan {
        target: Target { host: plan.host.clone(), port, tls, proxy: None },
        plan,
        entity: bridge.clone(),
    })
}

fn http_plan(entity: &str, bridge: &HttpBridge) -> Result<HttpPlan, StartProblem> {
    let encapsulation = match bridge.protocol_version {
        None | Some(HttpVersion::Http1) => http::Encapsulation::Http1,
        Some(HttpVersion::Http2) => http::Encapsulation::Http2,
    };
    let host_override = match bridge.host_override.as_deref() {
        None | Some("") => None,
        Some(host) => Some(HeaderValue::from_str(host).map_err(|_| StartProblem::Unsupported {
            entity: entity.to_owned(),
            what: format!("hostOverride {host:?} cannot be sent"),
        })?),
    };
    // Routers know these of HTTP/1 alone.
    let http1 = encapsulation == http::Encapsulation::Http1;
    Ok(HttpPlan {
        name: bridge.name.clone(),
        address: bridge.address.clone(),
        host: bridge.host.clone().unwrap_or_default(),
        port: port(entity, &bridge.port)?,
        encapsulation,
        site_id: bridge.site_id.clone().unwrap_or_default(),
        aggregation: match bridge.aggregation {
            Some(Aggregation::Json) if http1 => Some(http::Aggregation::Json),
            Some(Aggregation::Multipart) if http1 => Some(http::Aggregation::Multipart),
            _ => None,
        },
        event_channel: http1 && bridge.event_channel == Some(true),
        host_override: host_override.filter(|_| http1),
    })
}

/// Nobody may pass unproven where proof was asked for.
pub(super) fn needs_profile(entity: String) -> StartProblem {
    StartProblem::Unsupported {
        entity,
        what: "clients can prove who they are only with certificates: it needs an sslProfile".to_owned(),
    }
}

pub(super) fn port(entity: &str, text: &str) -> Result<u16, StartProblem> {
    text.parse().map_err(|_| StartProblem::Port { entity: entity.to_owned(), port: text.to_owned() })
}

pub(super) fn target_port(entity: &str, port: u16) -> Result<u16, StartProblem> {
    if port == 0 {
        return Err(StartProblem::Port { entity: entity.to_owned(), port: port.to_string() });
    }
    Ok(port)
}
