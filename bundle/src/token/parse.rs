//! Bytes of a file to a [`Token`].

use std::num::NonZeroU32;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::claim::Metadata;
use super::document::Node;
use super::fault::shown;
use super::{ClaimToken, ClaimUrl, DEFAULT_NAME, LARGEST, LinkToken, Token, TokenError, TokenFault, key};
use crate::credentials::{Credentials, Part, Purpose, authorities};
use crate::endpoint::{Endpoint, EndpointFault};
use crate::expiry;

impl Token {
    /// Reads a token of either kind and checks all of it; of a claim also whether it could be redeemed.
    ///
    /// `file_name` is only for messages. `bytes` may be anything, of any size.
    pub fn parse(file_name: &str, bytes: &[u8], now: SystemTime) -> Result<Self, TokenError> {
        let read = || {
            let secret = secret(bytes)?;
            Ok(match kind(&secret)? {
                Kind::Link => Self::Link(link(&secret, now)?),
                Kind::Claim => Self::Claim(claim(&secret)?),
            })
        };
        read().map_err(|fault| TokenError { file: file_name.to_owned(), fault })
    }
}

impl LinkToken {
    /// Reads a token and checks all of it: form, host and port, key, dates at `now`, and signatures.
    ///
    /// A claim is refused with the next step. `file_name` is only for messages. `bytes` may be anything, of any size.
    pub fn parse(file_name: &str, bytes: &[u8], now: SystemTime) -> Result<Self, TokenError> {
        let parsed = link_with_metadata(bytes, now).map(|(token, _)| token);
        parsed.map_err(|fault| TokenError { file: file_name.to_owned(), fault })
    }
}

/// A link token, and all that is noted beside it.
pub(super) fn link_with_metadata(bytes: &[u8], now: SystemTime) -> Result<(LinkToken, Metadata), TokenFault> {
    let secret = secret(bytes)?;
    match kind(&secret)? {
        Kind::Link => Ok((link(&secret, now)?, metadata(&secret))),
        Kind::Claim => Err(TokenFault::Claim { url: annotation(&secret, key::CLAIM_URL)?.map(shown) }),
    }
}

fn link(secret: &Node, now: SystemTime) -> Result<LinkToken, TokenFault> {
    let edge = required_endpoint(secret, key::EDGE_HOST, key::EDGE_PORT)?;
    let inter_router = optional_endpoint(secret, key::INTER_ROUTER_HOST, key::INTER_ROUTER_PORT)?;
    let part = |part: Part| data(secret, part.name())?.ok_or(TokenFault::MissingData { key: part.name() });
    let (ca, cert, private) = (part(Part::Authority)?, part(Part::Certificate)?, part(Part::Key)?);
    let credentials = Credentials::from_pem(&ca, &cert, &private)?;
    credentials.check(Purpose::Client, now)?;

    Ok(LinkToken {
        name: name(secret)?,
        edge,
        inter_router,
        generated_by: annotation(secret, key::GENERATED_BY)?.map(str::to_owned),
        site_version: annotation(secret, key::SITE_VERSION)?.map(str::to_owned),
        cost: annotation(secret, key::COST)?.and_then(cost),
        credentials,
    })
}

fn claim(secret: &Node) -> Result<ClaimToken, TokenFault> {
    let password = data(secret, key::PASSWORD)?.ok_or(TokenFault::MissingData { key: key::PASSWORD })?;
    let missing = TokenFault::MissingAnnotation { annotation: key::CLAIM_URL };
    let url = annotation(secret, key::CLAIM_URL)?.ok_or(missing)?;
    let ca = data(secret, Part::Authority.name())?;
    Ok(ClaimToken {
        name: name(secret)?,
        url: ClaimUrl::parse(url).map_err(|fault| TokenFault::BadClaimUrl { value: shown(url), fault })?,
        ca_pem: ca.map(|pem| authorities(&pem)).transpose()?,
        password,
        expiration: annotation(secret, key::CLAIM_EXPIRATION)?.and_then(expiry::parse_rfc3339),
        generated_by: annotation(secret, key::GENERATED_BY)?.map(str::to_owned),
        site_version: annotation(secret, key::SITE_VERSION)?.map(str::to_owned),
        cost: annotation(secret, key::COST)?.and_then(cost),
        kept: metadata(secret).of_claim(),
    })
}

/// Which of Skupper's tokens a Secret is.
enum Kind {
    Link,
    Claim,
}

fn secret(bytes: &[u8]) -> Result<Node, TokenFault> {
    if bytes.len() > LARGEST {
        return Err(TokenFault::TooLarge { size: bytes.len(), largest: LARGEST });
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(TokenFault::Empty);
    }
    let document = Node::read(bytes)?;
    match document.field("kind") {
        Some(Node::Text(kind)) if kind == "Secret" => Ok(document),
        Some(Node::Text(other)) => Err(TokenFault::NotASecret { found: Some(shown(other)) }),
        _ => Err(TokenFault::NotASecret { found: None }),
    }
}

