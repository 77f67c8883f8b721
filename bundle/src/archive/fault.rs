//! What can be wrong with a bundle, and the next step.

use std::path::{Path, PathBuf};

use crate::credentials::CredentialsFault;
use crate::files::FileError;
use crate::token::shown;

/// Why a bundle could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file or directory could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is there, and something is wrong with it.
    #[error("{}: {fault}", path.display())]
    Fault {
        /// The archive or directory.
        path: PathBuf,
        /// What is wrong.
        fault: BundleFault,
    },
}

impl BundleError {
    pub(super) fn at(path: &Path) -> impl Fn(BundleFault) -> Self + '_ {
        move |fault| Self::Fault { path: path.to_owned(), fault }
    }
}

/// What is wrong with a bundle. Names from it are shown cut short and without control characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleFault {
    /// Not compressed as bundles are.
    #[error("this is not a gzip file, and so no bundle; check the path")]
    NotGzip,
    /// Compressed, and broken or cut off.
    #[error("the archive is damaged or cut off ({detail}); copy it again")]
    Damaged {
        /// What does not fit.
        detail: String,
    },
    /// Bytes behind the end of the archive.
    #[error("something follows the end of the archive; make the bundle again")]
    TrailingData,
    /// A symbolic or hard link.
    #[error("{path} is a link, which no bundle has; do not trust it")]
    Link {
        /// Its path.
        path: String,
    },
    /// Neither a file nor a directory nor a link: a device, a pipe, a file with holes.
    #[error("{path} is not a plain file; do not trust it")]
    Special {
        /// Its path.
        path: String,
    },
    /// A path that is absolute, leads upwards, or is not written plainly.
    #[error("the path {path} is not one that a bundle has; do not trust it")]
    Path {
        /// The path.
        path: String,
    },
    /// Two entries of one path.
    #[error("{path} is in it twice; do not trust it")]
    Duplicate {
        /// The path.
        path: String,
    },
    /// Files or directories that no bundle has.
    #[error("no bundle has these in it: {}", names.join(", "))]
    Unknown {
        /// Their paths, the first few.
        names: Vec<String>,
    },
    /// More bytes than we are willing to read.
    #[error("{what} is larger than {largest} bytes, so this is no bundle; check where it comes from")]
    TooLarge {
        /// A path, or the whole.
        what: String,
        /// The bound, in bytes.
        largest: u64,
    },
    /// More entries than we are willing to read.
    #[error("it has more than {most} entries, so this is no bundle; check where it comes from")]
    TooMany {
        /// The bound.
        most: usize,
    },
    /// Neither ours nor Skupper's.
    #[error("this is no gateway bundle: {} is missing", missing.join(", "))]
    NotABundle {
        /// What Skupper's bundles have and this has not.
        missing: Vec<String>,
    },
    /// A file of the bundle is not there.
    #[error("{path} is missing; copy or unpack the bundle again")]
    Missing {
        /// Its path.
        path: String,
    },
    /// A file is not the one that was packed.
    #[error(
        "{path} is not what was packed (its SHA-256 or size differs from manifest.json); copy or unpack the bundle again"
    )]
    Sum {
        /// Its path.
        path: String,
    },
    /// Files that the manifest does not know.
    #[error("manifest.json knows nothing of these files: {}; do not trust it", names.join(", "))]
    NotInManifest {
        /// Their paths.
        names: Vec<String>,
    },
    /// `manifest.json` cannot be read.
    #[error("manifest.json cannot be used ({detail}); copy or make the bundle again")]
    Manifest {
        /// Why.
        detail: String,
    },
    /// Made by a later Moorline.
    #[error(
        "its format is {found} and this program knows {known}: use the moorline that is in the bundle, or a newer one"
    )]
    Format {
        /// Its format.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// What should name a gateway or a profile does not.
    #[error("{name} cannot be a name: it takes 1 to 128 letters, digits, '.', '_' and '-', first a letter or digit")]
    Name {
        /// It, quoted.
        name: String,
    },
    /// Skupper's bundles have one unit, from which the gateway has its name.
    #[error("it has {count} units in service/ and a bundle has one")]
    Units {
        /// How many.
        count: usize,
    },
    /// A text that is no text.
    #[error("{path} is not UTF-8 text; copy or make the bundle again")]
    NotText {
        /// Its path.
        path: String,
    },
    /// The uplink's certificates cannot be used.
    #[error("the certificates in it cannot be used: {0}")]
    Credentials(#[from] CredentialsFault),
}

impl BundleFault {
    pub(super) fn name(name: &str) -> Self {
        Self::Name { name: quoted(name) }
    }
}

/// A path or name from outside, for a message.
pub(super) fn quoted(text: &str) -> String {
    let escaped: String = text.escape_debug().collect();
    format!("\"{}\"", shown(&escaped))
}
