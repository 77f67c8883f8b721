//! `moorline gateway status`: how installed gateways stand, from their keepers and from their routers.

mod service;
pub(crate) mod standing;

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use moorline_systemd::logind::{self, Linger, User};
use serde_json::{Value, json};

use super::install::block_on;
use crate::cli::closing;
use crate::completion;
use crate::failure::{Blame, Failure};
use crate::installation::installed;
use crate::installation::keeper::GatewayType;
use crate::installation::keeper::unit::lingers;
use crate::output::{coloured, say};
use crate::tree::Tree;
use standing::Standing;

/// How often `--watch` looks.
const WATCH: Duration = Duration::from_secs(1);
/// The cursor to the upper left, and all below it cleared: as `clear` does it on every terminal of today.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// Show how installed gateways stand
///
/// Asks systemd or the container engine, and the routers that run. The lines of gateways and services are those of
/// `skupper gateway status`; what is below them it does not tell. Exit code 0: all run and are linked to their network;
/// 3: one does not run, or there is none of the name; 4: one runs and is not linked.
#[derive(Debug, Args)]
#[command(after_long_help = closing!(
    "moorline gateway status",
    "moorline gateway status database --watch",
    "moorline gateway status database --output json | jq .gateways[0].bindings",
))]
pub(crate) struct Arguments {
    /// One gateway [default: all of this user's]
    #[arg(value_name = "NAME", add = completion::gateways())]
    name: Option<String>,

    /// Text for people, or JSON or YAML on stdout for machines
    #[arg(long, short, value_name = "FORMAT", value_enum, default_value_t = Output::Text)]
    output: Output,

    /// Look again each second, until it is interrupted
    #[arg(long, short)]
    watch: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// A tree
    Text,
    /// {"gateways": [{"name", "type", "running", "state", "restarts", "after_reboot", "linked", "bindings", "forwards", "router"}], "lingers"}: a binding is {"name", "protocol", "address", "host", "port", "open_connections", "connections", "requests", "bytes_in", "bytes_out", "last_error"}, a forward also {"requested_port", "state"}, without what the router does not count; router is its whole state
    Json,
    /// The same in YAML
    Yaml,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        block_on(self.status())
    }

    async fn status(&self) -> Result<(), Failure> {
        loop {
            let (standings, lingers) = self.look().await?;
            let told = self.words(&standings, lingers)?;
            if !self.watch {
                say(told);
                return verdict(&standings);
            }
            let clear = if std::io::stdout().is_terminal() { CLEAR } else { "" };
            say(format_args!("{clear}{told}"));
            tokio::select! {
                _ = tokio::signal::ctrl_c() => return verdict(&standings),
                () = tokio::time::sleep(WATCH) => {}
            }
        }
    }

    async fn look(&self) -> Result<(Vec<Standing>, Linger), Failure> {
        let names = match &self.name {
            Some(name) => vec![name.clone()],
            None => installed()?,
        };
        let mut standings = Vec::new();
        for name in names {
            standings.push(Standing::of(name).await?);
        }
        Ok((standings, lingers().await))
    }

    fn words(&self, standings: &[Standing], lingers: Linger) -> Result<String, Failure> {
        Ok(match self.output {
            Output::Text => tree(standings, lingers),
            Output::Json => format!("{:#}", value(standings, lingers)),
            Output::Yaml => {
                let text = serde_yaml::to_string(&value(standings, lingers)).context("as YAML").or_runtime()?;
                format!("---\n{}", text.trim_end())
            }
        })
    }
}

fn verdict(standings: &[Standing]) -> Result<(), Failure> {
    if !standings.iter().all(Standing::is_running) {
        return Err(Failure::NotRunning);
    }
    if !standings.iter().all(Standing::is_linked) {
        return Err(Failure::NotLinkedShown);
    }
    Ok(())
}

fn value(standings: &[Standing], lingers: Linger) -> Value {
    let lingers = match lingers {
        Linger::On => Some(true),
        Linger::Off => Some(false),
        Linger::Unknown => None,
    };
    json!({ "gateways": standings.iter().map(Standing::json).collect::<Vec<_>>(), "lingers": lingers })
}

fn tree(standings: &[Standing], lingers: Linger) -> String {
    if standings.is_empty() {
        // As Skupper says it.
        return "No gateway definition found on cluster".to_owned();
    }
    let mut tree = Tree::new("Gateway Definition:");
    standings.iter().for_each(|standing| standing.draw(&mut tree));
    let by_systemd = standings.iter().any(|standing| standing.kind() == Some(GatewayType::Service));
    let tree = if coloured(&std::io::stdout()) { format!("{tree:#}") } else { tree.to_string() };
    match by_systemd && lingers == Linger::Off {
        true => format!("{tree}\nthey end when you log out: {}", logind::enable_command(&User::current())),
        false => tree,
    }
}
