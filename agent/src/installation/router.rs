//! Which router a gateway runs: this program's own, or skrouterd.

use std::env;
use std::fmt;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use moorline_containers::{Environment, network_image};
use moorline_definition::router_config::{HttpBridge, Listener, RouterConfig, UPLINK_PROFILE};
use serde::{Deserialize, Serialize};
use tokio::process::Command;
use tokio::time::timeout;

use super::keeper::GatewayType;
use crate::failure::{Blame, Failure};
use crate::host;

const SKROUTERD: &str = "skrouterd";
/// The release of the network's image that definitions of version 1 go with.
const IMAGE_TAG: &str = "2.7.6";
/// To say a version.
const PATIENCE: Duration = Duration::from_secs(10);
/// From it on there is no HTTP in it, and proxies are.
const WITHOUT_HTTP: u32 = 3;
/// What the name of a forward gets that a binding has too.
const FORWARD: &str = "-ingress";
const LISTENER: &str = "moorline-management";

/// What a gateway runs, and what is kept of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Router {
    #[default]
    Embedded,
    Skrouterd(Skrouterd),
}

/// The network's own router.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Skrouterd {
    #[serde(flatten)]
    origin: Origin,
    /// On 127.0.0.1; it stays the same. Only who has the gateway's own certificate is let in.
    pub(crate) management_port: u16,
}

/// Where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Origin {
    /// It is installed on this host.
    Program(PathBuf),
    /// It is in a container's image.
    Image(String),
}

/// What the command line says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RouterChoice {
    Embedded,
    /// None: the one on PATH.
    Skrouterd(Option<PathBuf>),
}

/// As it is parsed.
impl fmt::Display for RouterChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RouterChoice::Embedded => f.write_str("embedded"),
            RouterChoice::Skrouterd(None) => f.write_str(SKROUTERD),
            RouterChoice::Skrouterd(Some(path)) => write!(f, "{SKROUTERD}={}", path.display()),
        }
    }
}

impl RouterChoice {
    pub(crate) fn parse(text: &str) -> Result<RouterChoice, String> {
        match text.split_once('=') {
            None if text == "embedded" => Ok(RouterChoice::Embedded),
            None if text == SKROUTERD => Ok(RouterChoice::Skrouterd(None)),
            Some((SKROUTERD, path)) if !path.is_empty() => Ok(RouterChoice::Skrouterd(Some(path.into()))),
            _ => Err("it must be embedded, skrouterd or skrouterd=PATH".to_owned()),
        }
    }

    /// `before`: what the gateway runs now. What is not chosen stays.
    pub(crate) fn router(choice: Option<&Self>, before: Option<&Router>, kind: GatewayType) -> Result<Router, Failure> {
        let path = match choice {
            None => return Ok(before.cloned().unwrap_or_default()),
            Some(RouterChoice::Embedded) => return Ok(Router::Embedded),
            Some(RouterChoice::Skrouterd(path)) => path,
        };
        let origin = match (kind, path) {
            (GatewayType::Service, path) => Origin::Program(program(path.as_deref())?),
            (_, None) => Origin::Image(network_image(&Environment::of_process(), IMAGE_TAG)),
            (_, Some(_)) => {
                return Err(Failure::Input(anyhow!(
                    "in a container skrouterd is that of its image: say --router skrouterd, and QDROUTERD_IMAGE for another image"
                )));
            }
        };
        let management_port = match before {
            Some(Router::Skrouterd(before)) => before.management_port,
            _ => host::free_port()?,
        };
        Ok(Router::Skrouterd(Skrouterd { origin, management_port }))
    }
}

impl Router {
    /// Makes a configuration one that this router serves, with a way to ask it.
    ///
    /// # Errors
    /// What it cannot serve.
    pub(crate) async fn fit(&self, config: &mut RouterConfig) -> Result<(), Failure> {
        let Router::Skrouterd(skrouterd) = self else { return Ok(()) };
        part_names(config);
        config.tcp_connectors.iter_mut().for_each(|bridge| bridge.announce = None);
        config.http_connectors.iter_mut().for_each(|bridge| bridge.announce = None);
        let Some(version) = skrouterd.version().await? else {
            config.listeners.push(skrouterd.listener());
            return Ok(());
        };
        let release: u32 = version.split('.').next().and_then(|number| number.parse().ok()).unwrap_or_default();
        let http: Vec<&HttpBridge> = config.http_connectors.iter().chain(&config.http_listeners).collect();
        if release >= WITHOUT_HTTP && !http.is_empty() {
            let addresses: Vec<&str> = http.iter().map(|bridge| bridge.address.as_str()).collect();
            return Err(Failure::Input(anyhow!(
                "skrouterd {version} does not serve HTTP: make the protocol of {} tcp, or take the embedded router",
                addresses.join(", ")
            )));
        }
        if release < WITHOUT_HTTP && !config.proxy_profiles.is_empty() {
            return Err(Failure::Input(anyhow!(
                "skrouterd {version} does not link through a proxy: take a later one, or the embedded router"
            )));
        }
        config.listeners.push(skrouterd.listener());
        Ok(())
    }
}

impl Skrouterd {
    /// The program of a service.
    pub(crate) fn program(&self) -> Result<&Path, Failure> {
        match &self.origin {
            Origin::Program(path) => Ok(path),
            Origin::Image(_) => Err(Failure::Input(anyhow!("say --router skrouterd again: a service has no image"))),
        }
    }

    /// The image of a container.
    pub(crate) fn image(&self) -> Result<&str, Failure> {
        match &self.origin {
            Origin::Image(name) => Ok(name),
            Origin::Program(_) => {
                Err(Failure::Input(anyhow!("say --router skrouterd again: a container has an image")))
            }
        }
    }

