//! `moorline gateway apply`: a gateway that stays, as a service of the user's systemd.

use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::install::{InstallArguments, Planned, block_on};
use crate::cli::closing;
use crate::failure::Failure;
use crate::installation::act::Acting;
use crate::installation::home::Home;
use crate::installation::live;
use crate::installation::record::Record;
use crate::lock::Lock;
use crate::output::{self, say};

/// How often the router is asked.
const LOOK: Duration = Duration::from_millis(100);

/// Install a gateway as a service of the user's systemd, or change the one that is installed
///
/// Does what `plan` shows, and nothing besides: what is as the definition says is left alone, and services are added
/// and removed while the router runs, without touching the connections of others. When a step fails, those before it
/// are taken back. Success is said after the router was asked.
#[derive(Debug, Args)]
#[command(after_long_help = closing!(
    "moorline gateway apply database.yaml --token db.token",
    "moorline gateway apply database.yaml                    after a change of the definition",
))]
pub(crate) struct Arguments {
    #[command(flatten)]
    install: InstallArguments,

    /// How long to wait for the link to the network, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    wait: u32,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        block_on(self.apply())
    }

    async fn apply(&self) -> Result<(), Failure> {
        let lock = Lock::take(&Home::lock()?, "another change of a gateway")?;
        let Planned { wanted, found, steps, systemd } = self.install.plan().await?;
        let fresh = || Record::new(&wanted.gateway, wanted.unit.as_ref(), wanted.unit_file.clone());
        let record = found.record.clone().unwrap_or_else(fresh);
        if steps.is_empty() {
            say(format_args!("gateway {:?} is as the definition says: nothing to do", wanted.gateway));
        }
        let notes = Acting::new(&wanted, &systemd).run(&steps, record, |step| say(step)).await?;
        drop(lock);
        notes.iter().for_each(|note| output::warning(note));
        self.verify(&wanted.gateway, &wanted.home).await
    }

    /// Says what the router says.
    async fn verify(&self, gateway: &str, home: &Home) -> Result<(), Failure> {
        let deadline = Instant::now() + Duration::from_secs(self.wait.into());
        loop {
            let status = live::status(&home.status_socket()).await?;
            let link = Link::of(&status);
            if link.is_up() || Instant::now() >= deadline {
                let failed = failed_ports(&status);
                if !failed.is_empty() {
                    return Err(Failure::Runtime(anyhow!("gateway {gateway:?} runs, but\n  {}", failed.join("\n  "))));
                }
                return link.verdict(gateway, self.wait);
            }
            sleep(LOOK).await;
        }
    }
}

/// The uplink, as the router's state has it.
struct Link<'s> {
    up: Option<&'s Value>,
    cause: &'s str,
}

impl<'s> Link<'s> {
    fn of(status: &'s Value) -> Link<'s> {
        let uplinks = status["uplinks"].as_array().map(Vec::as_slice).unwrap_or_default();
        let up = uplinks.iter().find(|uplink| uplink["state"] == "up");
        let cause = uplinks.iter().find_map(|uplink| uplink["last_error"].as_str());
        Link { up, cause: cause.unwrap_or("the network has not answered yet") }
    }

    fn is_up(&self) -> bool {
        self.up.is_some()
    }

    fn verdict(&self, gateway: &str, waited: u32) -> Result<(), Failure> {
        let Some(up) = self.up else {
            return Err(Failure::NotLinked(anyhow!(
                "gateway {gateway:?} runs, and is not linked to the network after {waited} s: {}\n\
                 it tries again until it works; `moorline gateway status {gateway}` says how it stands",
                self.cause
            )));
        };
        let text = |name: &str| up[name].as_str().unwrap_or_default().to_owned();
        let peer = up["peer"]["container"].as_str().unwrap_or_default();
        say(format_args!("gateway {gateway:?} runs and is linked to {}:{} (router {peer})", text("host"), up["port"]));
        Ok(())
    }
}

fn failed_ports(status: &Value) -> Vec<String> {
    let listeners = status["listeners"].as_array().map(Vec::as_slice).unwrap_or_default();
    let failed = listeners.iter().filter(|listener| listener["state"] == "failed");
    failed
        .map(|listener| {
            let text = |name: &str| listener[name].as_str().unwrap_or_default();
            format!("forward {}: port {} cannot be opened: {}", text("address"), listener["port"], text("error"))
        })
        .collect()
}
