//! Starting a router: everything is checked, then its thread begins.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use moorline_definition::router_config::RouterConfig;
use tokio::sync::{broadcast, mpsc, watch};

use super::handle::RouterHandle;
use super::plan::plan;
use super::problem::StartError;
use super::thread::{Channels, run};

/// Commands that may wait for the router thread.
const COMMANDS: usize = 64;
/// Events that a slow reader may be behind.
const EVENTS: usize = 256;

/// What a configuration does not say.
#[derive(Debug, Clone)]
pub struct StartOptions {
    /// Product version that the network sees.
    pub version: String,
    /// Identity of the site that this router belongs to, for the network's console; it shows no router without one.
    pub site: Option<String>,
    /// This host's name, for the same.
    pub host_name: Option<String>,
}

impl Default for StartOptions {
    fn default() -> StartOptions {
        StartOptions { version: env!("CARGO_PKG_VERSION").to_owned(), site: None, host_name: None }
    }
}

/// Checks `config`, and runs it on a thread of its own.
///
/// Blocks for the checks: files are read, host names of listeners resolved, ports tried. Needs no runtime.
///
/// # Errors
/// All problems of the configuration at once; nothing runs then.
pub fn start(config: &RouterConfig, options: StartOptions) -> Result<RouterHandle, StartError> {
    let plan = plan(config, options).map_err(StartError::Problems)?;
    let profiles = Arc::clone(&plan.profiles);
    let (command_sender, commands) = mpsc::channel(COMMANDS);
    let (events, _) = broadcast::channel(EVENTS);
    let (ending_sender, ending) = watch::channel(None);
    let (started, has_started) = sync_channel(1);
    let channels = Channels { commands, events: events.clone(), ending: ending_sender };
    std::thread::Builder::new()
        .name("router".to_owned())
        .spawn(move || run(plan, channels, started))
        .map_err(StartError::Thread)?;
    match has_started.recv() {
        Ok(Ok(())) => Ok(RouterHandle { commands: command_sender, events, ending, profiles }),
        Ok(Err(error)) => Err(StartError::Thread(error)),
        Err(_) => Err(StartError::Thread(std::io::Error::other("it ended before it began"))),
    }
}
