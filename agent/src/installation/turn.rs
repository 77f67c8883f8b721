//! One change of this user's gateways at a time.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::directories;
use crate::failure::Failure;
use crate::lock::Lock;

/// No gateway's name begins with a dot.
const LOCK: &str = ".lock";
/// Most changes take less.
const PATIENCE: Duration = Duration::from_secs(30);

/// The right to change gateways, until dropped.
pub(crate) struct Turn {
    /// `None` only while it is dropped.
    lock: Option<Lock>,
    /// Directories that were made for it, outermost first. They go with it when nothing is in them.
    made: Vec<PathBuf>,
}

impl Turn {
    /// Waits for a change that another makes, such as the agent. Blocks.
    pub(crate) fn take() -> Result<Turn, Failure> {
        Turn::take_within(PATIENCE)
    }

    /// Waits for nobody.
    pub(crate) fn take_now() -> Result<Turn, Failure> {
        Turn::take_within(Duration::ZERO)
    }

    fn take_within(patience: Duration) -> Result<Turn, Failure> {
        let dir = directories::gateways()?;
        let made = missing(&dir);
        let lock = Lock::take_within(&dir, LOCK, "another change of a gateway", patience)?;
        Ok(Turn { lock: Some(lock), made })
    }

    /// Directories, outermost first, that shall go with it as far as nothing is in them.
    pub(crate) fn leaves(&mut self, directories: &[PathBuf]) {
        self.made.extend(directories.iter().cloned());
        self.made.sort();
    }

    pub(crate) fn made(&self) -> &[PathBuf] {
        &self.made
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        drop(self.lock.take());
        remove_empty(&self.made);
    }
}

/// Removes directories, outermost first in `made`, as far as nothing is in them.
pub(crate) fn remove_empty(made: &[PathBuf]) {
    for dir in made.iter().rev() {
        // Somebody may have put something there since.
        let _ = fs::remove_dir(dir);
    }
}

/// Directories that must be made for `dir` to be there, outermost first.
pub(crate) fn missing(dir: &Path) -> Vec<PathBuf> {
    let mut missing: Vec<PathBuf> = dir.ancestors().take_while(|dir| !dir.exists()).map(Path::to_owned).collect();
    missing.reverse();
    missing
}
