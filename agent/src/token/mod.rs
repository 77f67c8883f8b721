//! `moorline token`: the files that let gateways link to a network.

mod create;
mod exchange;
mod inspect;
mod redeem;

use clap::Subcommand;

use crate::cli::closing;
use crate::failure::Failure;

/// Make, redeem or look at the tokens that let gateways link to a network
#[derive(Debug, Subcommand)]
#[command(after_long_help = closing!(
    "moorline token create token.yaml --host hub.example.com",
    "moorline token redeem claim.yaml",
    "moorline token inspect token.yaml",
))]
pub(crate) enum Command {
    Create(create::Arguments),
    Inspect(inspect::Arguments),
    Redeem(redeem::Arguments),
}

impl Command {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Create(arguments) => arguments.run(),
            Self::Inspect(arguments) => arguments.run(),
            Self::Redeem(arguments) => arguments.run(),
        }
    }
}
