//! `moorline agent run`: in the foreground.

use std::cell::Cell;
use std::convert::Infallible;
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, anyhow};
use clap::Args;
use moorline_bundle::files;
use moorline_router::io::WebPort;
use tokio::task::LocalSet;

use super::KeepArguments;
use super::board::Board;
use super::keep::{Defaults, records, was_of};
use super::pages::AgentPages;
use super::pass::Keeping;
use crate::cli::closing;
use crate::failure::{Blame, Failure};
use crate::gateway::install::block_on;
use crate::installation::turn::{missing, remove_empty};
use crate::lock::lock_directory;
use crate::output;
use crate::signals::Signals;
use crate::supervised::Supervised;
use crate::{directories, logging};

/// Keep the gateways of a directory, in the foreground
///
/// Each NAME.yaml there is a gateway: it is installed as `moorline gateway apply` does it, with the link token beside it
/// (NAME.token). A definition that cannot be used leaves its gateway as it is. A gateway is deleted with its file only
/// if that very file is what it was installed from. What fails is tried again after a pause. SIGTERM and SIGINT finish
/// what is being changed and end it; no gateway is touched by that.
#[derive(Debug, Args)]
#[command(after_long_help = closing!(
    "moorline agent run",
    "moorline agent run --directory ./gateways --listen 9464",
))]
pub(crate) struct Arguments {
    #[command(flatten)]
    keep: KeepArguments,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        logging::start("info");
        output::into_log();
        block_on(LocalSet::new().run_until(self.keep.run()))
    }
}

impl KeepArguments {
    async fn run(&self) -> Result<(), Failure> {
        let manager = Supervised::of_process()?;
        let mut signals = Signals::catch().context("signals cannot be caught").or_runtime()?;
        let directory = found(&self.directory()?)?;
        let _lock = lock_directory(&directory)?
            .ok_or_else(|| Failure::Runtime(anyhow!("another agent keeps {} already", directory.display())))?;
        let board = Rc::new(Board::new(directory, self.interval));
        let pages = Rc::new(AgentPages::new(Rc::clone(&board)));

        let socket = self.socket.path();
        let runtime = directories::runtime();
        let made = if socket.starts_with(&runtime) { missing(&runtime) } else { Vec::new() };
        if !made.is_empty() {
            files::private_dir(&runtime).or_runtime()?;
        }
        let asked = WebPort::at_path(&socket).with_context(|| socket.display().to_string()).or_runtime()?;
        let open = self.listen.map(WebPort::at_address).transpose().or_runtime()?;
        let served = async {
            let here = asked.serve(Rc::clone(&pages));
            match open {
                None => here.await,
                Some(port) => tokio::select! {
                    served = here => served,
                    served = port.serve(Rc::clone(&pages)) => served,
                },
            }
        };

        let ending = Rc::new(Cell::new(false));
        let defaults = Defaults { kind: self.kind, router: self.router.clone() };
        let keeping = Keeping::new(Rc::clone(&board), defaults, Rc::clone(&ending));
        let kept = keeping.run(|words| manager.status(words));
        let asked_to_end = async {
            let signal = signals.ending().await;
            tracing::info!("{signal}: what is being changed is finished; the gateways stay as they are");
            manager.stopping("what is being changed is finished");
            ending.set(true);
            signals.ending().await
        };
        manager.ready("looks at its gateways");
        tracing::info!("keeps the gateways of {}", board.directory.display());
        let outcome = tokio::select! {
            () = kept => Ok(()),
            again = asked_to_end => {
                tracing::warn!("{again} again: ended at once; the next agent finishes what was begun");
                Ok(())
            }
            never = manager.watch(async || true) => match never {},
            failed = served => never_served(failed),
        };
        remove_empty(&made);
        outcome
    }
}

fn never_served(failed: std::io::Result<Infallible>) -> Result<(), Failure> {
    match failed {
        Ok(never) => match never {},
        Err(error) => Err(error).context("health and metrics cannot be served").or_runtime(),
    }
}

/// The directory, made if nothing ever was in it: one that went away with gateways in it is no empty one.
fn found(dir: &Path) -> Result<std::path::PathBuf, Failure> {
    let said = || format!("the directory of definitions {}", dir.display());
    if !dir.exists() {
        let absolute = std::path::absolute(dir).with_context(said).or_input()?;
        if let Some(record) = records()?.iter().find(|record| was_of(record, &absolute)) {
            return Err(Failure::Input(anyhow!(
                "{} is not there, and gateway {:?} came from it: make it again to have the gateway deleted",
                dir.display(),
                record.gateway
            )));
        }
        files::private_dir(dir).or_input()?;
    }
    dir.canonicalize().with_context(said).or_input()
}
