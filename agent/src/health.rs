//! `moorline health`: whether the router at a status socket is well, for container engines.

use std::path::PathBuf;

use clap::Args;

use crate::cli::closing;
use crate::failure::{Blame, Failure};
use crate::gateway::install::block_on;
use crate::installation::live;

/// Ask a router at its status socket whether it is well
///
/// For health checks of container engines: says nothing when all is well.
#[derive(Debug, Args)]
#[command(after_long_help = closing!("moorline health run/status"))]
pub(crate) struct Arguments {
    /// The socket that the router was given with --status-socket
    #[arg(value_name = "SOCKET")]
    socket: PathBuf,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        block_on(async { live::status(&self.socket).await.map(drop).or_runtime() })
    }
}
