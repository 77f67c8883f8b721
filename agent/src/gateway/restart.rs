//! `moorline gateway restart`: the router of an installed gateway started anew.

use clap::Args;

use super::change::{Change, ChangeArguments};
use super::install::block_on;
use crate::cli::closing;
use crate::failure::Failure;

/// Start the router of an installed gateway anew
///
/// Open connections may finish first, as long as the gateway was installed to let them, and end then. Nothing but a
/// router in trouble needs it: changes are made while it runs.
#[derive(Debug, Args)]
#[command(after_long_help = closing!("moorline gateway restart"))]
pub(crate) struct Arguments {
    #[command(flatten)]
    change: ChangeArguments,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let change = Change::of_installed(&self.change)?;
        block_on(change.restart(&self.change))
    }
}
