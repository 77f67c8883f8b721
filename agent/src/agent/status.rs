//! `moorline agent status`: what the agent says.

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::SocketArguments;
use crate::cli::closing;
use crate::failure::{Blame, Failure};
use crate::gateway::install::block_on;
use crate::installation::live;
use crate::output::say;
use crate::tree::Tree;

/// All gateways are asked for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Show what the agent keeps, and what is wrong
///
/// Exit code 0: it runs, and all gateways run and are linked; 3: it does not run, or a gateway does not; 4: one is not linked.
/// `moorline gateway status` shows more of each gateway, and needs no agent.
#[derive(Debug, Args)]
#[command(after_long_help = closing!("moorline agent status", "moorline agent status --output json | jq '.gateways[].problem'"))]
pub(crate) struct Arguments {
    #[command(flatten)]
    socket: SocketArguments,

    /// Text for people, or JSON on stdout for machines
    #[arg(long, short, value_name = "FORMAT", value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// A line for each gateway, and its problem
    Text,
    /// {"agent": {"version", "directory", "interval", "problem"}, "gateways", "lingers"}: gateways as `gateway status` tells them, each with "file", "problem" and "certificate_days_left"
    Json,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        block_on(self.status())
    }

    async fn status(&self) -> Result<(), Failure> {
        let socket = self.socket.path();
        let body = match live::page(&socket, "/status", PATIENCE).await {
            Ok(body) => body,
            Err(error) => {
                say(format_args!("the agent does not answer at {}: {error:#}", socket.display()));
                return Err(Failure::NotRunning);
            }
        };
        let status: Value = serde_json::from_str(&body).or_runtime()?;
        match self.output {
            Output::Json => say(body.trim_end()),
            Output::Text => say(tree(&status)),
        }
        let all = |key: &str| gateways(&status).iter().all(|gateway| gateway[key] == true);
        if !all("running") || !status["agent"]["problem"].is_null() {
            return Err(Failure::NotRunning);
        }
        if all("linked") { Ok(()) } else { Err(Failure::NotLinkedShown) }
    }
}

fn gateways(status: &Value) -> &[Value] {
    status["gateways"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn tree(status: &Value) -> String {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let agent = &status["agent"];
    let directory = text(&agent["directory"]).unwrap_or_default();
    let mut tree = Tree::new(format!("agent {} keeps {directory}", text(&agent["version"]).unwrap_or_default()));
    tree.leaves(text(&agent["problem"]));
    for gateway in gateways(status) {
        let name = text(&gateway["name"]).unwrap_or_else(|| "(no name)".to_owned());
        let state = match (gateway["running"] == true, gateway["linked"] == true) {
            (false, _) => format!("does not run: {}", text(&gateway["state"]).unwrap_or_default()),
            (true, false) => "runs, not linked".to_owned(),
            (true, true) => "runs, linked".to_owned(),
        };
        let line = tree.add(format!("{name}: {state}"));
        line.add(text(&gateway["file"]).unwrap_or_else(|| "kept by hand".to_owned()));
        if let Some(days) = gateway["certificate_days_left"].as_i64().filter(|days| *days <= 30) {
            line.add(match days {
                ..0 => "a certificate has expired".to_owned(),
                0 => "a certificate expires today".to_owned(),
                _ => format!("a certificate expires in {days} days"),
            });
        }
        line.leaves(text(&gateway["problem"]).iter().flat_map(|problem| problem.lines()).map(str::to_owned));
    }
    tree.to_string()
}
