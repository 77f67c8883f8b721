//! Starting a router: everything is checked, then its thread begins.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use moorline_definition::router_config::RouterConfig;
use tokio::sync::{broadcast, mpsc, watch};

use super::handle::RouterHandle;
use super::memory;
use super::plan::plan;
use super::problem::StartError;
use super::thread::{Channels, run};
use crate::management::LogLine;

/// Commands that may wait for the router thread.
const COMMANDS: usize = 64;
/// Events that a slow reader may be behind.
const EVENTS: usize = 256;

/// What a configuration does not say.
#[derive(Clone)]
pub struct StartOptions {
    /// Product version that the network sees.
    pub version: String,
    /// Identity of the site that this router belongs to, for the network's console; it shows no router without one.
    pub site: Option<String>,
    /// This host's name, for the same.
    pub host_name: Option<String>,
    /// How often certificate files are looked at; renewed ones are taken into use.
    pub certificate_check: Duration,
    /// A socket in the file system for `/healthz`, `/readyz`, `/metrics` and `/status` over HTTP; only this user and root
    /// are answered.
    pub status_socket: Option<PathBuf>,
    /// A socket in the file system for AMQP clients of this user and root, such as those of management.
    pub management_socket: Option<PathBuf>,
    /// Version of Skupper that announcements name; they are in the name of `site`.
    pub skupper_version: String,
    /// The log of the program, as management shows and sets it; none: it does neither.
    pub log: Option<Arc<dyn LogControl>>,
}

/// The log of the program that the router runs in.
pub trait LogControl: Send + Sync {
    /// Sets the level of a module, from now on: `DEFAULT` or another of [`MODULES`](crate::management::types::log::MODULES); such as `info+`.
    ///
    /// # Errors
    /// Why it is not set, in words.
    fn set_level(&self, module: &str, level: &str) -> Result<(), String>;

    /// The last lines, at most so many, oldest first.
    fn recent(&self, limit: usize) -> Vec<LogLine>;
}

impl Default for StartOptions {
    fn default() -> StartOptions {
        StartOptions {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            site: None,
            host_name: None,
            certificate_check: Duration::from_secs(10),
            status_socket: None,
            management_socket: None,
            skupper_version: env!("CARGO_PKG_VERSION").to_owned(),
            log: None,
        }
    }
}

/// Checks `config`, and runs it on a thread of its own.
///
/// Blocks for the checks: files are read, host names of listeners resolved, ports tried. Needs no runtime.
///
/// # Errors
/// All problems of the configuration at once; nothing runs then.
pub fn start(config: &RouterConfig, options: StartOptions) -> Result<RouterHandle, StartError> {
    memory::share_heap();
    let log = options.log.clone();
    let plan = plan(config, options).map_err(StartError::Problems)?;
    let profiles = Arc::clone(&plan.profiles);
    let (command_sender, commands) = mpsc::channel(COMMANDS);
    let (events, _) = broadcast::channel(EVENTS);
    let (ending_sender, ending) = watch::channel(None);
    let (started, has_started) = sync_channel(1);
    let asker = command_sender.downgrade();
    let channels = Channels { commands, asker, events: events.clone(), ending: ending_sender };
    std::thread::Builder::new()
        .name("router".to_owned())
        .spawn(move || run(plan, log, channels, started))
        .map_err(StartError::Thread)?;
    match has_started.recv() {
        Ok(Ok(())) => Ok(RouterHandle { commands: command_sender, events, ending, profiles }),
        Ok(Err(error)) => Err(StartError::Thread(error)),
        Err(_) => Err(StartError::Thread(std::io::Error::other("it ended before it began"))),
    }
}
