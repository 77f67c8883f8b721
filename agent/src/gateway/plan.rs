//! `moorline gateway plan`: what `apply` would do.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::install::{InstallArguments, block_on};
use crate::cli::closing;
use crate::failure::Failure;
use crate::installation::step::Step;
use crate::output::say;

/// Show the steps that `apply` would take, and change nothing
///
/// Compares the definition with what is there: files, the unit, whether it lingers, and what the running router serves.
#[derive(Debug, Args)]
#[command(after_long_help = closing!(
    "moorline gateway plan database.yaml --token db.token",
    "moorline gateway plan database.yaml --output json | jq '.steps[].action'",
))]
pub(crate) struct Arguments {
    #[command(flatten)]
    install: InstallArguments,

    /// Text for people, or JSON on stdout for machines
    #[arg(long, short, value_name = "FORMAT", value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// One step a line
    Text,
    /// {"gateway", "steps": [{"action", "target", "reason"}]}
    Json,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let planned = block_on(self.install.plan())?;
        let gateway = &planned.wanted.gateway;
        match self.output {
            Output::Json => {
                let steps: Vec<Value> = planned.steps.iter().map(Step::json).collect();
                say(format_args!("{:#}", json!({ "gateway": gateway, "steps": steps })));
            }
            Output::Text => planned.foretell(),
        }
        Ok(())
    }
}
