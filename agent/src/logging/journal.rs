//! systemd's journal, where it reads stderr: each line begins with its priority (sd-daemon(3)), and the time is the journal's.

use std::io::{self, Write};

use nix::sys::stat::fstat;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Whether what this process says on stderr goes to the journal (systemd.exec(5), `$JOURNAL_STREAM`).
pub(super) fn reads_stderr() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    fstat(io::stderr()).is_ok_and(|stat| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// Writes lines with their priority to stderr.
pub(super) struct Prioritised;

/// One line.
pub(super) struct Line {
    priority: &'static str,
}

impl MakeWriter<'_> for Prioritised {
    type Writer = Line;

    fn make_writer(&self) -> Line {
        Line { priority: priority(Level::INFO) }
    }

    fn make_writer_for(&self, meta: &Metadata<'_>) -> Line {
        Line { priority: priority(*meta.level()) }
    }
}

impl Write for Line {
    /// All of a line comes at once.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut out = io::stderr().lock();
        out.write_all(&[self.priority.as_bytes(), line].concat())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// In the numbers of syslog(3).
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        Level::DEBUG | Level::TRACE => "<7>",
    }
}
