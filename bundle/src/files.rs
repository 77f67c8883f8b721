//! Reading and writing the files that hold secrets: 0600 in 0700 directories, all of it or nothing.
//!
//! This is the only module of the crate that writes.

mod fault;
mod staged;

use std::fs::{self, DirBuilder, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::unistd::Uid;

pub use fault::FileError;
pub(crate) use fault::failed;
use staged::StagedDir;
pub use staged::StagedFile;

/// The permissions of a file that only its owner may read and write.
pub const SECRET_FILE: u32 = 0o600;
/// The permissions of a directory that only its owner may enter.
pub const PRIVATE_DIR: u32 = 0o700;

/// Writes `bytes` to `path` as a 0600 file, in one step: readers see the old content or the new.
///
/// A temporary file beside it, created 0600 and never widened, is written, flushed to the disk and
/// renamed into place. A symbolic link at `path` is replaced, not followed. On failure no temporary
/// file stays and `path` is as it was, unless all that failed was the flush of the directory after
/// the rename. A temporary file left by a crash goes at the next write to the same path.
pub fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    StagedFile::create(path, bytes)?.put_in_place()
}

/// Makes sure that `path` is a directory that only its owner, the current user, may enter.
///
/// If it does not exist it is created 0700, and missing parents too. If it does, it is checked and
/// never changed: a loose mode is an error that says what to type, because the path may be wrong,
/// and closing `/etc` to all but root would stop the host.
pub fn private_dir(path: &Path) -> Result<(), FileError> {
    match DirBuilder::new().mode(PRIVATE_DIR).create(path) {
        Ok(()) => return sync_dir(parent_of(path)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create_with_parents(path)?;
        }
        Err(error) => return Err(failed("create the directory", path)(error)),
    }
    // Not following a symbolic link: what it points to was not named to us.
    let found = fs::symlink_metadata(path).map_err(failed("examine", path))?;
    if !found.is_dir() {
        return Err(FileError::NotADirectory { path: path.to_owned() });
    }
    owner_only(path, &found)
}

/// Reads a file of at most `largest` bytes; a larger one is an error, not a truncation.
pub fn read_bounded(path: &Path, largest: u64) -> Result<Vec<u8>, FileError> {
    let file = File::open(path).map_err(failed("open", path))?;
    let mut bytes = Vec::new();
    file.take(largest.saturating_add(1)).read_to_end(&mut bytes).map_err(failed("read", path))?;
    if bytes.len() as u64 > largest {
        return Err(FileError::TooLarge { path: path.to_owned(), largest });
    }
    Ok(bytes)
}

/// Checks that a file is the current user's and closed to everyone else.
pub(crate) fn require_private(path: &Path) -> Result<(), FileError> {
    let found = fs::metadata(path).map_err(failed("examine", path))?;
    owner_only(path, &found)
}

/// Makes `dir` hold exactly `files`, in one step; see `Credentials::write_to` for the promise.
pub(crate) fn replace_private_dir(dir: &Path, files: &[(&str, &[u8])]) -> Result<(), FileError> {
    let parent = parent_of(dir);
    if !parent.exists() {
        create_with_parents(parent)?;
    }
    let existing = match fs::symlink_metadata(dir) {
        Ok(_) => {
            private_dir(dir)?;
            refuse_foreign_files(dir, files)?;
            true
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(failed("examine", dir)(error)),
    };
    StagedDir::create(dir, files)?.put_in_place(existing)
}

/// Holds the turn to change `dir` until the returned file is dropped; waits for another process.
pub(crate) fn take_turn(dir: &Path) -> Result<File, FileError> {
    let turn = File::open(dir).map_err(failed("open", dir))?;
    turn.lock().map_err(failed("lock", dir))?;
    Ok(turn)
}

/// Makes the names in a directory survive a power cut.
fn sync_dir(dir: &Path) -> Result<(), FileError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed("flush the directory", dir))
}

fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn create_with_parents(path: &Path) -> Result<(), FileError> {
    DirBuilder::new().mode(PRIVATE_DIR).recursive(true).create(path).map_err(failed("create the directory", path))
}

fn owner_only(path: &Path, found: &Metadata) -> Result<(), FileError> {
    let user = Uid::effective().as_raw();
    if found.uid() != user {
        return Err(FileError::NotOurs { path: path.to_owned(), owner: found.uid(), user });
    }
    let mode = found.mode() & 0o7777;
    if mode & 0o077 != 0 {
        let wanted = if found.is_dir() { PRIVATE_DIR } else { SECRET_FILE };
        return Err(FileError::OpenToOthers { path: path.to_owned(), mode, wanted });
    }
    Ok(())
}

fn refuse_foreign_files(dir: &Path, files: &[(&str, &[u8])]) -> Result<(), FileError> {
    for entry in fs::read_dir(dir).map_err(failed("list", dir))? {
        let name = entry.map_err(failed("list", dir))?.file_name();
        if !files.iter().any(|(ours, _)| name == *ours) {
            return Err(FileError::ForeignFile { path: PathBuf::from(dir).join(name) });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(dir: &Path) -> Vec<(String, Vec<u8>)> {
        let mut found: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                (name, fs::read(&path).unwrap_or_default())
            })
            .collect();
        found.sort();
        found
    }

    #[test]
    fn a_set_that_fails_half_way_leaves_no_directory() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("conn1-profile");
        let files: [(&str, &[u8]); 2] = [("ca.crt", b"ca"), ("missing/tls.key", b"key")];
        let error = replace_private_dir(&dir, &files).unwrap_err();
        assert!(error.to_string().contains("tls.key"), "{error}");
        assert_eq!(content(place.path()), []);
    }

    #[test]
    fn a_set_that_fails_half_way_leaves_the_old_set() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("conn1-profile");
        replace_private_dir(&dir, &[("ca.crt", b"old"), ("tls.key", b"old")]).unwrap();
        let files: [(&str, &[u8]); 3] = [("ca.crt", b"new"), ("tls.key", b"new"), ("missing/x", b"")];
        replace_private_dir(&dir, &files).unwrap_err();
        let expected = ["ca.crt", "tls.key"].map(|name| (name.to_owned(), b"old".to_vec()));
        assert_eq!(content(&dir), expected);
        assert_eq!(content(place.path()).len(), 1);
    }
}
