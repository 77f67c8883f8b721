//! A process of this program, and what it says.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::output::say;

/// Lines that are remembered, of each child.
const REMEMBERED: usize = 200;
/// Lines that a failure shows.
const SHOWN: usize = 12;
const END_LIMIT: Duration = Duration::from_secs(5);

/// A running child. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) name: &'static str,
    process: tokio::process::Child,
    said: watch::Receiver<Said>,
    /// Whether its stdout is shown no more.
    quiet: Arc<AtomicBool>,
}

/// What a child said so far.
#[derive(Debug, Default)]
struct Said {
    lines: VecDeque<String>,
    /// Streams that are still open.
    open: usize,
}

impl Child {
    /// Starts this program with `arguments`. Its stdout is shown under its name; all that it says is remembered.
    pub(super) fn start<S: AsRef<OsStr>>(name: &'static str, arguments: &[S]) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program does not know where it is")?;
        let mut process = Command::new(&program)
            .args(arguments)
            .arg("--end-with-parent")
            // Ctrl-C is for the demo, which ends its children in order.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        let (sender, said) = watch::channel(Said { lines: VecDeque::new(), open: 2 });
        let quiet = Arc::new(AtomicBool::new(false));
        if let (Some(out), Some(err)) = (process.stdout.take(), process.stderr.take()) {
            tokio::spawn(listen(name, out, sender.clone(), Arc::clone(&quiet)));
            tokio::spawn(listen(name, err, sender, Arc::new(AtomicBool::new(true))));
        }
        Ok(Self { name, process, said, quiet })
    }

    /// Shows its stdout no more.
    pub(super) fn hush(&self) {
        self.quiet.store(true, Ordering::Relaxed);
    }

    /// Waits for a line with `words`, and answers the line.
    pub(super) async fn says(&self, words: &str, limit: Duration) -> anyhow::Result<String> {
        let mut said = self.said.clone();
        let after = |said: &Said| said.lines.iter().find(|line| line.contains(words)).cloned();
        let found = timeout(limit, said.wait_for(|said| after(said).is_some() || said.open == 0)).await;
        let found = match found {
            Ok(Ok(said)) => after(&said),
            _ => None,
        };
        found.ok_or_else(|| match self.said.borrow().open {
            0 => self.blame(anyhow!("the {} ended", self.name)),
            _ => self.blame(anyhow!("the {} did not say {words:?} within {} s", self.name, limit.as_secs())),
        })
    }

    /// Waits for the end, which nobody wants.
    pub(super) async fn ended(&self) -> anyhow::Error {
        let mut said = self.said.clone();
        let _ = said.wait_for(|said| said.open == 0).await;
        self.blame(anyhow!("the {} ended", self.name))
    }

    /// Adds the last lines of this child to an error.
    pub(super) fn blame(&self, error: anyhow::Error) -> anyhow::Error {
        anyhow!("{error:#}\n{}", self.last_lines())
    }

    /// The last lines, for a failure.
    pub(super) fn last_lines(&self) -> String {
        let said = self.said.borrow();
        let lines: Vec<String> =
            said.lines.iter().skip(said.lines.len().saturating_sub(SHOWN)).map(|line| format!("  {line}")).collect();
        match lines.as_slice() {
            [] => format!("the {} said nothing", self.name),
            lines => format!("last lines of the {}:\n{}", self.name, lines.join("\n")),
        }
    }

    /// Asks it to end, and waits until it did.
    pub(super) async fn end(&mut self) -> anyhow::Result<()> {
        let pid = self.process.id().and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = pid {
            kill(Pid::from_raw(pid), Signal::SIGTERM).with_context(|| format!("end the {}", self.name))?;
        }
        let ended: Result<std::io::Result<ExitStatus>, _> = timeout(END_LIMIT, self.process.wait()).await;
        match ended {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(self.blame(anyhow!("the {} ended with {status}", self.name))),
            Ok(Err(error)) => bail!("the {} cannot be waited for: {error}", self.name),
            Err(_) => Err(self.blame(anyhow!("the {} did not end within {} s", self.name, END_LIMIT.as_secs()))),
        }
    }
}

/// Remembers each line; shows it under `name` unless quiet.
async fn listen(name: &str, stream: impl AsyncRead + Unpin, said: watch::Sender<Said>, quiet: Arc<AtomicBool>) {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if !quiet.load(Ordering::Relaxed) {
            say(format_args!("  {name:<14} | {line}"));
        }
        said.send_modify(|said| {
            said.lines.push_back(line);
            if said.lines.len() > REMEMBERED {
                said.lines.pop_front();
            }
        });
    }
    said.send_modify(|said| said.open -= 1);
}
