//! The program while it runs.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(20);

/// A process and what it said so far. Dropping it kills it.
pub(crate) struct Running {
    child: Child,
    said: Arc<(Mutex<String>, Condvar)>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said: Arc<(Mutex<String>, Condvar)> = Arc::default();
        listen(child.stdout.take().unwrap(), Arc::clone(&said));
        listen(child.stderr.take().unwrap(), Arc::clone(&said));
        Self { child, said }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until a line with `words` was said, and answers the line.
    pub(crate) fn says(&self, words: &str) -> String {
        let find = |said: &str| said.lines().find(|line| line.contains(words)).map(str::to_owned);
        let (said, changed) = &*self.said;
        let waited = changed.wait_timeout_while(said.lock().unwrap(), LIMIT, |said| find(said).is_none());
        let (said, _) = waited.unwrap();
        find(&said).unwrap_or_else(|| panic!("{words:?} was not said within {LIMIT:?}:\n{said}"))
    }

    /// All that it said.
    pub(crate) fn said(&self) -> String {
        self.said.0.lock().unwrap().clone()
    }

    /// Sends a signal by its name, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it did not end within {LIMIT:?}:\n{}", self.said());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// SIGTERM, then a good end.
    pub(crate) fn end(&mut self) {
        self.signal("TERM");
        let status = self.ended();
        assert!(status.success(), "{status}:\n{}", self.said());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(stream: impl Read + Send + 'static, said: Arc<(Mutex<String>, Condvar)>) {
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            said.0.lock().unwrap().push_str(&format!("{line}\n"));
            said.1.notify_all();
        }
    });
}
