//! A router configuration, checked and turned into what the driver runs.

mod bridges;
mod doors;
mod profiles;
mod uplinks;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use moorline_definition::router_config::{AddressEntity, RouterConfig, RouterMode, TcpBridge};
use rustls::ServerConfig;

pub(super) use bridges::{connector_plan, http_connector_plan, http_listener_plan, listener_plan};
pub(super) use doors::{DoorPlan, OpenDoor, Speaks, door_plan, local_clients, unserved, warnings};
pub(super) use uplinks::{unserved_connector, uplink_plan};

use super::http::{HttpConnectorPlan, HttpListenerPlan};
use super::listen::{BindError, BindTarget, open};
use super::local::SocketFile;
use super::problem::StartProblem;
use super::start::StartOptions;
use super::target::Target;
use super::tls::{Live, Profiles};
use super::uplink::UplinkPlan;
use super::vanflow::moment;
use crate::core::{ConnectorSpec, ListenerSpec, Mode, Settings};
use crate::service_sync::offer;
use crate::vanflow::RouterFacts;

/// What the router thread runs. Ports of the router itself are open, those of services are only known to be free.
pub(super) struct Plan {
    /// The configuration without addresses and services, which are added one by one.
    pub(super) config: RouterConfig,
    pub(super) settings: Settings,
    pub(super) profiles: Arc<Profiles>,
    pub(super) certificate_check: Duration,
    /// What this router's record says.
    pub(super) facts: RouterFacts,
    /// Version of Skupper that announcements name.
    pub(super) skupper_version: String,
    pub(super) addresses: Vec<AddressEntity>,
    pub(super) uplinks: Vec<UplinkPlan>,
    pub(super) doors: Vec<OpenDoor>,
    /// Where the state can be read by its owner.
    pub(super) status_socket: Option<SocketFile>,
    /// Where the router can be managed by its owner.
    pub(super) management_socket: Option<SocketFile>,
    pub(super) listeners: Vec<ListenerPlan>,
    pub(super) connectors: Vec<ConnectorPlan>,
    pub(super) http_listeners: Vec<HttpListenerPlan>,
    pub(super) http_connectors: Vec<HttpConnectorPlan>,
    /// What the configuration asks for and this router does not do.
    pub(super) warnings: Vec<String>,
}

/// A `tcpListener`, checked.
pub(super) struct ListenerPlan {
    pub(super) entity: TcpBridge,
    pub(super) spec: ListenerSpec,
    pub(super) target: BindTarget,
    pub(super) tls: Option<Arc<Live<ServerConfig>>>,
}

/// A `tcpConnector`, checked.
pub(super) struct ConnectorPlan {
    pub(super) entity: TcpBridge,
    pub(super) spec: ConnectorSpec,
    pub(super) target: Target,
}

/// Checks everything; opens ports only when all is well.
pub(super) fn plan(config: &RouterConfig, options: StartOptions) -> Result<Plan, Vec<StartProblem>> {
    let certificate_check = options.certificate_check;
    let mut check = Check::new(config);
    let uplinks = check.uplinks();
    let doors = check.doors();
    let profiles = Arc::clone(&check.profiles);
    let listeners = check.keep(config.tcp_listeners.iter().map(|bridge| listener_plan(bridge, &profiles)));
    let connectors = check.keep(config.tcp_connectors.iter().map(|bridge| connector_plan(bridge, &profiles)));
    let http_listeners = check.keep(config.http_listeners.iter().map(|bridge| http_listener_plan(bridge, &profiles)));
    let http_connectors =
        check.keep(config.http_connectors.iter().map(|bridge| http_connector_plan(bridge, &profiles)));
    check.unserved();
    for listener in &listeners {
        let entity = format!("tcpListener {}", listener.spec.name);
        // Held until all are open, so that two entities with one port are found. Dropped with `check`.
        if let Some(sockets) = check.open(&entity, &listener.target) {
            check.probes.extend(sockets);
        }
    }
    for listener in &http_listeners {
        let entity = format!("httpListener {}", listener.plan.name);
        if let Some(sockets) = check.open(&entity, &listener.target) {
            check.probes.extend(sockets);
        }
    }
    let doors = check.open_doors(doors);
    let status_socket = options.status_socket.as_deref().and_then(|path| check.open_socket(path));
    let management_socket = options.management_socket.as_deref().and_then(|path| check.open_socket(path));
    if config.router.id.is_empty() {
        check.problems.push(StartProblem::NoId);
    }
    if !check.problems.is_empty() {
        return Err(check.problems);
    }
    let settings = settings(config, &options.version);
    if options.site.is_none() && !offer(config).0.is_empty() {
        check.warnings.push("no services are announced: this router belongs to no site".to_owned());
    }
    let skupper_version = options.skupper_version.clone();
    let facts = facts(config, options);
    let addresses = config.addresses.clone();
    let config = RouterConfig {
        addresses: Vec::new(),
        tcp_listeners: Vec::new(),
        tcp_connectors: Vec::new(),
        http_listeners: Vec::new(),
        http_connectors: Vec::new(),
        ..config.clone()
    };
    Ok(Plan {
        config,
        settings,
        profiles,
        facts,
        skupper_version,
        certificate_check,
        addresses,
        uplinks,
        doors,
        status_socket,
        management_socket,
        listeners,
        connectors,
        http_listeners,
        http_connectors,
        warnings: check.warnings,
    })
}

