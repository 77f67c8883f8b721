//! What can go wrong with a certificate authority, and what to do about it.

use std::path::PathBuf;
use std::time::SystemTime;

use crate::expiry::rfc3339;
use crate::files::FileError;

/// Why an authority could not be opened or made, or would not issue a certificate.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// Its files could not be read, written or trusted.
    #[error(transparent)]
    File(#[from] FileError),
    /// The certificate is there and its key is gone.
    #[error(
        "{} holds ca.crt and no ca.key: without the key no certificate can be issued; restore ca.key from a backup, or remove ca.crt to start a new authority (all its links must then be made again)", dir.display()
    )]
    KeyLost {
        /// The authority's directory.
        dir: PathBuf,
    },
    /// A file does not hold what belongs there.
    #[error(
        "{} is damaged ({detail}); restore ca.crt and ca.key from a backup, or remove both to start a new authority (all its links must then be made again)", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The authority's last day has passed.
    #[error(
        "the authority in {} expired on {} (this host's clock says {}), and so did all that it issued; remove ca.crt and ca.key to start a new one, or set the clock if it is wrong",
        dir.display(), rfc3339(*not_after), rfc3339(*now)
    )]
    Expired {
        /// The authority's directory.
        dir: PathBuf,
        /// When it expired.
        not_after: SystemTime,
        /// The date that it was judged by.
        now: SystemTime,
    },
    /// The authority's first day is still to come.
    #[error(
        "the authority in {} is not valid before {} and this host's clock says {}: the clock was wrong then or is wrong now; set it",
        dir.display(), rfc3339(*not_before), rfc3339(*now)
    )]
    NotYetValid {
        /// The authority's directory.
        dir: PathBuf,
        /// When it becomes valid.
        not_before: SystemTime,
        /// The date that it was judged by.
        now: SystemTime,
    },
    /// A server certificate was asked for without a name.
    #[error("a server certificate needs at least one host name or IP address that clients use")]
    NoNames,
    /// A name that no client could connect to.
    #[error(
        "{name:?} is neither a DNS name nor an IP address (with no scheme, port or brackets), so no certificate can be issued for it"
    )]
    BadName {
        /// The name.
        name: String,
    },
    /// A common name that X.509 does not allow.
    #[error("{name:?} cannot be the common name of a certificate: it must have 1 to 64 characters")]
    BadCommonName {
        /// The name.
        name: String,
    },
    /// A date that a certificate cannot carry.
    #[error("{} cannot be written in a certificate; choose dates within the years 1950 to 9999", rfc3339(*date))]
    BadDate {
        /// The date.
        date: SystemTime,
    },
    /// The system gave no random numbers.
    #[error("the system provides no random numbers; nothing can be issued until it does")]
    NoRandomness,
    /// The cryptography library refused. A defect of Moorline.
    #[error("the certificate could not be made ({detail}); this is a defect of Moorline, please report it")]
    Signing {
        /// What the library says.
        detail: String,
    },
}
