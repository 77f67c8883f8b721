//! What a certificate says of itself, for people who look at one.

use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

use crate::expiry::{Validity, validity_of};

/// A certificate in words. Nothing in it is secret, and none of it is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Whose it is, such as `CN=skupper`.
    pub subject: String,
    /// Who issued it.
    pub issuer: String,
    /// Its alternative names: DNS names and addresses.
    pub names: Vec<String>,
    /// Its dates.
    pub validity: Validity,
    /// The SHA-256 digest of all of it, as `openssl x509 -fingerprint -sha256` writes it: `AB:CD:...`.
    pub fingerprint: String,
}

impl Certificate {
    /// The certificates in a PEM text, in its order; what is none is left out.
    pub fn all_of(pem: &str) -> Vec<Self> {
        CertificateDer::pem_slice_iter(pem.as_bytes()).flatten().filter_map(|der| Self::of(&der)).collect()
    }

    fn of(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
        let digest = digest(&SHA256, der);
        let pairs: Vec<String> = digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
        Some(Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            names: names(&certificate),
            validity: validity_of(&certificate),
            fingerprint: pairs.join(":"),
        })
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(found)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let mut names = Vec::new();
    for name in &found.value.general_names {
        let name = match name {
            // Skupper's certificates for clients have an empty one.
            GeneralName::DNSName(name) => (*name).to_owned(),
            GeneralName::IPAddress(octets) => match (<[u8; 4]>::try_from(*octets), <[u8; 16]>::try_from(*octets)) {
                (Ok(four), _) => IpAddr::from(four).to_string(),
                (_, Ok(six)) => IpAddr::from(six).to_string(),
                _ => continue,
            },
            _ => continue,
        };
        // Skupper writes addresses as DNS names too.
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}
