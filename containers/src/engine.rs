//! An engine that answers, and what it is.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use bollard::{ClientVersion, Docker};
use tokio::net::UnixStream;

use crate::fault::chain;
use crate::{Address, Endpoint, EngineFault, Environment, Kind, Source, endpoints};

/// The longest that an answer may take, in seconds: an image is loaded in one request.
const PATIENCE: u64 = 120;
/// The API that is asked for, if the engine is as new. What is used of it is in [`LEAST_API`].
const API: ClientVersion = ClientVersion { major_version: 1, minor_version: 45 };
/// docker 19.03.
const LEAST_API: (u32, u32) = (1, 40);
/// podman whose API in docker's manner is whole.
const LEAST_PODMAN: u32 = 4;

/// A container engine that answers.
#[derive(Clone, Debug)]
pub struct Engine {
    pub(crate) docker: Docker,
    facts: Facts,
}

/// What an engine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What answers: podman may, where docker was asked for.
    pub kind: Kind,
    /// What was asked for.
    pub asked: Kind,
    /// Its version.
    pub version: String,
    /// The version of docker's API that it speaks.
    pub api: String,
    /// Where it listens.
    pub endpoint: Endpoint,
    /// Whether it runs without root's power, as an ordinary user.
    pub rootless: bool,
    /// Whether it puts containers into a user namespace unless told not to (docker's `userns-remap`).
    pub user_namespaces: bool,
    /// Whether SELinux is on: mounts then need a label.
    pub selinux: bool,
}

impl Engine {
    /// Finds the engine where its own command would, see [`endpoints`].
    pub async fn find(kind: Kind, environment: &Environment) -> Result<Engine, EngineFault> {
        let mut looked = Vec::new();
        for endpoint in endpoints(kind, environment)? {
            let address = endpoint.address.to_string();
            // The machine's podman is root's; that others may not enter says nothing of their own.
            let roots = kind == Kind::Podman && endpoint.source == Source::Default;
            match Engine::at(endpoint).await {
                Err(EngineFault::NoSocket { .. }) => looked.push(address),
                Err(EngineFault::PermissionDenied { .. }) if roots => looked.push(address),
                found => return found,
            }
        }
        Err(EngineFault::NoSocket { kind, looked, command: start_command(kind, environment.is_root()) })
    }

    /// The engine that listens at `endpoint`.
    pub async fn at(endpoint: Endpoint) -> Result<Engine, EngineFault> {
        let (docker, rootless) = connect(&endpoint).await?;
        let no_engine = |cause: &dyn std::error::Error| not_an_engine(&endpoint, chain(cause));
        let docker = docker.negotiate_version().await.map_err(|cause| no_engine(&cause))?;
        let said = docker.version().await.map_err(|cause| no_engine(&cause))?;
        let info = docker.info().await.map_err(|cause| EngineFault::of("tell about itself", cause))?;
        let options = info.security_options.unwrap_or_default();
        let podman = said.components.unwrap_or_default().iter().any(|component| component.name.contains("Podman"));
        let has =
            |name: &str| options.iter().any(|option| option.split(',').any(|part| part == format!("name={name}")));
        let facts = Facts {
            kind: if podman { Kind::Podman } else { Kind::Docker },
            asked: endpoint.kind,
            version: said.version.unwrap_or_default(),
            api: said.api_version.unwrap_or_default(),
            rootless: rootless || has("rootless"),
            user_namespaces: has("userns"),
            selinux: has("selinux") || Path::new("/sys/fs/selinux/enforce").exists(),
            endpoint,
        };
        facts.fit()?;
        Ok(Engine { docker, facts })
    }

    /// What it is.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }
}

impl Facts {
    /// Refuses an engine that is not what was asked for, or too old.
    fn fit(&self) -> Result<(), EngineFault> {
        if (self.asked, self.kind) == (Kind::Podman, Kind::Docker) {
            let address = self.endpoint.address.clone();
            return Err(EngineFault::WrongEngine { asked: self.asked, found: self.kind, address });
        }
        let too_old =
            |version: &str, least| EngineFault::TooOld { kind: self.kind, version: version.to_owned(), least };
        match self.kind {
            Kind::Podman if numbers(&self.version).0 < LEAST_PODMAN => Err(too_old(&self.version, "4.0")),
            Kind::Docker if numbers(&self.api) < LEAST_API => Err(too_old(&self.version, "19.03 (API 1.40)")),
            _ => Ok(()),
        }
    }
}

