//! Bundles: a gateway packed for another host, in Skupper's form.
//!
//! A bundle is `NAME.tar.gz` with the gateway's certificates, its router's configuration, its unit, the definition, the
//! program, and scripts that launch and remove it. It holds a private key: so the archive is 0600, and so are its files.
//!
//! [`Contents`] writes one, [`Bundle`] reads ours and those that Skupper 1.5 to 1.9 made. Reading writes nothing, and what
//! it takes is bounded by [`limits`].

mod bundle;
mod contents;
mod directory;
mod fault;
mod manifest;
mod member;
mod profile;
mod tarball;

pub use bundle::{Bundle, Maker};
pub use contents::Contents;
pub use fault::{BundleError, BundleFault};
pub use manifest::{FileSum, Manifest, ManifestUplink};
pub use profile::ServiceProfile;

/// The most that is read, in bytes where nothing else is said.
pub mod limits {
    /// Of an archive, compressed.
    pub const ARCHIVE: u64 = 64 * 1024 * 1024;
    /// Of the program.
    pub const PROGRAM: u64 = 64 * 1024 * 1024;
    /// Of the definition, the router's configuration and the manifest.
    pub const TEXT: u64 = 4 * 1024 * 1024;
    /// Of a certificate, a key, a unit or a script.
    pub const SMALL: u64 = 1024 * 1024;
    /// Of everything together, decompressed.
    pub const SUM: u64 = 96 * 1024 * 1024;
    /// Files and directories.
    pub const ENTRIES: usize = 512;
}
