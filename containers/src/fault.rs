use std::path::PathBuf;

use bollard::errors::Error;

use crate::{Address, Kind, Source};

/// Why an engine could not be found, or did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineFault {
    /// Nothing listens where the engine would.
    #[error("{kind} does not listen at {}. If it is installed, this starts its socket: {command}", paths(looked))]
    NoSocket {
        /// The engine.
        kind: Kind,
        /// Where it was looked for.
        looked: Vec<String>,
        /// What starts it.
        command: String,
    },
    /// The socket is there, for others.
    #[error("this user may not use {kind} at {socket}{}", membership(group))]
    PermissionDenied {
        /// The engine.
        kind: Kind,
        /// Its socket.
        socket: String,
        /// The group that may.
        group: Option<String>,
    },
    /// A variable or context names an address that is of no use.
    #[error("{named_by} says {address}: {why}")]
    UnusableAddress {
        /// What names it.
        named_by: Source,
        /// The address.
        address: String,
        /// Why it is of no use.
        why: &'static str,
    },
    /// docker's chosen context does not exist.
    #[error("docker's context \"{name}\" is not described in {}", file.display())]
    UnknownContext {
        /// Its name.
        name: String,
        /// Where it would be.
        file: PathBuf,
    },
    /// A file of docker's contexts cannot be read.
    #[error("{} cannot be read: {cause}", file.display())]
    UnreadableContext {
        /// The file.
        file: PathBuf,
        /// Why.
        cause: String,
    },
    /// Something else answers there, or systemd listens for an engine that does not start.
    #[error(
        "what listens at {address} does not answer as podman or docker would: {cause}. If {kind} should, it may fail to start; this tells why: {command}"
    )]
    NotAnEngine {
        /// The engine that was looked for.
        kind: Kind,
        /// Where.
        address: Address,
        /// What tells the state of its service.
        command: String,
        /// What came of asking.
        cause: String,
    },
    /// The other engine answers. (podman where docker was asked for is no fault: see [`crate::Facts::kind`].)
    #[error("{asked} was asked for, but {found} answers at {address}")]
    WrongEngine {
        /// What was asked for.
        asked: Kind,
        /// What answers.
        found: Kind,
        /// Where.
        address: Address,
    },
    /// The engine lacks what is needed.
    #[error("{kind} {version} is too old: {least} is the least")]
    TooOld {
        /// The engine.
        kind: Kind,
        /// Its version.
        version: String,
        /// The least that would do.
        least: &'static str,
    },
    /// The engine's disk is full.
    #[error("the engine has no space left to {operation}: {message}")]
    NoSpace {
        /// What was asked.
        operation: &'static str,
        /// In the engine's words.
        message: String,
    },
    /// podman lacks the program that sets up networks.
    #[error("podman misses its network tool; install the package netavark: {message}")]
    NetworkTool {
        /// In podman's words.
        message: String,
    },
    /// There is no such image here.
    #[error("there is no image {image} on this host")]
    NoSuchImage {
        /// Its name.
        image: String,
    },
    /// The image's registry cannot be reached.
    #[error(
        "{image} could not be fetched: its registry, {registry}, cannot be reached. Load the image from a file ({engine} load -i FILE), name one that is on this host (QDROUTERD_IMAGE=IMAGE), or take the router that is built in, which needs no registry ({message})"
    )]
    Offline {
        /// The image.
        image: String,
        /// Where it was looked for.
        registry: String,
        /// The engine.
        engine: Kind,
        /// In the engine's words.
        message: String,
    },
    /// The registry has no such image, or not for everybody.
    #[error("the registry does not hand out {image}: {message}")]
    PullDenied {
        /// The image.
        image: String,
        /// In the engine's words.
        message: String,
    },
    /// Another container has the name.
    #[error("there is a container called {name} already")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// There is no such container.
    #[error("there is no container called {name}")]
    NoSuchContainer {
        /// The name.
        name: String,
    },
    /// Not a name for a container.
    #[error("\"{name}\" cannot be the name of a container: use letters, digits, '.', '_' and '-'")]
    Name {
        /// The name.
        name: String,
    },
    /// A directory cannot be shown in the container.
    #[error("{} cannot be mounted: {why}", path.display())]
    Mount {
        /// The directory.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The binary cannot run in an empty image.
    #[error("the program cannot run in an image of its own: {why}")]
    NotStatic {
        /// What it is instead.
        why: &'static str,
    },
    /// The engine refused, for a reason of its own.
    #[error("the engine would not {operation} (status {status}): {message}")]
    Rejected {
        /// What was asked.
        operation: &'static str,
        /// Its HTTP status.
        status: u16,
        /// In the engine's words.
        message: String,
    },
    /// The engine went away, or what it said made no sense.
    #[error("the connection to the engine broke while it was to {operation}: {cause}")]
    Broken {
        /// What was asked.
        operation: &'static str,
        /// How.
        cause: String,
    },
}

fn paths(looked: &[String]) -> String {
    looked.join(" or ")
}

fn membership(group: &Option<String>) -> String {
    match group {
        Some(group) => {
            format!(": members of the group \"{group}\" may (sudo usermod -aG {group} USER, then log in again)")
        }
        None => String::new(),
    }
}

impl EngineFault {
    /// What an error of `operation` means, whatever it was about.
    pub(crate) fn of(operation: &'static str, error: Error) -> EngineFault {
        let (status, message) = match error {
            Error::DockerResponseServerError { status_code, message } => (status_code, message),
            // The end of a stream that began well.
            Error::DockerStreamError { error } => (200, error),
            other => return EngineFault::Broken { operation, cause: chain(&other) },
        };
        let lower = message.to_lowercase();
        if lower.contains("no space left on device") || lower.contains("disk quota exceeded") {
            EngineFault::NoSpace { operation, message }
        } else if lower.contains("netavark") {
            EngineFault::NetworkTool { message }
        } else {
            EngineFault::Rejected { operation, status, message }
        }
    }
}

/// Whether the engine says that what was asked for does not exist.
pub(crate) fn is_missing(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 404, .. })
}

/// Whether the engine says that it is so already.
pub(crate) fn is_so_already(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 304, .. })
}

/// An error with what caused it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}
