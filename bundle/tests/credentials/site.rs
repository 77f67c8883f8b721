//! A Skupper site's certificates, in exactly the shape that Skupper gives them: RSA 2048 and PKCS#1,
//! extended key usage on the authority too, an empty dNSName where there are no hosts, and IP
//! addresses as dNSName as well.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use moorline_bundle::Credentials;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, SanType, SignatureAlgorithm,
};
use time::OffsetDateTime;
use x509_parser::der_parser::der::parse_der_sequence;

pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// 2026-01-15T00:00:00Z: the date that the tests judge by.
pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_768_435_200)
}

/// How a private key is written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum KeyForm {
    Pkcs1,
    Pkcs8,
    Sec1,
}

pub(crate) struct Site {
    pub(crate) ca_pem: String,
    form: KeyForm,
    algorithm: &'static SignatureAlgorithm,
    issuer: Issuer<'static, KeyPair>,
}

/// What one certificate differs in.
pub(crate) struct Leaf<'a> {
    pub(crate) common_name: &'a str,
    pub(crate) hosts: &'a str,
    pub(crate) purposes: Vec<ExtendedKeyUsagePurpose>,
    pub(crate) not_before: SystemTime,
    pub(crate) not_after: SystemTime,
}

impl Default for Leaf<'_> {
    fn default() -> Self {
        Self {
            common_name: "skupper",
            hosts: "",
            purposes: both(),
            not_before: now() - DAY,
            not_after: now() + 1824 * DAY,
        }
    }
}

/// The PEM texts of one set, before they are checked.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) ca: String,
    pub(crate) cert: String,
    pub(crate) key: String,
}

impl Parts {
    pub(crate) fn credentials(&self) -> Credentials {
        Credentials::from_pem(self.ca.as_bytes(), self.cert.as_bytes(), self.key.as_bytes()).unwrap()
    }
}

impl Site {
    pub(crate) fn new(name: &str, form: KeyForm) -> Self {
        Self::dated(name, form, now() - DAY, now() + 1824 * DAY)
    }

    pub(crate) fn dated(name: &str, form: KeyForm, not_before: SystemTime, not_after: SystemTime) -> Self {
        let algorithm = match form {
            KeyForm::Pkcs1 => &PKCS_RSA_SHA256,
            KeyForm::Pkcs8 | KeyForm::Sec1 => &PKCS_ECDSA_P256_SHA256,
        };
        let key = KeyPair::generate_for(algorithm).unwrap();
        let mut params = shape(&Leaf { common_name: name, not_before, not_after, ..Leaf::default() });
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages.push(KeyUsagePurpose::KeyCertSign);
        let certificate = params.self_signed(&key).unwrap();
        Self { ca_pem: certificate.pem(), form, algorithm, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn issue(&self, leaf: &Leaf<'_>) -> Parts {
        let key = KeyPair::generate_for(self.algorithm).unwrap();
        let certificate = shape(leaf).signed_by(&key, &self.issuer).unwrap();
        Parts { ca: self.ca_pem.clone(), cert: certificate.pem(), key: key_pem(&key, self.form) }
    }
}

fn both() -> Vec<ExtendedKeyUsagePurpose> {
    vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth]
}

fn shape(leaf: &Leaf<'_>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, leaf.common_name);
    // Splitting "" at commas gives one empty name; that is where Skupper's comes from.
    for host in leaf.hosts.split(',') {
        params.subject_alt_names.push(SanType::DnsName(host.to_owned().try_into().unwrap()));
        if let Ok(address) = host.parse() {
            params.subject_alt_names.push(SanType::IpAddress(address));
        }
    }
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = leaf.purposes.clone();
    params.not_before = OffsetDateTime::from(leaf.not_before);
    params.not_after = OffsetDateTime::from(leaf.not_after);
    params
}

fn key_pem(key: &KeyPair, form: KeyForm) -> String {
    match form {
        KeyForm::Pkcs8 => key.serialize_pem(),
        KeyForm::Pkcs1 => pem("RSA PRIVATE KEY", &inside_pkcs8(key)),
        KeyForm::Sec1 => pem("EC PRIVATE KEY", &inside_pkcs8(key)),
    }
}

/// PKCS#8 is a version, an algorithm, and the key in its older form as an octet string.
fn inside_pkcs8(key: &KeyPair) -> Vec<u8> {
    let (_, outer) = parse_der_sequence(key.serialized_der()).unwrap();
    outer.as_sequence().unwrap()[2].as_slice().unwrap().to_vec()
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in body.as_bytes().chunks(64) {
        text.push_str(std::str::from_utf8(line).unwrap());
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}

/// The site of most tests, and the parts of a token that it made.
pub(crate) fn west() -> &'static (Site, Parts) {
    static WEST: OnceLock<(Site, Parts)> = OnceLock::new();
    WEST.get_or_init(|| {
        let site = Site::new("skupper-site-ca", KeyForm::Pkcs1);
        let parts = site.issue(&Leaf::default());
        (site, parts)
    })
}

/// A certificate token as a Skupper site writes it, from the parts as they are.
pub(crate) fn token_yaml(parts: &Parts) -> String {
    format!(
        r#"apiVersion: v1
data:
  ca.crt: {ca}
  tls.crt: {cert}
  tls.key: {key}
kind: Secret
metadata:
  annotations:
    edge-host: skupper-edge-west.apps.example.com
    edge-port: "443"
    inter-router-host: skupper-inter-router-west.apps.example.com
    inter-router-port: "55671"
    skupper.io/generated-by: a960b766-20bd-42c8-886d-741f3a9f6aa2
    skupper.io/site-version: 1.8.7
  creationTimestamp: null
  labels:
    skupper.io/type: connection-token
  name: skupper
type: kubernetes.io/tls
"#,
        ca = STANDARD.encode(&parts.ca),
        cert = STANDARD.encode(&parts.cert),
        key = STANDARD.encode(&parts.key),
    )
}
