//! Names, hosts and ports that are known to be valid.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::str::FromStr;

/// Why a text is not a name of the kind wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Not a gateway name.
    #[error("must match [a-z]([a-z0-9.-]*[a-z0-9])?, at most {} characters", GatewayName::LONGEST)]
    Gateway,
    /// A service address without a port.
    #[error("address must be <name>:<port>")]
    AddressWithoutPort,
    /// A service address whose port is no port.
    #[error("address port must be 1-65535")]
    AddressPort,
    /// A service address whose name is no Kubernetes service name.
    #[error("service name must be a DNS-1035 label (≤63 chars, [a-z]([-a-z0-9]*[a-z0-9])?)")]
    ServiceName,
    /// Not a host.
    #[error("must be a host name or an IP address")]
    Host,
    /// Not a name for a router entity.
    #[error("must not be empty or longer than 253 characters, or hold control characters, \"$\" or \"{{{{\"")]
    Entity,
    /// Not the name of a credentials folder.
    #[error("must be the name of a folder in skupper-router-certs: letters, digits, '.', '_' and '-'")]
    Credential,
    /// Not a port.
    #[error("port out of range 1-65535")]
    Port,
}

macro_rules! text_type {
    ($name:ident, $valid:expr, $error:expr) => {
        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) { Ok(Self(text.to_owned())) } else { Err($error) }
            }
        }
    };
}

/// A gateway's name: `[a-z]([a-z0-9.-]*[a-z0-9])?`, at most [`LONGEST`](Self::LONGEST) characters.
///
/// Safe as a file name, in a unit name and unquoted in a shell.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GatewayName(String);

impl GatewayName {
    /// Most characters. Leaves room for what is added to it in file and container names.
    pub const LONGEST: usize = 128;
}

text_type!(GatewayName, |text| text.len() <= GatewayName::LONGEST && is_label(text, b".-"), InvalidName::Gateway);

/// The name of a router entity: any text of 1 to 253 bytes without control characters, `$` and `{{`.
///
/// The configuration is a template until its variables are filled in; nothing in a name may look like one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntityName(String);

text_type!(
    EntityName,
    |text| {
        (1..=253).contains(&text.len()) && !text.contains(|c: char| c.is_control() || c == '$') && !text.contains("{{")
    },
    InvalidName::Entity
);

/// A host name or an IP address. IPv6 without brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Host(String);

text_type!(Host, is_host, InvalidName::Host);

impl Host {
    /// Whether only this host can reach a port bound to it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.0.eq_ignore_ascii_case("localhost") || self.0.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// Whether a port bound to it is bound on every interface.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.0.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified())
    }
}

/// The name of a folder of certificate files.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CredentialName(String);

text_type!(
    CredentialName,
    |text| {
        (1..=253).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    },
    InvalidName::Credential
);

/// A TCP port, 1 to 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Port(NonZeroU16);

impl Port {
    /// 5672, where AMQP listens by default.
    pub const AMQP: Self = match NonZeroU16::new(5672) {
        Some(port) => Self(port),
        None => Self(NonZeroU16::MIN),
    };

    /// The port that a number names.
    ///
    /// # Errors
    /// Below 1 or above 65535.
    pub fn new(number: i128) -> Result<Self, InvalidName> {
        u16::try_from(number).ok().and_then(NonZeroU16::new).map(Self).ok_or(InvalidName::Port)
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0.get()
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A service address on the network: `<name>:<port>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceAddress {
    name: String,
    port: Port,
}

impl ServiceAddress {
    /// The service's name, a DNS-1035 label.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The service's port on the network.
    #[must_use]
    pub fn port(&self) -> Port {
        self.port
    }
}

impl fmt::Display for ServiceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.port)
    }
}

impl FromStr for ServiceAddress {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let (name, port) = text.rsplit_once(':').ok_or(InvalidName::AddressWithoutPort)?;
        if name.is_empty() || port.is_empty() {
            return Err(InvalidName::AddressWithoutPort);
        }
        // Leading zeros and signs would make an address that no service has.
        let number = (!port.starts_with(['+', '0'])).then(|| port.parse::<u16>().ok()).flatten();
        let port = number.and_then(|number| Port::new(number.into()).ok()).ok_or(InvalidName::AddressPort)?;
        if name.len() > 63 || !is_label(name, b"-") {
            return Err(InvalidName::ServiceName);
        }
        Ok(Self { name: name.to_owned(), port })
    }
}

/// Starts with a lowercase letter, ends with a letter or digit, `also` in between.
fn is_label(text: &str, also: &[u8]) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().next_back().is_some_and(word)
        && text.bytes().all(|byte| word(byte) || also.contains(&byte))
}

fn is_host(text: &str) -> bool {
    let address = text.split_once('%').map_or(text, |(address, _)| address);
    let zone_is_plain = !text.contains(|c: char| c.is_whitespace() || c.is_control() || "$/{}[]".contains(c));
    if address.parse::<IpAddr>().is_ok() {
        return zone_is_plain;
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    let all_numbers = name.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    (1..=253).contains(&name.len())
        && !all_numbers
        && name.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        })
}
