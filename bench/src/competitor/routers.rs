//! Routers: ours at both ends, the network's own at both ends, our edge below its interior; each in both encapsulations.

use std::path::Path;

use anyhow::Result;
use moorline_tests::ports::free_port;
use moorline_tests::scratch::Scratch;
use moorline_tests::skrouterd::{RouterFile, Skrouterd};

use super::{Competitor, Ports, Shape, Site};
use crate::chain::{Addition, Chain, Hop};

/// Of many addresses, those that clients enter at: spread over all, so that the last to be served is among them or near.
pub(crate) const ENTRIES: usize = 16;
/// The address that is served when the edge is told to.
const ADDED: &str = "bench:added";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Maker {
    Ours,
    Network,
}

#[derive(Debug, Clone, Copy)]
struct Pair {
    name: &'static str,
    interior: Maker,
    edge: Maker,
    encapsulation: &'static str,
}

const PAIRS: [Pair; 6] = [
    Pair { name: "skrouterd-legacy", interior: Maker::Network, edge: Maker::Network, encapsulation: "legacy" },
    Pair { name: "skrouterd-lite", interior: Maker::Network, edge: Maker::Network, encapsulation: "lite" },
    Pair { name: "mixed-legacy", interior: Maker::Network, edge: Maker::Ours, encapsulation: "legacy" },
    Pair { name: "mixed-lite", interior: Maker::Network, edge: Maker::Ours, encapsulation: "lite" },
    Pair { name: "own-legacy", interior: Maker::Ours, edge: Maker::Ours, encapsulation: "legacy" },
    Pair { name: "own-lite", interior: Maker::Ours, edge: Maker::Ours, encapsulation: "lite" },
];

/// All pairs of routers.
pub(super) fn competitors(site: &Site) -> impl Iterator<Item = Competitor> {
    PAIRS.into_iter().map(|pair| Competitor {
        name: pair.name,
        version: pair.version(site),
        make: Box::new(move |site, shape, ports| pair.chain(site, shape, ports)),
    })
}

impl Pair {
    fn version(self, site: &Site) -> Result<String, String> {
        let ours = || version_of(&site.moorline);
        if self.interior == Maker::Ours {
            return ours();
        }
        let network = site.skrouterd.as_ref().ok_or("SKROUTERD names no router of the network")?;
        if self.encapsulation == "legacy" && !network.has_encapsulations() {
            return Err(format!("skrouterd {} knows lite alone", network.version));
        }
        let workers = site.workers.map(|count| format!(" with {count} threads")).unwrap_or_default();
        let network = format!("skrouterd {}{workers}", network.version);
        if self.edge == Maker::Ours { ours().map(|ours| format!("{ours} below {network}")) } else { Ok(network) }
    }

    fn chain(self, site: &Site, shape: Shape, Ports { target, listens, connects }: Ports) -> Result<Option<Chain>> {
        let home = site.home()?;
        if shape == Shape::One {
            // Nothing is encapsulated on the way through one router, and none of it goes to an interior.
            if self.interior != self.edge || self.encapsulation == "legacy" {
                return Ok(None);
            }
            let entry = free_port();
            let file = site.file(self.edge, "edge");
            let file = file.tcp_listener("bench:0", entry, None).tcp_connector("bench:0", target, None);
            let near_server = Some(hop(self.edge, "edge", site, &home, &file));
            return Ok(Some(Chain { entries: vec![entry], near_server, home: Some(home), ..Chain::default() }));
        }
        let addresses = if let Shape::Many(count) = shape { count } else { 1 };
        let encapsulation = site.tells(self.interior, self.encapsulation);
        // Ours takes either; the network's refuses what it was not told.
        let accepted = (self.edge == Maker::Network).then(|| site.tells(self.edge, self.encapsulation)).flatten();
        let mut interior = site.file(self.interior, "interior");
        interior = interior.certificates(&home.join("server")).edge_listener(listens);
        let mut edge = site.file(self.edge, "edge").certificates(&home.join("client")).uplink(connects);
        let mut entries = Vec::new();
        for at in sample(addresses) {
            let entry = free_port();
            interior = interior.tcp_listener(&format!("bench:{at}"), entry, encapsulation);
            entries.push(entry);
        }
        for at in 0..addresses {
            edge = edge.tcp_connector(&format!("bench:{at}"), target, accepted);
        }
        let addition = matches!(shape, Shape::Many(_)).then(|| {
            let (door, entry) = (free_port(), free_port());
            let mut connector = vec![
                ("name", ADDED.to_owned()),
                ("address", ADDED.to_owned()),
                ("host", "127.0.0.1".to_owned()),
                ("port", target.to_string()),
            ];
            connector.extend(accepted.map(|encapsulation| ("encapsulation", encapsulation.to_owned())));
            Addition { door, entry, connector }
        });
        if let Some(addition) = &addition {
            interior = interior.tcp_listener(ADDED, addition.entry, encapsulation);
            edge = edge.client_listener(addition.door);
        }
        let near_client = Some(hop(self.interior, "interior", site, &home, &interior));
        let near_server = Some(hop(self.edge, "edge", site, &home, &edge));
        Ok(Some(Chain { entries, uplink: Some(listens), near_server, near_client, addition, home: Some(home) }))
    }
}

impl Site {
    /// The beginning of a router's file; its name is its mode.
    fn file(&self, maker: Maker, mode: &str) -> RouterFile {
        let file = RouterFile::new(mode, mode).quiet();
        match self.workers {
            Some(count) if maker == Maker::Network => file.workers(count),
            _ => file,
        }
    }

    /// The encapsulation to ask of a listener; the network's newer versions have only one and no word for it.
    fn tells(&self, maker: Maker, encapsulation: &'static str) -> Option<&'static str> {
        let knows = maker == Maker::Ours || self.skrouterd.as_ref().is_some_and(Skrouterd::has_encapsulations);
        knows.then_some(encapsulation)
    }
}

fn hop(maker: Maker, name: &'static str, site: &Site, home: &Scratch, file: &RouterFile) -> Hop {
    let path = home.write(&format!("{name}.json"), &file.json());
    match (maker, &site.skrouterd) {
        (Maker::Network, Some(skrouterd)) => Hop::new(name, skrouterd.program()).argument("-c").argument(path),
        _ => Hop::new(name, &site.moorline).argument("router").argument("-c").argument(path),
    }
}

/// The numbers of the addresses that clients enter at: the first, the last and some between.
fn sample(addresses: usize) -> Vec<usize> {
    let count = addresses.min(ENTRIES);
    (0..count).map(|at| if count == 1 { 0 } else { at * (addresses - 1) / (count - 1) }).collect()
}

fn version_of(program: &Path) -> Result<String, String> {
    let output = std::process::Command::new(program).arg("--version").output();
    let output = output.map_err(|error| format!("{}: {error}", program.display()))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_address_are_entered() {
        assert_eq!(sample(1), [0]);
        assert_eq!(sample(3), [0, 1, 2]);
        let many = sample(10_000);
        assert_eq!((many.len(), many[0], many[15]), (16, 0, 9_999));
    }
}
