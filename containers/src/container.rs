//! A container by its exact name: created, started, stopped, removed.

mod request;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::query_parameters as query;
use futures_util::StreamExt;
use serde_json::Value;

use crate::dialect::understood;
use crate::fault::{is_missing, is_so_already};
use crate::{Engine, EngineFault, Observed};

/// Labels of ours, and of the network's tools.
pub mod label {
    /// `skupper`, on all that belongs to such a network.
    pub const APPLICATION: &str = "application";
    /// The name of the gateway.
    pub const GATEWAY: &str = "moorline.gateway";
    /// A digest of the configuration that the container was made for.
    pub const CONFIGURATION: &str = "moorline.configuration";
    /// The SHA-256 of the program in an image of ours.
    pub const BINARY: &str = "moorline.binary";
}

/// The longest end of a log that is read.
const LOG_BYTES: usize = 64 * 1024;

/// The name of a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerName(String);

/// A container as it is to be.
///
/// It has the host's network, is started again whenever it ends, sees the files that it is given, read-only but where it is said, and has no capabilities
/// and no way to more privileges. What the engine logs, and how, is left to the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: ContainerName,
    /// The image, which is on this host already.
    pub image: String,
    /// What runs; `None`: what the image says.
    pub entrypoint: Option<Vec<String>>,
    /// Its arguments.
    pub command: Vec<String>,
    /// Environment variables. Never a secret: whoever may use the engine may read them.
    pub environment: Vec<(String, String)>,
    /// Labels, see [`label`].
    pub labels: BTreeMap<String, String>,
    /// What it sees of the host's files.
    pub mounts: Vec<BindMount>,
    /// Directories in memory, empty at a start, that it may write to.
    pub scratch: Vec<PathBuf>,
    /// Whose files those are: as whom it runs.
    pub owner: Owner,
    /// How the engine finds out that it is well.
    pub health: Option<HealthCheck>,
    /// How long it may take to end before it is killed.
    pub stop_grace: Duration,
}

/// A file or directory of the host that a container sees.
///
/// Where SELinux is on it is given a label that lets this container in and no other: it must be ours, not a directory
/// such as a home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindMount {
    /// The path on the host, absolute, without a colon; it must exist.
    pub source: PathBuf,
    /// The path in the container.
    pub target: PathBuf,
    /// Whether it may be changed.
    pub writable: bool,
}

/// A user of the host, by number, who owns files that nobody else may read.
///
/// The container runs as that user, so that 0600 stays 0600: directly under an engine of root's; under podman without
/// root in a user namespace in which the user stays who he is (`keep-id`); and under docker without root as root of that
/// engine's namespace, which is the user. The last two know no other user than the one who runs the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// A program in the container that tells by its exit status whether all is well. There need be no shell.
///
/// podman before 5 takes the words apart again at blanks: no word may have one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// The pause between two checks.
    pub interval: Duration,
    /// How long one may take.
    pub timeout: Duration,
    /// How long failures do not count after the start.
    pub start_period: Duration,
    /// How many failures in a row make it unhealthy.
    pub retries: u32,
}

