//! What can be wrong with certificate files.

use std::io;
use std::path::PathBuf;

/// A TLS identity that cannot be used. Says which file is at fault.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {what} {}: {source}", path.display())]
    Read {
        /// `CA certificate`, `certificate` or `private key`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not PEM, or not of the expected kind.
    #[error("{origin} is not a PEM {what}: {reason}")]
    Pem {
        /// `CA certificate`, `certificate` or `private key`.
        what: &'static str,
        /// The file, or what stands for it.
        origin: String,
        /// Why.
        reason: String,
    },
    /// The CA file holds no certificate that can be a root.
    #[error("the CA certificates of {origin} cannot be used: {reason}")]
    Ca {
        /// The file, or what stands for it.
        origin: String,
        /// Why.
        reason: String,
    },
    /// Certificate and private key do not belong together, or the key is of an unknown kind.
    #[error("the certificate {certificate} and the private key {key} cannot be used together: {reason}")]
    Pair {
        /// The certificate's file.
        certificate: String,
        /// The key's file.
        key: String,
        /// Why.
        reason: String,
    },
    /// There is no such profile.
    #[error("there is no sslProfile {profile}")]
    Unknown {
        /// The name given.
        profile: String,
    },
    /// A certificate without a key, or the reverse.
    #[error("the profile {profile} has a {present} but no {absent}")]
    Half {
        /// The profile.
        profile: String,
        /// What is there.
        present: &'static str,
        /// What is not.
        absent: &'static str,
    },
    /// A listener needs a certificate.
    #[error("the profile {profile} has no certificate, which a listener needs")]
    NoCertificate {
        /// The profile.
        profile: String,
    },
    /// Nothing to check the other side with.
    #[error("the profile {profile} has no CA certificate")]
    NoCa {
        /// The profile.
        profile: String,
    },
    /// A connector's host is neither a DNS name nor an address.
    #[error("`{host}` is neither a host name nor an address")]
    Host {
        /// The host.
        host: String,
    },
    /// The TLS library refuses its own settings.
    #[error("TLS cannot be set up: {0}")]
    Setup(rustls::Error),
}
