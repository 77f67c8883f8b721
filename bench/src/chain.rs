//! What lies between client and server: one or two programs, and the files that they run by.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use moorline_tests::process::Process;
use moorline_tests::scratch::Scratch;
use nix::sys::signal::Signal;

use crate::generator::open::connect_through;
use crate::process;

/// How long a chain may take until it serves.
const PATIENCE: Duration = Duration::from_secs(60);

/// One program of a chain.
#[derive(Debug)]
pub(crate) struct Hop {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<OsString>,
    /// How it is ended: at once, unless it must look after children of its own.
    ending: Signal,
    process: Option<Process>,
}

impl Hop {
    pub(crate) fn new(name: &'static str, program: impl Into<PathBuf>) -> Self {
        Self { name, program: program.into(), arguments: Vec::new(), ending: Signal::SIGKILL, process: None }
    }

    pub(crate) fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub(crate) fn ended_by(mut self, signal: Signal) -> Self {
        self.ending = signal;
        self
    }

    /// Starts it.
    pub(crate) fn start(&mut self) {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        self.process = Some(Process::start(self.name, &mut command).ended_by(self.ending));
    }

    /// Kills it, as a crash would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.crash();
        }
    }

    /// Its processes.
    fn ids(&self) -> Vec<u32> {
        self.process.as_ref().map(|process| process::family(process.id())).unwrap_or_default()
    }

    /// The last lines that it said, where it said any.
    fn last_words(&self) -> String {
        let said = self.process.as_ref().map(Process::said).unwrap_or_default();
        let lines: Vec<&str> = said.lines().collect();
        let last = &lines[lines.len().saturating_sub(5)..];
        if last.is_empty() { String::new() } else { format!("; {} said: {}", self.name, last.join(" | ")) }
    }
}

/// A service that nobody serves yet.
#[derive(Debug)]
pub(crate) struct Addition {
    /// Where the hop at the server takes orders.
    pub(crate) door: u16,
    /// Where clients of the service connect.
    pub(crate) entry: u16,
    /// What the hop at the server is to be told.
    pub(crate) connector: Vec<(&'static str, String)>,
}

/// A competitor that is ready to carry.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    /// Where clients connect, address by address.
    pub(crate) entries: Vec<u16>,
    /// Where a router's edges connect. `None` where there is no link to restore.
    pub(crate) uplink: Option<u16>,
    /// At the server. `None` where nothing is between.
    pub(crate) near_server: Option<Hop>,
    /// At the client. `None` where there is one hop at most.
    pub(crate) near_client: Option<Hop>,
    /// What can be added while it runs. `None` where nothing can.
    pub(crate) addition: Option<Addition>,
    /// Outlives the programs.
    #[expect(dead_code, reason = "dropped, it takes the files away")]
    pub(crate) home: Option<Scratch>,
}

impl Chain {
    /// Where clients connect to the first address.
    pub(crate) fn entry(&self) -> u16 {
        self.entries[0]
    }

    /// Starts all programs, the one that the other connects to first.
    pub(crate) fn start(&mut self) {
        for hop in [&mut self.near_client, &mut self.near_server].into_iter().flatten() {
            hop.start();
        }
    }

    /// The processes of the hop at the server.
    pub(crate) fn edge(&self) -> Vec<u32> {
        self.near_server.as_ref().map(Hop::ids).unwrap_or_default()
    }

    /// Those of the hop at the client.
    pub(crate) fn interior(&self) -> Vec<u32> {
        self.near_client.as_ref().map(Hop::ids).unwrap_or_default()
    }

    /// Waits until a byte goes through and comes back at each entry; asks as often as `poll` says.
    pub(crate) fn wait_until_it_serves(&self, poll: Duration) -> Result<()> {
        self.wait_until(poll, |entry| connect_through(entry).map(drop))
    }

    /// The same with a question of one's own.
    pub(crate) fn wait_until(&self, poll: Duration, ask: impl Fn(u16) -> io::Result<()>) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        for entry in &self.entries {
            while let Err(error) = ask(*entry) {
                if Instant::now() > deadline {
                    bail!("nothing comes back in {} s: {error}{}", PATIENCE.as_secs(), self.last_words());
                }
                thread::sleep(poll);
            }
        }
        Ok(())
    }

    fn last_words(&self) -> String {
        [&self.near_server, &self.near_client].into_iter().flatten().map(Hop::last_words).collect()
    }
}
