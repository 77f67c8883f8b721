//! `moorline gateway`: definitions, and the routers that they ask for.

mod apply;
mod check;
pub(crate) mod configuration;
mod generate_bundle;
pub(crate) mod install;
mod launch;
mod narrator;
mod plan;
pub(crate) mod proxy;
mod remove;
mod run;
mod run_directory;
mod status;
mod verify;

use clap::Subcommand;

use crate::cli::closing;
use crate::failure::Failure;

/// Check a gateway definition, run it, or install it
///
/// A gateway is one definition applied on one host: bindings make servers near this host available on the network,
/// forwards make services of the network available on local ports.
#[derive(Debug, Subcommand)]
#[command(after_long_help = closing!(
    "moorline gateway check gateway.yaml",
    "moorline gateway run gateway.yaml --token token.yaml",
    "moorline gateway apply gateway.yaml --token token.yaml",
))]
pub(crate) enum Command {
    Apply(apply::Arguments),
    Check(check::Arguments),
    GenerateBundle(generate_bundle::Arguments),
    Launch(launch::Arguments),
    Plan(plan::Arguments),
    Remove(remove::Arguments),
    Run(run::Arguments),
    Status(status::Arguments),
}

impl Command {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Apply(arguments) => arguments.run(),
            Self::Check(arguments) => arguments.run(),
            Self::GenerateBundle(arguments) => arguments.run(),
            Self::Launch(arguments) => arguments.run(),
            Self::Plan(arguments) => arguments.run(),
            Self::Remove(arguments) => arguments.run(),
            Self::Run(arguments) => arguments.run(),
            Self::Status(arguments) => arguments.run(),
        }
    }
}
