//! What can go wrong with files, whose doing it is, and the next step.

use std::io;
use std::path::{Path, PathBuf};

/// Why a file or directory could not be read, written or trusted.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    System {
        /// What was attempted, as a verb: "open", "rename".
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Something else stands where a directory belongs.
    #[error("{} is not a directory (a symbolic link to one does not count); remove it or choose another path", path.display())]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// It belongs to another user.
    #[error("{} belongs to user id {owner}, and this is user id {user}: secrets are only kept where their user owns the place; run as that user or choose another path", path.display())]
    NotOurs {
        /// The path.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        user: u32,
    },
    /// Group or others have access.
    #[error("{path} is open to other users (mode {mode:04o}); if it is the right place, close it: chmod {wanted:o} {path}", path = path.display())]
    OpenToOthers {
        /// The path.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
        /// What they should be.
        wanted: u32,
    },
    /// A directory that we replace as a whole holds somebody else's file.
    #[error("{} is not Moorline's, and its directory is replaced as a whole; move it elsewhere", path.display())]
    ForeignFile {
        /// The file.
        path: PathBuf,
    },
    /// More than we are willing to read.
    #[error("{} is larger than {largest} bytes, so it is not what belongs there; check the path", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound, in bytes.
        largest: u64,
    },
}

impl FileError {
    /// Whether the reason is that the file does not exist.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::System { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// For `map_err`: says what was attempted, and on what.
pub(crate) fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> FileError + 'a {
    move |source| FileError::System { action, path: path.to_owned(), source }
}
