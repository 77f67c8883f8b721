//! Services: `tcpListener` and `tcpConnector`.

use moorline_definition::router_config::{Encapsulation, TcpBridge};

use super::{ConnectorPlan, ListenerPlan, StartProblem};
use crate::core::{self, ConnectorSpec, ListenerSpec};
use crate::io::listen::BindTarget;

/// A `tcpListener` as the core and the driver want it.
pub(in crate::io) fn listener_plan(bridge: &TcpBridge) -> Result<ListenerPlan, StartProblem> {
    let entity = format!("tcpListener {}", bridge.name);
    refuse_tls(&entity, bridge)?;
    Ok(ListenerPlan {
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
pub(in crate::io) fn connector_plan(bridge: &TcpBridge) -> Result<ConnectorPlan, StartProblem> {
    let entity = format!("tcpConnector {}", bridge.name);
    refuse_tls(&entity, bridge)?;
    let host = bridge.host.clone().unwrap_or_default();
    if host.is_empty() {
        return Err(StartProblem::NoHost { entity });
    }
    let port = port(&entity, &bridge.port).and_then(|port| target_port(&entity, port))?;
    Ok(ConnectorPlan {
        port,
        spec: ConnectorSpec {
            name: bridge.name.clone(),
            address: bridge.address.clone(),
            host,
            port: port.to_string(),
        },
    })
}

/// In clear what was meant to be encrypted: never.
fn refuse_tls(entity: &str, bridge: &TcpBridge) -> Result<(), StartProblem> {
    match bridge.ssl_profile.as_deref() {
        None | Some("") => Ok(()),
        Some(profile) => Err(StartProblem::Unsupported {
            entity: entity.to_owned(),
            what: format!(
                "the embedded router does not encrypt between itself and clients or servers (sslProfile {profile}); \
                 remove sslProfile or use skrouterd"
            ),
        }),
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
