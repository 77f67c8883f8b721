//! A service as sites announce it, and the file that says which ones are ours.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::MAX_SERVICES;

/// Longest file of services, bytes.
pub const MAX_OFFER: usize = 256 * 1024;
/// Longest name of a service, bytes.
const MAX_ADDRESS: usize = 255;
/// Longest protocol or form of aggregation, bytes.
const MAX_WORD: usize = 32;
/// Ports that one service may have.
const MAX_PORTS: usize = 100;

/// A service of a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its name in the network, without a port.
    pub address: String,
    /// `tcp`, `http`, `http2`, or what else a site carries.
    pub protocol: String,
    /// Its ports in the network; each has an address `<name>:<port>` of its own.
    pub ports: Vec<u16>,
    /// How answers of several servers are made one: `json` or `multipart`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregate: Option<String>,
    /// Requests go to all servers, and none answers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub eventchannel: bool,
}

impl Service {
    /// Why no site would take it; none: it is good.
    pub(super) fn fault(&self) -> Option<&'static str> {
        let is_word = |word: &str| is_name(word, MAX_WORD);
        if !is_name(&self.address, MAX_ADDRESS) {
            Some("its name is empty, too long, or no text")
        } else if !is_word(&self.protocol) || !self.aggregate.as_deref().is_none_or(is_word) {
            Some("its protocol or aggregate is empty, too long, or no text")
        } else if !(1..=MAX_PORTS).contains(&self.ports.len()) || self.ports.contains(&0) {
            Some("it has no port, too many, or port 0")
        } else {
            None
        }
    }

    /// Whether ports of both can be those of one service.
    fn is_like(&self, other: &Service) -> bool {
        let sort = |of: &Service| (of.eventchannel, of.protocol.clone(), of.aggregate.clone());
        sort(self) == sort(other)
    }
}

/// Whether others can be shown this: control characters would speak to their terminals.
pub(super) fn is_name(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && !text.contains(char::is_control)
}

#[derive(Deserialize)]
struct Offer {
    services: Vec<Service>,
}

/// The services in a file `{"services": [{"address", "protocol", "ports", "aggregate", "eventchannel"}]}`; the last two
/// may be missing, and keys that are not known are ignored. Ports of one name are one service. In order of names.
///
/// # Errors
/// What is wrong with the file, in words.
pub fn offer(text: &str) -> Result<Vec<Service>, String> {
    if text.len() > MAX_OFFER {
        return Err(format!("it has more than {MAX_OFFER} bytes"));
    }
    let offer: Offer = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut services: BTreeMap<String, Service> = BTreeMap::new();
    for mut service in offer.services {
        let mut fault = None;
        if let Some(known) = services.remove(&service.address) {
            fault = (!known.is_like(&service)).then_some("its ports are not of one sort");
            service.ports.extend(known.ports);
        }
        service.ports.sort_unstable();
        service.ports.dedup();
        if let Some(fault) = fault.or_else(|| service.fault()) {
            return Err(format!("service {:?}: {fault}", service.address));
        }
        services.insert(service.address.clone(), service);
    }
    if services.len() > MAX_SERVICES {
        return Err(format!("it has more than {MAX_SERVICES} services"));
    }
    Ok(services.into_values().collect())
}
