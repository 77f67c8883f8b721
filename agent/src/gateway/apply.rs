//! `moorline gateway apply`: a gateway that stays, as a service or a container.

use clap::Args;

use super::install::{Chosen, InstallArguments, Planned, block_on};
use crate::cli::closing;
use crate::doctor;
use crate::failure::Failure;
use crate::installation::turn::Turn;

/// Install a gateway as a service or container, or change the one that is installed
///
/// Does what `plan` shows, and nothing besides: what is as the definition says is left alone, and services are added
/// and removed while the router runs, without touching the connections of others. When a step fails, those before it
/// are taken back. Success is said after the router was asked.
#[derive(Debug, Args)]
#[command(after_long_help = closing!(
    "moorline gateway apply database.yaml --token db.token",
    "moorline gateway apply database.yaml                    after a change of the definition",
))]
pub(crate) struct Arguments {
    #[command(flatten)]
    install: InstallArguments,

    /// Show the steps, and change nothing: what `plan` does
    #[arg(long)]
    dry_run: bool,

    /// How long to wait for the link to the network, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    wait: u32,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        block_on(self.apply())
    }

    async fn apply(&self) -> Result<(), Failure> {
        if self.dry_run {
            self.install.plan().await?.foretell();
            return Ok(());
        }
        let turn = Turn::take()?;
        let Chosen { parts, kind, options, first, .. } = self.install.choose()?;
        if first {
            doctor::before(&parts)?;
        }
        Planned::of(parts, kind, options).await?.carry_out(&turn, self.wait).await
    }
}