impl Engine {
    /// The container called exactly `name`; `None` if there is none.
    pub async fn observe(&self, name: &ContainerName) -> Result<Option<Observed>, EngineFault> {
        let answer = self.docker.inspect_container(name.as_ref(), None::<query::InspectContainerOptions>).await;
        match understood(answer, |said| said.pointer_mut("/State/Status").into_iter().collect()) {
            // Engines take the beginning of an identity for a name as well.
            Ok(said) => Ok(Some(Observed::new(said)).filter(|observed| observed.name == name.0)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(EngineFault::of("look at the container", error)),
        }
    }

    /// Creates a container, which is not started by that. Returns its identity.
    pub async fn create(&self, container: &Container) -> Result<String, EngineFault> {
        let body = request::body(container, self.facts())?;
        let options = query::CreateContainerOptionsBuilder::new().name(container.name.as_ref()).build();
        let name = || container.name.to_string();
        match self.docker.create_container(Some(options), body).await {
            Ok(created) => Ok(created.id),
            Err(error) if is_missing(&error) => Err(EngineFault::NoSuchImage { image: container.image.clone() }),
            Err(Error::DockerResponseServerError { status_code: 409, .. }) => {
                Err(EngineFault::NameTaken { name: name() })
            }
            Err(Error::DockerResponseServerError { message, .. }) if message.contains("is already in use") => {
                Err(EngineFault::NameTaken { name: name() })
            }
            Err(error) => Err(EngineFault::of("create the container", error)),
        }
    }

    /// Starts a container; one that runs is left alone.
    pub async fn start(&self, name: &ContainerName) -> Result<(), EngineFault> {
        let id = self.id(name).await?;
        match self.docker.start_container(&id, None::<query::StartContainerOptions>).await {
            Err(error) if !is_so_already(&error) => Err(EngineFault::of("start the container", error)),
            _ => Ok(()),
        }
    }

    /// Stops a container, and kills it after `grace`. One that is stopped, or is not there, is left alone.
    pub async fn stop(&self, name: &ContainerName, grace: Duration) -> Result<(), EngineFault> {
        let Some(observed) = self.observe(name).await? else { return Ok(()) };
        let seconds = i32::try_from(grace.as_secs()).unwrap_or(i32::MAX);
        let options = query::StopContainerOptionsBuilder::new().t(seconds).build();
        match self.docker.stop_container(&observed.id, Some(options)).await {
            Err(error) if !is_so_already(&error) && !is_missing(&error) => {
                Err(EngineFault::of("stop the container", error))
            }
            _ => Ok(()),
        }
    }

    /// Removes a container, killing it if it runs. Returns whether there was one.
    pub async fn remove(&self, name: &ContainerName) -> Result<bool, EngineFault> {
        let Some(observed) = self.observe(name).await? else { return Ok(false) };
        let options = query::RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        match self.docker.remove_container(&observed.id, Some(options)).await {
            Ok(()) => Ok(true),
            Err(error) if is_missing(&error) => Ok(true),
            Err(error) => Err(EngineFault::of("remove the container", error)),
        }
    }

    /// Gives a container another name.
    pub async fn rename(&self, from: &ContainerName, to: &ContainerName) -> Result<(), EngineFault> {
        let id = self.id(from).await?;
        let options = query::RenameContainerOptionsBuilder::new().name(to.as_ref()).build();
        match self.docker.rename_container(&id, options).await {
            Ok(()) => Ok(()),
            Err(_) if self.observe(to).await?.is_some() => Err(EngineFault::NameTaken { name: to.to_string() }),
            Err(error) => Err(EngineFault::of("rename the container", error)),
        }
    }

    /// The last lines that a container wrote, for whoever has to find out why it failed.
    pub async fn log_tail(&self, name: &ContainerName, lines: u32) -> Result<String, EngineFault> {
        let mut text = String::new();
        self.log(name, lines, false, |bytes| {
            text.push_str(&String::from_utf8_lossy(bytes));
            text.len() <= LOG_BYTES
        })
        .await?;
        Ok(text)
    }

    /// What a container wrote, from its last `lines` on; `follow`: and what it writes until it ends. `take` gets each piece,
    /// and says whether it wants more.
    pub async fn log(
        &self,
        name: &ContainerName,
        lines: u32,
        follow: bool,
        mut take: impl FnMut(&[u8]) -> bool,
    ) -> Result<(), EngineFault> {
        let id = self.id(name).await?;
        let options = query::LogsOptionsBuilder::new().stdout(true).stderr(true).follow(follow);
        let mut stream = self.docker.logs(&id, Some(options.tail(&lines.to_string()).build()));
        while let Some(output) = stream.next().await {
            let output: LogOutput = output.map_err(|error| EngineFault::of("read the container's log", error))?;
            if !take(output.as_ref()) {
                break;
            }
        }
        Ok(())
    }

    /// The names of all containers, running or not, that have each of `labels`.
    pub async fn list(&self, labels: &[(&str, &str)]) -> Result<Vec<String>, EngineFault> {
        let labels = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let filters = HashMap::from([("label".to_owned(), labels)]);
        let options = query::ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let listed = self.docker.list_containers(Some(options)).await;
        let listed = understood(listed, states_listed).map_err(|error| EngineFault::of("list containers", error))?;
        let names = listed.into_iter().filter_map(|container| container.names?.into_iter().next());
        Ok(names.map(|name| name.trim_start_matches('/').to_owned()).collect())
    }

    /// The names of all containers that shall run again after a boot, see [`Observed::always`].
    pub async fn always(&self) -> Result<Vec<String>, EngineFault> {
        let mut always = Vec::new();
        for name in self.list(&[]).await? {
            let observed = self.observe(&ContainerName(name)).await?;
            always.extend(observed.filter(|observed| observed.always).map(|observed| observed.name));
        }
        Ok(always)
    }

    async fn id(&self, name: &ContainerName) -> Result<String, EngineFault> {
        let missing = || EngineFault::NoSuchContainer { name: name.to_string() };
        self.observe(name).await?.map(|observed| observed.id).ok_or_else(missing)
    }
}

fn states_listed(said: &mut Value) -> Vec<&mut Value> {
    said.as_array_mut().into_iter().flatten().filter_map(|container| container.get_mut("State")).collect()
}

impl FromStr for ContainerName {
    type Err = EngineFault;

    /// Letters, digits, `.`, `_` and `-`, a letter or digit first: what both engines take.
    fn from_str(name: &str) -> Result<ContainerName, EngineFault> {
        let fit = name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
            && name.len() <= 255;
        if fit { Ok(ContainerName(name.to_owned())) } else { Err(EngineFault::Name { name: name.to_owned() }) }
    }
}

impl fmt::Display for ContainerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for ContainerName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}
