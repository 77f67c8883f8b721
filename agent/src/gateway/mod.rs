//! `moorline gateway`: definitions, and the routers that they ask for.

mod adopt;
mod apply;
mod bind;
mod change;
mod check;
pub(crate) mod configuration;
pub(crate) mod delete;
mod derived;
mod export_config;
mod expose;
mod forward;
mod generate_bundle;
mod init;
pub(crate) mod install;
mod launch;
mod logs;
mod narrator;
mod places;
mod plan;
mod protocol;
pub(crate) mod proxy;
mod reach;
mod restart;
mod run;
mod run_directory;
pub(crate) mod status;
mod verify;
pub(crate) mod which;

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
    Init(Box<init::Arguments>),
    #[command(visible_alias = "remove")]
    Delete(delete::Arguments),
    Expose(Box<expose::Expose>),
    Unexpose(expose::Unexpose),
    Bind(bind::Bind),
    Unbind(bind::Unbind),
    Forward(forward::Forward),
    Unforward(forward::Unforward),
    Status(status::Arguments),
    Logs(logs::Arguments),
    Restart(restart::Arguments),
    ExportConfig(export_config::Arguments),
    GenerateBundle(generate_bundle::Arguments),
    Launch(launch::Arguments),
    Adopt(adopt::Arguments),
    Check(check::Arguments),
    Plan(plan::Arguments),
    Apply(apply::Arguments),
    Run(run::Arguments),
}

impl Command {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Init(arguments) => arguments.run(),
            Self::Delete(arguments) => arguments.run(),
            Self::Expose(arguments) => arguments.run(),
            Self::Unexpose(arguments) => arguments.run(),
            Self::Bind(arguments) => arguments.run(),
            Self::Unbind(arguments) => arguments.run(),
            Self::Forward(arguments) => arguments.run(),
            Self::Unforward(arguments) => arguments.run(),
            Self::Status(arguments) => arguments.run(),
            Self::Logs(arguments) => arguments.run(),
            Self::Restart(arguments) => arguments.run(),
            Self::ExportConfig(arguments) => arguments.run(),
            Self::GenerateBundle(arguments) => arguments.run(),
            Self::Launch(arguments) => arguments.run(),
            Self::Adopt(arguments) => arguments.run(),
            Self::Check(arguments) => arguments.run(),
            Self::Plan(arguments) => arguments.run(),
            Self::Apply(arguments) => arguments.run(),
            Self::Run(arguments) => arguments.run(),
        }
    }
}
