//! The router thread: starts the tasks of a plan and answers commands until the end.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::LocalSet;

use super::drain::{Drain, Drained};
use super::driver::Driver;
use super::event::Event;
use super::handle::{Answer, Command, Ending};
use super::management;
use super::memory;
use super::plan::Plan;
use super::problem::ServiceError;
use super::renewal;
use super::service_sync;
use super::start::LogControl;
use super::uplink;
use super::vanflow::Telling;
use crate::core::Settings;
use crate::service_sync::ServiceSync;

/// Certificate files are read on helper threads; more than this many wait in line.
const READER_THREADS: usize = 2;

/// The ends of the handle's channels.
pub(super) struct Channels {
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) asker: mpsc::WeakSender<Command>,
    pub(super) events: broadcast::Sender<Event>,
    pub(super) ending: watch::Sender<Option<Ending>>,
}

/// The body of the thread. `started` hears whether it runs.
pub(super) fn run(
    plan: Plan,
    log: Option<Arc<dyn LogControl>>,
    channels: Channels,
    started: std::sync::mpsc::SyncSender<io::Result<()>>,
) {
    let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(READER_THREADS).build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            // The starter waits for exactly this.
            let _ = started.send(Err(error));
            return;
        }
    };
    let Channels { commands, asker, events, ending } = channels;
    let tasks = LocalSet::new();
    let outcome = tasks.block_on(&runtime, async {
        match RouterThread::start(plan, log, asker, events) {
            Ok(thread) => {
                let _ = started.send(Ok(()));
                thread.serve(commands).await
            }
            Err(error) => {
                let cause = error.to_string();
                let _ = started.send(Err(error));
                Err(cause)
            }
        }
    });
    // Every task ends here; a file that is being read is not waited for.
    drop(tasks);
    runtime.shutdown_background();
    let (answers, drained) = match outcome {
        Ok((answers, drained)) => {
            ending.send_replace(Some(Ending::Drained));
            (answers, drained)
        }
        Err(cause) => {
            tracing::error!(%cause, "the router has failed");
            ending.send_replace(Some(Ending::Failed(cause)));
            return;
        }
    };
    for answer in answers {
        // Whoever asked may be gone.
        let _ = answer.send(drained);
    }
}

struct RouterThread {
    driver: Rc<Driver>,
    settings: Settings,
    drain: Option<Rc<Drain>>,
    drain_answers: Vec<oneshot::Sender<Drained>>,
}

type Served = Result<(Vec<oneshot::Sender<Drained>>, Drained), String>;

impl RouterThread {
    fn start(
        plan: Plan,
        log: Option<Arc<dyn LogControl>>,
        asker: mpsc::WeakSender<Command>,
        events: broadcast::Sender<Event>,
    ) -> io::Result<RouterThread> {
        if let Some(log) = &log {
            for level in &plan.config.logs {
                if let Err(why) = log.set_level(&level.module, &level.enable) {
                    tracing::warn!("log {}: {why}", level.module);
                }
            }
        }
        let settings = plan.settings;
        let host_name = plan.facts.host_name.clone().unwrap_or_default();
        let sync = ServiceSync::new(plan.facts.site.clone(), plan.skupper_version);
        let driver = Driver::new(&settings, plan.config, host_name, sync, plan.profiles, asker, events);
        driver.spawn(renewal::run(Rc::clone(&driver), plan.certificate_check));
        let telling = Telling::new(plan.facts);
        driver.spawn(telling.run(Rc::clone(&driver)));
        driver.spawn(service_sync::run(Rc::clone(&driver)));
        driver.spawn(memory::run(Rc::clone(&driver)));
        for text in plan.warnings {
            tracing::warn!("{text}");
        }
        // Names are unique in a checked configuration; a double would be told here.
        for error in plan.addresses.into_iter().filter_map(|address| driver.add_address(address).err()) {
            tracing::warn!(%error, "an address is left out");
        }
        let connectors = plan.connectors.into_iter();
        let listeners = plan.listeners.into_iter();
        let added = connectors
            .map(|connector| driver.add_connector(connector))
            .chain(listeners.map(|listener| driver.add_listener(listener)));
        let http_connectors = plan.http_connectors.into_iter().map(|connector| driver.add_http_connector(connector));
        let http_listeners = plan.http_listeners.into_iter().map(|listener| driver.add_http_listener(listener));
        let added = added.chain(http_connectors).chain(http_listeners);
        for error in added.filter_map(Result::err) {
            tracing::warn!(%error, "a service is left out");
        }
        for door in plan.doors {
            driver.open_door(door)?;
        }
        if let Some(socket) = plan.status_socket {
            driver.open_status_socket(socket)?;
        }
        if let Some(socket) = plan.management_socket {
            driver.open_management_socket(socket);
        }
        driver.spawn(management::serve(Rc::clone(&driver), log));
        for uplink in plan.uplinks {
            driver.add_uplink(uplink);
        }
        driver.spawn(uplink::run(Rc::clone(&driver)));
        Ok(RouterThread { driver, settings, drain: None, drain_answers: Vec::new() })
    }

