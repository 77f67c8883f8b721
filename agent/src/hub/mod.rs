//! `moorline hub`: a small network's centre, which gateways link to.

pub(crate) mod issue;
mod listen_address;
mod narrator;
mod run;
mod server_certificate;
pub(crate) mod site;

use clap::Subcommand;

use crate::cli::closing;
use crate::failure::Failure;

/// Run the hub of a small network
///
/// A hub accepts links from gateways and carries connections between them: enough for one small network, tests and
/// demonstrations. A larger network is made with Skupper, whose tokens work in the place of a hub's.
#[derive(Debug, Subcommand)]
#[command(after_long_help = closing!(
    "moorline hub run --listen 0.0.0.0:45671 --host hub.example.com",
))]
pub(crate) enum Command {
    Run(run::Arguments),
}

impl Command {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Run(arguments) => arguments.run(),
        }
    }
}
