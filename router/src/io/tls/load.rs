//! PEM files or bytes to a checked identity.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::client::VerifierBuilderError;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::TlsError;
use crate::io::Timestamp;

/// Paths of an `sslProfile`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The profile's name, for messages.
    pub profile: String,
    /// Certificates that the other side's chain must end in; a listener that asks no client for one needs none.
    pub ca: Option<PathBuf>,
    /// Our chain and its key; none for a client without certificate.
    pub own: Option<(PathBuf, PathBuf)>,
}

/// What a profile's files hold. The key is never shown.
pub struct TlsIdentity {
    pub(super) profile: String,
    pub(super) ca: Vec<CertificateDer<'static>>,
    pub(super) own: Option<OwnCertificate>,
    ca_origin: String,
}

/// More than any chain or bundle of authorities that is used for a connection, in bytes.
const LARGEST_FILE: u64 = 1 << 20;

pub(super) struct OwnCertificate {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
    origin: String,
    key_origin: String,
    not_after: Timestamp,
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIdentity")
            .field("profile", &self.profile)
            .field("ca", &self.ca_origin)
            .field("certificate", &self.own.as_ref().map(|own| &own.origin))
            .finish_non_exhaustive()
    }
}

impl TlsFiles {
    /// Reads and checks the files.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn load(&self) -> Result<TlsIdentity, TlsError> {
        let mut identity = TlsIdentity::empty(&self.profile);
        if let Some(ca) = &self.ca {
            identity.trust(&read("CA certificate", ca)?, ca.display().to_string())?;
        }
        if let Some((certificate, key)) = &self.own {
            let chain = read("certificate", certificate)?;
            let private = read("private key", key)?;
            identity.own = Some(OwnCertificate::parse(
                (&chain, certificate.display().to_string()),
                (&private, key.display().to_string()),
            )?);
        }
        Ok(identity)
    }
}

impl TlsIdentity {
    /// From PEM bytes; messages call them after `profile`.
    ///
    /// # Errors
    /// The first part that cannot be used.
    pub fn from_pem(profile: &str, ca: &[u8], own: Option<(&[u8], &[u8])>) -> Result<TlsIdentity, TlsError> {
        let mut identity = TlsIdentity::empty(profile);
        identity.trust(ca, format!("ca.crt of {profile}"))?;
        if let Some((certificate, key)) = own {
            identity.own = Some(OwnCertificate::parse(
                (certificate, format!("tls.crt of {profile}")),
                (key, format!("tls.key of {profile}")),
            )?);
        }
        Ok(identity)
    }

    /// When our own certificate expires; none without one.
    #[must_use]
    pub fn not_after(&self) -> Option<Timestamp> {
        self.own.as_ref().map(|own| own.not_after)
    }

    /// When the first of the CA certificates expires.
    #[must_use]
    pub fn ca_not_after(&self) -> Option<Timestamp> {
        self.ca.iter().filter_map(|certificate| end_of(certificate)).min()
    }

    /// Whether we have a certificate to present.
    #[must_use]
    pub fn has_certificate(&self) -> bool {
        self.own.is_some()
    }

    /// Whether both are made of the same certificates and key.
    #[must_use]
    pub fn is_same_as(&self, other: &TlsIdentity) -> bool {
        let own = |identity: &TlsIdentity| {
            let own = identity.own.as_ref();
            own.map(|own| (own.chain.clone(), own.key.secret_der().to_owned()))
        };
        self.ca == other.ca && own(self) == own(other)
    }

    fn empty(profile: &str) -> TlsIdentity {
        TlsIdentity { profile: profile.to_owned(), ca: Vec::new(), own: None, ca_origin: String::new() }
    }

    fn trust(&mut self, pem: &[u8], origin: String) -> Result<(), TlsError> {
        self.ca = certificates("CA certificate", pem, &origin)?;
        self.ca_origin = origin;
        Ok(())
    }

    pub(super) fn roots(&self) -> Result<Arc<RootCertStore>, TlsError> {
        if self.ca.is_empty() {
            return Err(TlsError::NoCa { profile: self.profile.clone() });
        }
        let mut roots = RootCertStore::empty();
        for certificate in &self.ca {
            roots
                .add(certificate.clone())
                .map_err(|source| TlsError::Ca { origin: self.ca_origin.clone(), reason: source.to_string() })?;
        }
        Ok(Arc::new(roots))
    }

    pub(super) fn unusable_ca(&self, source: VerifierBuilderError) -> TlsError {
        TlsError::Ca { origin: self.ca_origin.clone(), reason: source.to_string() }
    }

    pub(super) fn unusable_pair(&self, source: rustls::Error) -> TlsError {
        let (certificate, key) = match &self.own {
            Some(own) => (own.origin.clone(), own.key_origin.clone()),
            None => (self.profile.clone(), self.profile.clone()),
        };
        let reason = match source {
            rustls::Error::InconsistentKeys(_) => "the key does not belong to the certificate".to_owned(),
            other => other.to_string(),
        };
        TlsError::Pair { certificate, key, reason }
    }
}

impl OwnCertificate {
    fn parse(certificate: (&[u8], String), key: (&[u8], String)) -> Result<OwnCertificate, TlsError> {
        let (pem, origin) = certificate;
        let (key_pem, key_origin) = key;
        let chain = certificates("certificate", pem, &origin)?;
        let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|source| TlsError::Pem {
            what: "private key",
            origin: key_origin.clone(),
            // What is in an encrypted file looks like no key at all.
            reason: match key_pem.windows(9).any(|word| word == b"ENCRYPTED") {
                true => "it is encrypted; a router needs it without a password".to_owned(),
                false => pem_words(&source),
            },
        })?;
        let not_after = chain.first().and_then(end_of).ok_or_else(|| TlsError::Pem {
            what: "certificate",
            origin: origin.clone(),
            reason: "its content is not an X.509 certificate".to_owned(),
        })?;
        Ok(OwnCertificate { chain, key, origin, key_origin, not_after })
    }
}

fn end_of(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    Some(Timestamp::from_unix(certificate.validity().not_after.timestamp()))
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    let problem = |source| TlsError::Read { what, path: path.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut bytes)).map_err(problem)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(problem(io::ErrorKind::FileTooLarge.into()));
    }
    Ok(bytes)
}

fn certificates(what: &'static str, pem: &[u8], origin: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let problem = |reason| TlsError::Pem { what, origin: origin.to_owned(), reason };
    let found = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| problem(pem_words(&source)))?;
    if found.is_empty() {
        return Err(problem("no certificate in it".to_owned()));
    }
    Ok(found)
}

fn pem_words(error: &rustls_pki_types::pem::Error) -> String {
    use rustls_pki_types::pem::Error;
    match error {
        Error::NoItemsFound => "nothing of the kind in it".to_owned(),
        Error::MissingSectionEnd { .. } => "its END line is missing".to_owned(),
        Error::Base64Decode(_) => "it is damaged (not base64)".to_owned(),
        other => other.to_string(),
    }
}