    async fn serve(mut self, mut commands: mpsc::Receiver<Command>) -> Served {
        let mut handles_left = true;
        loop {
            let drain = self.drain.clone();
            tokio::select! {
                biased;
                () = self.driver.broken.wait() => {
                    return Err("a task of the router panicked".to_owned());
                }
                () = finished(drain.as_deref()) => {
                    let drained = drain.and_then(|drain| drain.outcome());
                    return Ok((self.drain_answers, drained.unwrap_or(Drained { cut: 0 })));
                }
                command = commands.recv(), if handles_left => match command {
                    Some(command) => self.obey(command),
                    None => {
                        handles_left = false;
                        self.begin_drain(Duration::ZERO);
                    }
                },
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Status(answer) => {
                // Whoever asked may be gone, here and below.
                let _ = answer.send(self.driver.status(&self.settings));
            }
            Command::AddListener(listener, answer) => {
                self.add(answer, async move |driver| driver.add_free_listener(listener).await);
            }
            Command::RemoveListener(name, answer) => {
                self.change(answer, |driver| driver.remove_listener(&name));
            }
            Command::AddConnector(connector, answer) => {
                self.change(answer, |driver| driver.add_connector(connector));
            }
            Command::RemoveConnector(name, answer) => {
                self.change(answer, |driver| driver.remove_connector(&name));
            }
            Command::AddHttpListener(listener, answer) => {
                self.add(answer, async move |driver| driver.add_free_http_listener(listener).await);
            }
            Command::RemoveHttpListener(name, answer) => {
                self.change(answer, |driver| driver.remove_http_listener(&name));
            }
            Command::AddHttpConnector(connector, answer) => {
                self.change(answer, |driver| driver.add_http_connector(connector));
            }
            Command::RemoveHttpConnector(name, answer) => {
                self.change(answer, |driver| driver.remove_http_connector(&name));
            }
            Command::RenewCertificates => self.driver.renew.set(),
            Command::Drain(limit, answer) => {
                self.drain_answers.push(answer);
                self.begin_drain(limit);
            }
        }
    }

    fn change(&self, answer: Answer, change: impl FnOnce(&Rc<Driver>) -> Result<(), ServiceError>) {
        let outcome = if self.driver.draining.get() { Err(ServiceError::Stopped) } else { change(&self.driver) };
        let _ = answer.send(outcome);
    }

    /// The same for what takes time.
    fn add(&self, answer: Answer, add: impl AsyncFnOnce(Rc<Driver>) -> Result<(), ServiceError> + 'static) {
        let driver = Rc::clone(&self.driver);
        self.driver.spawn(async move {
            let _ = answer.send(add(driver).await);
        });
    }

    fn begin_drain(&mut self, limit: Duration) {
        let now = Instant::now();
        let deadline = now.checked_add(limit).unwrap_or(now);
        if let Some(drain) = &self.drain {
            drain.hasten(deadline);
            return;
        }
        self.driver.close_doors();
        let drain = Rc::new(Drain::new(deadline));
        self.driver.spawn(Rc::clone(&drain).run(Rc::clone(&self.driver)));
        self.drain = Some(drain);
    }
}

async fn finished(drain: Option<&Drain>) {
    match drain {
        Some(drain) => drain.finished.wait().await,
        None => std::future::pending().await,
    }
}
