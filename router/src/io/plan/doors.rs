//! Ports of the router itself: `listener`, for AMQP or for HTTP.

use std::net::TcpListener;
use std::sync::Arc;

use moorline_definition::router_config::{Listener, Role, RouterMode};
use rustls::ServerConfig;

use super::bridges::needs_profile;
use super::profiles::server_tls;
use super::uplinks::{DEFAULT_MAX_FRAME_SIZE, DEFAULT_MAX_SESSION_FRAMES, idle_timeout};
use super::{Check, StartProblem};
use crate::core::{ConnRole, ConnectionSpec};
use crate::io::listen::BindTarget;
use crate::io::tls::{Clients, Live, Profiles};
use crate::io::web::Serves;

const HTTP_ALPN: &[&str] = &["http/1.1"];

/// A `listener`, checked. Its port is not open yet.
#[derive(Debug)]
pub(in crate::io) struct DoorPlan {
    pub(in crate::io) name: String,
    pub(in crate::io) target: BindTarget,
    pub(in crate::io) tls: Option<Arc<Live<ServerConfig>>>,
    pub(in crate::io) speaks: Speaks,
}

/// What is spoken at a port.
#[derive(Debug)]
pub(in crate::io) enum Speaks {
    /// With the label and SASL still to be filled in for each peer.
    Amqp(ConnectionSpec),
    Http(Serves),
}

/// The same with its port open.
#[derive(Debug)]
pub(in crate::io) struct OpenDoor {
    pub(in crate::io) plan: DoorPlan,
    pub(in crate::io) sockets: Vec<TcpListener>,
}

impl Check<'_> {
    pub(super) fn doors(&mut self) -> Vec<DoorPlan> {
        let config = self.config;
        let mut plans = Vec::new();
        for listener in &config.listeners {
            let name = &listener.name;
            if let Some(why) = unserved(listener, config.router.mode) {
                self.warnings.push(format!("listener {name} is not opened: {why} by the embedded router"));
                continue;
            }
            match door_plan(listener, &self.profiles) {
                Ok(plan) => {
                    self.warnings.extend(warnings(listener, &plan.target));
                    plans.push(plan);
                }
                Err(problem) => self.report(problem),
            }
        }
        plans
    }

    pub(super) fn open_doors(&mut self, plans: Vec<DoorPlan>) -> Vec<OpenDoor> {
        let open = |plan: DoorPlan| {
            let sockets = self.open(&format!("listener {}", plan.name), &plan.target)?;
            Some(OpenDoor { plan, sockets })
        };
        plans.into_iter().filter_map(open).collect()
    }
}

/// Why this router does not open a listener at all.
pub(in crate::io) fn unserved(listener: &Listener, mode: RouterMode) -> Option<&'static str> {
    if listener.http == Some(true) {
        None
    } else if !matches!(listener.role, Role::Normal | Role::Edge) {
        Some("its role is not served")
    } else if listener.role == Role::Edge && mode == RouterMode::Edge {
        Some("an edge accepts no edges")
    } else {
        None
    }
}

/// Clients must prove who they are.
fn clients(listener: &Listener) -> Clients {
    let mechanisms = listener.sasl_mechanisms.as_deref().unwrap_or_default();
    let only_external = mechanisms.split_whitespace().eq(["EXTERNAL"]);
    if listener.authenticate_peer == Some(true) || only_external { Clients::Proven } else { Clients::Known }
}

/// What a person should know of a listener: a port through which anyone can do anything, and what is not served.
pub(in crate::io) fn warnings(listener: &Listener, target: &BindTarget) -> Vec<String> {
    let name = &listener.name;
    let mut warnings = Vec::new();
    if listener.http == Some(true) {
        if listener.websockets == Some(true) {
            warnings.push(format!("listener {name}: AMQP over WebSockets is not served by the embedded router"));
        }
        if listener.http_root_dir.as_deref().is_some_and(|dir| dir != "disabled") {
            warnings.push(format!("listener {name}: files are not served by the embedded router"));
        }
    } else if listener.role != Role::Edge && clients(listener) != Clients::Proven && target.is_wildcard() {
        warnings.push(format!(
            "listener {name}: whoever reaches this host can use the network and change this router; \
             bind it to a loopback address or demand client certificates"
        ));
    }
    warnings
}

/// A listener as the driver wants it.
pub(in crate::io) fn door_plan(listener: &Listener, profiles: &Profiles) -> Result<DoorPlan, StartProblem> {
    let entity = format!("listener {}", listener.name);
    let clients = clients(listener);
    let http = listener.http == Some(true);
    let profile = listener.ssl_profile.as_deref().filter(|p| !p.is_empty());
    let tls = match profile {
        None if clients == Clients::Proven => return Err(needs_profile(entity)),
        None => None,
        Some(profile) => Some(server_tls(profiles, &entity, profile, clients, if http { HTTP_ALPN } else { &[] })?),
    };
    let target = BindTarget { host: listener.host.clone().unwrap_or_default(), port: listener.port };
    let speaks = match http {
        true => Speaks::Http(Serves {
            health: listener.healthz.unwrap_or(true),
            metrics: listener.metrics.unwrap_or(true),
            status: false,
        }),
        false => Speaks::Amqp(ConnectionSpec {
            role: if listener.role == Role::Edge { ConnRole::Edge } else { ConnRole::Client },
            max_frame_size: listener.max_frame_size.unwrap_or(DEFAULT_MAX_FRAME_SIZE),
            max_session_frames: listener.max_session_frames.unwrap_or(DEFAULT_MAX_SESSION_FRAMES),
            idle_timeout: idle_timeout(listener.idle_timeout_seconds),
            ..local_clients()
        }),
    };
    Ok(DoorPlan { name: listener.name.clone(), target, tls, speaks })
}

/// Clients of this host, with nothing configured.
pub(in crate::io) fn local_clients() -> ConnectionSpec {
    ConnectionSpec {
        role: ConnRole::Client,
        label: String::new(),
        hostname: None,
        max_frame_size: DEFAULT_MAX_FRAME_SIZE,
        max_session_frames: DEFAULT_MAX_SESSION_FRAMES,
        idle_timeout: idle_timeout(None),
        external: false,
    }
}
