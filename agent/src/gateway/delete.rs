//! `moorline gateway delete`: takes away what was made for a gateway, and nothing else.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use moorline_bundle::Bundle;

use super::install::block_on;
use super::which::WhichArguments;
use crate::agent::record::AgentRecord;
use crate::cli::closing;
use crate::completion;
use crate::failure::{Blame, Failure};
use crate::installation::home::Home;
use crate::installation::record::Record;
use crate::installation::turn::Turn;
use crate::installation::{installed, remove_home};
use crate::output::say;

/// Stop an installed gateway and take away all that was made for it
///
/// Open connections may finish first, as long as the gateway was installed to let them. What cannot be taken away is
/// said, and the rest goes all the same. A gateway that is not there is no error.
#[derive(Debug, Args)]
#[command(after_long_help = closing!("moorline gateway delete database", "moorline gateway delete --bundle ./unpacked"))]
pub(crate) struct Arguments {
    /// The gateway [default: HOSTNAME-USER, as Skupper calls it; where that is not installed, the only one that is]
    #[arg(value_name = "NAME", add = completion::gateways())]
    name: Option<String>,

    /// The gateway of the bundle that was unpacked into a directory
    #[arg(long, value_name = "DIR", conflicts_with = "name")]
    bundle: Option<PathBuf>,

    /// Show what would be taken away, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// For the habit of it: what goes wrong is always told
    #[arg(long, short)]
    verbose: bool,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let name = match (self.name, &self.bundle) {
            (Some(name), _) => name,
            (None, Some(dir)) => Bundle::name_in(dir).or_input()?,
            (None, None) => WhichArguments::default().name()?.to_string(),
        };
        delete(&name, self.dry_run)
    }
}

/// Takes a gateway away.
pub(super) fn delete(name: &str, dry_run: bool) -> Result<(), Failure> {
    block_on(async {
        match dry_run {
            true => foretell(name),
            false => take_away(name).await,
        }
    })
}

fn foretell(name: &str) -> Result<(), Failure> {
    let home = Home::of(name)?;
    match Record::read(&home)? {
        None => say(format_args!("gateway {name:?} is not installed: nothing to do")),
        Some(record) => {
            say(format_args!("{:<8} {name} ({})", "delete", record.kind.name()));
            say(format_args!("{:<8} {}", "remove", home.path().display()));
        }
    }
    Ok(())
}

async fn take_away(name: &str) -> Result<(), Failure> {
    let turn = Turn::take()?;
    match Record::read(&Home::of(name)?)? {
        Some(record) => remove(turn, record).await,
        None => {
            say(format_args!("gateway {name:?} is not installed: nothing to do"));
            Ok(())
        }
    }
}

/// Stops the gateway of a record, which was read in this turn, and takes away what was made for it.
pub(crate) async fn remove(mut turn: Turn, mut record: Record) -> Result<(), Failure> {
    let name = record.gateway.clone();
    let home = Home::of(&name)?;
    bequeath(&mut record)?;
    let mut left = record.kind.connect().await?.remove(&record).await?;
    if left.is_empty() {
        remove_home(&home, &mut left);
        turn.leaves(&record.directories);
    }
    if left.is_empty() {
        // Its directories go with the turn.
        drop(turn);
        say(format_args!("gateway {name:?} is removed"));
        return Ok(());
    }
    Err(Failure::Runtime(anyhow!("gateway {name:?} is not gone as a whole:\n  {}", left.join("\n  "))))
}

/// What was made for all goes with the last of them: another gateway takes it over.
fn bequeath(record: &mut Record) -> Result<(), Failure> {
    let mut directories = record.directories.clone();
    for name in installed()?.into_iter().filter(|name| *name != record.gateway) {
        let home = Home::of(&name)?;
        let Some(mut other) = Record::read(&home)? else { continue };
        other.linger |= std::mem::take(&mut record.linger);
        // Units of another engine are no matter of its.
        other.at_boot |= other.kind == record.kind && std::mem::take(&mut record.at_boot);
        other.directories.append(&mut directories);
        other.directories.sort();
        other.directories.dedup();
        other.write(&home)?;
    }
    if let Some(mut agent) = AgentRecord::read()? {
        agent.linger |= std::mem::take(&mut record.linger);
        agent.directories.append(&mut directories);
        agent.directories.sort();
        agent.directories.dedup();
        agent.write()?;
    }
    Ok(())
}
