//! Whether a change does what it was made for: asked of the running router, and of the servers that it names.

use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use moorline_router::io::try_server;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::verify::{LOOK, Link, status};
use crate::failure::Failure;
use crate::installation::contact::Contact;
use crate::output::Progress;

/// How long to wait until a change works.
#[derive(Debug, Default, Args)]
pub(crate) struct Wait {
    /// How long to wait until it works, in seconds: linked to the network, servers answer, forwards are open
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    wait: u32,

    /// Do not wait until it works
    #[arg(long, conflicts_with = "wait")]
    no_wait: bool,
}

/// A service that must work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A binding, and the server of it.
    Binding { address: String, host: String, port: u16 },
    /// A forward, and where it listens.
    Forward { address: String, port: u16 },
}

/// Waits until the gateway is linked and the services work.
///
/// # Errors
/// What does not work when the time is over, and what to do.
pub(super) async fn verify(gateway: &str, contact: &Contact, wait: &Wait, services: &[Asked]) -> Result<(), Failure> {
    if wait.no_wait {
        return Ok(());
    }
    let deadline = Instant::now() + Duration::from_secs(wait.wait.into());
    let progress = Progress::begin();
    loop {
        let status = status(contact, deadline).await?;
        let link = Link::of(&status);
        let mut troubles = Vec::new();
        for service in services {
            troubles.extend(service.trouble(&status).await);
        }
        if link.is_up() && troubles.is_empty() {
            return Ok(());
        }
        let waits_for = if link.is_up() { troubles.first().map(|trouble| trouble.words.as_str()) } else { None };
        progress.tell(waits_for.unwrap_or("waiting for the link to the network"));
        let hopeless = troubles.iter().any(|trouble| trouble.lasts);
        if Instant::now() >= deadline || hopeless {
            if !link.is_up() && !hopeless {
                return Err(link.trouble(gateway, wait.wait));
            }
            let words: Vec<String> = troubles.into_iter().map(|trouble| trouble.words).collect();
            return Err(Failure::Runtime(anyhow!("{}", words.join("\nerror: "))));
        }
        sleep(LOOK).await;
    }
}

/// Why a service does not work.
struct Trouble {
    words: String,
    /// Time alone does not mend it.
    lasts: bool,
}

impl Asked {
    async fn trouble(&self, status: &Value) -> Option<Trouble> {
        match self {
            Asked::Binding { address, host, port } => {
                if row(status, ["connectors", "http_connectors"], address, *port).is_none() {
                    return Some(Trouble::passing(format!("the router does not serve {address} yet")));
                }
                let failure = try_server(host, *port).await.err()?;
                Some(Trouble::passing(format!(
                    "{address} is bound, and its server does not answer: {failure}\n  \
                     start it: the binding works as soon as it does"
                )))
            }
            Asked::Forward { address, port } => {
                let Some(row) = row(status, ["listeners", "http_listeners"], address, *port) else {
                    return Some(Trouble::passing(format!("the router does not listen for {address} yet")));
                };
                let text = |name: &str| row[name].as_str().unwrap_or_default();
                match text("state") {
                    "failed" => Some(Trouble {
                        words: format!(
                            "{address} is forwarded, and its port {} cannot be opened: {}{}",
                            port,
                            text("error"),
                            text("last_error")
                        ),
                        lasts: true,
                    }),
                    "waiting" => Some(Trouble::passing(format!(
                        "{address} is forwarded, and no site of the network has a server for it\n  \
                         its port opens as soon as one has: is the address right, is the service exposed?"
                    ))),
                    _ => None,
                }
            }
        }
    }
}

impl Trouble {
    fn passing(words: String) -> Trouble {
        Trouble { words, lasts: false }
    }
}

/// By what routers do not give names of their own to.
fn row<'s>(status: &'s Value, lists: [&str; 2], address: &str, port: u16) -> Option<&'s Value> {
    let mut rows = lists.iter().filter_map(|list| status[*list].as_array()).flatten();
    rows.find(|row| row["address"] == address && row["port"] == port)
}
