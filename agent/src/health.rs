//! `moorline health`: whether the router at a status socket is well, for container engines.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::cli::closing;
use crate::failure::{Blame, Failure};
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
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("the system gives no event queue")
            .or_runtime()?;
        runtime.block_on(live::status(&self.socket)).map(drop).or_runtime()
    }
}
