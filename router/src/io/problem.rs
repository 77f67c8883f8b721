//! What keeps a router from starting, or a service from being added.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::listen::BindError;
use super::tls::TlsError;

/// One thing in a configuration that cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum StartProblem {
    /// The router has no id.
    #[error("the router has no id")]
    NoId,
    /// Certificate files that cannot be used.
    #[error("{entity}: {source}")]
    Tls {
        /// Kind and name of the entity.
        entity: String,
        /// What is wrong.
        source: TlsError,
    },
    /// A `proxyProfile` that does not exist.
    #[error("{entity}: there is no proxyProfile {profile}")]
    UnknownProxy {
        /// Kind and name of the entity.
        entity: String,
        /// The name given.
        profile: String,
    },
    /// Not a TCP port.
    #[error("{entity}: `{port}` is not a port")]
    Port {
        /// Kind and name of the entity.
        entity: String,
        /// The text given.
        port: String,
    },
    /// A connector without a host.
    #[error("{entity}: it has no host")]
    NoHost {
        /// Kind and name of the entity.
        entity: String,
    },
    /// A port that cannot be opened.
    #[error("{entity}: {source}")]
    Bind {
        /// Kind and name of the entity.
        entity: String,
        /// What is wrong.
        source: BindError,
    },
    /// A listener whose thread the system does not give.
    #[error("{entity}: {source}")]
    Thread {
        /// Kind and name of the entity.
        entity: String,
        /// What is wrong.
        source: io::Error,
    },
    /// A socket in the file system that cannot be opened.
    #[error("the socket {}: {source}", path.display())]
    Socket {
        /// Where.
        path: PathBuf,
        /// What is wrong.
        source: io::Error,
    },
    /// Two entities want one port.
    #[error("{entity}: {address} is the port of {other} too")]
    SamePort {
        /// Kind and name of the entity.
        entity: String,
        /// The address.
        address: SocketAddr,
        /// Kind and name of the other one.
        other: String,
    },
    /// Something that this router does not do, and that would be unsafe to leave out.
    #[error("{entity}: {what}")]
    Unsupported {
        /// Kind and name of the entity.
        entity: String,
        /// What, and what to do.
        what: String,
    },
}

/// Why a router did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot be served here: all problems at once. Nothing was opened.
    #[error("{}", Lines(.0))]
    Problems(Vec<StartProblem>),
    /// The system gives no thread or event queue.
    #[error("the router thread cannot be started: {0}")]
    Thread(io::Error),
}

struct Lines<'a>(&'a [StartProblem]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

/// Why a running router did not change.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The name is taken.
    #[error("there is a {kind} {name} already")]
    Exists {
        /// `tcpListener` or `tcpConnector`.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// There is none of the name.
    #[error("there is no {kind} {name}")]
    Unknown {
        /// `tcpListener` or `tcpConnector`.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// It cannot be served.
    #[error(transparent)]
    Problem(#[from] StartProblem),
    /// The router is draining or has ended.
    #[error("the router has stopped")]
    Stopped,
}
