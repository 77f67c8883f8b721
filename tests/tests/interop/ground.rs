//! The three routers of a scenario, each ours or the real one.

use std::fmt;

use moorline_tests::authority::{Authority, Credentials};
use moorline_tests::command::moorline;
use moorline_tests::definition::Definition;
use moorline_tests::network::{Gateway, Hub};
use moorline_tests::peer::{connect_when_open, echo_server, wait_until_closed};
use moorline_tests::ports::free_port;
use moorline_tests::process::Process;
use moorline_tests::scenario::{self, Ends, QUICK};
use moorline_tests::scratch::Scratch;
use moorline_tests::skrouterd::{RouterFile, Skrouterd};

use super::table::Table;

const ADDRESS: &str = "service:1";
const BULK: u64 = 256 << 20;
const PARALLEL: usize = 50;

/// Whose router it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Ours,
    Real,
}

/// How TCP is carried.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encapsulation {
    /// As each router has it when nobody says anything.
    Default,
    /// Said to every router that asks.
    Lite,
}

impl Encapsulation {
    /// Those that the real router knows.
    ///
    /// Our listener follows the version of its uplink. Our hub has none of the network's versions, so a listener on it
    /// speaks legacy, as all of Skupper v1 does, and must be told of a connector that speaks lite alone.
    pub(crate) fn of(real: &Skrouterd, hub: Place, listener: Place, connector: Place) -> Vec<Self> {
        if real.has_encapsulations() {
            vec![Self::Default, Self::Lite]
        } else if (hub, listener, connector) == (Place::Ours, Place::Ours, Place::Real) {
            vec![Self::Lite]
        } else {
            vec![Self::Default]
        }
    }

    fn attribute(self) -> Option<&'static str> {
        (self == Self::Lite).then_some("lite")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Ours { "ours" } else { "real" })
    }
}

/// A hub, a router that listens, a router that connects.
pub(crate) struct Ground {
    name: String,
    ends: Ends,
    // Edges end before their hub.
    connector: Option<Process>,
    _listener: Option<Process>,
    _hub: Process,
    _home: Scratch,
    _files: Vec<Scratch>,
}

/// What the parts of a ground share while it is made.
struct Site<'a> {
    real: &'a Skrouterd,
    home: Scratch,
    files: Vec<Scratch>,
    authority: Authority,
    port: u16,
    encapsulation: Option<&'static str>,
}

impl Ground {
    pub(crate) fn start(
        real: &Skrouterd,
        encapsulation: Encapsulation,
        hub: Place,
        listener: Place,
        connector: Place,
    ) -> Self {
        let ends = Ends { entry: free_port(), target: free_port() };
        let attribute = encapsulation.attribute();
        // An interior has bridges of its own; a hub has none.
        let in_hub = |place: Place, other: Place| hub == Place::Real && place == Place::Real && other == Place::Ours;
        let (listens, connects) = (in_hub(listener, connector), in_hub(connector, listener));
        // Lite alone needs no word, and knows none.
        let real_attribute = attribute.filter(|_| real.has_encapsulations());
        let attribute_of = |place: Place| if place == Place::Real { real_attribute } else { attribute };
        let bridges = |mut file: RouterFile| {
            if listens {
                file = file.tcp_listener(ADDRESS, ends.entry, real_attribute);
            }
            if connects {
                file = file.tcp_connector(ADDRESS, ends.target, real_attribute);
            }
            file
        };
        let (mut site, hub_process) = match hub {
            Place::Real => Site::with_real_interior(real, attribute, bridges),
            Place::Ours => Site::with_our_hub(real, attribute),
        };
        let connector_process = (!connects).then(|| {
            let file = |file: RouterFile| file.tcp_connector(ADDRESS, ends.target, attribute_of(connector));
            site.edge("west", connector, file, Definition::new("west").binding(ADDRESS, ends.target))
        });
        let listener_process = (!listens).then(|| {
            let file = |file: RouterFile| file.tcp_listener(ADDRESS, ends.entry, attribute_of(listener));
            site.edge("east", listener, file, Definition::new("east").forward(ADDRESS, ends.entry))
        });
        let carried = match (encapsulation, real.has_encapsulations()) {
            (Encapsulation::Default, true) => "legacy",
            _ => "lite",
        };
        let centre = if hub == Place::Real { "real interior" } else { "our hub" };
        Self {
            name: format!("{carried}: listener {listener}, {centre}, connector {connector}"),
            ends,
            connector: connector_process,
            _listener: listener_process,
            _hub: hub_process,
            _home: site.home,
            _files: site.files,
        }
    }
}

