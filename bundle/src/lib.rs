//! Credentials for Moorline: what lets one host link to a network, and lets another host link to us.
//!
//! * [`token`]: link tokens, which carry an uplink's host, port and certificates, and claims, which are exchanged for one.
//! * [`credentials`]: a certificate, its private key and the authority that it answers to, checked.
//! * [`authority`]: a certificate authority in a state directory, and the certificates that it issues.
//! * [`archive`]: bundles, which are gateways packed for other hosts.
//! * [`expiry`]: the dates of certificates.
//! * [`files`]: the one module that writes: 0600 files in 0700 directories, all of it or nothing.
//!
//! Everything but [`files`] and the functions that name a directory is pure. Nothing here reads the
//! clock: whoever judges a date passes `now`.

pub mod archive;
pub mod authority;
pub mod credentials;
pub mod endpoint;
pub mod expiry;
pub mod files;
pub mod token;

pub use archive::{Bundle, BundleError, BundleFault, Contents, Maker, Manifest, ServiceProfile};
pub use authority::{Authority, AuthorityError, Origin};
pub use credentials::{Certificate, Credentials, CredentialsError, CredentialsFault, Purpose};
pub use endpoint::Endpoint;
pub use expiry::Validity;
pub use files::FileError;
pub use token::{ClaimToken, LinkToken, Token, TokenError, TokenFault};