/// The first two numbers of a version; zero for what is none.
fn numbers(version: &str) -> (u32, u32) {
    let mut parts = version.split(['.', '-', '+']).map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

/// A client of what listens at `endpoint`, and whether that is the process of an ordinary user.
async fn connect(endpoint: &Endpoint) -> Result<(Docker, bool), EngineFault> {
    let broken = |cause: bollard::errors::Error| EngineFault::of("connect", cause);
    match &endpoint.address {
        Address::Tcp { .. } => {
            let client = Docker::connect_with_http(&endpoint.address.to_string(), PATIENCE, &API).map_err(broken)?;
            Ok((client, false))
        }
        Address::Unix(path) => {
            let stream = UnixStream::connect(path).await.map_err(|cause| unreachable(endpoint, path, &cause))?;
            let rootless = stream.peer_cred().is_ok_and(|peer| peer.uid() != 0);
            let text = path.to_str().ok_or_else(|| EngineFault::UnusableAddress {
                named_by: endpoint.source.clone(),
                address: endpoint.address.to_string(),
                why: "the path is not UTF-8",
            })?;
            Ok((Docker::connect_with_unix(text, PATIENCE, &API).map_err(broken)?, rootless))
        }
    }
}

fn unreachable(endpoint: &Endpoint, path: &Path, cause: &std::io::Error) -> EngineFault {
    let kind = endpoint.kind;
    let socket = path.display().to_string();
    match cause.kind() {
        // Refused: the socket of an engine that is gone.
        ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::NotADirectory => {
            let command = start_command(kind, nix::unistd::Uid::effective().is_root());
            EngineFault::NoSocket { kind, looked: vec![endpoint.address.to_string()], command }
        }
        ErrorKind::PermissionDenied => EngineFault::PermissionDenied { kind, socket, group: group(path) },
        _ => not_an_engine(endpoint, cause.to_string()),
    }
}

fn not_an_engine(endpoint: &Endpoint, cause: String) -> EngineFault {
    let command = match (endpoint.kind, nix::unistd::Uid::effective().is_root()) {
        (Kind::Podman, true) => "systemctl status podman.service",
        (Kind::Podman, false) => "systemctl --user status podman.service",
        (Kind::Docker, _) => "systemctl status docker.service",
    };
    let (kind, address) = (endpoint.kind, endpoint.address.clone());
    EngineFault::NotAnEngine { kind, address, command: command.to_owned(), cause }
}

/// The name of the group that a file belongs to, if it is not root's.
fn group(path: &Path) -> Option<String> {
    let gid = fs::metadata(path).ok()?.gid();
    let groups = fs::read_to_string("/etc/group").ok()?;
    let name = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(gid)).then(|| name.to_owned())
    });
    name.filter(|_| gid != 0)
}

fn start_command(kind: Kind, root: bool) -> String {
    match (kind, root) {
        (Kind::Podman, true) => "systemctl enable --now podman.socket",
        (Kind::Podman, false) => "systemctl --user enable --now podman.socket",
        (Kind::Docker, true) => "systemctl enable --now docker",
        (Kind::Docker, false) => "sudo systemctl enable --now docker",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_that_is_too_old_is_told_with_the_least_that_would_do() {
        let refusal = |kind, version: &str, api: &str| {
            let address = Address::Unix("/run/engine.sock".into());
            let facts = Facts {
                kind,
                asked: kind,
                version: version.to_owned(),
                api: api.to_owned(),
                endpoint: Endpoint { kind, address, source: Source::Default },
                rootless: false,
                user_namespaces: false,
                selinux: false,
            };
            facts.fit().err().map(|fault| fault.to_string())
        };
        let said = |text: &str| Some(text.to_owned());
        assert_eq!(refusal(Kind::Podman, "3.4.4", "1.40"), said("podman 3.4.4 is too old: 4.0 is the least"));
        assert_eq!(refusal(Kind::Podman, "4.0.0-rc1", "1.40"), None);
        assert_eq!(refusal(Kind::Podman, "10.0.0", "1.41"), None);
        assert_eq!(
            refusal(Kind::Docker, "18.09.1", "1.39"),
            said("docker 18.09.1 is too old: 19.03 (API 1.40) is the least")
        );
        assert_eq!(refusal(Kind::Docker, "19.03.0", "1.40"), None);
        assert_eq!(refusal(Kind::Docker, "28.2.2+dfsg", "1.50"), None);
    }
}
