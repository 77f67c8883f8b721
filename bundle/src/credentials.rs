//! A certificate, its private key, and the authority that it answers to.

mod chain;
mod disk;
mod facts;
mod fault;

use std::fmt;
use std::time::SystemTime;

use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::expiry::{earliest_not_after, rfc3339};

pub use chain::Purpose;
pub use disk::CredentialsError;
pub use facts::Certificate;
pub use fault::{CredentialsFault, Part, PemFault};

/// What a party to mutual TLS needs: `ca.crt`, `tls.crt` and `tls.key`, as PEM.
///
/// Credentials that exist hold at least one certificate in each of `ca.crt` and `tls.crt`, and a
/// private key (PKCS#1 RSA, PKCS#8 or SEC1) that belongs to the first certificate in `tls.crt`.
/// Whether they are good at a given moment is what [`Credentials::check`] answers.
///
/// The key is wiped from memory on drop and is never part of the `Debug` output.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    ca_pem: String,
    cert_pem: String,
    key_pem: Zeroizing<String>,
    common_name: String,
    not_after: SystemTime,
}

impl Credentials {
    /// Reads the three PEM texts and checks all that does not depend on the date.
    pub fn from_pem(ca: &[u8], cert: &[u8], key: &[u8]) -> Result<Self, CredentialsFault> {
        let cert_pem = text(Part::Certificate, cert)?;
        let ca_pem = text(Part::Authority, ca)?;
        let key_pem = Zeroizing::new(text(Part::Key, key)?);

        let chain = certificates(Part::Certificate, &cert_pem)?;
        let authorities = certificates(Part::Authority, &ca_pem)?;
        let (_, leaf) = parse(Part::Certificate, &chain[0])?;
        let common_name =
            leaf.subject().iter_common_name().find_map(|name| name.as_str().ok()).unwrap_or_default().to_owned();

        let private = private_key(&key_pem)?;
        let signer =
            any_supported_type(&private).map_err(|error| CredentialsFault::BadKey { detail: error.to_string() })?;
        CertifiedKey::new(chain.clone(), signer).keys_match().map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => CredentialsFault::KeyMismatch,
            other => CredentialsFault::NotCertificate { part: Part::Certificate, detail: other.to_string() },
        })?;

        let not_after = [earliest_not_after(&chain), earliest_not_after(&authorities)]
            .into_iter()
            .flatten()
            .min()
            .ok_or(CredentialsFault::BadPem { part: Part::Certificate, fault: PemFault::NoSection })?;

        Ok(Self { ca_pem, cert_pem, key_pem, common_name, not_after })
    }

    /// Checks the dates at `now`, and that `tls.crt` is signed by `ca.crt` for `purpose`.
    ///
    /// A certificate authority in `ca.crt` that is out of date is passed over if another one is
    /// current, so that a set survives the rotation of its authority.
    pub fn check(&self, purpose: Purpose, now: SystemTime) -> Result<(), CredentialsFault> {
        let chain = certificates(Part::Certificate, &self.cert_pem)?;
        let authorities = certificates(Part::Authority, &self.ca_pem)?;
        chain::check(&chain, &authorities, purpose, now)
    }

    /// The certificates of the authorities to trust: `ca.crt`.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The certificate, followed by intermediate ones if there are any: `tls.crt`.
    pub fn cert_pem(&self) -> &str {
        &self.cert_pem
    }

    /// The private key: `tls.key`. Never log it, and never put it in an argument or the environment.
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// The common name in the certificate's subject; empty if it has none.
    pub fn common_name(&self) -> &str {
        &self.common_name
    }

    /// The earliest not-after date of all the certificates in the set, `ca.crt` included.
    ///
    /// After this moment some part of the set no longer counts, so it is when to have replaced it.
    pub fn not_after(&self) -> SystemTime {
        self.not_after
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("common_name", &self.common_name)
            .field("not_after", &rfc3339(self.not_after))
            .field("key_pem", &"[hidden]")
            .finish_non_exhaustive()
    }
}

/// The text of a `ca.crt` that stands alone: at least one certificate, and nothing but certificates.
pub(crate) fn authorities(pem: &[u8]) -> Result<String, CredentialsFault> {
    let pem = text(Part::Authority, pem)?;
    certificates(Part::Authority, &pem).map(|_| pem)
}

fn text(part: Part, bytes: &[u8]) -> Result<String, CredentialsFault> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(CredentialsFault::BadPem { part, fault: PemFault::NotText }),
    }
}

/// All the certificates in a PEM text: at least one, and each one a certificate.
fn certificates(part: Part, pem: &str) -> Result<Vec<CertificateDer<'static>>, CredentialsFault> {
    let found = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| CredentialsFault::BadPem { part, fault: PemFault::from(&error) })?;
    if found.is_empty() {
        return Err(CredentialsFault::BadPem { part, fault: PemFault::NoSection });
    }
    for der in &found {
        parse(part, der)?;
    }
    Ok(found)
}

fn parse<'a>(
    part: Part,
    der: &'a CertificateDer<'_>,
) -> Result<(&'a [u8], x509_parser::certificate::X509Certificate<'a>), CredentialsFault> {
    x509_parser::parse_x509_certificate(der)
        .map_err(|error| CredentialsFault::NotCertificate { part, detail: error.to_string() })
}

fn private_key(pem: &str) -> Result<PrivateKeyDer<'static>, CredentialsFault> {
    // Both ways to write a key under a passphrase: PKCS#8, and OpenSSL's older header.
    if pem.contains("BEGIN ENCRYPTED PRIVATE KEY") || pem.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(CredentialsFault::KeyEncrypted);
    }
    PrivateKeyDer::from_pem_slice(pem.as_bytes())
        .map_err(|error| CredentialsFault::BadPem { part: Part::Key, fault: PemFault::from(&error) })
}
