//! The embedded router in the foreground: start, tell what happens, drain at a signal.
//!
//! All that this program wants of the router crate is here and in the narrators that it hands events to.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use moorline_definition::router_config::RouterConfig;
use moorline_router::io::{Ending, Event, RouterHandle, RouterStatus, StartError, StartOptions, StartProblem, start};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::failure::{Blame, Failure};
use crate::host;
use crate::logging;
use crate::output::{self, say};
use crate::signals::{Signals, Wish};
use crate::supervised::Supervised;

/// Tells a person what the router does.
pub(crate) trait Narrator {
    /// It runs. `status` holds what happened before the first event.
    fn started(&mut self, status: &RouterStatus);
    /// Something happened. May have been in the status already.
    fn happened(&mut self, event: Event);
}

/// How the router runs, whatever its configuration.
#[derive(Debug, Args)]
pub(crate) struct RouterArguments {
    /// How long open connections may take to finish after SIGTERM or SIGINT, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    drain_timeout: u32,

    /// A socket for /healthz, /readyz, /metrics and /status (JSON) over HTTP; its directory must exist
    ///
    /// Nobody but this user and root is answered. `curl --unix-socket PATH http://router/status` asks it.
    #[arg(long, value_name = "PATH")]
    status_socket: Option<PathBuf>,

    /// A socket for AMQP management by this user and root: services are added and removed while the router runs
    #[arg(long, value_name = "PATH")]
    management_socket: Option<PathBuf>,

    /// End when the process that started this one ends
    #[arg(long, hide = true)]
    end_with_parent: bool,
}

impl RouterArguments {
    fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_timeout.into())
    }
}

/// Runs the router until a signal ends it; then lets open connections finish for a while. A second signal ends it at
/// once.
///
/// `site` is where the network's console shows it.
pub(crate) fn run(
    config: RouterConfig,
    site: Option<String>,
    narrator: &mut impl Narrator,
    arguments: &RouterArguments,
) -> Result<(), Failure> {
    if arguments.end_with_parent {
        host::end_with_parent()?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the system gives no event queue")
        .or_runtime()?;
    runtime.block_on(async {
        // Before the router, so that no signal finds the default action once it runs.
        let manager = Supervised::of_process()?;
        let mut signals = Signals::catch().context("signals cannot be caught").or_runtime()?;
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let options = StartOptions {
            version,
            site,
            host_name: Some(host::name()),
            status_socket: arguments.status_socket.clone(),
            management_socket: arguments.management_socket.clone(),
            skupper_version: host::SKUPPER_VERSION.to_owned(),
            log: logging::control(),
            ..StartOptions::default()
        };
        let router = start(&config, options).map_err(not_started)?;
        // The router has its own of what it needs, which may be much.
        drop(config);
        let mut events = router.events();
        let status = router.status().await.map_err(|_| Failure::Runtime(anyhow!("the router ended at its start")))?;
        narrator.started(&status);
        drop(status);
        manager.ready("not linked to the network yet");
        let signal = tokio::select! {
            signal = serve(&router, &mut events, &mut signals, narrator, &manager) => signal?,
            never = manager.watch(async || router.status().await.is_ok()) => match never {},
        };
        manager.stopping("open connections may finish");
        finish(&router, &mut events, &mut signals, narrator, arguments.drain(), signal).await
    })
}

/// Tells events until a signal comes.
async fn serve(
    router: &RouterHandle,
    events: &mut Receiver<Event>,
    signals: &mut Signals,
    narrator: &mut impl Narrator,
    manager: &Supervised,
) -> Result<&'static str, Failure> {
    loop {
        tokio::select! {
            wish = signals.next() => match wish {
                Wish::End(signal) => return Ok(signal),
                // A router that ends is told of below.
                Wish::Renew => drop(router.renew_certificates().await),
            },
            ending = router.ended() => return Err(ended(ending)),
            event = events.recv() => {
                if let Ok(event) = &event {
                    manager.happened(event);
                }
                tell(narrator, event);
            }
        }
    }
}

async fn finish(
    router: &RouterHandle,
    events: &mut Receiver<Event>,
    signals: &mut Signals,
    narrator: &mut impl Narrator,
    limit: Duration,
    signal: &str,
) -> Result<(), Failure> {
    let open = router.status().await.map_or(0, |status| status.totals.open_flows);
    match open {
        0 => say(format_args!("{signal}: stopping")),
        open => say(format_args!(
            "{signal}: stopping; {} may finish within {} s, a second signal cuts",
            output::count(open, "open connection"),
            limit.as_secs()
        )),
    }
    let draining = router.drain(limit);
    tokio::pin!(draining);
    loop {
        tokio::select! {
            drained = &mut draining => {
                return match drained {
                    Ok(drained) => {
                        stopped(drained.cut);
                        Ok(())
                    }
                    Err(_) => Err(ended(router.ended().await)),
                };
            }
            signal = signals.ending() => {
                say(format_args!("{signal} again: stopped at once"));
                return Ok(());
            }
            event = events.recv() => tell(narrator, event),
        }
    }
}

fn stopped(cut: usize) {
    match cut {
        0 => say("stopped"),
        cut => say(format_args!("stopped; {} did not finish in time and were cut", output::count(cut, "connection"))),
    }
}

fn tell(narrator: &mut impl Narrator, event: Result<Event, RecvError>) {
    match event {
        Ok(event) => narrator.happened(event),
        // The logs have them all.
        Err(RecvError::Lagged(_)) => {}
        // The end of the router is told by the router.
        Err(RecvError::Closed) => {}
    }
}

fn ended(ending: Ending) -> Failure {
    match ending {
        Ending::Drained => Failure::Runtime(anyhow!("the router ended without being asked")),
        Ending::Failed(cause) => {
            Failure::Runtime(anyhow!("the router failed ({cause}); this is a defect of Moorline, please report it"))
        }
    }
}

/// What cannot be opened is the host's matter; the rest is in the configuration.
fn not_started(error: StartError) -> Failure {
    let StartError::Problems(problems) = &error else {
        return Failure::Runtime(error.into());
    };
    let is_hosts = |problem: &StartProblem| {
        matches!(problem, StartProblem::Bind { .. } | StartProblem::Socket { .. } | StartProblem::Thread { .. })
    };
    let ports = problems.iter().all(|problem| matches!(problem, StartProblem::Bind { .. }));
    let next = if ports { "\nfree the port, or choose another one" } else { "" };
    let hosts = problems.iter().all(is_hosts);
    let words = anyhow!("the router cannot start\n{error}{next}");
    if hosts { Failure::Runtime(words) } else { Failure::Input(words) }
}
