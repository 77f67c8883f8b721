//! `moorline gateway logs`: what the router of an installed gateway says.

use std::io::{Write, stdout};
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::anyhow;
use clap::Args;

use super::install::block_on;
use super::which::WhichArguments;
use crate::cli::closing;
use crate::failure::Failure;
use crate::installation::keeper::unit::is_system;
use crate::installation::keeper::{GatewayType, Keeper};
use crate::installation::record::Record;

/// Show what the router of an installed gateway says
///
/// A service's from the journal (this is `journalctl` with the right words), a container's from its engine.
#[derive(Debug, Args)]
#[command(after_long_help = closing!("moorline gateway logs", "moorline gateway logs --follow"))]
pub(crate) struct Arguments {
    #[command(flatten)]
    which: WhichArguments,

    /// How many of the last lines to show
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 100)]
    lines: u32,

    /// And what it says from now on
    #[arg(long, short)]
    follow: bool,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let home = self.which.home()?;
        let kind = Record::read(&home)?.map(|record| record.kind).unwrap_or_default();
        if kind == GatewayType::Service {
            let scope = if is_system() { "--system" } else { "--user" };
            let mut journal = Command::new("journalctl");
            journal.args([scope, "--unit", home.unit().as_ref(), "--lines", &self.lines.to_string()]);
            journal.args(self.follow.then_some("--follow"));
            // Comes back only if it fails.
            let error = journal.exec();
            return Err(Failure::Runtime(anyhow!("journalctl cannot be started: {error}")));
        }
        block_on(async {
            let Keeper::Container(engine) = kind.connect().await? else { return Ok(()) };
            let mut out = stdout().lock();
            let write = |bytes: &[u8]| out.write_all(bytes).and_then(|()| out.flush()).is_ok();
            engine.log(home.unit().stem(), self.lines, self.follow, write).await
        })
    }
}
