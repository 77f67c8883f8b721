//! Credentials in a directory, under the names that skrouterd's configuration uses.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{Credentials, CredentialsFault, Part};
use crate::files::{self, FileError};

/// Far above any real chain of certificates; a bound on what a wrong path makes us read.
const LARGEST: u64 = 1024 * 1024;

/// Why credentials could not be read from a directory.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The files are there, and something is wrong with them.
    #[error("{}: {fault}", dir.display())]
    Fault {
        /// Where they are.
        dir: PathBuf,
        /// What is wrong.
        fault: CredentialsFault,
    },
}

impl Credentials {
    /// Writes `ca.crt`, `tls.crt` and `tls.key` (0600) into `dir` (0700), all three or none.
    ///
    /// `dir` is typically `.../skupper-router-certs/conn1-profile`; missing parents are made, 0700.
    /// If `dir` exists it is replaced as a whole in one step: at any moment, and after a crash, it
    /// holds the old set or the new one, never a mixture. Whoever holds the directory itself open (a
    /// mount of `dir` in a container) keeps the old one, so mount its parent. A `dir` that holds
    /// other files, or that others may read, is refused and left alone.
    pub fn write_to(&self, dir: &Path) -> Result<(), FileError> {
        files::replace_private_dir(
            dir,
            &[
                (Part::Authority.name(), self.ca_pem.as_bytes()),
                (Part::Certificate.name(), self.cert_pem.as_bytes()),
                (Part::Key.name(), self.key_pem.as_bytes()),
            ],
        )
    }

    /// Reads what [`Credentials::write_to`] wrote, and checks all that does not depend on the date.
    pub fn read_from(dir: &Path) -> Result<Self, CredentialsError> {
        let read = |part: Part| files::read_bounded(&dir.join(part.name()), LARGEST);
        let ca = read(Part::Authority)?;
        let cert = read(Part::Certificate)?;
        let key = Zeroizing::new(read(Part::Key)?);
        Self::from_pem(&ca, &cert, &key).map_err(|fault| CredentialsError::Fault { dir: dir.to_owned(), fault })
    }
}
