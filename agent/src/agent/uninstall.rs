//! `moorline agent uninstall`: takes away what `install` made, and keeps the gateways.

use std::fs;

use anyhow::anyhow;
use clap::Args;
use moorline_systemd::logind::{self, User};

use super::install::Service;
use super::record::AgentRecord;
use crate::cli::closing;
use crate::failure::Failure;
use crate::gateway::install::block_on;
use crate::installation::home::Home;
use crate::installation::record::Record;
use crate::installation::turn::Turn;
use crate::installation::{gone, installed};
use crate::output::{self, say};

/// Stop the agent and take away what was made for it
///
/// Its gateways and their definitions stay, and run on. What cannot be taken away is said, and the rest goes all the same.
/// An agent that is not there is no error.
#[derive(Debug, Args)]
#[command(after_long_help = closing!("moorline agent uninstall"))]
pub(crate) struct Arguments {}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        block_on(uninstall())
    }
}

async fn uninstall() -> Result<(), Failure> {
    let service = Service::find().await?;
    let Some(record) = AgentRecord::read()? else {
        say("the agent is not installed: nothing to do");
        return Ok(());
    };
    // First: it may be changing a gateway, which has its own turn.
    let stopped = service.systemd.stop(&service.name, Service::limit()).await;
    let mut turn = Turn::take()?;
    let mut left = Vec::new();
    let mut note = |what: &str, error: Option<String>| left.extend(error.map(|error| format!("{what}: {error}")));
    note("stop", stopped.err().map(|fault| fault.to_string()));
    note("disable", service.systemd.disable(&service.name).await.err().map(|fault| fault.to_string()));
    note("remove", gone(fs::remove_file(&service.file), &service.file));
    note("reload", service.systemd.reload().await.err().map(|fault| fault.to_string()));
    note("reset", service.systemd.reset_failed(&service.name).await.err().map(|fault| fault.to_string()));
    if !left.is_empty() {
        return Err(Failure::Runtime(anyhow!("the agent is not gone as a whole:\n  {}", left.join("\n  "))));
    }
    let record = bequeath(record)?;
    if record.linger
        && let Err(fault) = logind::disable_linger(&User::current()).await
    {
        output::warning(&format!("your services still run without a login: {fault}"));
    }
    AgentRecord::remove()?;
    turn.leaves(&record.directories);
    drop(turn);
    say("the agent is removed; its gateways stay");
    Ok(())
}

/// What was made for the agent and gateways use goes with the last of them.
fn bequeath(mut record: AgentRecord) -> Result<AgentRecord, Failure> {
    for name in installed()? {
        let home = Home::of(&name)?;
        let Some(mut heir) = Record::read(&home)? else { continue };
        heir.linger |= std::mem::take(&mut record.linger);
        heir.directories.extend(record.directories.iter().cloned());
        heir.directories.sort();
        heir.directories.dedup();
        heir.write(&home)?;
    }
    Ok(record)
}
