//! What is told of the agent, and of each file.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where the agent writes, and whoever asks it reads.
#[derive(Debug)]
pub(super) struct Board {
    pub(super) directory: PathBuf,
    pub(super) interval: u32,
    /// Why the directory cannot be kept.
    trouble: RefCell<Option<String>>,
    lines: RefCell<BTreeMap<PathBuf, Line>>,
    counts: RefCell<BTreeMap<String, Counts>>,
}

/// A definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    /// What it defines; none: that could not be read yet.
    pub(super) gateway: Option<String>,
    /// Why the gateway is not as the file says, or what else is wrong.
    pub(super) problem: Option<String>,
}

/// What was done for a gateway since the agent began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// How often something had to be changed, and was.
    pub(super) applied: u64,
    /// How often that failed.
    pub(super) failures: u64,
}

impl Board {
    pub(super) fn new(directory: PathBuf, interval: u32) -> Board {
        Board {
            directory,
            interval,
            trouble: RefCell::default(),
            lines: RefCell::default(),
            counts: RefCell::default(),
        }
    }

    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.borrow().clone()
    }

    pub(super) fn set_trouble(&self, trouble: Option<String>) {
        *self.trouble.borrow_mut() = trouble;
    }

    pub(super) fn lines(&self) -> BTreeMap<PathBuf, Line> {
        self.lines.borrow().clone()
    }

    pub(super) fn set(&self, file: &Path, line: Line) {
        self.lines.borrow_mut().insert(file.to_owned(), line);
    }

    /// Forgets all files but those.
    pub(super) fn retain(&self, kept: impl Fn(&Path) -> bool) {
        self.lines.borrow_mut().retain(|file, _| kept(file));
    }

    pub(super) fn counts(&self) -> BTreeMap<String, Counts> {
        self.counts.borrow().clone()
    }

    /// Counts something of a gateway.
    pub(super) fn count(&self, gateway: &str, what: impl FnOnce(&mut Counts)) {
        what(self.counts.borrow_mut().entry(gateway.to_owned()).or_default());
    }
}
