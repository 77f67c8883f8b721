//! The three routers of a scenario, each ours or the real one.

use std::fmt;
use std::io::{self, Write};
use std::net::TcpStream;

use moorline_tests::authority::{Authority, Credentials};
use moorline_tests::command::moorline;
use moorline_tests::definition::Definition;
use moorline_tests::network::{Gateway, Hub};
use moorline_tests::peer::{Server, connect_when_open, read_exactly, wait_until_closed, wait_until_dead};
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
    listener: Option<Process>,
    centre: Centre,
    _home: Scratch,
    _files: Vec<Scratch>,
}

/// What the edges link to.
enum Centre {
    Ours(Hub),
    Real { process: Process, router: Skrouterd, home: Scratch, file: RouterFile },
}

impl Centre {
    fn crash(&mut self) {
        match self {
            Self::Ours(hub) => hub.process.crash(),
            Self::Real { process, .. } => process.crash(),
        }
    }

    fn restart(&mut self) {
        match self {
            Self::Ours(hub) => hub.restart(),
            Self::Real { process, router, home, file } => *process = router.run("interior", home, file),
        }
    }
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
        let (mut site, centre) = match hub {
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
        let between = if hub == Place::Real { "real interior" } else { "our hub" };
        Self {
            name: format!("{carried}: listener {listener}, {between}, connector {connector}"),
            ends,
            connector: connector_process,
            listener: listener_process,
            centre,
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
    ) -> (Self, Centre) {
        let (home, port, authority) = (Scratch::new(), free_port(), Authority::new("skupper-site-ca"));
        let certificates = authority.server(&["localhost", "127.0.0.1"]).write(&home.join("interior-certs"));
        let file = RouterFile::new("interior", "interior").certificates(&certificates).edge_listener(port);
        let file = trace(bridges(file), "interior");
        let process = real.run("interior", &home, &file);
        let centre = Centre::Real { process, router: real.clone(), home, file };
        (Self { real, home: Scratch::new(), files: Vec::new(), authority, port, encapsulation }, centre)
    }

    fn with_our_hub(real: &'a Skrouterd, encapsulation: Option<&'static str>) -> (Self, Centre) {
        let hub = Hub::start();
        let (authority, port) = (hub.authority(), hub.port());
        let site = Self { real, home: Scratch::new(), files: Vec::new(), authority, port, encapsulation };
        (site, Centre::Ours(hub))
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

/// Every scenario on a ground, and at last the loss of each of its routers.
pub(crate) fn every_ground(table: &mut Table, start: impl Fn() -> Ground) {
    let mut ground = start();
    let (name, ends) = (ground.name.clone(), ground.ends);
    for (scenario, run) in QUICK {
        table.record(&name, scenario, || run(ends));
    }
    table.record(&name, "bulk each way", || scenario::bulk(ends, BULK));
    table.record(&name, "bulk both ways at once", || scenario::bulk_both_ways(ends, BULK / 4));
    table.record(&name, "50 at once", || scenario::parallel(ends, PARALLEL));
    table.record(&name, "hub lost and back", || {
        let server = OpenConnection::through(ends)?;
        ground.centre.crash();
        // A listener of an edge closes; a listener of the hub went with it.
        wait_until_closed(ends.entry);
        server.ends_at_both_ends()?;
        ground.centre.restart();
        scenario::server_speaks_first(ends)?;
        scenario::bulk_both_ways(ends, 8 << 20)
    });
    if let Some(connector) = &mut ground.connector {
        table.record(&name, "connector's router lost", || {
            let open = OpenConnection::through(ends)?;
            connector.crash();
            wait_until_closed(ends.entry);
            open.ends_at_both_ends()
        });
    }
    drop(ground);
    let mut ground = start();
    let ends = ground.ends;
    if let Some(listener) = &mut ground.listener {
        table.record(&name, "listener's router lost", || {
            let open = OpenConnection::through(ends)?;
            listener.crash();
            open.ends_at_both_ends()
        });
    }
}

/// A connection on which both ends have spoken.
struct OpenConnection {
    client: TcpStream,
    server: Server<()>,
}

impl OpenConnection {
    fn through(ends: Ends) -> io::Result<Self> {
        let server = Server::start(ends.target, |mut stream| {
            stream.write_all(b"ready")?;
            read_exactly(&mut stream, 2)?;
            stream.write_all(b"steady")?;
            wait_until_dead(&mut stream)
        });
        let mut client = connect_when_open(ends.entry);
        read_exactly(&mut client, 5)?;
        client.write_all(b"go")?;
        read_exactly(&mut client, 6)?;
        Ok(Self { client, server })
    }

    fn ends_at_both_ends(mut self) -> io::Result<()> {
        wait_until_dead(&mut self.client)?;
        self.server.result()
    }
}
