//! `moorline gateway remove`: takes away what `apply` made, and nothing else.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use moorline_bundle::Bundle;

use super::install::block_on;
use crate::cli::closing;
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
#[command(after_long_help = closing!("moorline gateway remove database", "moorline gateway remove --bundle ./unpacked"))]
pub(crate) struct Arguments {
    /// The gateway's name, as its definition has it
    #[arg(value_name = "NAME", required_unless_present = "bundle")]
    name: Option<String>,

    /// The gateway of the bundle that was unpacked into a directory
    #[arg(long, value_name = "DIR", conflicts_with = "name")]
    bundle: Option<PathBuf>,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        block_on(self.remove())
    }

    async fn remove(&self) -> Result<(), Failure> {
        let name = match (&self.name, &self.bundle) {
            (None, Some(dir)) => &Bundle::name_in(dir).or_input()?,
            (name, _) => name.as_deref().unwrap_or_default(),
        };
        let mut turn = Turn::take()?;
        let home = Home::of(name)?;
        let Some(record) = Record::read(&home)? else {
            say(format_args!("gateway {name:?} is not installed: nothing to do"));
            return Ok(());
        };
        let mut record = record;
        bequeath(&mut record)?;
        let mut left = record.kind.connect().await?.remove(&record).await?;
        if left.is_empty() {
            remove_home(&home, &mut left);
            turn.leaves(&record.directories);
        }
        if left.is_empty() {
            say(format_args!("gateway {name:?} is removed"));
            return Ok(());
        }
        Err(Failure::Runtime(anyhow!("gateway {name:?} is not gone as a whole:\n  {}", left.join("\n  "))))
    }
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
    Ok(())
}
