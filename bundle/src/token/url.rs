//! Where a claim is redeemed.

use std::fmt;
use std::num::NonZeroU16;

use crate::endpoint::{Endpoint, EndpointFault};

/// The port of a URL that names none.
const HTTPS: NonZeroU16 = NonZeroU16::new(443).expect("it is not 0");

/// The most bytes of a URL: more than any claim's, and few enough to be shown.
const LONGEST: usize = 2048;

/// An `https` URL whose path is the name of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimUrl {
    endpoint: Endpoint,
    path: String,
}

/// Why a text is no [`ClaimUrl`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimUrlFault {
    /// Another scheme, or none.
    #[error("it must begin with https://, so that nobody on the way reads the password")]
    NotHttps,
    /// No such host.
    #[error("its host: {0}")]
    Host(EndpointFault),
    /// No such port.
    #[error("its port: {0}")]
    Port(EndpointFault),
    /// A path that names no claim.
    #[error("it must end with the claim's name, as in https://HOST:PORT/NAME")]
    NoName,
    /// What a claim's URL does not have: a user, a query, a fragment, characters that no URL has.
    #[error("it must be https://HOST:PORT/NAME and nothing else")]
    Excess,
}

impl ClaimUrl {
    /// Reads what the annotation of a claim token says. Port 443 if it says none.
    pub fn parse(text: &str) -> Result<Self, ClaimUrlFault> {
        let scheme = text.get(..8).filter(|scheme| scheme.eq_ignore_ascii_case("https://"));
        let rest = text.get(8..).filter(|_| scheme.is_some()).ok_or(ClaimUrlFault::NotHttps)?;
        let (place, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if text.len() > LONGEST || place.contains('@') || !path.bytes().all(may_be_in_path) {
            return Err(ClaimUrlFault::Excess);
        }
        if path.bytes().all(|byte| byte == b'/') {
            return Err(ClaimUrlFault::NoName);
        }
        let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, port)) if host.contains(':') => (host, port),
            _ => place.split_at(place.find(':').unwrap_or(place.len())),
        };
        let port = match port.strip_prefix(':') {
            Some(port) => Endpoint::parse_port(port).map_err(ClaimUrlFault::Port)?,
            None if port.is_empty() => HTTPS,
            None => return Err(ClaimUrlFault::Port(EndpointFault::Port)),
        };
        let endpoint = Endpoint::new(host, port).map_err(ClaimUrlFault::Host)?;
        Ok(Self { endpoint, path: path.to_owned() })
    }

    /// Who is asked.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What is asked for: a slash and the claim's name.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The claim's name, as a site reads it from the path: all of its segments in one.
    pub fn claim(&self) -> String {
        self.path.replace('/', "")
    }
}

impl fmt::Display for ClaimUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}{}", self.endpoint, self.path)
    }
}

/// RFC 3986, section 3.3.
fn may_be_in_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:@".contains(&byte)
}
