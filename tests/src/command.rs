//! The `moorline` program under test.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::DEADLINE;
use crate::scratch::Scratch;

/// The program: what `MOORLINE_BIN` names, else that of this workspace, built now.
#[must_use]
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| match std::env::var_os("MOORLINE_BIN") {
        Some(path) => std::path::absolute(path).expect("MOORLINE_BIN is a path"),
        None => build(),
    })
}

fn build() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--package", "moorline"]).current_dir(workspace);
    let status = cargo.status().expect("start cargo");
    assert!(status.success(), "the program under test does not build");
    // This test is target/HOST/PROFILE/deps/NAME.
    let test = std::env::current_exe().expect("where this test is");
    test.ancestors().nth(3).expect("a target directory").join("debug/moorline")
}

/// The program with `arguments`, as a user whose home is `home` and who has set nothing.
#[must_use]
pub fn moorline<A: AsRef<std::ffi::OsStr>>(home: &Scratch, arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(program());
    command.args(arguments).current_dir(home.path());
    for name in ["XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "HOSTNAME"] {
        command.env_remove(name);
    }
    command.env("HOME", home.path()).env("XDG_RUNTIME_DIR", home.path()).env("XDG_STATE_HOME", home.join("state"));
    command.env("TMPDIR", home.path()).env("NO_COLOR", "1");
    command
}

/// Runs it to its end, which must come.
pub fn run<A: AsRef<std::ffi::OsStr>>(home: &Scratch, arguments: impl IntoIterator<Item = A>) -> Output {
    finish(&mut moorline(home, arguments))
}

/// Runs a command to its end. One that does not end is killed, and has a signal for its status.
pub fn finish(command: &mut Command) -> Output {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("start moorline");
    let id = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    let (ended, watch) = mpsc::channel::<()>();
    let watchdog = thread::spawn(move || {
        // While nobody has waited for it, its id is its own.
        if watch.recv_timeout(DEADLINE) == Err(RecvTimeoutError::Timeout) {
            let _ = kill(id, Signal::SIGKILL);
        }
    });
    let output = child.wait_with_output().expect("what it said");
    drop(ended);
    watchdog.join().expect("the watchdog");
    output
}

/// What it said on stderr.
#[must_use]
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What it said on stdout.
#[must_use]
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
