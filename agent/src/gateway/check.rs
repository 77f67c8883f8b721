//! `moorline gateway check`: every problem of a definition in one run.

use clap::{Args, ValueEnum};

use crate::cli::closing;
use crate::definition_file::DefinitionArguments;
use crate::failure::Failure;
use crate::output::{say, tell};

/// Check a gateway definition and report every problem at once
///
/// Problems are shown on stderr with the line that they are about, and the way out. The credentials that the
/// definition names must be there. Nothing is changed and nothing is connected to.
#[derive(Debug, Args)]
#[command(after_long_help = closing!(
    "moorline gateway check gateway.yaml",
    "moorline gateway check --strict --output json gateway.yaml | jq .problems",
))]
pub(crate) struct Arguments {
    #[command(flatten)]
    definition: DefinitionArguments,

    /// Text for people, or JSON on stdout for machines
    #[arg(long, short, value_name = "FORMAT", value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Problems on stderr, with the lines that they are about
    Text,
    /// {"file", "ok", "problems": [{"severity", "code", "path", "message", "help", "line", "column", ...}]}
    Json,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let file = self.definition.read();
        let good = file.definition().is_some();
        match self.output {
            Output::Json => say(format_args!("{:#}", file.json())),
            Output::Text => {
                file.show();
                if good {
                    if let Some(note) = file.note() {
                        tell(&note);
                    }
                    say(file.verdict());
                } else if file.was_read() {
                    tell(&format!("\n{}\n", file.verdict()));
                }
            }
        }
        if good { Ok(()) } else { Err(Failure::InputShown) }
    }
}
