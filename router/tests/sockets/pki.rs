//! Certificates for the driver's tests.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};
use time::{Duration, OffsetDateTime};

/// A certificate authority shaped like Skupper's: with extended key usages.
pub struct Ca(CertifiedIssuer<'static, KeyPair>);

/// A leaf certificate and its key, PEM.
pub struct Leaf {
    pub certificate: String,
    pub key: String,
}

/// When a leaf is valid, in days from now.
pub const VALID: (i64, i64) = (-1, 30);

impl Ca {
    pub fn new(name: &str) -> Ca {
        let mut params = params(name, VALID);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment, KeyUsagePurpose::KeyCertSign];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        Ca(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A server's certificate that nobody else signed, marked as an authority as the usual tools do it.
    pub fn self_signed(name: &str, names: &[SanType]) -> Ca {
        let mut params = params(name, VALID);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.subject_alt_names = names.to_vec();
        Ca(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn key(&self) -> String {
        self.0.key().serialize_pem()
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    pub fn issue(&self, name: &str, names: &[SanType], valid: (i64, i64)) -> Leaf {
        let mut params = params(name, valid);
        params.subject_alt_names = names.to_vec();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Leaf { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

pub fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

pub fn ip(address: &str) -> SanType {
    SanType::IpAddress(address.parse::<IpAddr>().unwrap())
}

/// Writes a profile's files; answers their paths: CA, certificate, key.
pub fn write(folder: &Path, ca: &Ca, leaf: &Leaf) -> [PathBuf; 3] {
    std::fs::create_dir_all(folder).unwrap();
    let paths = ["ca.crt", "tls.crt", "tls.key"].map(|name| folder.join(name));
    for (path, content) in paths.iter().zip([&ca.pem(), &leaf.certificate, &leaf.key]) {
        std::fs::write(path, content).unwrap();
    }
    paths
}

fn params(name: &str, (from, to): (i64, i64)) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = OffsetDateTime::now_utc() + Duration::days(from);
    params.not_after = OffsetDateTime::now_utc() + Duration::days(to);
    params
}
