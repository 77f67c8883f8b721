//! What can be wrong with a token: the file, the field, the next step.

use std::fmt;

use super::ClaimUrlFault;
use crate::credentials::CredentialsFault;
use crate::endpoint::EndpointFault;

/// A token that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {fault}")]
pub struct TokenError {
    /// The file, by the name that the caller gave.
    pub file: String,
    /// What is wrong with it.
    pub fault: TokenFault,
}

/// Where in a file the reader stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// What is wrong with a token. Values are shown cut short; those of `data` never.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// Nothing in it.
    #[error("the file is empty; copy it again")]
    Empty,
    /// More bytes than any token has.
    #[error("the file has {size} bytes and a token at most {largest}: this is not a token; check the path")]
    TooLarge {
        /// Its size, in bytes.
        size: usize,
        /// The bound, in bytes.
        largest: usize,
    },
    /// Not YAML, or only the beginning of it.
    #[error(
        "not readable as YAML{}: {detail}; the file may have been cut off or edited: copy it again",
        place.map(|place| format!(" at {place}")).unwrap_or_default()
    )]
    NotYaml {
        /// Where the reader stopped, if it knows.
        place: Option<Place>,
        /// Why.
        detail: String,
    },
    /// YAML, but no Kubernetes Secret.
    #[error(
        "`kind` is {}, not Secret: this is no token, or one that was cut off; copy it again, or make one with `skupper token create -t cert FILE` on the cluster",
        found.as_deref().unwrap_or("missing")
    )]
    NotASecret {
        /// What `kind` says.
        found: Option<String>,
    },
    /// A claim token where a link token is needed.
    #[error(
        "this is a claim token{}: its password is to be exchanged for certificates first: `moorline token redeem FILE`",
        url.as_deref().map(|url| format!(" (for {url})")).unwrap_or_default()
    )]
    Claim {
        /// Where the password would be exchanged.
        url: Option<String>,
    },
    /// A Secret that Skupper labels as something else.
    #[error(
        "the label `skupper.io/type` is {label:?}, and a token's is \"connection-token\", \"gateway-connection-token\" or \"token-claim\"; make a token with `skupper token create -t cert FILE`"
    )]
    WrongLabel {
        /// What the label says.
        label: String,
    },
    /// A Secret with nothing of a token in it.
    #[error(
        "Secret is not a valid skupper token: it has neither the label `skupper.io/type`, nor `data.tls.crt`, nor the annotation `skupper.io/url`; make a token with `skupper token create -t cert FILE`"
    )]
    NotAToken,
    /// An annotation is not there, or empty.
    #[error(
        "Expected {annotation} annotation: it is missing or empty; the file was cut off or edited: copy it again, or make a new token"
    )]
    MissingAnnotation {
        /// Its name.
        annotation: &'static str,
    },
    /// A part of the credentials, or the password, is not there or empty.
    #[error(
        "Expected {key} field in secret data: it is missing or empty; the file was cut off or edited: copy it again, or make a new token"
    )]
    MissingData {
        /// `tls.crt`, `tls.key`, `ca.crt` or `password`.
        key: &'static str,
    },
    /// A list or a mapping where a text belongs.
    #[error("`{field}` is not a text; the file was edited: copy it again")]
    NotText {
        /// The path of the field.
        field: String,
    },
    /// A part of the credentials, or the password, is not base64.
    #[error("`data.{key}` is not base64 ({detail}); the file was cut off or edited: copy it again")]
    NotBase64 {
        /// `tls.crt`, `tls.key`, `ca.crt` or `password`.
        key: &'static str,
        /// What the decoder found, without the content.
        detail: &'static str,
    },
    /// A host or port that cannot be connected to.
    #[error("the annotation `{annotation}` is {value:?}: {fault}; correct it, or make a new token")]
    BadEndpoint {
        /// Its name.
        annotation: &'static str,
        /// What it says.
        value: String,
        /// What it should say.
        fault: EndpointFault,
    },
    /// A claim that cannot be redeemed where its URL says.
    #[error("the annotation `skupper.io/url` is {value:?}: {fault}; correct it, or make a new token")]
    BadClaimUrl {
        /// What it says.
        value: String,
        /// What it should say.
        fault: ClaimUrlFault,
    },
    /// Something is wrong with the certificates or the key.
    #[error(transparent)]
    Credentials(#[from] CredentialsFault),
}

/// As much of a value from a file as a message should show.
pub(crate) fn shown(value: &str) -> String {
    const LONGEST: usize = 80;
    match value.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &value[..end]),
        None => value.to_owned(),
    }
}
