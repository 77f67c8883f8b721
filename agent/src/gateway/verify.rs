//! What a gateway that was just installed or changed says of itself.

use std::time::Duration;

use anyhow::anyhow;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::failure::Failure;
use crate::installation::contact::Contact;
use crate::output::{Progress, say};

/// How often the router is asked.
pub(super) const LOOK: Duration = Duration::from_millis(100);

/// Says what the router says: linked, or not within `wait` seconds; and every port that cannot be opened.
pub(super) async fn verify(gateway: &str, contact: &Contact, wait: u32) -> Result<(), Failure> {
    let deadline = Instant::now() + Duration::from_secs(wait.into());
    let progress = Progress::begin();
    progress.tell("waiting for the link to the network");
    loop {
        let status = status(contact, deadline).await?;
        let link = Link::of(&status);
        if link.is_up() || Instant::now() >= deadline {
            let failed = failed_ports(&status);
            if !failed.is_empty() {
                return Err(Failure::Runtime(anyhow!("gateway {gateway:?} runs, but\n  {}", failed.join("\n  "))));
            }
            drop(progress);
            return link.verdict(gateway, wait);
        }
        sleep(LOOK).await;
    }
}

/// What the router says of itself. One that just started, on a host that is busy, may take until `deadline` to say it.
pub(super) async fn status(contact: &Contact, deadline: Instant) -> anyhow::Result<Value> {
    loop {
        let asked = contact.status().await;
        if asked.is_ok() || Instant::now() >= deadline {
            return asked;
        }
        sleep(LOOK).await;
    }
}

/// The uplink, as the router's state has it.
pub(super) struct Link<'s> {
    up: Option<&'s Value>,
    cause: &'s str,
}

impl<'s> Link<'s> {
    pub(super) fn of(status: &'s Value) -> Link<'s> {
        let uplinks = status["uplinks"].as_array().map(Vec::as_slice).unwrap_or_default();
        let up = uplinks.iter().find(|uplink| uplink["state"] == "up");
        let cause = uplinks.iter().find_map(|uplink| uplink["last_error"].as_str());
        Link { up, cause: cause.unwrap_or("the network has not answered yet") }
    }

    pub(super) fn is_up(&self) -> bool {
        self.up.is_some()
    }

    pub(super) fn trouble(&self, gateway: &str, waited: u32) -> Failure {
        Failure::NotLinked(anyhow!(
            "gateway {gateway:?} runs, and is not linked to the network after {waited} s: {}\n\
             it tries again until it works; `moorline gateway status {gateway}` says how it stands",
            self.cause
        ))
    }

    fn verdict(&self, gateway: &str, waited: u32) -> Result<(), Failure> {
        let Some(up) = self.up else { return Err(self.trouble(gateway, waited)) };
        let text = |name: &str| up[name].as_str().unwrap_or_default().to_owned();
        let peer = up["peer"]["container"].as_str().unwrap_or_default();
        say(format_args!("gateway {gateway:?} runs and is linked to {}:{} (router {peer})", text("host"), up["port"]));
        Ok(())
    }
}

fn failed_ports(status: &Value) -> Vec<String> {
    let failed = |list: &str, error: &'static str| {
        let listeners = status[list].as_array().map(Vec::as_slice).unwrap_or_default();
        listeners
            .iter()
            .filter(|listener| listener["state"] == "failed")
            .map(|listener| {
                let text = |name: &str| listener[name].as_str().unwrap_or_default();
                format!("forward {}: port {} cannot be opened: {}", text("address"), listener["port"], text(error))
            })
            .collect::<Vec<_>>()
    };
    [failed("listeners", "error"), failed("http_listeners", "last_error")].concat()
}
