//! A router configuration, checked and turned into what the driver runs.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use moorline_definition::router_config::{
    Connector, Encapsulation, Listener, Role, RouterConfig, RouterMode, SslProfile, TcpBridge,
};

use super::listen::{AmqpListenPlan, BindError, BindTarget, open};
use super::problem::StartProblem;
use super::tls::{Expected, TlsError, TlsFiles, TlsIdentity};
use super::uplink::{UplinkPlan, UplinkTls};
use crate::core::{self, ConnRole, ConnectionSpec, ConnectorSpec, ListenerSpec, Mode, Settings};

const DEFAULT_MAX_FRAME_SIZE: u32 = 16_384;
const DEFAULT_MAX_SESSION_FRAMES: u32 = 640;
const DEFAULT_IDLE_TIMEOUT: u32 = 16;
/// Stands for "never": the core adds it to moments.
const NO_IDLE_TIMEOUT: Duration = Duration::from_secs(30 * 24 * 3600);

/// What the router thread runs. Ports of AMQP listeners are open, those of services are only known to be free.
pub(super) struct Plan {
    pub(super) settings: Settings,
    pub(super) uplinks: Vec<UplinkPlan>,
    pub(super) amqp: Vec<AmqpListenPlan>,
    pub(super) listeners: Vec<ListenerPlan>,
    pub(super) connectors: Vec<ConnectorPlan>,
    /// What the configuration asks for and this router does not do.
    pub(super) warnings: Vec<String>,
}

/// A `tcpListener`, checked.
pub(super) struct ListenerPlan {
    pub(super) spec: ListenerSpec,
    pub(super) target: BindTarget,
}

/// A `tcpConnector`, checked.
pub(super) struct ConnectorPlan {
    pub(super) spec: ConnectorSpec,
    pub(super) port: u16,
}

