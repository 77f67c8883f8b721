//! Hosts that boot: what a test does with those of `tests/hosts/lab`, in which it runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::command::{finish, stderr, stdout};

/// A booted host of the lab.
#[derive(Debug)]
pub struct Host {
    name: &'static str,
    /// Its address for the others.
    pub address: String,
}

/// Who does something on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum As {
    /// Root.
    Root,
    /// Its user `tester`, at home in `/home/tester`.
    User,
}

impl Host {
    /// Boots one for the first time.
    #[must_use]
    pub fn boot(name: &'static str, number: u8) -> Self {
        let host = Self { name, address: format!("10.77.0.{number}") };
        host.power(&["boot", name, &number.to_string()]);
        host
    }

    /// Shuts it down in order, and boots it.
    pub fn reboot(&self) {
        self.power(&["reboot", self.name]);
    }

    /// Takes its power, and boots it.
    pub fn lose_power(&self) {
        self.power(&["crash", self.name]);
        self.power(&["boot", self.name]);
    }

    /// Takes it off the network, in silence.
    pub fn cut(&self) {
        self.power(&["cut", self.name]);
    }

    /// Puts it back on the network.
    pub fn join(&self) {
        self.power(&["join", self.name]);
    }

    fn power(&self, words: &[&str]) {
        let output = finish(script().args(words));
        assert!(output.status.success(), "{words:?}: {}{}", stdout(&output), stderr(&output));
    }

    /// A command there.
    #[must_use]
    pub fn command(&self, who: As, words: &[&str]) -> Command {
        let mut command = script();
        let verb = match who {
            As::Root => "run",
            As::User => "user",
        };
        command.arg(verb).arg(self.name).args(words).stdin(Stdio::null());
        command
    }

    /// What a command there ends with.
    pub fn run(&self, who: As, words: &[&str]) -> Output {
        finish(&mut self.command(who, words))
    }

    /// What a command there says, which must go well.
    pub fn good(&self, who: As, words: &[&str]) -> String {
        let output = self.run(who, words);
        assert!(output.status.success(), "{} {words:?}: {}{}", self.name, stdout(&output), stderr(&output));
        stdout(&output)
    }

    /// The place of one of its files here, also while it is down.
    #[must_use]
    pub fn file(&self, path: &str) -> PathBuf {
        lab().join(self.name).join("root").join(path.trim_start_matches('/'))
    }

    /// Writes one of its files, of root.
    pub fn write(&self, path: &str, content: &str) {
        let file = self.file(path);
        fs::create_dir_all(file.parent().expect("a directory")).expect("its file system can be written");
        fs::write(file, content).expect("its file system can be written");
    }

    /// All that was made or changed in its file system since it was unpacked: paths from its root, in order.
    #[must_use]
    pub fn changed(&self) -> Vec<PathBuf> {
        let upper = lab().join(self.name).join("upper");
        let mut found = Vec::new();
        collect(&upper, &upper, &mut found);
        found.sort();
        found
    }
}

fn collect(upper: &Path, dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a directory").flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(upper, &path, found);
        }
        found.push(path.strip_prefix(upper).expect("below it").to_owned());
    }
}

fn lab() -> PathBuf {
    std::env::var_os("LAB").expect("this test is for tests/hosts/lab alone").into()
}

fn script() -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("hosts/host"))
}
