//! What people type for a service and its server: `mydb localhost 5432`, `web 10.0.0.5 80:8080`, `mydb localhost:5432`.

use anyhow::anyhow;
use moorline_definition::{Host, Port, ServiceAddress};

use crate::failure::Failure;

/// A port of a service, and the one of this host that goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    /// Of the service on the network.
    pub(super) service: Port,
    /// A binding: of the server. A forward: where this host listens.
    pub(super) local: Port,
}

/// A service: its name, and its port where that was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServiceName {
    name: String,
    port: Option<Port>,
}

impl ServiceName {
    /// `mydb` or `mydb:5432`.
    pub(super) fn parse(text: &str) -> Result<ServiceName, Failure> {
        let parsed = match text.contains(':') {
            true => text.parse::<ServiceAddress>().map(|address| (address.name().to_owned(), Some(address.port()))),
            // Any port, to have the name looked at.
            false => format!("{text}:1").parse::<ServiceAddress>().map(|address| (address.name().to_owned(), None)),
        };
        let (name, port) =
            parsed.map_err(|fault| Failure::Input(anyhow!("{text:?} is no service address: {fault}")))?;
        Ok(ServiceName { name, port })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether `address` is of this service.
    pub(super) fn has(&self, address: &ServiceAddress) -> bool {
        self.name == address.name() && self.port.is_none_or(|port| port == address.port())
    }

    /// Its addresses, each with the port of this host. `known`: ports that the service has, which what was typed stands for
    /// in their order.
    pub(super) fn addresses(&self, pairs: &[Pair], known: &[Port]) -> Result<Vec<(ServiceAddress, Port)>, Failure> {
        let mut known = match self.port {
            Some(port) => vec![port],
            None => known.to_vec(),
        };
        if self.port.is_some() && pairs.len() > 1 {
            let name = &self.name;
            return Err(Failure::Input(anyhow!("{name}:{} is one port, and several were typed", known[0])));
        }
        if known.is_empty() {
            known = pairs.iter().map(|pair| pair.service).collect();
        }
        if known.len() < pairs.len() {
            let (known, name) = (known.len(), &self.name);
            return Err(Failure::Input(anyhow!(
                "the service {name} has {known} ports, and {} were typed",
                pairs.len()
            )));
        }
        let address = |port: Port| {
            let parsed = format!("{}:{port}", self.name).parse::<ServiceAddress>();
            parsed.map_err(|fault| Failure::Input(anyhow!("{fault}")))
        };
        // A pair of two that differ was typed as one.
        let port = |known: Port, pair: &Pair| if pair.service == pair.local { known } else { pair.service };
        known.into_iter().zip(pairs).map(|(known, pair)| Ok((address(port(known, pair))?, pair.local))).collect()
    }
}

impl std::fmt::Display for ServiceName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// A server and the ports of it: what comes after the address. `incomplete`: what to say when something is missing.
pub(super) fn server(host: Option<&str>, ports: &[String], incomplete: &str) -> Result<(Host, Vec<Pair>), Failure> {
    let missing = || Failure::Input(anyhow!("{incomplete}"));
    let host = host.ok_or_else(missing)?;
    match (split(host), ports) {
        (Some((host, port)), []) => Ok((parse_host(host)?, vec![pair(port)?])),
        (Some(_), [extra, ..]) => Err(Failure::Input(anyhow!("extra argument: {extra}"))),
        (None, []) => Err(missing()),
        (None, ports) => Ok((parse_host(host)?, ports.iter().map(|port| pair(port)).collect::<Result<_, _>>()?)),
    }
}

/// Ports of this host, for a forward.
pub(super) fn local_ports(ports: &[String]) -> Result<Vec<Pair>, Failure> {
    let wrong = |text: &str| Failure::Input(anyhow!("{text} is not a valid forward port"));
    let port = |text: &String| match pair(text) {
        Ok(pair) => Ok(pair),
        Err(_) => Err(wrong(text)),
    };
    ports.iter().map(port).collect()
}

/// `HOST:PORT`, also of `[::1]:5432`; an IPv6 address by itself is no such.
fn split(text: &str) -> Option<(&str, &str)> {
    let (host, port) = text.rsplit_once(':')?;
    match host.strip_prefix('[') {
        Some(host) => Some((host.strip_suffix(']')?, port)),
        None => (!host.contains(':')).then_some((host, port)),
    }
}

fn parse_host(text: &str) -> Result<Host, Failure> {
    let plain = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    plain.parse().map_err(|fault| Failure::Input(anyhow!("{text:?} {fault}")))
}

/// `PORT`, or `SERVICEPORT:LOCALPORT`.
fn pair(text: &str) -> Result<Pair, Failure> {
    let port = |text: &str| text.parse::<u16>().ok().and_then(|number| Port::new(number.into()).ok());
    let pair = match text.split_once(':') {
        None => port(text).map(|port| Pair { service: port, local: port }),
        Some((service, local)) => port(service).zip(port(local)).map(|(service, local)| Pair { service, local }),
    };
    pair.ok_or_else(|| Failure::Input(anyhow!("{text} is not a valid port")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INCOMPLETE: &str = "incomplete";

    fn typed(words: &[&str]) -> Result<(String, Vec<(u16, u16)>), String> {
        let ports: Vec<String> = words.iter().skip(1).map(|word| (*word).to_owned()).collect();
        let (host, pairs) = server(words.first().copied(), &ports, INCOMPLETE).map_err(|f| f.words().unwrap())?;
        Ok((host.to_string(), pairs.iter().map(|pair| (pair.service.get(), pair.local.get())).collect()))
    }

    #[test]
    fn servers() {
        let good = |host: &str, pairs: &[(u16, u16)]| Ok((host.to_owned(), pairs.to_vec()));
        assert_eq!(typed(&["localhost", "5432"]), good("localhost", &[(5432, 5432)]));
        assert_eq!(typed(&["10.0.0.5", "80:8080", "443"]), good("10.0.0.5", &[(80, 8080), (443, 443)]));
        assert_eq!(typed(&["localhost:5432"]), good("localhost", &[(5432, 5432)]));
        assert_eq!(typed(&["[::1]:5432"]), good("::1", &[(5432, 5432)]));
        assert_eq!(typed(&["::1", "5432"]), good("::1", &[(5432, 5432)]));
        let bad = |words: &str| Err(words.to_owned());
        assert_eq!(typed(&[]), bad(INCOMPLETE));
        assert_eq!(typed(&["localhost"]), bad(INCOMPLETE));
        assert_eq!(typed(&["localhost:5432", "80"]), bad("extra argument: 80"));
        assert_eq!(typed(&["localhost:x"]), bad("x is not a valid port"));
        assert_eq!(typed(&["localhost", "1:2:3"]), bad("1:2:3 is not a valid port"));
        assert_eq!(typed(&["localhost", "0"]), bad("0 is not a valid port"));
        assert_eq!(typed(&["localhost", "65536"]), bad("65536 is not a valid port"));
        assert!(typed(&["bad host", "1"]).unwrap_err().contains("must be a host name"));
    }

    #[test]
    fn forwards() {
        assert_eq!(local_ports(&["x".to_owned()]).unwrap_err().words().unwrap(), "x is not a valid forward port");
        assert_eq!(local_ports(&["443:8443".to_owned()]).unwrap()[0].local.get(), 8443);
    }

    #[test]
    fn services_and_their_ports() {
        let port = |number: u16| Port::new(number.into()).unwrap();
        let pair = |service, local| Pair { service: port(service), local: port(local) };
        let addresses = |name: &str, pairs: &[Pair], known: &[Port]| {
            let found = ServiceName::parse(name)?.addresses(pairs, known)?;
            Ok::<_, Failure>(found.iter().map(|(address, local)| format!("{address} {local}")).collect::<Vec<_>>())
        };
        assert_eq!(addresses("db", &[pair(1, 1), pair(2, 3)], &[]).unwrap(), ["db:1 1", "db:2 3"]);
        assert_eq!(addresses("db:7", &[pair(1, 1)], &[]).unwrap(), ["db:7 1"]);
        assert_eq!(addresses("db", &[pair(8443, 8443)], &[port(443)]).unwrap(), ["db:443 8443"]);
        assert_eq!(addresses("db", &[pair(80, 8443)], &[port(443)]).unwrap(), ["db:80 8443"]);
        assert!(addresses("db", &[pair(1, 1), pair(2, 2)], &[port(443)]).is_err());
        assert!(addresses("db:7", &[pair(1, 1), pair(2, 2)], &[]).is_err());
        for wrong in ["Db", "", ":1", "db:0", "db:x", "a b"] {
            assert!(ServiceName::parse(wrong).is_err(), "{wrong}");
        }
        let service = ServiceName::parse("db").unwrap();
        assert!(service.has(&"db:1".parse().unwrap()) && !service.has(&"dbx:1".parse().unwrap()));
    }
}
