//! Who carries: the direct way, others' programs, routers. Each makes the chain for a shape of the network.

mod haproxy;
mod nginx;
mod routers;
mod stunnel;

use std::path::{Path, PathBuf};

use anyhow::Result;
use moorline_tests::authority::{Authority, Credentials};
use moorline_tests::ports::free_port;
use moorline_tests::scratch::Scratch;
use moorline_tests::skrouterd::Skrouterd;

use crate::chain::Chain;

/// What is put between client and server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Two hops with mutual TLS between them: client, interior, edge, server.
    Two,
    /// One hop, without TLS: a listener and a connector in one place.
    One,
    /// Two, whose edge serves this many addresses. Clients enter at some of them.
    Many(usize),
}

/// Where a chain leads, and by which ports.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    /// The server.
    pub(crate) target: u16,
    /// Where the hop that is connected to listens, in mutual TLS.
    pub(crate) listens: u16,
    /// Where the other connects to: the same, unless somebody listens in between.
    pub(crate) connects: u16,
}

impl Ports {
    pub(crate) fn to(target: u16) -> Self {
        let uplink = free_port();
        Self { target, listens: uplink, connects: uplink }
    }
}

/// What all chains share.
#[derive(Debug)]
pub(crate) struct Site {
    /// The moorline program.
    pub(crate) moorline: PathBuf,
    /// The network's own router, where there is one.
    pub(crate) skrouterd: Option<Skrouterd>,
    /// The number of its threads, if not its own choice.
    pub(crate) workers: Option<u32>,
    /// The certificate of who is connected to, and of who connects.
    pub(crate) server: Credentials,
    pub(crate) client: Credentials,
}

impl Site {
    pub(crate) fn new(moorline: PathBuf, workers: Option<u32>) -> Self {
        let authority = Authority::new("bench");
        Self {
            moorline,
            skrouterd: Skrouterd::from_environment(),
            workers,
            server: authority.server(&["localhost", "127.0.0.1"]),
            client: authority.client("edge"),
        }
    }

    /// A directory with the certificates: `server` and `client`, each as files and all in one.
    fn home(&self) -> Result<Scratch> {
        let home = Scratch::new();
        for (name, credentials) in [("server", &self.server), ("client", &self.client)] {
            credentials.write(&home.join(name));
            home.write(&format!("{name}.pem"), &format!("{}{}", credentials.certificate, credentials.key));
        }
        Ok(home)
    }
}

/// A competitor's name, why it is not there if it is not, and how its chain is made.
pub(crate) struct Competitor {
    pub(crate) name: &'static str,
    /// `Err` says what is missing.
    pub(crate) version: Result<String, String>,
    /// The chain of a shape, not started; `None` where it has none of that shape.
    make: Make,
}

type Make = Box<dyn Fn(&Site, Shape, Ports) -> Result<Option<Chain>>>;

impl Competitor {
    /// Makes its chain for `shape`, not yet started; `None` where it has none.
    pub(crate) fn chain(&self, site: &Site, shape: Shape, ports: Ports) -> Result<Option<Chain>> {
        (self.make)(site, shape, ports)
    }
}

/// All of them, in the order of reports.
pub(crate) fn all(site: &Site) -> Vec<Competitor> {
    let mut all = vec![
        Competitor {
            name: "direct",
            version: Ok("no hop".to_owned()),
            make: Box::new(|_, shape, ports| Ok(direct(shape, ports.target))),
        },
        haproxy::competitor(),
        nginx::competitor(),
        stunnel::competitor(),
    ];
    all.extend(routers::competitors(site));
    all
}

fn direct(shape: Shape, target: u16) -> Option<Chain> {
    let chain = Chain { entries: vec![target], ..Chain::default() };
    (!matches!(shape, Shape::Many(_))).then_some(chain)
}

/// The program `name` where this host has it, and the first line that it says of its version.
fn installed(name: &str, question: &str) -> Result<(PathBuf, String), String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // What administrators run is often not in a user's path.
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let program = places.map(|place| place.join(name)).find(|program| program.is_file());
    let program = program.ok_or_else(|| format!("{name} is not installed"))?;
    let output =
        std::process::Command::new(&program).arg(question).output().map_err(|error| format!("{name}: {error}"))?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let line = said.lines().find(|line| line.contains(char::is_numeric)).unwrap_or_default();
    Ok((program, line.to_owned()))
}

/// A path as text, for others' configuration files.
fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
