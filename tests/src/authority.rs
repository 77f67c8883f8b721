//! Certificates for the tests: another network's, expired ones, and those of routers that are not ours.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use time::{Duration, OffsetDateTime};

/// A certificate authority.
pub struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key and its authority, as PEM.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The authority's certificate.
    pub ca: String,
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl Authority {
    /// Makes a new one.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = params(name, 365);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// Opens the one of a hub, by the hub's state directory.
    #[must_use]
    pub fn of_hub(state: &Path) -> Self {
        let read = |name| fs::read_to_string(state.join("authority").join(name)).expect("the hub's authority");
        let key = KeyPair::from_pem(&read("ca.key")).expect("the authority's key");
        let certificate = read("ca.crt");
        let issuer = Issuer::from_ca_cert_pem(&certificate, key).expect("the authority's certificate");
        Self { certificate, issuer }
    }

    /// A certificate for a server that is reached by `names`. Proton compares an IP address with DNS names too.
    #[must_use]
    pub fn server(&self, names: &[&str]) -> Credentials {
        let mut params = params(names[0], 30);
        for name in names {
            params.subject_alt_names.push(SanType::DnsName((*name).try_into().expect("a name")));
            params.subject_alt_names.extend(name.parse().ok().map(SanType::IpAddress));
        }
        self.issue(params, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A certificate for a client.
    #[must_use]
    pub fn client(&self, name: &str) -> Credentials {
        self.issue(params(name, 30), ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// A client's certificate that ended yesterday.
    #[must_use]
    pub fn expired_client(&self, name: &str) -> Credentials {
        self.issue(params(name, -1), ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn issue(&self, mut params: CertificateParams, purpose: ExtendedKeyUsagePurpose) -> Credentials {
        let key = KeyPair::generate().expect("a key");
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![purpose];
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate").pem();
        Credentials { ca: self.certificate.clone(), certificate, key: key.serialize_pem() }
    }
}

fn params(name: &str, days: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = OffsetDateTime::now_utc() - Duration::days(10);
    params.not_after = OffsetDateTime::now_utc() + Duration::days(days);
    params
}

impl Credentials {
    /// Writes `ca.crt`, `tls.crt` and `tls.key` into a new directory.
    pub fn write(&self, dir: &Path) -> PathBuf {
        fs::create_dir_all(dir).expect("a directory for certificates");
        for (name, text) in [("ca.crt", &self.ca), ("tls.crt", &self.certificate), ("tls.key", &self.key)] {
            fs::write(dir.join(name), text).expect("a certificate's file");
        }
        dir.to_owned()
    }

    /// The link token that a Skupper site would make of it.
    #[must_use]
    pub fn token(&self, host: &str, port: u16) -> String {
        format!(
            r#"apiVersion: v1
data:
  ca.crt: {ca}
  tls.crt: {certificate}
  tls.key: {key}
kind: Secret
metadata:
  annotations:
    edge-host: {host}
    edge-port: "{port}"
    inter-router-host: {host}
    inter-router-port: "{port}"
    skupper.io/generated-by: a960b766-20bd-42c8-886d-741f3a9f6aa2
    skupper.io/site-version: 1.8.7
  creationTimestamp: null
  labels:
    skupper.io/type: connection-token
  name: skupper
type: kubernetes.io/tls
"#,
            ca = STANDARD.encode(&self.ca),
            certificate = STANDARD.encode(&self.certificate),
            key = STANDARD.encode(&self.key),
        )
    }

    /// What a link token carries.
    #[must_use]
    pub fn from_token(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("a token");
        let token: serde_yaml::Value = serde_yaml::from_str(&text).expect("a token is YAML");
        let part = |name: &str| {
            let encoded = token["data"][name].as_str().expect("base64 in the token");
            String::from_utf8(STANDARD.decode(encoded).expect("base64")).expect("PEM is text")
        };
        Self { ca: part("ca.crt"), certificate: part("tls.crt"), key: part("tls.key") }
    }
}
