//! Temporary files and directories that become the real ones by a rename.
//!
//! They are called `.NAME.PROCESS.COUNT.tmp`, beside what they will replace. Each is locked while its
//! writer lives, and the lock goes with the process: one that nobody holds was left by a crash, and
//! the next writer of the same name removes it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, RenameFlags, renameat2};
use nix::unistd::Uid;

use super::fault::failed;
use super::{FileError, PRIVATE_DIR, SECRET_FILE, parent_of, sync_dir};

/// How many names to try; each one taken belongs to a writer at work or to a crash.
const ATTEMPTS: usize = 64;

/// A complete, flushed 0600 file beside its destination; removed on drop unless put in place.
pub struct StagedFile<'a> {
    destination: &'a Path,
    claim: Claim,
}

impl<'a> StagedFile<'a> {
    pub(super) fn create(destination: &'a Path, bytes: &[u8]) -> Result<Self, FileError> {
        let claim = Claim::stake(destination, new_secret)?;
        let staged = Self { destination, claim };
        fill(&staged.claim.holder, bytes).map_err(failed("write", &staged.claim.path))?;
        Ok(staged)
    }

    /// Takes `room` bytes of the disk for what `destination` will hold: for what is had once, and must not be lost
    /// to a directory that cannot be written or a disk that is full.
    pub fn reserve(destination: &'a Path, room: usize) -> Result<Self, FileError> {
        Self::create(destination, &vec![0; room])
    }

    /// Makes `bytes` its content.
    pub fn rewrite(&self, bytes: &[u8]) -> Result<(), FileError> {
        // Over what is there, so that the room is used.
        let mut file = &self.claim.holder;
        file.rewind()
            .and_then(|()| file.write_all(bytes))
            .and_then(|()| file.set_len(bytes.len() as u64))
            .and_then(|()| file.sync_all())
            .map_err(failed("write", &self.claim.path))
    }

    /// Renames it to its destination; see [`write_secret`](super::write_secret) for the promise.
    pub fn put_in_place(self) -> Result<(), FileError> {
        fs::rename(&self.claim.path, self.destination).map_err(failed("replace", self.destination))?;
        sync_dir(parent_of(self.destination))
    }
}

/// A complete, flushed 0700 directory beside its destination; removed on drop unless put in place.
pub(super) struct StagedDir<'a> {
    destination: &'a Path,
    claim: Claim,
}

impl<'a> StagedDir<'a> {
    pub(super) fn create(destination: &'a Path, files: &[(&str, &[u8])]) -> Result<Self, FileError> {
        let claim = Claim::stake(destination, |path| {
            DirBuilder::new().mode(PRIVATE_DIR).create(path)?;
            File::open(path)
        })?;
        let staged = Self { destination, claim };
        for (name, bytes) in files {
            let path = staged.claim.path.join(name);
            new_secret(&path).and_then(|file| fill(&file, bytes)).map_err(failed("write", &path))?;
        }
        sync_dir(&staged.claim.path)?;
        Ok(staged)
    }

    /// Puts the directory in place; with `existing`, the old one takes its name and goes on drop.
    pub(super) fn put_in_place(self, existing: bool) -> Result<(), FileError> {
        let moved = if existing {
            exchange(&self.claim.path, self.destination)
        } else {
            fs::rename(&self.claim.path, self.destination)
        };
        moved.map_err(failed("replace", self.destination))?;
        sync_dir(parent_of(self.destination))
    }
}

/// A temporary name that is ours for as long as this lives; whatever bears it at the end is removed.
struct Claim {
    path: PathBuf,
    /// Open and locked, which is what tells it from the leavings of a crash.
    holder: File,
}

impl Claim {
    fn stake(destination: &Path, create: impl Fn(&Path) -> io::Result<File>) -> Result<Self, FileError> {
        let Some(name) = destination.file_name() else {
            let error = io::Error::from(io::ErrorKind::InvalidInput);
            return Err(failed("write to", destination)(error));
        };
        sweep(parent_of(destination), name);
        for _ in 0..ATTEMPTS {
            let path = destination.with_file_name(temporary_name(name));
            let holder = match create(&path) {
                Ok(holder) => holder,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(failed("create", &path)(error)),
            };
            let locked = holder.try_lock();
            let claim = Self { path, holder };
            // A sweep may have come between creation and lock, and taken it for the leavings of a
            // crash. A file system without locks has no sweeps either.
            if !matches!(locked, Err(TryLockError::WouldBlock)) && claim.still_there() {
                return Ok(claim);
            }
        }
        let error = io::Error::from(io::ErrorKind::AlreadyExists);
        Err(failed("find a temporary name for", destination)(error))
    }

    fn still_there(&self) -> bool {
        let at_path = fs::symlink_metadata(&self.path).map(|found| (found.dev(), found.ino()));
        let held = self.holder.metadata().map(|found| (found.dev(), found.ino()));
        matches!((at_path, held), (Ok(at_path), Ok(held)) if at_path == held)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

fn prefix(name: &OsStr) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(".");
    prefix
}

fn temporary_name(name: &OsStr) -> OsString {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut temporary = prefix(name);
    temporary.push(format!("{}.{count}.tmp", std::process::id()));
    temporary
}

/// Removes what a crash left of earlier writes to `name`. What cannot be removed is no obstacle.
fn sweep(dir: &Path, name: &OsStr) {
    let prefix = prefix(name);
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        if !is_temporary(&entry.file_name(), &prefix) {
            continue;
        }
        let path = entry.path();
        let Some(leftover) = open_leftover(&path) else {
            continue;
        };
        if leftover.try_lock().is_ok() {
            remove(&path);
        }
    }
}

