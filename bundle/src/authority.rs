//! A certificate authority: the one secret that decides who may link to a site.

mod fault;
mod store;

use std::fmt;
use std::net::IpAddr;
use std::time::SystemTime;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, SerialNumber,
};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls_pki_types::ServerName;
use zeroize::Zeroizing;

use crate::credentials::Credentials;
use crate::expiry::{Validity, rfc3339, seconds};

pub use fault::AuthorityError;
pub use store::Origin;

/// The most characters that X.509 allows in a common name.
const LONGEST_COMMON_NAME: usize = 64;

/// A certificate authority: an ECDSA P-256 key and a certificate that may sign others.
pub struct Authority {
    name: String,
    cert_pem: String,
    key_pem: Zeroizing<String>,
    validity: Validity,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes a new authority called `name`, in memory only.
    pub fn generate(name: &str, validity: Validity) -> Result<Self, AuthorityError> {
        Self::certify(name, KeyPair::generate().map_err(signing)?, validity)
    }

    /// Makes the certificate for a key that exists.
    fn certify(name: &str, key: KeyPair, validity: Validity) -> Result<Self, AuthorityError> {
        let mut params = params(name, validity)?;
        // It signs the certificates of hosts, never another authority.
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages =
            vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(signing)?;
        let key_pem = Zeroizing::new(key.serialize_pem());
        let cert_pem = certificate.pem();
        let issuer = Issuer::from_ca_cert_pem(&cert_pem, key).map_err(signing)?;
        Ok(Self { name: name.to_owned(), cert_pem, key_pem, validity, issuer })
    }

    /// Issues a certificate for a listener that clients reach by any of `names`.
    ///
    /// A name is a DNS name or an IP address (IPv6 without brackets); each becomes a subject
    /// alternative name of its kind. `validity` ends with the authority's at the latest.
    pub fn issue_server(&self, names: &[String], validity: Validity) -> Result<Credentials, AuthorityError> {
        let mut alternative_names = Vec::with_capacity(names.len());
        for name in names {
            alternative_names.push(alternative_name(name)?);
        }
        // Verifiers look at the alternative names alone; this one is for people.
        let common_name = names
            .iter()
            .find(|name| name.chars().count() <= LONGEST_COMMON_NAME)
            .map_or("moorline", |name| name.as_str());
        if names.is_empty() {
            return Err(AuthorityError::NoNames);
        }
        let mut params = params(common_name, validity)?;
        params.subject_alt_names = alternative_names;
        self.issue(params, validity, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// Issues a certificate for a host that links to us; `common_name` is 1 to 64 characters.
    ///
    /// `validity` ends with the authority's at the latest.
    pub fn issue_client(&self, common_name: &str, validity: Validity) -> Result<Credentials, AuthorityError> {
        let params = params(common_name, validity)?;
        self.issue(params, validity, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn issue(
        &self,
        mut params: CertificateParams,
        validity: Validity,
        purpose: ExtendedKeyUsagePurpose,
    ) -> Result<Credentials, AuthorityError> {
        // A certificate that outlives its authority would only seem to be good.
        params.not_after = date(validity.not_after.min(self.validity.not_after))?;
        // Explicit, so that a subject key identifier is written as well.
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![purpose];

        let key = KeyPair::generate().map_err(signing)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(signing)?;
        let key_pem = Zeroizing::new(key.serialize_pem());
        Credentials::from_pem(self.cert_pem.as_bytes(), certificate.pem().as_bytes(), key_pem.as_bytes())
            .map_err(|fault| AuthorityError::Signing { detail: fault.to_string() })
    }

    /// The common name of the authority.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The authority's certificate, for others to trust.
    pub fn cert_pem(&self) -> &str {
        &self.cert_pem
    }

    /// The last moment at which the authority, and all that it issued, is good.
    pub fn not_after(&self) -> SystemTime {
        self.validity.not_after
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("name", &self.name)
            .field("not_after", &rfc3339(self.validity.not_after))
            .field("key", &"[hidden]")
            .finish_non_exhaustive()
    }
}

/// What every certificate of ours has: a subject, dates, and a random serial number.
fn params(common_name: &str, validity: Validity) -> Result<CertificateParams, AuthorityError> {
    let length = common_name.chars().count();
    if length == 0 || length > LONGEST_COMMON_NAME {
        return Err(AuthorityError::BadCommonName { name: common_name.to_owned() });
    }
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = date(validity.not_before)?;
    params.not_after = date(validity.not_after)?;
    params.serial_number = Some(serial_number()?);
    Ok(params)
}

/// 128 random bits, so that no serial number tells how many certificates there are or repeats.
fn serial_number() -> Result<SerialNumber, AuthorityError> {
    let mut bytes = [0; 16];
    default_provider().secure_random.fill(&mut bytes).map_err(|_| AuthorityError::NoRandomness)?;
    Ok(SerialNumber::from_slice(&bytes))
}

fn alternative_name(name: &str) -> Result<SanType, AuthorityError> {
    let bad = || AuthorityError::BadName { name: name.to_owned() };
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    // What a client could not ask for, a certificate need not carry.
    ServerName::try_from(name).map_err(|_| bad())?;
    Ok(SanType::DnsName(name.to_owned().try_into().map_err(|_| bad())?))
}

fn date(moment: SystemTime) -> Result<time::OffsetDateTime, AuthorityError> {
    time::OffsetDateTime::from_unix_timestamp(seconds(moment)).map_err(|_| AuthorityError::BadDate { date: moment })
}

fn signing(error: rcgen::Error) -> AuthorityError {
    AuthorityError::Signing { detail: error.to_string() }
}
