//! A program beside the test: what it says is kept, and it ends with its owner.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::DEADLINE;

/// How long a program may take to end when asked, before it is killed.
const GRACE: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(10);

/// A child process. Dropped, it is asked to end, and killed if it does not.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    said: Arc<Said>,
    readers: Vec<JoinHandle<()>>,
    ending: Signal,
}

/// Every line that a program wrote, on stdout or stderr.
#[derive(Debug, Default)]
struct Said {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

impl Said {
    fn follow(self: &Arc<Self>, from: impl Read + Send + 'static) -> JoinHandle<()> {
        let said = Arc::clone(self);
        thread::spawn(move || {
            for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
                said.lines.lock().expect("lines").push(String::from_utf8_lossy(&line).into_owned());
                said.more.notify_all();
            }
            said.more.notify_all();
        })
    }
}

impl Process {
    /// Starts `command`; `name` stands for it in messages.
    pub fn start(name: &str, command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("start {name} ({command:?}): {error}"));
        let said = Arc::new(Said::default());
        let readers = vec![
            said.follow(child.stdout.take().expect("stdout is a pipe")),
            said.follow(child.stderr.take().expect("stderr is a pipe")),
        ];
        Self { name: name.to_owned(), child, said, readers, ending: Signal::SIGTERM }
    }

    /// Ends it with `signal` instead of SIGTERM when dropped.
    #[must_use]
    pub fn ended_by(mut self, signal: Signal) -> Self {
        self.ending = signal;
        self
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How many lines it said so far: a mark for [`Process::wait_for_after`].
    #[must_use]
    pub fn mark(&self) -> usize {
        self.said.lines.lock().expect("lines").len()
    }

    /// Waits for a line that has all of `words`, and answers it.
    pub fn wait_for(&mut self, words: &[&str]) -> String {
        self.wait_for_after(0, words)
    }

    /// Waits for a line after `mark` that has all of `words`, and answers it.
    pub fn wait_for_after(&mut self, mark: usize, words: &[&str]) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            // Asked before the lines are read: what it said before its end is there.
            let ended = self.child.try_wait().expect("its state");
            if ended.is_some() {
                self.readers.drain(..).for_each(|reader| drop(reader.join()));
            }
            let lines = self.said.lines.lock().expect("lines");
            let found = lines.iter().skip(mark).find(|line| words.iter().all(|word| line.contains(word)));
            if let Some(line) = found {
                return line.clone();
            }
            let all = lines.join("\n");
            assert!(ended.is_none(), "{} ended ({ended:?}) without saying {words:?}; it said:\n{all}", self.name);
            assert!(Instant::now() < deadline, "{} does not say {words:?}; it said:\n{all}", self.name);
            drop(self.said.more.wait_timeout(lines, Duration::from_millis(100)).expect("lines"));
        }
    }

    /// All that it said so far.
    #[must_use]
    pub fn said(&self) -> String {
        // Also of one for which a test has failed while it looked at them.
        self.said.lines.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("its state").is_none()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).expect("a process id");
        // It may have ended already.
        let _ = kill(Pid::from_raw(id), signal);
    }

    /// Kills it, as a crash would.
    pub fn crash(&mut self) {
        self.signal(Signal::SIGKILL);
        self.wait();
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let Some(status) = self.ends_within(DEADLINE) else {
            panic!("{} does not end; it said:\n{}", self.name, self.said());
        };
        self.readers.drain(..).for_each(|reader| drop(reader.join()));
        status
    }

    fn ends_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            match self.child.try_wait().expect("its state") {
                Some(status) => return Some(status),
                None if Instant::now() >= deadline => return None,
                None => thread::sleep(POLL),
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.is_running() {
            self.signal(self.ending);
            if self.ends_within(GRACE).is_none() {
                self.signal(Signal::SIGKILL);
                let _ = self.child.wait();
            }
        }
        if thread::panicking() {
            println!("---- {} said:\n{}", self.name, self.said());
        }
    }
}

/// Waits until `reached` answers something; `what` names it in the message.
pub fn eventually<T>(what: &str, mut reached: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(result) = reached() {
            return result;
        }
        assert!(Instant::now() < deadline, "in vain: {what}");
        thread::sleep(POLL);
    }
}