    /// What the program or the image's tag says; none: an image that does not tell by its tag.
    pub(crate) async fn version(&self) -> Result<Option<String>, Failure> {
        let program = match &self.origin {
            Origin::Program(path) => path,
            Origin::Image(name) => {
                let tag = name.rsplit('/').next().and_then(|last| last.rsplit_once(':')).map(|(_, tag)| tag.to_owned());
                return Ok(tag.filter(|tag| tag.starts_with(|c: char| c.is_ascii_digit())));
            }
        };
        let asked = Command::new(program).arg("--version").kill_on_drop(true).output();
        let name = program.display();
        let output = timeout(PATIENCE, asked)
            .await
            .map_err(|_| Failure::Runtime(anyhow!("{name} --version: no answer within {} s", PATIENCE.as_secs())))?;
        let output = output.with_context(|| format!("{name} --version")).or_runtime()?;
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if !output.status.success() || !said.starts_with(|c: char| c.is_ascii_digit()) {
            let why = String::from_utf8_lossy(&output.stderr);
            return Err(Failure::Input(anyhow!("{name} says no version: {} {}", output.status, why.trim())));
        }
        Ok(Some(said))
    }

    /// It has no sockets in the file system, and whoever is on this host reaches a port of 127.0.0.1: so it lets in who has
    /// a certificate of the network's authority, as the gateway has.
    fn listener(&self) -> Listener {
        let mut listener = Listener {
            name: LISTENER.to_owned(),
            host: Some(Ipv4Addr::LOCALHOST.to_string()),
            port: self.management_port,
            ssl_profile: Some(UPLINK_PROFILE.to_owned()),
            sasl_mechanisms: Some("EXTERNAL".to_owned()),
            authenticate_peer: Some(true),
            ..Listener::default()
        };
        listener.extra.insert("requireSsl".to_owned(), true.into());
        listener
    }
}

/// Its connectors and listeners are of one name space; a definition's bindings and forwards are of two.
fn part_names(config: &mut RouterConfig) {
    let tcp = config.tcp_connectors.iter().map(|bridge| bridge.name.clone());
    let taken: Vec<String> = tcp.chain(config.http_connectors.iter().map(|bridge| bridge.name.clone())).collect();
    let tcp = config.tcp_listeners.iter_mut().map(|bridge| &mut bridge.name);
    let names = tcp.chain(config.http_listeners.iter_mut().map(|bridge| &mut bridge.name));
    names.filter(|name| taken.contains(name)).for_each(|name| name.push_str(FORWARD));
}

/// What a forward is called in the definition, whatever the router calls it.
pub(crate) fn forward_name<'n>(config: &RouterConfig, name: &'n str) -> &'n str {
    let Some(short) = name.strip_suffix(FORWARD) else { return name };
    let is_bound = config.tcp_connectors.iter().any(|bridge| bridge.name == short)
        || config.http_connectors.iter().any(|bridge| bridge.name == short);
    if is_bound { short } else { name }
}

fn program(path: Option<&Path>) -> Result<PathBuf, Failure> {
    let Some(path) = path else { return on_path().ok_or_else(|| missing(&SKROUTERD)) };
    let path = std::path::absolute(path).with_context(|| path.display().to_string()).or_input()?;
    if is_program(&path) { Ok(path) } else { Err(missing(&path.display())) }
}

fn on_path() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let mut found = env::split_paths(&path).filter(|dir| dir.is_absolute()).map(|dir| dir.join(SKROUTERD));
    found.find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// In the words of other tools for the same.
fn missing(what: &dyn std::fmt::Display) -> Failure {
    Failure::Input(anyhow!(
        "{what} not found, please 'dnf install skupper-router' first or use --type [docker|podman]; \
         --router skrouterd=PATH says where it is"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_chosen_stays() {
        let before = Router::Skrouterd(Skrouterd {
            origin: Origin::Program("/usr/sbin/skrouterd".into()),
            management_port: 20_001,
        });
        let service = GatewayType::Service;
        let router = |choice: Option<RouterChoice>| RouterChoice::router(choice.as_ref(), Some(&before), service).ok();
        assert_eq!(router(None), Some(before.clone()));
        assert_eq!(router(Some(RouterChoice::Embedded)), Some(Router::Embedded));
        let other = RouterChoice::parse("skrouterd=/bin/sh").unwrap();
        let moved = Router::Skrouterd(Skrouterd { origin: Origin::Program("/bin/sh".into()), management_port: 20_001 });
        assert_eq!(router(Some(other)), Some(moved));
        assert!(RouterChoice::parse("skrouterd=").is_err() && RouterChoice::parse("qdrouterd").is_err());
        assert!(RouterChoice::router(Some(&RouterChoice::Skrouterd(Some("/missing".into()))), None, service).is_err());
        // The image of a container, which nobody else chooses by a path.
        let skrouterd = RouterChoice::Skrouterd(None);
        let Ok(Router::Skrouterd(chosen)) = RouterChoice::router(Some(&skrouterd), Some(&before), GatewayType::Podman)
        else {
            panic!("no router");
        };
        assert!(chosen.image().is_ok() && chosen.program().is_err());
        let path = RouterChoice::Skrouterd(Some("/bin/sh".into()));
        assert!(RouterChoice::router(Some(&path), None, GatewayType::Docker).is_err());
        let kept = serde_json::to_value(Router::Skrouterd(chosen.clone())).unwrap();
        assert_eq!(kept["skrouterd"]["image"], chosen.image().unwrap_or_default());
        assert_eq!(serde_json::from_value::<Router>(kept).unwrap(), Router::Skrouterd(chosen));
    }
}