/// Checks everything; opens ports only when all is well.
pub(super) fn plan(config: &RouterConfig, version: &str) -> Result<Plan, Vec<StartProblem>> {
    let mut check = Check::new(config);
    let uplinks = check.uplinks();
    let amqp = check.amqp_listeners();
    let listeners = check.keep(config.tcp_listeners.iter().map(listener_plan));
    let connectors = check.keep(config.tcp_connectors.iter().map(connector_plan));
    check.unserved();
    for listener in &listeners {
        let entity = format!("tcpListener {}", listener.spec.name);
        // Held until all are open, so that two entities with one port are found. Dropped with `check`.
        if let Some(sockets) = check.open(&entity, &listener.target) {
            check.probes.extend(sockets);
        }
    }
    let mut opened = Vec::with_capacity(amqp.len());
    for (entity, target, plan) in amqp {
        if let Some(sockets) = check.open(&entity, &target) {
            opened.push(AmqpListenPlan { sockets, ..plan });
        }
    }
    if config.router.id.is_empty() {
        check.problems.push(StartProblem::NoId);
    }
    if !check.problems.is_empty() {
        return Err(check.problems);
    }
    Ok(Plan {
        settings: settings(config, version),
        uplinks,
        amqp: opened,
        listeners,
        connectors,
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
        multicast_prefixes: config
            .addresses
            .iter()
            .filter(|address| address.distribution == "multicast")
            .map(|address| address.prefix.clone())
            .collect(),
    }
}

/// A `tcpListener` as the core and the driver want it.
pub(super) fn listener_plan(bridge: &TcpBridge) -> Result<ListenerPlan, StartProblem> {
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
pub(super) fn connector_plan(bridge: &TcpBridge) -> Result<ConnectorPlan, StartProblem> {
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

fn port(entity: &str, text: &str) -> Result<u16, StartProblem> {
    text.parse().map_err(|_| StartProblem::Port { entity: entity.to_owned(), port: text.to_owned() })
}

fn target_port(entity: &str, port: u16) -> Result<u16, StartProblem> {
    if port == 0 {
        return Err(StartProblem::Port { entity: entity.to_owned(), port: port.to_string() });
    }
    Ok(port)
}

/// What was found so far.
struct Check<'a> {
    config: &'a RouterConfig,
    identities: HashMap<&'a str, Option<Rc<(TlsFiles, TlsIdentity)>>>,
    held: Vec<(SocketAddr, String)>,
    probes: Vec<TcpListener>,
    problems: Vec<StartProblem>,
    warnings: Vec<String>,
}

impl<'a> Check<'a> {
    fn new(config: &'a RouterConfig) -> Check<'a> {
        Check {
            config,
            identities: HashMap::new(),
            held: Vec::new(),
            probes: Vec::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The good ones; the others become problems.
    fn keep<T>(&mut self, results: impl Iterator<Item = Result<T, StartProblem>>) -> Vec<T> {
        results.filter_map(|result| result.map_err(|problem| self.problems.push(problem)).ok()).collect()
    }

    fn fail<T>(&mut self, problem: StartProblem) -> Option<T> {
        self.problems.push(problem);
        None
    }

    fn uplinks(&mut self) -> Vec<UplinkPlan> {
        let config = self.config;
        let mut plans = Vec::new();
        for connector in &config.connectors {
            if connector.role == Role::Edge && config.router.mode == RouterMode::Edge {
                plans.extend(self.uplink(connector));
            } else {
                self.warnings.push(format!(
                    "connector {}: the embedded router connects edges to a network and nothing else; this one is left out",
                    connector.name
                ));
            }
        }
        plans
    }

    fn uplink(&mut self, connector: &'a Connector) -> Option<UplinkPlan> {
        let entity = format!("connector {}", connector.name);
        let checked = port(&entity, &connector.port).and_then(|port| target_port(&entity, port));
        let port = match checked {
            Ok(port) => Some(port),
            Err(problem) => self.fail(problem),
        };
        let host = match connector.host.as_str() {
            "" => "127.0.0.1",
            host => host,
        };
        let profile = connector.ssl_profile.as_deref().filter(|p| !p.is_empty());
        let tls = match profile {
            None => None,
            Some(profile) => {
                let loaded = self.identity(&entity, profile)?;
                let verify = connector.verify_hostname.unwrap_or(true);
                match uplink_tls(&loaded, host, verify) {
                    Ok(tls) => Some(tls),
                    Err(source) => return self.fail(StartProblem::Tls { entity, source }),
                }
            }
        };
        Some(UplinkPlan {
            name: connector.name.clone(),
            host: host.to_owned(),
            port: port?,
            spec: ConnectionSpec {
                role: ConnRole::Uplink,
                label: connector.name.clone(),
                hostname: Some(host.to_owned()),
                max_frame_size: connector.max_frame_size.unwrap_or(DEFAULT_MAX_FRAME_SIZE),
                max_session_frames: connector.max_session_frames.unwrap_or(DEFAULT_MAX_SESSION_FRAMES),
                idle_timeout: idle_timeout(connector.idle_timeout_seconds),
                external: tls.as_ref().is_some_and(|tls| tls.files.own.is_some()),
            },
            tls,
        })
    }

    fn amqp_listeners(&mut self) -> Vec<(String, BindTarget, AmqpListenPlan)> {
        let config = self.config;
        let mut plans = Vec::new();
        for listener in &config.listeners {
            let name = &listener.name;
            let unserved = if listener.http == Some(true) {
                Some("health, metrics and console over HTTP are not served")
            } else if listener.role == Role::Normal {
                Some("AMQP clients on it are not served")
            } else if listener.role != Role::Edge {
                Some("its role is not served")
            } else if config.router.mode == RouterMode::Edge {
                Some("an edge accepts no edges")
            } else {
                None
            };
            match unserved {
                Some(why) => {
                    self.warnings.push(format!("listener {name} is not opened: {why} by the embedded router yet"))
                }
                None => plans.extend(self.amqp_listener(listener)),
            }
        }
        plans
    }

    fn amqp_listener(&mut self, listener: &'a Listener) -> Option<(String, BindTarget, AmqpListenPlan)> {
        let entity = format!("listener {}", listener.name);
        let mechanisms = listener.sasl_mechanisms.as_deref().unwrap_or_default();
        let only_external = mechanisms.split_whitespace().eq(["EXTERNAL"]);
        let require_client = listener.authenticate_peer == Some(true) || only_external;
        let profile = listener.ssl_profile.as_deref().filter(|p| !p.is_empty());
        let tls = match profile {
            None if require_client => {
                return self.fail(StartProblem::Unsupported {
                    entity,
                    what: "clients can prove who they are only with certificates: it needs an sslProfile".to_owned(),
                });
            }
            None => None,
            Some(profile) => {
                let loaded = self.identity(&entity, profile)?;
                match loaded.1.server(require_client) {
                    Ok(config) => Some(config),
                    Err(source) => return self.fail(StartProblem::Tls { entity, source }),
                }
            }
        };
        let target = BindTarget { host: listener.host.clone().unwrap_or_default(), port: listener.port };
        let plan = AmqpListenPlan {
            name: listener.name.clone(),
            sockets: Vec::new(),
            tls,
            spec: ConnectionSpec {
                role: ConnRole::Edge,
                label: String::new(),
                hostname: None,
                max_frame_size: listener.max_frame_size.unwrap_or(DEFAULT_MAX_FRAME_SIZE),
                max_session_frames: listener.max_session_frames.unwrap_or(DEFAULT_MAX_SESSION_FRAMES),
                idle_timeout: idle_timeout(listener.idle_timeout_seconds),
                external: false,
            },
        };
        Some((entity, target, plan))
    }

    /// Loads a profile once; what is wrong with it is said once.
    fn identity(&mut self, entity: &str, name: &'a str) -> Option<Rc<(TlsFiles, TlsIdentity)>> {
        if let Some(known) = self.identities.get(name) {
            return known.clone();
        }
        let profile = self.config.ssl_profiles.iter().find(|p| p.name == name);
        let loaded = match profile {
            None => Err(StartProblem::UnknownProfile { entity: entity.to_owned(), profile: name.to_owned() }),
            Some(profile) => {
                load(profile).map_err(|source| StartProblem::Tls { entity: format!("sslProfile {name}"), source })
            }
        };
        let loaded = match loaded {
            Ok(loaded) => Some(Rc::new(loaded)),
            Err(problem) => self.fail(problem),
        };
        self.identities.insert(name, loaded.clone());
        loaded
    }

    fn unserved(&mut self) {
        let http = [("httpConnector", &self.config.http_connectors), ("httpListener", &self.config.http_listeners)];
        for (kind, bridges) in http {
            for bridge in bridges {
                self.warnings.push(format!(
                    "{kind} {} is left out: the embedded router does not carry http or http2 yet; use tcp or skrouterd",
                    bridge.name
                ));
            }
        }
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

fn load(profile: &SslProfile) -> Result<(TlsFiles, TlsIdentity), TlsError> {
    let path = |text: &Option<String>| {
        let text = text.as_deref().filter(|text| !text.is_empty());
        text.map(PathBuf::from)
    };
    let name = &profile.name;
    let half = |present, absent| TlsError::Half { profile: name.clone(), present, absent };
    let files = TlsFiles {
        profile: name.clone(),
        ca: path(&profile.ca_cert_file).ok_or_else(|| TlsError::NoCa { profile: name.clone() })?,
        own: match (path(&profile.cert_file), path(&profile.private_key_file)) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => return Err(half("certificate", "private key")),
            (None, Some(_)) => return Err(half("private key", "certificate")),
        },
    };
    let identity = files.load()?;
    Ok((files, identity))
}

fn uplink_tls(loaded: &(TlsFiles, TlsIdentity), host: &str, verify_hostname: bool) -> Result<UplinkTls, TlsError> {
    let (files, identity) = loaded;
    Ok(UplinkTls {
        files: files.clone(),
        expected: Expected::host(host, verify_hostname)?,
        config: identity.client(verify_hostname)?,
        not_after: identity.not_after(),
    })
}

fn idle_timeout(seconds: Option<u32>) -> Duration {
    match seconds.unwrap_or(DEFAULT_IDLE_TIMEOUT) {
        0 => NO_IDLE_TIMEOUT,
        seconds => Duration::from_secs(u64::from(seconds)),
    }
}
