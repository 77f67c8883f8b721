//! What the command says: results on stdout, words for people on stderr.

use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) const RED: &str = "\x1b[1;31m";
pub(crate) const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[1;33m";
pub(crate) const PLAIN: &str = "\x1b[0m";
/// To the beginning of a terminal's line, and nothing on it.
const CLEAR: &str = "\r\x1b[K";

/// Whether all that is said goes to the log: nobody sits before a program that runs for ever.
static LOGGED: AtomicBool = AtomicBool::new(false);

/// Has results, errors and warnings go to the log from now on, which has begun.
pub(crate) fn into_log() {
    LOGGED.store(true, Ordering::Relaxed);
}

fn is_logged() -> bool {
    LOGGED.load(Ordering::Relaxed)
}

/// A line of the result. A reader that went away is no reason to stop.
pub(crate) fn say(line: impl Display) {
    if is_logged() {
        tracing::info!("{line}");
        return;
    }
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Text for people, as it is.
pub(crate) fn tell(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// What goes on, for who waits at a terminal: a line that the next one replaces, and that is gone when this is dropped.
/// Elsewhere nothing.
pub(crate) struct Progress {
    terminal: bool,
}

impl Progress {
    pub(crate) fn begin() -> Progress {
        Progress { terminal: io::stderr().is_terminal() && !is_logged() }
    }

    pub(crate) fn is_seen(&self) -> bool {
        self.terminal
    }

    pub(crate) fn tell(&self, what: impl Display) {
        if self.terminal {
            let what = what.to_string();
            tell(&format!("{CLEAR}{}", what.lines().next().unwrap_or_default()));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.terminal {
            tell(CLEAR);
        }
    }
}

/// An error for people.
pub(crate) fn error(words: &str) {
    if is_logged() { tracing::error!("{words}") } else { labelled("error", RED, words) }
}

/// A warning for people.
pub(crate) fn warning(words: &str) {
    if is_logged() { tracing::warn!("{words}") } else { labelled("warning", YELLOW, words) }
}

fn labelled(label: &str, colour: &str, words: &str) {
    if coloured(&io::stderr()) {
        tell(&format!("{colour}{label}{PLAIN}: {words}\n"))
    } else {
        tell(&format!("{label}: {words}\n"))
    }
}

/// Whether what goes to `out` may have colours: a terminal that shows them, and nobody who said no (<https://no-color.org>).
pub(crate) fn coloured(out: &impl IsTerminal) -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    out.is_terminal() && !set("NO_COLOR") && !dumb
}

/// Why a file cannot be read, in the words of a shell: without capital letter and error number.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "no such file or directory".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        ErrorKind::IsADirectory => "is a directory".to_owned(),
        _ => error.to_string(),
    }
}

/// `1 binding`, `2 bindings`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
