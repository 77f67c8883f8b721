//! Whether a certificate is in date and answers to an authority.
//!
//! The verifier is the one that the router's TLS uses, so what passes here completes a handshake
//! there. It accepts the shape of Skupper's certificates: authorities with an extended key usage, an
//! empty dNSName, IP addresses that appear as dNSName as well.

use std::time::SystemTime;

use rustls_pki_types::{CertificateDer, TrustAnchor};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::{CredentialsFault, Part, parse};
use crate::expiry::{Standing, unix_time, validity_of};

/// The side of a connection that a certificate speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It dials: an uplink, a link token.
    Client,
    /// It is dialled: a hub's listener.
    Server,
}

/// `chain` is the certificate and then its intermediates; it must not be empty.
pub(super) fn check(
    chain: &[CertificateDer<'_>],
    authorities: &[CertificateDer<'_>],
    purpose: Purpose,
    now: SystemTime,
) -> Result<(), CredentialsFault> {
    in_date(Part::Certificate, &chain[0], now)?;
    let anchors = current_anchors(authorities, now)?;

    let leaf = EndEntityCert::try_from(&chain[0]).map_err(|error| {
        // For example version 1: an X.509 certificate, but none that TLS accepts.
        CredentialsFault::NotCertificate { part: Part::Certificate, detail: error.to_string() }
    })?;
    let usage = match purpose {
        Purpose::Client => KeyUsage::client_auth(),
        Purpose::Server => KeyUsage::server_auth(),
    };
    leaf.verify_for_usage(ALL_VERIFICATION_ALGS, &anchors, &chain[1..], unix_time(now), usage, None, None)
        .map(|_| ())
        .map_err(|error| explain(error, chain, authorities, purpose))
}

/// The verifier takes an authority's date on trust, skrouterd's does not: only current ones count.
fn current_anchors<'a>(
    authorities: &'a [CertificateDer<'_>],
    now: SystemTime,
) -> Result<Vec<TrustAnchor<'a>>, CredentialsFault> {
    let mut anchors = Vec::new();
    let mut out_of_date = None;
    for der in authorities {
        match in_date(Part::Authority, der, now) {
            Ok(()) => anchors.push(anchor_from_trusted_cert(der).map_err(|error| {
                CredentialsFault::NotCertificate { part: Part::Authority, detail: error.to_string() }
            })?),
            Err(fault) => out_of_date = Some(fault),
        }
    }
    match out_of_date {
        Some(fault) if anchors.is_empty() => Err(fault),
        _ => Ok(anchors),
    }
}

fn in_date(part: Part, der: &CertificateDer<'_>, now: SystemTime) -> Result<(), CredentialsFault> {
    let (_, certificate) = parse(part, der)?;
    let validity = validity_of(&certificate);
    match validity.judge(now) {
        Standing::Current => Ok(()),
        Standing::Expired => Err(CredentialsFault::Expired { part, not_after: validity.not_after, now }),
        Standing::NotYetValid => Err(CredentialsFault::NotYetValid { part, not_before: validity.not_before, now }),
    }
}

fn explain(
    error: webpki::Error,
    chain: &[CertificateDer<'_>],
    authorities: &[CertificateDer<'_>],
    purpose: Purpose,
) -> CredentialsFault {
    match error {
        // The last two are what a foreign authority of the same name gives, and every Skupper site's
        // authority is called skupper-site-ca.
        webpki::Error::UnknownIssuer
        | webpki::Error::InvalidSignatureForPublicKey
        | webpki::Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => CredentialsFault::ForeignAuthority {
            issuer: name_of(&chain[0], |certificate| certificate.issuer().to_string()),
            authority: authorities
                .iter()
                .map(|der| name_of(der, |certificate| certificate.subject().to_string()))
                .collect::<Vec<_>>()
                .join(", "),
        },
        webpki::Error::RequiredEkuNotFoundContext(_) => CredentialsFault::WrongPurpose {
            side: match purpose {
                Purpose::Client => "client",
                Purpose::Server => "server",
            },
        },
        other => CredentialsFault::BadChain { detail: other.to_string() },
    }
}

fn name_of(
    der: &CertificateDer<'_>,
    name: impl Fn(&x509_parser::certificate::X509Certificate<'_>) -> String,
) -> String {
    x509_parser::parse_x509_certificate(der)
        .map_or_else(|_| String::from("unknown"), |(_, certificate)| name(&certificate))
}
