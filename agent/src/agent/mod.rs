//! `moorline agent`: keeps the gateways of a directory of definitions as they are written.
//!
//! [`directory`] looks at the files, [`keep`] makes one gateway what its file says, [`pass`] decides what is due (and
//! holds what is remembered), [`board`] is what is told of it, to whoever asks over HTTP (`pages`, `metrics`). The gateways
//! themselves are changed by the steps of `installation`, as `gateway apply` does it; their routers outlive the agent.

mod board;
mod directory;
mod expiry;
mod install;
mod keep;
mod metrics;
mod pages;
mod pass;
pub(crate) mod record;
mod run;
mod status;
mod uninstall;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::closing;
use crate::directories;
use crate::failure::Failure;
use crate::installation::keeper::{GatewayType, GatewayTypeParser};
use crate::installation::router::RouterChoice;

/// Keep gateways as a directory of definitions says
///
/// A definition that is put into the directory is installed, one that is edited is applied, and the gateway of one that
/// is deleted is deleted. What was removed by hand comes back. The routers outlive the agent.
#[derive(Debug, Subcommand)]
#[command(after_long_help = closing!(
    "moorline agent install                                    keep ~/.config/moorline/gateways from now on",
    "cp database.yaml database.token ~/.config/moorline/gateways/",
    "moorline agent status",
))]
pub(crate) enum Command {
    Run(run::Arguments),
    Install(install::Arguments),
    Uninstall(uninstall::Arguments),
    Status(status::Arguments),
}

impl Command {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Run(arguments) => arguments.run(),
            Self::Install(arguments) => arguments.run(),
            Self::Uninstall(arguments) => arguments.run(),
            Self::Status(arguments) => arguments.run(),
        }
    }
}

/// What an agent keeps, and how.
#[derive(Debug, Args)]
struct KeepArguments {
    /// The directory of definitions [default: $XDG_CONFIG_HOME/moorline/gateways]
    ///
    /// NAME.yaml is a definition, NAME.token or NAME.token.yaml beside it the link token, which is needed until the gateway is
    /// installed, and again when the gateway shall link anew.
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,

    /// What new gateways run in; those that are installed stay as they are [default: service]
    #[arg(short = 't', long = "type", value_name = "TYPE", value_parser = GatewayTypeParser)]
    kind: Option<GatewayType>,

    /// The router of new gateways: embedded, skrouterd or skrouterd=PATH [default: embedded]
    #[arg(long, value_name = "ROUTER", value_parser = RouterChoice::parse)]
    router: Option<RouterChoice>,

    /// How often all is compared with what is there, in seconds; changed files are seen within two seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    interval: u32,

    /// Serve /healthz, /readyz, /metrics and /status at a TCP port too: PORT of 127.0.0.1, or ADDRESS:PORT
    ///
    /// Whoever reaches the port is answered, which of 127.0.0.1 are all users of this host.
    #[arg(long, value_name = "PORT", value_parser = listen_address)]
    listen: Option<SocketAddr>,

    #[command(flatten)]
    socket: SocketArguments,
}

/// Where an agent is asked.
#[derive(Debug, Args)]
struct SocketArguments {
    /// The socket that answers this user and root [default: $XDG_RUNTIME_DIR/moorline/agent]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

impl KeepArguments {
    fn directory(&self) -> Result<PathBuf, Failure> {
        self.directory.clone().map_or_else(directories::definitions, Ok)
    }
}

impl SocketArguments {
    fn path(&self) -> PathBuf {
        self.socket.clone().unwrap_or_else(|| directories::runtime().join("agent"))
    }
}

fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let port = text.parse().map(|port: u16| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    port.or_else(|_| text.parse()).map_err(|_| "it must be PORT or ADDRESS:PORT, such as 127.0.0.1:9464".to_owned())
}