fn kind(secret: &Node) -> Result<Kind, TokenFault> {
    let labels = secret.field("metadata").and_then(|metadata| metadata.field("labels"));
    match text(labels, "metadata.labels", key::TYPE)? {
        Some(key::CONNECTION_TOKEN | key::GATEWAY_CONNECTION_TOKEN) => Ok(Kind::Link),
        Some(key::TOKEN_CLAIM) => Ok(Kind::Claim),
        Some(other) => Err(TokenFault::WrongLabel { label: shown(other) }),
        // As Skupper deduces it.
        None if stored(secret, Part::Certificate.name())?.is_some() => Ok(Kind::Link),
        None if annotation(secret, key::CLAIM_URL)?.is_some() => Ok(Kind::Claim),
        None => Err(TokenFault::NotAToken),
    }
}

/// A text under `key` in `mapping`, whose path is `path`; an empty one counts as none.
fn text<'a>(mapping: Option<&'a Node>, path: &str, key: &str) -> Result<Option<&'a str>, TokenFault> {
    match mapping.and_then(|mapping| mapping.field(key)) {
        None | Some(Node::Null) => Ok(None),
        Some(Node::Text(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Some(Node::Map(_) | Node::List) => Err(TokenFault::NotText { field: format!("{path}.{key}") }),
    }
}

fn name(secret: &Node) -> Result<String, TokenFault> {
    Ok(text(secret.field("metadata"), "metadata", "name")?.unwrap_or(DEFAULT_NAME).to_owned())
}

fn metadata(secret: &Node) -> Metadata {
    let texts = |key| {
        let mapping = secret.field("metadata").and_then(|metadata| metadata.field(key));
        let texts = mapping.into_iter().flat_map(Node::texts);
        texts.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    Metadata { annotations: texts("annotations"), labels: texts("labels") }
}

fn annotation<'a>(secret: &'a Node, name: &str) -> Result<Option<&'a str>, TokenFault> {
    let annotations = secret.field("metadata").and_then(|metadata| metadata.field("annotations"));
    text(annotations, "metadata.annotations", name)
}

fn required_endpoint(secret: &Node, host_key: &'static str, port_key: &'static str) -> Result<Endpoint, TokenFault> {
    let require = |name| annotation(secret, name)?.ok_or(TokenFault::MissingAnnotation { annotation: name });
    let (host, port) = (require(host_key)?, require(port_key)?);
    let bad =
        |annotation, value, fault: EndpointFault| TokenFault::BadEndpoint { annotation, value: shown(value), fault };
    let number = Endpoint::parse_port(port).map_err(|fault| bad(port_key, port, fault))?;
    Endpoint::new(host, number).map_err(|fault| bad(host_key, host, fault))
}

/// Both annotations or neither.
fn optional_endpoint(
    secret: &Node,
    host_key: &'static str,
    port_key: &'static str,
) -> Result<Option<Endpoint>, TokenFault> {
    if annotation(secret, host_key)?.is_none() && annotation(secret, port_key)?.is_none() {
        return Ok(None);
    }
    required_endpoint(secret, host_key, port_key).map(Some)
}

fn cost(text: &str) -> Option<NonZeroU32> {
    text.parse().ok().filter(|cost: &NonZeroU32| i32::try_from(cost.get()).is_ok())
}

/// A value of the Secret as the file has it: in base64, or plain.
enum Stored<'a> {
    Base64(&'a str),
    Plain(&'a str),
}

fn stored<'a>(secret: &'a Node, key: &str) -> Result<Option<Stored<'a>>, TokenFault> {
    // What Kubernetes does with a key in both: the plain one wins.
    if let Some(plain) = text(secret.field("stringData"), "stringData", key)? {
        return Ok(Some(Stored::Plain(plain)));
    }
    Ok(text(secret.field("data"), "data", key)?.map(Stored::Base64))
}

/// The bytes of a value; `None` if there are none.
fn data(secret: &Node, key: &'static str) -> Result<Option<Zeroizing<Vec<u8>>>, TokenFault> {
    let encoded = match stored(secret, key)? {
        None => return Ok(None),
        Some(Stored::Plain(plain)) => return Ok(Some(Zeroizing::new(plain.as_bytes().to_vec()))),
        Some(Stored::Base64(encoded)) => encoded,
    };
    // Line breaks are allowed, as in Kubernetes.
    let compact: Zeroizing<Vec<u8>> =
        Zeroizing::new(encoded.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect());
    let decoded = STANDARD.decode(compact.as_slice()).map(Zeroizing::new).map_err(|error| TokenFault::NotBase64 {
        key,
        detail: match error {
            base64::DecodeError::InvalidByte(..) => "a character that is not of base64",
            base64::DecodeError::InvalidLength(_) | base64::DecodeError::InvalidLastSymbol { .. } => {
                "it stops in the middle"
            }
            base64::DecodeError::InvalidPadding => "the padding at its end is wrong",
        },
    })?;
    Ok(Some(decoded).filter(|bytes| !bytes.is_empty()))
}
