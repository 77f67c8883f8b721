//! What is asked, and what is answered.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::page::{Page, Pages};
use crate::io::handle::Command;
use crate::io::status::{ListenerState, RouterStatus, UplinkState};
use crate::metrics;

/// A router that does not answer within this time is not well.
const ROUTER_LIMIT: Duration = Duration::from_secs(2);
const JSON: &str = "application/json";

/// What is answered at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::io) struct Serves {
    /// `/healthz` and `/readyz`.
    pub(in crate::io) health: bool,
    /// `/metrics`.
    pub(in crate::io) metrics: bool,
    /// `/status`: the whole state, as JSON.
    pub(in crate::io) status: bool,
}

#[derive(Debug)]
pub(super) struct Answers {
    pub(super) router: mpsc::WeakSender<Command>,
    pub(super) serves: Serves,
}

impl Pages for Answers {
    fn paths(&self) -> Vec<&'static str> {
        let Serves { health, metrics, status } = self.serves;
        let all = [("/healthz", health), ("/readyz", health), ("/metrics", metrics), ("/status", status)];
        all.iter().filter(|(_, served)| *served).map(|(path, _)| *path).collect()
    }

    async fn page(&self, path: &str) -> Page {
        let Some(status) = self.status().await else { return Page::unavailable("the router does not answer\n") };
        match path {
            "/readyz" => readiness(&status),
            "/metrics" => Page::new(metrics::CONTENT_TYPE, metrics::openmetrics(status)),
            "/status" => match serde_json::to_string_pretty(&status) {
                Ok(json) => Page::new(JSON, json + "\n"),
                Err(error) => Page::unavailable(format!("{error}\n")),
            },
            _ => Page::text("ok\n"),
        }
    }
}

impl Answers {
    async fn status(&self) -> Option<RouterStatus> {
        let (ask, answer) = oneshot::channel();
        let asked = async {
            self.router.upgrade()?.send(Command::Status(ask)).await.ok()?;
            answer.await.ok()
        };
        timeout(ROUTER_LIMIT, asked).await.ok()?
    }
}

/// Ready: new connections are served, here and from the network.
fn readiness(status: &RouterStatus) -> Page {
    let mut why = Vec::new();
    if status.draining {
        why.push("it is being stopped".to_owned());
    }
    if !status.uplinks.is_empty() && status.uplinks.iter().all(|uplink| uplink.state != UplinkState::Up) {
        why.extend(status.uplinks.iter().map(|uplink| {
            let cause = uplink.last_error.as_deref().unwrap_or("the first attempt goes on");
            format!("{}: not linked to {}:{}: {cause}", uplink.name, uplink.host, uplink.port)
        }));
    }
    let failed = status.listeners.iter().filter(|listener| listener.state == ListenerState::Failed);
    why.extend(failed.map(|listener| {
        let cause = listener.error.as_deref().unwrap_or_default();
        format!("{}: port {} cannot be opened: {cause}", listener.name, listener.port)
    }));
    let failed = status.http_listeners.iter().filter(|listener| listener.state == Some(ListenerState::Failed));
    why.extend(failed.map(|listener| {
        let cause = listener.last_error.as_deref().unwrap_or_default();
        format!("{}: port {} cannot be opened: {cause}", listener.name, listener.port)
    }));
    if why.is_empty() { Page::text("ready\n") } else { Page::unavailable(why.join("\n") + "\n") }
}
