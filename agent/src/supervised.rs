//! What this program tells the service manager that started it, if one did: that it serves, that it lives, that it ends.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::Context;
use moorline_router::io::Event;
use moorline_systemd::notify::Notifier;
use tokio::time::{sleep, timeout};

use crate::failure::{Blame, Failure};

/// The service manager; a process that none started tells nobody.
pub(crate) struct Supervised(Option<Notifier>);

impl Supervised {
    /// Whoever the environment names.
    pub(crate) fn of_process() -> Result<Supervised, Failure> {
        let notifier = Notifier::from_environment().context("the service manager cannot be told anything");
        Ok(Supervised(notifier.or_runtime()?))
    }

    /// It serves; `words` say what it is at.
    pub(crate) fn ready(&self, words: &str) {
        self.tell(|manager| manager.ready(words));
    }

    /// It has begun to end; `words` say what still goes on.
    pub(crate) fn stopping(&self, words: &str) {
        self.tell(|manager| manager.stopping(words));
    }

    /// What it is at.
    pub(crate) fn status(&self, words: &str) {
        self.tell(|manager| manager.status(words));
    }

    /// For whoever looks at the service.
    pub(crate) fn happened(&self, event: &Event) {
        match event {
            Event::Linked { peer, .. } => {
                self.status(&format!("linked to router {}", peer.container));
            }
            Event::LinkFailed { cause, .. } => {
                self.status(&format!("not linked to the network: {cause}"));
            }
            _ => {}
        }
    }

    /// Tells that the program lives, as often as is wanted and as long as it does: a thread that hangs tells nothing,
    /// and the service manager starts the program again.
    pub(crate) async fn watch(&self, lives: impl AsyncFn() -> bool) -> Infallible {
        let Some(pause) = self.0.as_ref().and_then(Notifier::watchdog) else {
            return std::future::pending().await;
        };
        loop {
            if timeout(pause, lives()).await.is_ok_and(|lives| lives) {
                self.tell(Notifier::alive);
            }
            sleep(pause.min(LONGEST_PAUSE)).await;
        }
    }

    /// A manager that is gone, or does not read, is no reason to stop.
    fn tell(&self, message: impl FnOnce(&Notifier) -> std::io::Result<()>) {
        if let Some(manager) = &self.0
            && let Err(error) = message(manager)
        {
            tracing::debug!(%error, "the service manager was not told");
        }
    }
}

/// Longer pauses would make a late answer look like none.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
