//! The signals that end a program, SIGTERM and SIGINT, and the one that renews its certificates, SIGHUP.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// To end, by the signal of this name.
    End(&'static str),
    /// To look at certificate files now.
    Renew,
}

/// All signals, caught from now on.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Catches them. Needs a tokio runtime.
    pub(crate) fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.terminate.recv() => Wish::End("SIGTERM"),
            _ = self.interrupt.recv() => Wish::End("SIGINT"),
            _ = self.hangup.recv() => Wish::Renew,
        }
    }

    /// Waits for the next one that ends, and answers its name.
    pub(crate) async fn ending(&mut self) -> &'static str {
        loop {
            if let Wish::End(signal) = self.next().await {
                return signal;
            }
        }
    }
}