impl<'a> Site<'a> {
    fn with_real_interior(
        real: &'a Skrouterd,
        encapsulation: Option<&'static str>,
        bridges: impl FnOnce(RouterFile) -> RouterFile,
    ) -> (Self, Process) {
        let (home, port, authority) = (Scratch::new(), free_port(), Authority::new("skupper-site-ca"));
        let certificates = authority.server(&["localhost", "127.0.0.1"]).write(&home.join("interior-certs"));
        let file = RouterFile::new("interior", "interior").certificates(&certificates).edge_listener(port);
        let process = real.run("interior", &home, &trace(bridges(file), "interior"));
        (Self { real, home, files: Vec::new(), authority, port, encapsulation }, process)
    }

    fn with_our_hub(real: &'a Skrouterd, encapsulation: Option<&'static str>) -> (Self, Process) {
        let hub = Hub::start();
        let (authority, port) = (hub.authority(), hub.port());
        let (home, process) = hub.into_parts();
        (Self { real, home, files: Vec::new(), authority, port, encapsulation }, process)
    }

    fn edge(
        &mut self,
        name: &str,
        place: Place,
        bridge: impl FnOnce(RouterFile) -> RouterFile,
        definition: Definition,
    ) -> Process {
        let credentials = self.authority.client(name);
        if place == Place::Ours && self.encapsulation.is_none() {
            return self.gateway(&definition, &credentials);
        }
        let certificates = credentials.write(&self.home.join(&format!("{name}-certs")));
        let file = RouterFile::new(&format!("edge-{name}"), "edge").certificates(&certificates).uplink(self.port);
        let file = bridge(file);
        match place {
            Place::Real => self.real.run(name, &self.home, &trace(file, name)),
            Place::Ours => {
                let path = self.home.write(&format!("{name}.json"), &file.json());
                Process::start(name, moorline(&self.home, ["router", "-c"]).arg(path))
            }
        }
    }

    fn gateway(&mut self, definition: &Definition, credentials: &Credentials) -> Process {
        let home = Scratch::new();
        home.write("token.yaml", &credentials.token("localhost", self.port));
        let (mut process, home) = Gateway::run(home, definition.name(), &definition.yaml(), &[]).into_parts();
        process.wait_for(&["linked to"]);
        self.files.push(home);
        process
    }
}

/// Where `SKROUTERD_TRACE` names a directory, the real router's frames are written there.
fn trace(file: RouterFile, name: &str) -> RouterFile {
    match std::env::var_os("SKROUTERD_TRACE") {
        Some(dir) => file.trace(&std::path::Path::new(&dir).join(format!("{name}-{}.txt", std::process::id()))),
        None => file,
    }
}

/// Every scenario on a ground, and at last the loss of the connector's router.
pub(crate) fn every_ground(table: &mut Table, start: impl FnOnce() -> Ground) {
    let mut ground = start();
    let (name, ends) = (ground.name.clone(), ground.ends);
    for (scenario, run) in QUICK {
        table.record(&name, scenario, || run(ends));
    }
    table.record(&name, "bulk each way", || scenario::bulk(ends, BULK));
    table.record(&name, "bulk both ways at once", || scenario::bulk_both_ways(ends, BULK / 4));
    table.record(&name, "50 at once", || scenario::parallel(ends, PARALLEL));
    if let Some(connector) = &mut ground.connector {
        table.record(&name, "connector's router lost", || {
            let _server = echo_server(ends.target);
            drop(connect_when_open(ends.entry));
            connector.crash();
            wait_until_closed(ends.entry);
            Ok(())
        });
    }
}
