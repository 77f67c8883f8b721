//! `moorline gateway export-config`: the definition of an installed gateway, as a file.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::Args;
use moorline_definition::{GatewayName, edit};

use super::which::WhichArguments;
use crate::cli::closing;
use crate::failure::{Blame, Failure};
use crate::output::say;

/// Write the definition of an installed gateway to a file, for another host or for `generate-bundle`
#[derive(Debug, Args)]
#[command(after_long_help = closing!("moorline gateway export-config database /tmp                   writes /tmp/database.yaml"))]
pub(crate) struct Arguments {
    /// The name that the definition gets, and its file
    #[arg(value_name = "EXPORT-GATEWAY-NAME")]
    name: GatewayName,

    /// The directory to write it to
    #[arg(value_name = "OUTPUT-PATH")]
    directory: PathBuf,

    /// Replace the file if it exists
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    which: WhichArguments,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let source = self.which.home()?.definition();
        let text = fs::read_to_string(&source).with_context(|| source.display().to_string()).or_runtime()?;
        let text = edit::rename(&text, &self.name).or_runtime()?;
        let path = self.directory.join(format!("{}.yaml", self.name));
        let shown = path.display();
        if !self.force && path.symlink_metadata().is_ok() {
            return Err(Failure::Input(anyhow!("{shown} exists; --force replaces it")));
        }
        fs::write(&path, text).with_context(|| format!("write {shown}")).or_runtime()?;
        // As Skupper says it.
        say(format_args!("Skupper gateway definition configuration written to '{shown}'"));
        Ok(())
    }
}
