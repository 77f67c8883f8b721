//! Where an engine may be listening: what its own command would look at, in the same order.

mod context;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use nix::unistd::Uid;

use crate::{EngineFault, Kind};

/// What decides where engines are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Environment variables.
    pub variables: BTreeMap<String, String>,
    /// The home directory, for docker's contexts.
    pub home: Option<PathBuf>,
    /// The user's number.
    pub uid: u32,
}

/// One place where an engine may be listening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Which engine is looked for there.
    pub kind: Kind,
    /// The place.
    pub address: Address,
    /// What says so.
    pub source: Source,
}

/// Where to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket.
    Unix(PathBuf),
    /// A TCP port, without TLS. Paths of mounts are paths on the engine's host.
    Tcp(SocketAddr),
}

/// What says that an engine may be at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// An environment variable.
    Variable(&'static str),
    /// A context of docker's, by its name.
    Context(String),
    /// It is the usual place.
    Default,
}

impl Environment {
    /// That of this process.
    pub fn of_process() -> Environment {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let variables: BTreeMap<String, String> = std::env::vars_os().filter_map(text).collect();
        let home = variables.get("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        Environment { variables, home, uid: Uid::effective().as_raw() }
    }

    /// A variable that is set to something.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(crate) fn is_root(&self) -> bool {
        self.uid == 0
    }

    fn runtime_directory(&self) -> PathBuf {
        self.variable("XDG_RUNTIME_DIR").map_or_else(|| format!("/run/user/{}", self.uid).into(), PathBuf::from)
    }
}

/// The places to look at for `kind`, best first.
///
/// podman: `CONTAINER_HOST`, `PODMAN_ENDPOINT`, the user's own socket (not for root), the machine's. docker:
/// `DOCKER_HOST`, `DOCKER_CONTEXT` or the context of `config.json`, the user's own socket, the machine's. What a variable
/// or a context says is looked at alone. Fails if that cannot be used.
pub fn endpoints(kind: Kind, environment: &Environment) -> Result<Vec<Endpoint>, EngineFault> {
    let variables: &[&'static str] = match kind {
        Kind::Podman => &["CONTAINER_HOST", "PODMAN_ENDPOINT"],
        Kind::Docker => &["DOCKER_HOST"],
    };
    for name in variables {
        if let Some(text) = environment.variable(name) {
            let secured = kind == Kind::Docker && environment.variable("DOCKER_TLS_VERIFY").is_some();
            return Ok(vec![said(kind, text, Source::Variable(name), secured)?]);
        }
    }
    if kind == Kind::Docker
        && let Some((name, host)) = context::current(environment)?
    {
        return Ok(vec![said(kind, &host, Source::Context(name), false)?]);
    }
    let place = |path: PathBuf| Endpoint { kind, address: Address::Unix(path), source: Source::Default };
    let own = environment.runtime_directory();
    let (own, everybodys) = match kind {
        Kind::Podman => (own.join("podman/podman.sock"), PathBuf::from("/run/podman/podman.sock")),
        Kind::Docker => (own.join("docker.sock"), PathBuf::from("/run/docker.sock")),
    };
    let own = (!environment.is_root()).then(|| place(own));
    Ok(own.into_iter().chain([place(everybodys)]).collect())
}

/// The endpoint that `text` means: `unix://PATH`, a path, or `tcp://HOST:PORT`.
fn said(kind: Kind, text: &str, source: Source, secured: bool) -> Result<Endpoint, EngineFault> {
    let unusable =
        |why: &'static str| EngineFault::UnusableAddress { named_by: source.clone(), address: text.to_owned(), why };
    let address = match text.split_once("://") {
        None | Some(("unix", _)) => {
            let path = PathBuf::from(text.strip_prefix("unix://").unwrap_or(text));
            if !path.is_absolute() {
                return Err(unusable("the path of a socket must be absolute"));
            }
            Address::Unix(path)
        }
        Some(("tcp" | "http", _)) if secured => return Err(unusable("an engine behind TLS is not supported")),
        Some(("tcp" | "http", rest)) => {
            let (host, port) =
                rest.trim_end_matches('/').rsplit_once(':').ok_or_else(|| unusable("a port is missing"))?;
            let port = port.parse().map_err(|_| unusable("its port is not a number"))?;
            let host = match host.trim_matches(['[', ']']) {
                "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
                // The client would ask glibc for a name, which a static program cannot.
                number => number.parse().map_err(|_| unusable("give the host's address as a number, not its name"))?,
            };
            Address::Tcp(SocketAddr::new(host, port))
        }
        Some(("ssh", _)) => {
            return Err(unusable("an engine on another host, over ssh, is not supported: run moorline there"));
        }
        Some(_) => return Err(unusable("only unix:// and tcp:// are supported")),
    };
    Ok(Endpoint { kind, address, source })
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "unix://{}", path.display()),
            Address::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Variable(name) => f.write_str(name),
            Source::Context(name) => write!(f, "docker's context \"{name}\""),
            Source::Default => f.write_str("the usual place"),
        }
    }
}
