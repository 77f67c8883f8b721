//! The program as its users see it: processes, files, ports.

#[path = "../../../../tests/src/ports.rs"]
#[allow(unreachable_pub)]
mod ports;
mod running;
pub(crate) mod tokens;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

pub(crate) use ports::free_port;
pub(crate) use running::Running;

/// A directory of a test's own, and the program with nothing but it as home, state and runtime directory.
pub(crate) struct Place {
    dir: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["home", "run", "state"] {
            fs::create_dir(dir.path().join(name)).unwrap();
            fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(0o700)).unwrap();
        }
        Self { dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// A definition with one binding of `echo:7000`, or one forward of it, on `port` of this machine.
    pub(crate) fn definition(&self, gateway: &str, kind: &str, port: u16) -> PathBuf {
        self.write(
            &format!("{gateway}.yaml"),
            &format!(
                "name: {gateway}\n{kind}:\n  - name: echo\n    host: 127.0.0.1\n    \
                 service: {{address: \"echo:7000\", protocol: tcp, ports: [{port}]}}\n    target_ports: [{port}]\n"
            ),
        )
    }

    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_moorline"));
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env_clear()
            .env("HOME", self.path("home"))
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("XDG_STATE_HOME", self.path("state"))
            .stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn moorline<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Ended {
        Ended::new(self.command(arguments).output().unwrap())
    }

    /// Everything below the directory: names with modes, and what the files hold.
    pub(crate) fn snapshot(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        let mut found = BTreeMap::new();
        walk(self.dir.path(), &mut found);
        found
    }
}

fn walk(dir: &Path, found: &mut BTreeMap<PathBuf, (u32, Vec<u8>)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        let content = if metadata.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        if metadata.is_dir() {
            walk(&path, found);
        }
        found.insert(path, (metadata.permissions().mode() & 0o7777, content));
    }
}

/// How the program ended, and what it said.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    fn new(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// It ended with `code`, said nothing on stdout, and one error with `words`.
    pub(crate) fn refused(&self, code: i32, words: &str) {
        assert_eq!(self.code, Some(code), "{}", self.err);
        assert_eq!(self.out, "");
        let errors = self.err.lines().filter(|line| line.starts_with("error")).count();
        assert_eq!(errors, 1, "{}", self.err);
        assert!(self.err.contains(words), "{words:?} is not in: {}", self.err);
        assert!(!self.err.contains("PRIVATE KEY"), "{}", self.err);
    }
}

/// Every file below `dir` is its owner's alone.
pub(crate) fn assert_private(dir: &Path) {
    let mut found = BTreeMap::new();
    walk(dir, &mut found);
    assert!(!found.is_empty());
    for (path, (mode, _)) in found {
        let wanted = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, wanted, "{} has mode {mode:o}", path.display());
    }
}
