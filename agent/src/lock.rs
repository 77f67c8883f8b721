//! A directory that one process at a time may use.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use moorline_bundle::files;

use crate::failure::{Blame, Failure};

const NAME: &str = "lock";
/// The lock may be removed by its last holder between our opening it and our having it.
const ATTEMPTS: usize = 100;
/// How often it is looked whether the holder has ended.
const LOOK: Duration = Duration::from_millis(50);

/// The right to use a directory, until dropped. The system takes it back when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    /// Closing it ends the lock.
    _file: File,
}

impl Lock {
    /// Makes `dir` (0700) if it does not exist, and locks it. `user` says who wants it, such as `gateway "database"`.
    pub(crate) fn take(dir: &Path, user: &str) -> Result<Self, Failure> {
        Self::take_within(dir, NAME, user, Duration::ZERO)
    }

    /// The same with a name for the lock's file, and a time for its holder to end. Blocks.
    pub(crate) fn take_within(dir: &Path, name: &str, user: &str, patience: Duration) -> Result<Self, Failure> {
        let path = dir.join(name);
        let deadline = Instant::now() + patience;
        let mut attempts = 0;
        while attempts < ATTEMPTS {
            attempts += 1;
            files::private_dir(dir).or_runtime()?;
            let mut file = match open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error).with_context(|| format!("open {}", path.display())).or_runtime(),
            };
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(LOOK);
                    attempts -= 1;
                    continue;
                }
                Err(TryLockError::WouldBlock) => return Err(held(&mut file, dir, user)),
                Err(TryLockError::Error(error)) => {
                    return Err(error).with_context(|| format!("lock {}", path.display())).or_runtime();
                }
            }
            if is_at(&file, &path) {
                write_pid(&mut file).with_context(|| format!("write {}", path.display())).or_runtime()?;
                return Ok(Self { path, _file: file });
            }
        }
        Err(Failure::Runtime(anyhow!("{} is removed again and again by something else", path.display())))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Still locked: whoever opens it meanwhile finds that it is not there any more, and makes another.
        let _ = fs::remove_file(&self.path);
    }
}

/// Locks a directory as it is, and puts nothing in it; until the file is dropped. `None`: another process has it.
pub(crate) fn lock_directory(dir: &Path) -> Result<Option<File>, Failure> {
    let said = || format!("lock {}", dir.display());
    let file = File::open(dir).with_context(said).or_runtime()?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error).with_context(said).or_runtime(),
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(files::SECRET_FILE).open(path)
}

fn held(file: &mut File, dir: &Path, user: &str) -> Failure {
    let mut pid = String::new();
    let known = file.read_to_string(&mut pid).is_ok() && pid.trim().parse::<u32>().is_ok();
    let who = if known { format!("process {}", pid.trim()) } else { "another process".to_owned() };
    Failure::Runtime(anyhow!("{user} runs already: {who} holds {}; end it first", dir.display()))
}

fn is_at(file: &File, path: &Path) -> bool {
    let place = |found: fs::Metadata| (found.dev(), found.ino());
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(held), Ok(there)) => place(held) == place(there),
        _ => false,
    }
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())
}
