//! Where a hub listens.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::str::FromStr;

use moorline_bundle::Endpoint;
use serde::{Deserialize, Serialize};

/// A host name or address of this host, and a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ListenAddress {
    /// IPv6 without brackets.
    pub(crate) host: String,
    pub(crate) port: NonZeroU16,
}

impl ListenAddress {
    /// Whether it is every interface.
    pub(crate) fn is_wildcard(&self) -> bool {
        self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified())
    }

    /// Whether only this host reaches it.
    pub(crate) fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || "it must be HOST:PORT, such as 127.0.0.1:45671, 0.0.0.0:45671 or [::]:45671".to_owned();
        let (host, port) = text.rsplit_once(':').ok_or_else(form)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = Endpoint::parse_port(port).map_err(|fault| format!("the port: {fault}"))?;
        if (bare.contains(':') && bare.len() == host.len()) || Endpoint::new(bare, port).is_err() {
            return Err(form());
        }
        Ok(Self { host: bare.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown_alike() {
        for text in ["127.0.0.1:45671", "0.0.0.0:1", "[::]:45671", "hub.example.com:65535"] {
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), text);
        }
        for text in ["", "45671", ":45671", "::1:45671", "host:0", "host:70000", "host:+1", "https://host:1"] {
            assert!(text.parse::<ListenAddress>().is_err(), "{text}");
        }
    }
}
