//! `moorline router`: the embedded router with a configuration file of the network's own router.

use std::fs;
use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use moorline_definition::router_config::{RouterConfig, RouterMode, parse};
use moorline_router::io::{Event, RouterStatus};

use crate::cli::closing;
use crate::embedded::{self, Narrator, RouterArguments};
use crate::failure::Failure;
use crate::output::{reason, say};
use crate::{host, logging};

/// Run the embedded router with a skrouterd.json
///
/// Takes the file that skrouterd takes, comment lines and variables (${HOSTNAME}) included. Mode edge serves
/// tcpConnectors and tcpListeners over one uplink; mode interior is a hub for edges. What the embedded router does not
/// serve is said when it starts. Logs go to stderr; SIGTERM and SIGINT let open connections finish, then end it.
#[derive(Debug, Args)]
#[command(after_long_help = closing!(
    "moorline router -c skrouterd.json",
    "moorline router -c skrouterd.json -v 2>router.log",
))]
pub(crate) struct Arguments {
    /// The configuration, as skrouterd reads it: JSON, with comment lines and variables
    #[arg(long, short, value_name = "FILE")]
    config: PathBuf,

    /// Log more; twice, log everything
    #[arg(long, short, action = clap::ArgAction::Count)]
    verbose: u8,

    #[command(flatten)]
    router: RouterArguments,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        logging::start(match self.verbose {
            0 => "info",
            1 => "debug",
            _ => "trace",
        });
        let config = self.read()?;
        let mut narrator = RouterNarrator(config.router.mode);
        let site = host::site(|| config.router.site().id);
        embedded::run(config, site, &mut narrator, &self.router)
    }

    fn read(&self) -> Result<RouterConfig, Failure> {
        let name = self.config.display();
        let text = fs::read_to_string(&self.config).map_err(|error| {
            Failure::Input(anyhow!("Failed to read router configuration: open {name}: {}", reason(&error)))
        })?;
        parse(&text, &variable).map_err(|error| {
            // One problem a line, each with the file, so that an editor finds it.
            let lines: Vec<String> = error.problems.iter().map(|problem| format!("{name}: {problem}")).collect();
            Failure::Input(anyhow!("{}", lines.join("\nerror: ")))
        })
    }
}

/// A variable of the environment. Shells set HOSTNAME without exporting it, so it falls back to the host's name.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().or_else(|| (name == "HOSTNAME").then(host::name))
}

/// Says that it runs; the logs say the rest.
struct RouterNarrator(RouterMode);

impl Narrator for RouterNarrator {
    fn started(&mut self, status: &RouterStatus) {
        let mode = match self.0 {
            RouterMode::Edge => "an edge",
            RouterMode::Interior => "a hub",
        };
        say(format_args!("router {} runs as {mode}", status.id));
    }

    fn happened(&mut self, _: Event) {}
}
