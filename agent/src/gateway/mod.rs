//! `moorline gateway`: definitions, and the routers that they ask for.

mod check;
mod narrator;
mod proxy;
mod run;
mod run_directory;

use clap::Subcommand;

use crate::cli::closing;
use crate::failure::Failure;

/// Check a gateway definition, or run it
///
/// A gateway is one definition applied on one host: bindings make servers near this host available on the network,
/// forwards make services of the network available on local ports.
#[derive(Debug, Subcommand)]
#[command(after_long_help = closing!(
    "moorline gateway check gateway.yaml",
    "moorline gateway run gateway.yaml --token token.yaml",
))]
pub(crate) enum Command {
    Check(check::Arguments),
    Run(run::Arguments),
}

impl Command {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Check(arguments) => arguments.run(),
            Self::Run(arguments) => arguments.run(),
        }
    }
}
