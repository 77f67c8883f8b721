//! Where an uplink connects to.

use std::fmt;
use std::num::NonZeroU16;

use rustls_pki_types::ServerName;

/// A host and a port that can be dialled, and whose certificate can be verified.
///
/// The host is a DNS name or an IP address (IPv6 without brackets), the port 1 to 65535: an
/// `Endpoint` that exists is one that TLS accepts as a server name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    host: String,
    port: NonZeroU16,
}

/// Why a text is not half of an [`Endpoint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointFault {
    /// Neither a DNS name nor an IP address.
    #[error("it must be a DNS name or an IP address, with no scheme, port or brackets")]
    Host,
    /// Not a whole number from 1 to 65535.
    #[error("it must be a whole number from 1 to 65535")]
    Port,
}

impl Endpoint {
    /// Checks `host` and keeps it as written.
    pub fn new(host: &str, port: NonZeroU16) -> Result<Self, EndpointFault> {
        ServerName::try_from(host).map_err(|_| EndpointFault::Host)?;
        Ok(Self { host: host.to_owned(), port })
    }

    /// Reads a port as it stands in a token: decimal digits and nothing else.
    pub fn parse_port(text: &str) -> Result<NonZeroU16, EndpointFault> {
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(EndpointFault::Port);
        }
        text.parse().map_err(|_| EndpointFault::Port)
    }

    /// The DNS name or IP address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.port.get()
    }
}

/// `host:port`, with brackets around an IPv6 address.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}
