//! An authority in a directory: `ca.crt` and `ca.key`.
//!
//! The key is written first and the certificate last. A certificate is what the world trusts, so as
//! long as there is none nothing was issued: a key alone is a creation that was interrupted, and the
//! next call completes it.

use std::path::Path;
use std::time::SystemTime;

use rcgen::{Issuer, KeyPair};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::certificate::X509Certificate;
use zeroize::Zeroizing;

use super::{Authority, AuthorityError};
use crate::credentials::{Credentials, CredentialsFault};
use crate::expiry::{Standing, Validity, validity_of};
use crate::files::{self, FileError};

const CERTIFICATE: &str = "ca.crt";
const KEY: &str = "ca.key";

/// Far above the size of either file.
const LARGEST: u64 = 64 * 1024;

/// Whether [`Authority::open_or_create`] made the authority or found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was made just now.
    Created,
    /// It was there.
    Existing,
}

impl Authority {
    /// Opens the authority in `dir` (0700), or makes one called `name`, good for five years.
    ///
    /// An authority that exists keeps its own name. Several processes may call this at once: one
    /// creates, the others find. A key without certificate is a creation that was interrupted, and
    /// is completed; a certificate without key, or files that do not fit each other, are errors, and
    /// nothing is overwritten.
    pub fn open_or_create(dir: &Path, name: &str, now: SystemTime) -> Result<(Self, Origin), AuthorityError> {
        files::private_dir(dir)?;
        let _turn = files::take_turn(dir)?;
        let certificate = read_if_present(&dir.join(CERTIFICATE))?;
        let key = read_if_present(&dir.join(KEY))?;
        if key.is_some() {
            files::require_private(&dir.join(KEY))?;
        }
        match (certificate, key) {
            (Some(certificate), Some(key)) => {
                let authority = Self::open(dir, &certificate, &key, now)?;
                Ok((authority, Origin::Existing))
            }
            (Some(_), None) => Err(AuthorityError::KeyLost { dir: dir.to_owned() }),
            (None, key) => {
                let key = match key {
                    Some(pem) => load_key(dir, &pem)?,
                    None => KeyPair::generate().map_err(super::signing)?,
                };
                let authority = Self::certify(name, key, Validity::starting(now))?;
                files::write_secret(&dir.join(KEY), authority.key_pem.as_bytes())?;
                files::write_secret(&dir.join(CERTIFICATE), authority.cert_pem.as_bytes())?;
                Ok((authority, Origin::Created))
            }
        }
    }

    fn open(dir: &Path, cert: &[u8], key: &[u8], now: SystemTime) -> Result<Self, AuthorityError> {
        let damaged = |file: &str, detail: String| AuthorityError::Damaged { path: dir.join(file), detail };

        // The same checks as for any certificate with its key; an authority answers to itself.
        let pair = Credentials::from_pem(cert, cert, key).map_err(|fault| match fault {
            CredentialsFault::KeyMismatch => {
                damaged(KEY, String::from("it is not the private key of the certificate in ca.crt"))
            }
            CredentialsFault::KeyEncrypted | CredentialsFault::BadKey { .. } => {
                damaged(KEY, String::from("it is not a private key in the clear"))
            }
            CredentialsFault::BadPem { part, fault } if part.name() == "tls.key" => damaged(KEY, fault.to_string()),
            CredentialsFault::BadPem { fault, .. } => damaged(CERTIFICATE, fault.to_string()),
            other => damaged(CERTIFICATE, other.to_string()),
        })?;

        let der = CertificateDer::from_pem_slice(cert)
            .map_err(|_| damaged(CERTIFICATE, String::from("it is not a certificate")))?;
        let (_, parsed) =
            x509_parser::parse_x509_certificate(&der).map_err(|error| damaged(CERTIFICATE, error.to_string()))?;
        if !may_sign(&parsed) {
            return Err(damaged(
                CERTIFICATE,
                String::from("its certificate may not sign others, so it is no authority's"),
            ));
        }
        let validity = validity_of(&parsed);
        match validity.judge(now) {
            Standing::Current => {}
            Standing::Expired => {
                return Err(AuthorityError::Expired { dir: dir.to_owned(), not_after: validity.not_after, now });
            }
            Standing::NotYetValid => {
                return Err(AuthorityError::NotYetValid { dir: dir.to_owned(), not_before: validity.not_before, now });
            }
        }

        let issuer = Issuer::from_ca_cert_der(&der, load_key(dir, key)?)
            .map_err(|error| damaged(CERTIFICATE, error.to_string()))?;
        Ok(Self {
            name: pair.common_name().to_owned(),
            cert_pem: pair.ca_pem().to_owned(),
            key_pem: Zeroizing::new(pair.key_pem().to_owned()),
            validity,
            issuer,
        })
    }
}

fn may_sign(certificate: &X509Certificate<'_>) -> bool {
    let signs = match certificate.key_usage() {
        Ok(Some(usage)) => usage.value.key_cert_sign(),
        Ok(None) => true,
        Err(_) => false,
    };
    signs && certificate.is_ca()
}

fn load_key(dir: &Path, pem: &[u8]) -> Result<KeyPair, AuthorityError> {
    std::str::from_utf8(pem).ok().and_then(|pem| KeyPair::from_pem(pem).ok()).ok_or_else(|| AuthorityError::Damaged {
        path: dir.join(KEY),
        detail: String::from("it is not a private key in the clear"),
    })
}

fn read_if_present(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, FileError> {
    match files::read_bounded(path, LARGEST) {
        Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