/// Opens what may be a crash's leavings: a file or directory of this user's, and nothing else that
/// somebody may have put under such a name in a directory that others write to as well.
fn open_leftover(path: &Path) -> Option<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let leftover = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path).ok()?;
    let found = leftover.metadata().ok()?;
    let ours = found.uid() == Uid::effective().as_raw() && (found.is_file() || found.is_dir());
    ours.then_some(leftover)
}

/// Whether a file is called PREFIX, digits, a dot, digits, `.tmp`.
fn is_temporary(name: &OsStr, prefix: &OsStr) -> bool {
    let numbers =
        name.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes()).and_then(|rest| rest.strip_suffix(b".tmp"));
    let Some(numbers) = numbers else {
        return false;
    };
    let parts: Vec<_> = numbers.split(|byte| *byte == b'.').collect();
    parts.len() == 2 && parts.iter().all(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit))
}

fn remove(path: &Path) {
    let is_dir = fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
    // Nobody can act on a failure here: it is either gone already, or the next sweep's.
    let _ = if is_dir { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}

fn new_secret(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(SECRET_FILE).open(path)
}

fn fill(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}

/// Swaps two directories in one step.
fn exchange(staged: &Path, destination: &Path) -> io::Result<()> {
    match renameat2(AT_FDCWD, staged, AT_FDCWD, destination, RenameFlags::RENAME_EXCHANGE) {
        Ok(()) => Ok(()),
        Err(Errno::EINVAL | Errno::ENOSYS | Errno::ENOTSUP) => exchange_in_steps(staged, destination),
        Err(error) => Err(error.into()),
    }
}

/// For file systems that cannot exchange (NFS): for a moment there is nothing at `destination`.
fn exchange_in_steps(staged: &Path, destination: &Path) -> io::Result<()> {
    let name = destination.file_name().unwrap_or_default();
    let aside = destination.with_file_name(temporary_name(name));
    fs::rename(destination, &aside)?;
    if let Err(error) = fs::rename(staged, destination) {
        fs::rename(&aside, destination)?;
        return Err(error);
    }
    remove(&aside);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dir_with(parent: &Path, name: &str, content: &str) -> PathBuf {
        let dir = parent.join(name);
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("file"), content).unwrap();
        dir
    }

    #[test]
    fn directories_are_exchanged_with_and_without_the_file_systems_help() {
        for swap in [exchange, exchange_in_steps] {
            let place = tempfile::tempdir().unwrap();
            let staged = dir_with(place.path(), ".conn.1.0.tmp", "new");
            let destination = dir_with(place.path(), "conn", "old");
            swap(&staged, &destination).unwrap();
            assert_eq!(fs::read(destination.join("file")).unwrap(), b"new");
            remove(&staged);
            assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_failed_exchange_leaves_the_destination_as_it_was() {
        for swap in [exchange, exchange_in_steps] {
            let place = tempfile::tempdir().unwrap();
            let destination = dir_with(place.path(), "conn", "old");
            swap(&place.path().join("missing"), &destination).unwrap_err();
            assert_eq!(fs::read(destination.join("file")).unwrap(), b"old");
            assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn only_our_own_temporary_names_are_swept() {
        let prefix = prefix("tls.key".as_ref());
        for ours in [".tls.key.12.0.tmp", ".tls.key.1.999.tmp"] {
            assert!(is_temporary(ours.as_ref(), &prefix), "{ours}");
        }
        for other in [
            "tls.key",
            ".tls.key.tmp",
            ".tls.key.12.tmp",
            ".tls.key.a.0.tmp",
            ".tls.key.12.0.tmp~",
            ".tls.key.1.2.3.tmp",
            ".tls.crt.12.0.tmp",
        ] {
            assert!(!is_temporary(other.as_ref(), &prefix), "{other}");
        }
    }

    #[test]
    fn a_crashs_leavings_go_and_a_live_writers_work_stays() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("ca.key");
        let left = place.path().join(".ca.key.4000000000.7.tmp");
        fs::write(&left, "half").unwrap();
        let alive = StagedFile::create(&path, b"at work").unwrap();
        assert!(!left.exists());

        super::super::write_secret(&path, b"meanwhile").unwrap();
        assert!(alive.claim.path.exists());
        alive.put_in_place().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"at work");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_reserved_place_holds_what_is_written_last_and_goes_unless_put_in_place() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("token.yaml");
        drop(StagedFile::reserve(&path, 4096).unwrap());
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
        for content in [vec![b'x'; 3], vec![b'y'; 5000]] {
            let staged = StagedFile::reserve(&path, 4096).unwrap();
            staged.rewrite(b"not this").unwrap();
            staged.rewrite(&content).unwrap();
            staged.put_in_place().unwrap();
            assert_eq!(fs::read(&path).unwrap(), content);
        }
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }

    #[test]
    fn pipes_links_and_other_users_files_are_not_swept() {
        let place = tempfile::tempdir().unwrap();
        let name = |count: u32| place.path().join(format!(".token.yaml.4000000000.{count}.tmp"));
        let target = place.path().join("target");
        fs::write(&target, "").unwrap();
        std::os::unix::fs::symlink(&target, name(1)).unwrap();
        nix::unistd::mkfifo(&name(2), nix::sys::stat::Mode::S_IRWXU).unwrap();
        fs::write(name(3), "").unwrap();
        // Only root can give a file away.
        let foreign = std::os::unix::fs::chown(name(3), Some(4321), None).is_ok();

        super::super::write_secret(&place.path().join("token.yaml"), b"x").unwrap();
        assert!(fs::symlink_metadata(name(1)).is_ok());
        assert!(fs::symlink_metadata(name(2)).is_ok());
        assert_eq!(fs::symlink_metadata(name(3)).is_ok(), foreign);
    }
}
