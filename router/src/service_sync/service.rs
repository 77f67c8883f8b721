//! A service as sites announce it, and which ones are ours.

use std::collections::BTreeMap;

use moorline_definition::router_config::{Aggregation, HttpVersion, RouterConfig};
use serde::{Deserialize, Serialize};

use super::MAX_SERVICES;

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

/// What a router with this configuration announces: the services of the connectors that say so. Ports of one name are one
/// service. In order of names, and what of it cannot be announced, in words.
pub fn offer(config: &RouterConfig) -> (Vec<Service>, Vec<String>) {
    let tcp = config.tcp_connectors.iter().filter(|bridge| bridge.announce == Some(true));
    let http = config.http_connectors.iter().filter(|bridge| bridge.announce == Some(true));
    let of_tcp = tcp.map(|bridge| (&bridge.address, "tcp", None, false));
    let of_http = http.map(|bridge| {
        let protocol = if bridge.protocol_version == Some(HttpVersion::Http2) { "http2" } else { "http" };
        (&bridge.address, protocol, bridge.aggregation, bridge.event_channel == Some(true))
    });
    let mut services: BTreeMap<String, Service> = BTreeMap::new();
    let mut faults = Vec::new();
    for (address, protocol, aggregation, eventchannel) in of_tcp.chain(of_http) {
        let full = services.len() == MAX_SERVICES;
        match service(address, protocol, aggregation, eventchannel) {
            Err(fault) => faults.push(format!("{address} is not announced: {fault}")),
            Ok(service) => match services.get_mut(&service.address) {
                Some(known) if !known.is_like(&service) => {
                    faults.push(format!("{address} is not announced: other ports of that name are of another sort"));
                }
                Some(known) => known.ports.extend(service.ports),
                None if full => {
                    faults.push(format!("{address} is not announced: there are {MAX_SERVICES} services already"));
                }
                None => drop(services.insert(service.address.clone(), service)),
            },
        }
    }
    for service in services.values_mut() {
        service.ports.sort_unstable();
        service.ports.dedup();
        service.ports.truncate(MAX_PORTS);
    }
    (services.into_values().collect(), faults)
}

fn service(
    address: &str,
    protocol: &str,
    aggregation: Option<Aggregation>,
    eventchannel: bool,
) -> Result<Service, &'static str> {
    let (name, port) = address.rsplit_once(':').ok_or("it has no port")?;
    let port = port.parse().map_err(|_| "its port is no number")?;
    let aggregate = match aggregation {
        None | Some(Aggregation::None) => None,
        Some(Aggregation::Json) => Some("json".to_owned()),
        Some(Aggregation::Multipart) => Some("multipart".to_owned()),
    };
    let service =
        Service { address: name.to_owned(), protocol: protocol.to_owned(), ports: vec![port], aggregate, eventchannel };
    service.fault().map_or(Ok(service), Err)
}
