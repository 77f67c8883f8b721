//! Why a handshake failed, in words that say what to do.

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};

use crate::io::Timestamp;

/// Whose certificate the words speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// We are the client and refuse the server, or it refuses us.
    OfServer,
    /// We are the server and refuse a client, or it refuses us.
    OfClient,
}

/// The cause of a failed handshake, in words.
#[must_use]
pub fn refusal_words(error: &Error, refusal: Refusal) -> String {
    let whose = match refusal {
        Refusal::OfServer => "the server's certificate",
        Refusal::OfClient => "the client's certificate",
    };
    match error {
        Error::NoCertificatesPresented => "the client presented no certificate".to_owned(),
        Error::InvalidCertificate(problem) => certificate_words(problem, whose),
        Error::AlertReceived(alert) => alert_words(*alert),
        Error::InvalidMessage(InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion) => {
            "the other end does not speak TLS".to_owned()
        }
        Error::PeerIncompatible(
            PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::ServerDoesNotSupportTls12Or13,
        ) => "the other end offers neither TLS 1.3 nor 1.2".to_owned(),
        other => format!("TLS failed: {other}"),
    }
}

fn certificate_words(problem: &CertificateError, whose: &str) -> String {
    match problem {
        CertificateError::UnknownIssuer => format!("{whose} is signed by another CA"),
        // The issuer's name is ours, its key is not: most CAs of a network have the same name.
        CertificateError::BadSignature => {
            format!("{whose} is signed by another CA of the same name")
        }
        CertificateError::Expired => format!("{whose} has expired"),
        CertificateError::ExpiredContext { not_after, .. } => format!(
            "{whose} has expired since {}",
            Timestamp::from_unix(i64::try_from(not_after.as_secs()).unwrap_or(i64::MAX))
        ),
        CertificateError::NotValidYet => format!("{whose} is not yet valid"),
        CertificateError::NotValidYetContext { not_before, .. } => format!(
            "{whose} is not yet valid, it begins at {} (is the clock right?)",
            Timestamp::from_unix(i64::try_from(not_before.as_secs()).unwrap_or(i64::MAX))
        ),
        CertificateError::NotValidForName => format!("{whose} is for another host name"),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names = if presented.is_empty() { "no name".to_owned() } else { presented.join(", ") };
            format!("{whose} is for another host name: it has {names}, expected is {}", expected.to_str())
        }
        CertificateError::Revoked => format!("{whose} is revoked"),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            format!("{whose} is not made for this use (extended key usage)")
        }
        CertificateError::BadEncoding => format!("{whose} is damaged"),
        other => format!("{whose} is refused: {other}"),
    }
}

/// What the other end says of us.
fn alert_words(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired => {
            "the other end asks for a certificate and we presented none".to_owned()
        }
        AlertDescription::UnknownCA | AlertDescription::DecryptError => {
            "the other end refuses our certificate: signed by a CA that it does not know".to_owned()
        }
        AlertDescription::CertificateExpired => "the other end refuses our certificate: it says expired".to_owned(),
        AlertDescription::CertificateRevoked => "the other end refuses our certificate: it says revoked".to_owned(),
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::AccessDenied => {
            format!("the other end refuses our certificate ({alert:?})")
        }
        AlertDescription::ProtocolVersion => "the other end offers neither TLS 1.3 nor 1.2".to_owned(),
        other => format!("the other end ended TLS with the alert {other:?}"),
    }
}
