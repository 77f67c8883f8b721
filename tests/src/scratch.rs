//! A directory for one test, gone at its end.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A directory (0700) that is removed when dropped.
#[derive(Debug)]
pub struct Scratch(TempDir);

impl Scratch {
    /// Makes it.
    #[must_use]
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("moorline-test-").tempdir();
        Self(dir.expect("a temporary directory"))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The path of `name` inside.
    #[must_use]
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes the file `name` inside.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.join(name);
        fs::write(&path, text).expect("write a file of the test");
        path
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}
