//! What can be wrong with credentials, said without a word of the key.

use std::fmt;
use std::time::SystemTime;

use rustls_pki_types::pem;

use crate::expiry::rfc3339;

/// One of the three parts of credentials, by the name that it has in a token and on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `ca.crt`
    Authority,
    /// `tls.crt`
    Certificate,
    /// `tls.key`
    Key,
}

impl Part {
    /// `ca.crt`, `tls.crt` or `tls.key`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Authority => "ca.crt",
            Self::Certificate => "tls.crt",
            Self::Key => "tls.key",
        }
    }

    fn section(self) -> &'static str {
        match self {
            Self::Authority | Self::Certificate => "CERTIFICATE",
            Self::Key => "PRIVATE KEY",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is wrong with a PEM text.
///
/// Named rather than quoted: the PEM parser's own messages repeat the offending line, which may be
/// part of a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemFault {
    /// No section of the wanted kind.
    #[error("it holds no such section")]
    NoSection,
    /// A `BEGIN` line without its `END` line.
    #[error("a section has no END line")]
    NoEnd,
    /// A `BEGIN` line that is not well formed.
    #[error("a BEGIN line is malformed")]
    BadBegin,
    /// The body of a section is not base64.
    #[error("the body of a section is not base64")]
    BadBody,
    /// Not UTF-8 text.
    #[error("it is not text")]
    NotText,
}

impl From<&pem::Error> for PemFault {
    fn from(error: &pem::Error) -> Self {
        match error {
            pem::Error::MissingSectionEnd { .. } => Self::NoEnd,
            pem::Error::IllegalSectionStart { .. } => Self::BadBegin,
            pem::Error::NoItemsFound => Self::NoSection,
            // `Io` cannot come from a slice, and the size bound is far above what we read.
            _ => Self::BadBody,
        }
    }
}

/// What is wrong with a set of credentials, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsFault {
    /// Not PEM, or not PEM of the right kind.
    #[error(
        "`{part}` is not a PEM `{}`: {fault}; copy the whole file again, or make a new one",
        part.section()
    )]
    BadPem {
        /// Which part.
        part: Part,
        /// What is wrong with it.
        fault: PemFault,
    },
    /// PEM, but no X.509 certificate inside.
    #[error(
        "`{part}` holds something that is not an X.509 certificate ({detail}); copy the whole file again, or make a new one"
    )]
    NotCertificate {
        /// Which part.
        part: Part,
        /// What the parser found.
        detail: String,
    },
    /// The private key is protected by a passphrase.
    #[error(
        "`tls.key` is protected by a passphrase, and nobody is there to type it; provide the key in the clear (`openssl pkey -in KEY -out PLAIN`)"
    )]
    KeyEncrypted,
    /// The private key cannot be used.
    #[error(
        "`tls.key` holds no usable private key ({detail}); RSA of 2048 bits or more, ECDSA P-256, P-384, P-521 and Ed25519 are, as PKCS#1, PKCS#8 or SEC1"
    )]
    BadKey {
        /// What the cryptography library says.
        detail: String,
    },
    /// The private key belongs to some other certificate.
    #[error(
        "`tls.key` is not the private key of the certificate in `tls.crt`: the two come from different sets; take all three parts from one token"
    )]
    KeyMismatch,
    /// A certificate's last day has passed.
    #[error(
        "the certificate in `{part}` expired on {} (this host's clock says {}); make a new token, or set the clock if it is wrong",
        rfc3339(*not_after), rfc3339(*now)
    )]
    Expired {
        /// Which part.
        part: Part,
        /// When it expired.
        not_after: SystemTime,
        /// The date that it was judged by.
        now: SystemTime,
    },
    /// A certificate's first day is still to come.
    #[error(
        "the certificate in `{part}` is not valid before {} and this host's clock says {}; one of the two hosts' clocks is wrong: compare `date -u` on both and set it",
        rfc3339(*not_before), rfc3339(*now)
    )]
    NotYetValid {
        /// Which part.
        part: Part,
        /// When it becomes valid.
        not_before: SystemTime,
        /// The date that it was judged by.
        now: SystemTime,
    },
    /// Signed by some other authority.
    #[error(
        "the certificate in `tls.crt` (issued by \"{issuer}\") is not signed by the authority in `ca.crt` (\"{authority}\"); take all three parts from one token"
    )]
    ForeignAuthority {
        /// Who issued the certificate, by its own account.
        issuer: String,
        /// Who is in `ca.crt`; several are separated by commas. The same name does not mean the same key.
        authority: String,
    },
    /// The certificate is not for this side of a connection.
    #[error(
        "the certificate in `tls.crt` is not meant for TLS {side}s: its extended key usage lacks {side}Auth; issue a {side} certificate"
    )]
    WrongPurpose {
        /// `client` or `server`.
        side: &'static str,
    },
    /// The chain breaks a rule of X.509.
    #[error("the certificate in `tls.crt` does not verify against `ca.crt` ({detail}); make a new token")]
    BadChain {
        /// Which rule, in the verifier's words.
        detail: String,
    },
}
