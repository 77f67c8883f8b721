//! `moorline gateway remove`: takes away what `apply` made, and nothing else.

use std::fs;
use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use moorline_bundle::Bundle;
use moorline_systemd::unit::UnitName;

use super::install::{CHANGE, block_on};
use crate::cli::closing;
use crate::failure::{Blame, Failure};
use crate::installation::gone;
use crate::installation::home::Home;
use crate::installation::record::Record;
use crate::lock::Lock;
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
        // What is no name of a unit is no name of a directory either.
        UnitName::service(name).or_input()?;
        let _lock = Lock::take(&Home::lock()?, CHANGE)?;
        let home = Home::of(name)?;
        let Some(record) = Record::read(&home)? else {
            say(format_args!("gateway {name:?} is not installed: nothing to do"));
            return Ok(());
        };
        let mut left = record.kind.connect().await?.remove(&record).await?;
        if left.is_empty() {
            remove_home(&home, &mut left);
            for dir in record.directories.iter().rev() {
                // Others may have put something there since.
                let _ = fs::remove_dir(dir);
            }
        }
        if left.is_empty() {
            say(format_args!("gateway {name:?} is removed"));
            return Ok(());
        }
        Err(Failure::Runtime(anyhow!("gateway {name:?} is not gone as a whole:\n  {}", left.join("\n  "))))
    }
}

/// The record goes last, so that what is left over is still known to be ours.
fn remove_home(home: &Home, left: &mut Vec<String>) {
    let record = home.record();
    let entries = fs::read_dir(home.path()).map(|entries| entries.flatten().map(|entry| entry.path()).collect());
    for path in entries.unwrap_or_else(|_| Vec::new()) {
        if path == record {
            continue;
        }
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        left.extend(gone(removed, &path));
    }
    if left.is_empty() {
        left.extend(gone(fs::remove_file(&record), &record));
        left.extend(gone(fs::remove_dir(home.path()), home.path()));
    }
}
