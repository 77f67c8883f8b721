//! Uplinks: `connector`.

use std::sync::Arc;
use std::time::Duration;

use moorline_definition::router_config::{Connector, ProxyProfile, Role, RouterMode};

use super::bridges::{port, target_port};
use super::profiles::target_tls;
use super::{Check, StartProblem};
use crate::core::{ConnRole, ConnectionSpec};
use crate::io::proxy::Proxy;
use crate::io::target::Target;
use crate::io::tls::Profiles;
use crate::io::uplink::UplinkPlan;

pub(super) const DEFAULT_MAX_FRAME_SIZE: u32 = 16_384;
pub(super) const DEFAULT_MAX_SESSION_FRAMES: u32 = 640;
const DEFAULT_IDLE_TIMEOUT: u32 = 16;
/// Stands for "never": the core adds it to moments.
const NO_IDLE_TIMEOUT: Duration = Duration::from_secs(30 * 24 * 3600);

impl Check<'_> {
    pub(super) fn uplinks(&mut self) -> Vec<UplinkPlan> {
        let config = self.config;
        let mut plans = Vec::new();
        for connector in &config.connectors {
            if let Some(why) = unserved_connector(connector, config.router.mode) {
                self.warnings.push(format!("connector {}: {why}; this one is left out", connector.name));
                continue;
            }
            match uplink_plan(connector, &config.proxy_profiles, &self.profiles) {
                Ok(plan) => plans.push(plan),
                Err(problem) => self.report(problem),
            }
        }
        plans
    }
}

/// Why this router does not make a connection at all.
pub(in crate::io) fn unserved_connector(connector: &Connector, mode: RouterMode) -> Option<&'static str> {
    let serves = connector.role == Role::Edge && mode == RouterMode::Edge;
    (!serves).then_some("the embedded router connects edges to a network and nothing else")
}

/// A connector as the driver wants it.
pub(in crate::io) fn uplink_plan(
    connector: &Connector,
    proxies: &[ProxyProfile],
    profiles: &Profiles,
) -> Result<UplinkPlan, StartProblem> {
    let entity = format!("connector {}", connector.name);
    let port = port(&entity, &connector.port).and_then(|port| target_port(&entity, port))?;
    let host = match connector.host.as_str() {
        "" => "127.0.0.1",
        host => host,
    };
    let tls = target_tls(profiles, &entity, connector.ssl_profile.as_deref(), host, connector.verify_hostname)?;
    let proxy = proxy(&entity, connector, proxies)?;
    let external = tls.as_ref().is_some_and(|tls| tls.profile().identity().has_certificate());
    Ok(UplinkPlan {
        name: connector.name.clone(),
        target: Target { host: host.to_owned(), port, tls, proxy },
        spec: ConnectionSpec {
            role: ConnRole::Uplink,
            label: connector.name.clone(),
            hostname: Some(host.to_owned()),
            max_frame_size: connector.max_frame_size.unwrap_or(DEFAULT_MAX_FRAME_SIZE),
            max_session_frames: connector.max_session_frames.unwrap_or(DEFAULT_MAX_SESSION_FRAMES),
            idle_timeout: idle_timeout(connector.idle_timeout_seconds),
            external,
        },
        cost: connector.cost.and_then(|cost| u64::try_from(cost).ok()).unwrap_or(1),
    })
}

fn proxy(entity: &str, connector: &Connector, profiles: &[ProxyProfile]) -> Result<Option<Arc<Proxy>>, StartProblem> {
    let Some(name) = connector.proxy_profile.as_deref().filter(|name| !name.is_empty()) else {
        return Ok(None);
    };
    let profile = profiles.iter().find(|profile| profile.name == name);
    let profile =
        profile.ok_or_else(|| StartProblem::UnknownProxy { entity: entity.to_owned(), profile: name.to_owned() })?;
    let entity = format!("proxyProfile {name}");
    let port = port(&entity, &profile.port).and_then(|port| target_port(&entity, port))?;
    if profile.host.is_empty() {
        return Err(StartProblem::NoHost { entity });
    }
    Ok(Some(Arc::new(Proxy::new(profile, port))))
}

pub(super) fn idle_timeout(seconds: Option<u32>) -> Duration {
    match seconds.unwrap_or(DEFAULT_IDLE_TIMEOUT) {
        0 => NO_IDLE_TIMEOUT,
        seconds => Duration::from_secs(u64::from(seconds)),
    }
}