fn settings(config: &RouterConfig, version: &str) -> Settings {
    Settings {
        id: config.router.id.clone(),
        mode: match config.router.mode {
            RouterMode::Edge => Mode::Edge,
            RouterMode::Interior => Mode::Hub,
        },
        seed: fastrand::u64(..),
        version: version.to_owned(),
    }
}

fn facts(config: &RouterConfig, options: StartOptions) -> RouterFacts {
    RouterFacts {
        id: config.router.id.clone(),
        mode: match config.router.mode {
            RouterMode::Edge => "edge",
            RouterMode::Interior => "interior",
        },
        site: options.site,
        host_name: options.host_name,
        version: options.version,
        started: moment(Instant::now()).micros,
    }
}

/// What was found so far.
struct Check<'a> {
    config: &'a RouterConfig,
    profiles: Arc<Profiles>,
    held: Vec<(SocketAddr, String)>,
    probes: Vec<TcpListener>,
    problems: Vec<StartProblem>,
    warnings: Vec<String>,
}

impl<'a> Check<'a> {
    fn new(config: &'a RouterConfig) -> Check<'a> {
        Check {
            config,
            profiles: Arc::new(Profiles::new(&config.ssl_profiles)),
            held: Vec::new(),
            probes: Vec::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The good ones; the others become problems.
    fn keep<T>(&mut self, results: impl Iterator<Item = Result<T, StartProblem>>) -> Vec<T> {
        results.filter_map(|result| result.map_err(|problem| self.report(problem)).ok()).collect()
    }

    fn fail<T>(&mut self, problem: StartProblem) -> Option<T> {
        self.report(problem);
        None
    }

    /// What several entities share, such as a profile, is wrong once.
    fn report(&mut self, problem: StartProblem) {
        let words = problem.to_string();
        if !self.problems.iter().any(|known| known.to_string() == words) {
            self.problems.push(problem);
        }
    }

    fn unserved(&mut self) {
        for entity in &self.config.unknown {
            self.warnings
                .push(format!("an entity of kind {} is left out: the embedded router does not know it", entity.kind));
        }
    }

    fn open(&mut self, entity: &str, target: &BindTarget) -> Option<Vec<TcpListener>> {
        let opened = target.addresses_blocking().and_then(|found| open(&found));
        match opened {
            Ok(sockets) => {
                let addresses = sockets.iter().filter_map(|s| s.local_addr().ok());
                self.held.extend(addresses.map(|address| (address, entity.to_owned())));
                Some(sockets)
            }
            Err(source) => {
                let problem = match self.same_port(&source) {
                    Some((address, other)) => StartProblem::SamePort { entity: entity.to_owned(), address, other },
                    None => StartProblem::Bind { entity: entity.to_owned(), source },
                };
                self.fail(problem)
            }
        }
    }

    fn open_socket(&mut self, path: &Path) -> Option<SocketFile> {
        match SocketFile::open(path) {
            Ok(socket) => Some(socket),
            Err(source) => self.fail(StartProblem::Socket { path: path.to_owned(), source }),
        }
    }

    fn same_port(&self, error: &BindError) -> Option<(SocketAddr, String)> {
        let BindError::Occupied { address, owner } = error else {
            return None;
        };
        if owner.as_ref().is_some_and(|o| o.pid != std::process::id()) {
            return None;
        }
        let other = self.held.iter().find(|(held, _)| {
            held.port() == address.port()
                && (held.ip() == address.ip() || held.ip().is_unspecified() || address.ip().is_unspecified())
        });
        other.map(|(_, other)| (*address, other.clone()))
    }
}
