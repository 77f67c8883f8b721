//! The command line: the one source of help, man pages and completions.

use std::path::{Path, PathBuf};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::failure::Failure;
use crate::{agent, demo, docs, doctor, gateway, health, hub, router, service, token};

/// What every command's exit code means.
macro_rules! exit_codes {
    () => {
        "\
Exit codes:
  0  good
  1  a failure while running: a port in use, a file that cannot be written, a router that ended
  2  a definition, token, configuration or option that cannot be used; nothing was changed
  3  a gateway that does not run
  4  a gateway that runs and is not linked to the network"
    };
}
pub(crate) use exit_codes;

/// Examples and exit codes, as every `--help` ends with them.
macro_rules! closing {
    ($($examples:literal),+ $(,)?) => {
        concat!("Examples:\n", $("  ", $examples, "\n",)+ "\n", crate::cli::exit_codes!())
    };
}
pub(crate) use closing;

/// Ties a host that is not in Kubernetes to a Skupper v1 service network
///
/// A definition file says which servers near this host the network may use (bindings) and which services of the
/// network this host wants on local ports (forwards). Moorline runs a router for it, linked over mutual TLS.
#[derive(Debug, Parser)]
#[command(name = "moorline", version, max_term_width = 100, propagate_version = true)]
#[command(after_long_help = closing!(
    "moorline demo                                          see it work, on this machine alone",
    "moorline gateway check gateway.yaml                    is this definition good?",
    "moorline gateway run gateway.yaml --token token.yaml   run it",
))]
#[command(after_help = "Start with: moorline demo")]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(subcommand)]
    Gateway(gateway::Command),
    #[command(subcommand)]
    Agent(agent::Command),
    #[command(subcommand)]
    Hub(hub::Command),
    #[command(subcommand)]
    Service(service::Command),
    #[command(subcommand)]
    Token(token::Command),
    Router(router::Arguments),
    Demo(demo::Arguments),
    Doctor(Box<doctor::Arguments>),
    #[command(hide = true)]
    Health(health::Arguments),
    #[command(subcommand, hide = true)]
    Docs(docs::Command),
}

/// What this program may be called besides its own name, by those who know its words from there.
const SKUPPER: &str = "skupper";

impl Cli {
    /// What the process was asked for. Ends it when that cannot be understood, or was for help.
    pub(crate) fn of_process() -> Cli {
        Cli::from_arg_matches(&command().get_matches()).unwrap_or_else(|error| error.exit())
    }

    /// Does what the command line asks for.
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Gateway(command) => command.run(),
            Command::Agent(command) => command.run(),
            Command::Hub(command) => command.run(),
            Command::Service(command) => command.run(),
            Command::Token(command) => command.run(),
            Command::Router(arguments) => arguments.run(),
            Command::Demo(arguments) => arguments.run(),
            Command::Doctor(arguments) => arguments.run(),
            Command::Health(arguments) => arguments.run(),
            Command::Docs(command) => command.run(),
        }
    }
}

/// The command line, by the name that the program was called.
pub(crate) fn command() -> clap::Command {
    let called = std::env::args_os().next().map(PathBuf::from);
    let called = called.as_deref().and_then(Path::file_name);
    match called.is_some_and(|name| name == SKUPPER) {
        true => Cli::command().name(SKUPPER).bin_name(SKUPPER),
        false => Cli::command(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_command(command: &clap::Command, check: &mut impl FnMut(&clap::Command)) {
        check(command);
        for sub in command.get_subcommands() {
            every_command(sub, check);
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_verb_has_an_example_and_says_its_exit_codes() {
        every_command(&Cli::command(), &mut |command| {
            let closing = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
            assert!(closing.contains(exit_codes!()), "{} does not say its exit codes", command.get_name());
            assert!(closing.contains("Examples:\n  moorline "), "{} has no example", command.get_name());
            assert!(command.get_about().is_some(), "{} has no purpose", command.get_name());
        });
    }
}
