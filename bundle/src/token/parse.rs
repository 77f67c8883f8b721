//! Bytes of a file to a [`LinkToken`].

use std::num::NonZeroU32;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::document::Node;
use super::fault::shown;
use super::{DEFAULT_NAME, LARGEST, LinkToken, TokenError, TokenFault, TokenKind, key};
use crate::credentials::{Credentials, Part, Purpose};
use crate::endpoint::{Endpoint, EndpointFault};

impl LinkToken {
    /// Reads a token and checks all of it: form, host and port, key, dates at `now`, and signatures.
    ///
    /// `file_name` is only for messages. `bytes` may be anything, of any size.
    pub fn parse(file_name: &str, bytes: &[u8], now: SystemTime) -> Result<Self, TokenError> {
        parse(bytes, now).map_err(|fault| TokenError { file: file_name.to_owned(), fault })
    }
}

impl TokenKind {
    /// Which kind of token a file is, by its label or else its content; it may be faulty otherwise.
    pub fn of(file_name: &str, bytes: &[u8]) -> Result<Self, TokenError> {
        secret(bytes).and_then(|secret| kind(&secret)).map_err(|fault| TokenError { file: file_name.to_owned(), fault })
    }
}

fn parse(bytes: &[u8], now: SystemTime) -> Result<LinkToken, TokenFault> {
    let secret = secret(bytes)?;
    if kind(&secret)? == TokenKind::Claim {
        return Err(TokenFault::Claim { url: annotation(&secret, key::CLAIM_URL)?.map(shown) });
    }

    let edge = required_endpoint(&secret, key::EDGE_HOST, key::EDGE_PORT)?;
    let inter_router = optional_endpoint(&secret, key::INTER_ROUTER_HOST, key::INTER_ROUTER_PORT)?;
    let owned = |name| annotation(&secret, name).map(|text| text.map(str::to_owned));

    let ca = data(&secret, Part::Authority)?;
    let cert = data(&secret, Part::Certificate)?;
    let private = data(&secret, Part::Key)?;
    let credentials = Credentials::from_pem(&ca, &cert, &private)?;
    credentials.check(Purpose::Client, now)?;

    Ok(LinkToken {
        name: text(secret.field("metadata"), "metadata", "name")?.unwrap_or(DEFAULT_NAME).to_owned(),
        edge,
        inter_router,
        generated_by: owned(key::GENERATED_BY)?,
        site_version: owned(key::SITE_VERSION)?,
        cost: annotation(&secret, key::COST)?.and_then(cost),
        credentials,
    })
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

fn kind(secret: &Node) -> Result<TokenKind, TokenFault> {
    let labels = secret.field("metadata").and_then(|metadata| metadata.field("labels"));
    match text(labels, "metadata.labels", key::TYPE)? {
        Some(key::CONNECTION_TOKEN | key::GATEWAY_CONNECTION_TOKEN) => Ok(TokenKind::Cert),
        Some(key::TOKEN_CLAIM) => Ok(TokenKind::Claim),
        Some(other) => Err(TokenFault::WrongLabel { label: shown(other) }),
        // As Skupper deduces it.
        None if stored(secret, Part::Certificate)?.is_some() => Ok(TokenKind::Cert),
        None if annotation(secret, key::CLAIM_URL)?.is_some() => Ok(TokenKind::Claim),
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

/// A part of the credentials as the file has it: in base64, or plain.
enum Stored<'a> {
    Base64(&'a str),
    Plain(&'a str),
}

fn stored<'a>(secret: &'a Node, part: Part) -> Result<Option<Stored<'a>>, TokenFault> {
    // What Kubernetes does with a key in both: the plain one wins.
    if let Some(plain) = text(secret.field("stringData"), "stringData", part.name())? {
        return Ok(Some(Stored::Plain(plain)));
    }
    Ok(text(secret.field("data"), "data", part.name())?.map(Stored::Base64))
}

fn data(secret: &Node, part: Part) -> Result<Zeroizing<Vec<u8>>, TokenFault> {
    let missing = TokenFault::MissingData { key: part.name() };
    let encoded = match stored(secret, part)?.ok_or(missing)? {
        Stored::Plain(plain) => return Ok(Zeroizing::new(plain.as_bytes().to_vec())),
        Stored::Base64(encoded) => encoded,
    };
    // Line breaks are allowed, as in Kubernetes.
    let compact: Zeroizing<Vec<u8>> =
        Zeroizing::new(encoded.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect());
    STANDARD.decode(compact.as_slice()).map(Zeroizing::new).map_err(|error| TokenFault::NotBase64 {
        key: part.name(),
        detail: match error {
            base64::DecodeError::InvalidByte(..) => "a character that is not of base64",
            base64::DecodeError::InvalidLength(_) | base64::DecodeError::InvalidLastSymbol { .. } => {
                "it stops in the middle"
            }
            base64::DecodeError::InvalidPadding => "the padding at its end is wrong",
        },
    })
}
