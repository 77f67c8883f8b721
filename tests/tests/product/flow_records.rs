//! What the network's console is told of our edge, and of a real one in the same place.
//!
//! Runs where `SKROUTERD` names the real router and `PYTHON_PROTON` a python that can import `proton`;
//! `tests/interop/README.md` says how, and what was seen.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::process::Command;

use moorline_tests::authority::Authority;
use moorline_tests::command::moorline;
use moorline_tests::peer::{connect_when_open, echo_server};
use moorline_tests::ports::free_port;
use moorline_tests::process::{Process, eventually};
use moorline_tests::scratch::Scratch;
use moorline_tests::skrouterd::{RouterFile, Skrouterd};
use moorline_tests::turn;
use serde_json::{Map, Value};

/// A record: what was said of it last, by the number of the attribute.
type Record = BTreeMap<u32, Value>;

const KIND: u32 = 0;
const IDENTITY: u32 = 1;
const PARENT: u32 = 2;
const END: u32 = 4;
const COUNTERFLOW: u32 = 5;
const OCTETS: u32 = 23;

const ROUTER: u64 = 1;
const LINK: u64 = 2;
const LISTENER: u64 = 4;
const CONNECTOR: u64 = 5;
const FLOW: u64 = 6;
const CONNECTION: u64 = 16;

/// Who plays the edge.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    Ours,
    Real,
}

#[test]
fn our_edge_tells_what_a_real_one_tells() {
    let (Some(real), Some(python)) = (Skrouterd::from_environment(), std::env::var_os("PYTHON_PROTON")) else {
        println!("skipped: SKROUTERD or PYTHON_PROTON is not set (see tests/interop/README.md)");
        return;
    };
    let _turn = turn::heavy();
    let encapsulations = if real.has_encapsulations() { &[None, Some("lite")][..] } else { &[None] };
    for encapsulation in encapsulations {
        let play = |edge| Play::start(&real, &python, *encapsulation, edge).told();
        let (ours, theirs) = (play(Edge::Ours), play(Edge::Real));
        assert!(ours.contains_key("served") || real.has_encapsulations(), "nothing is added to what we served");
        let carried = encapsulation.unwrap_or(if real.has_encapsulations() { "legacy" } else { "lite" });
        println!("== skrouterd {} {carried}", real.version);
        compare(&ours, &theirs);
    }
}

/// An interior with both services, an edge with both services, a collector at the interior.
struct Play {
    collector: Process,
    edge: Process,
    interior: Process,
    /// Clients connect to these: the edge's listener, the interior's.
    entries: [u16; 2],
    whole: bool,
    _home: Scratch,
}

impl Play {
    fn start(real: &Skrouterd, python: &std::ffi::OsStr, encapsulation: Option<&str>, edge: Edge) -> Play {
        let home = Scratch::new();
        let authority = Authority::new("skupper-site-ca");
        let (edges, clients, target) = (free_port(), free_port(), free_port());
        let entries = [free_port(), free_port()];
        let certificates = |name: &str| authority.client(name).write(&home.join(name));
        let site = authority.server(&["localhost"]).write(&home.join("site"));
        let file = RouterFile::new("interior", "interior")
            .certificates(&site)
            .edge_listener(edges)
            .client_listener(clients)
            .multicast("mc");
        let file =
            file.tcp_listener("edge:1", entries[1], encapsulation).tcp_connector("site:1", target, encapsulation);
        let interior = real.run("interior", &home, &file);
        drop(connect_when_open(edges));
        let file = RouterFile::new("edge", "edge").certificates(&certificates("edge")).uplink(edges);
        let file =
            file.tcp_listener("site:1", entries[0], encapsulation).tcp_connector("edge:1", target, encapsulation);
        let edge = match edge {
            Edge::Real => real.run("edge", &home, &file),
            Edge::Ours => {
                let path = home.write("edge.json", &file.json());
                Process::start("edge", moorline(&home, ["router", "-c"]).arg(path).env_remove("SKUPPER_SITE_ID"))
            }
        };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/product/interop/collector.py");
        let mut command = Command::new(python);
        command.arg(script).arg(format!("127.0.0.1:{clients}"));
        let collector = Process::start("collector", &mut command);
        let server = echo_server(target);
        let mut play = Play { collector, edge, interior, entries, whole: !real.has_encapsulations(), _home: home };
        play.until("a link", |records| of(records, LINK).count() == 1);
        play.until("both listeners", |records| of(records, LISTENER).count() == 2);
        play.make_traffic();
        drop(server);
        play
    }

    /// A connection that stays a while and one that does not, each way.
    fn make_traffic(&mut self) {
        let kind = if self.whole { CONNECTION } else { FLOW };
        let ends = if self.whole { 1 } else { 2 };
        for (round, entry) in self.entries.into_iter().enumerate() {
            let mut client = connect_when_open(entry);
            let exchange = |client: &mut std::net::TcpStream| {
                client.write_all(b"hello").expect("sent");
                client.read_exact(&mut [0; 5]).expect("sent back");
            };
            exchange(&mut client);
            self.until("a flow that is open", |records| of(records, kind).count() > ends * 2 * round);
            drop(client);
            exchange(&mut connect_when_open(entry));
            self.until("flows that are over", |records| {
                of(records, kind).filter(|flow| flow.contains_key(&END)).count() >= ends * 2 * (round + 1)
            });
        }
    }

    fn records(&self) -> BTreeMap<String, Record> {
        let mut records: BTreeMap<String, Record> = BTreeMap::new();
        for line in self.collector.said().lines() {
            let said: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("the collector says {line}"));
            assert!(said.get("wrong").is_none(), "{line}");
            if let Some(Value::Object(record)) = said.get("record") {
                let record = numbered(record);
                let identity = record[&IDENTITY].as_str().expect("an identity").to_owned();
                records.entry(identity).or_default().extend(record);
            }
        }
        records
    }

    fn until(&mut self, what: &str, wanted: impl Fn(&BTreeMap<String, Record>) -> bool) {
        eventually(what, || {
            assert!(self.edge.is_running() && self.interior.is_running(), "a router has ended");
            let records = self.records();
            wanted(&records).then_some(())
        });
    }

    /// What the edge said of itself, one record of each sort, and checks that belong to any edge.
    fn told(self) -> BTreeMap<&'static str, Record> {
        let records = self.records();
        let router = |name: &str| {
            let record = of(&records, ROUTER).find(|record| record[&30] == name).expect("a router");
            record[&IDENTITY].as_str().expect("an identity").to_owned()
        };
        let edge = router("0/edge");
        let child = |kind: u64, parent: &str| {
            let child = of(&records, kind).find(|record| record[&PARENT] == parent);
            child.unwrap_or_else(|| panic!("no {kind} of {parent}: {records:#?}")).clone()
        };
        let id = |record: &Record| record[&IDENTITY].as_str().expect("an identity").to_owned();
        let (listener, connector) = (child(LISTENER, &edge), child(CONNECTOR, &edge));
        let mut told = BTreeMap::from([
            ("router", records[&edge].clone()),
            ("link", child(LINK, &edge)),
            ("listener", listener.clone()),
            ("connector", connector.clone()),
        ]);
        if self.whole {
            told.insert("connection", child(CONNECTION, &id(&listener)));
            // A real edge's additions were not seen at an interior.
            let served = of(&records, CONNECTION).find(|record| record.get(&60) == Some(&Value::from(id(&connector))));
            told.extend(served.map(|served| ("served", served.clone())));
        } else {
            let (client, server) = (child(FLOW, &id(&listener)), child(FLOW, &id(&connector)));
            for flow in of(&records, FLOW).filter(|flow| flow.contains_key(&COUNTERFLOW)) {
                let other = flow[&COUNTERFLOW].as_str().expect("a reference");
                assert!(records.contains_key(other), "{flow:?} has no other end");
            }
            told.extend([("client's end", client), ("server's end", server)]);
        }
        told
    }
}

fn of(records: &BTreeMap<String, Record>, kind: u64) -> impl Iterator<Item = &Record> {
    records.values().filter(move |record| record[&KIND] == kind)
}

fn numbered(record: &Map<String, Value>) -> Record {
    record.iter().map(|(key, value)| (key.parse().expect("a number"), value.clone())).collect()
}

/// A real edge says more than we do: rates (35, 42), the window of a flow that is over (37, 39), why a link was down
/// before (28, 29, 56), the ordinal of its certificate (66).
const NOT_OURS: [u32; 8] = [28, 29, 35, 37, 39, 42, 56, 66];
/// We say more than a real edge in some place: the site and the host, addresses and the trace of a lite flow (14, 17,
/// 31), without which the console shows no pair of it, the number of connections.
const NOT_THEIRS: [u32; 9] = [2, 14, 17, 22, 24, 31, 37, 39, 40];

fn compare(ours: &BTreeMap<&str, Record>, theirs: &BTreeMap<&str, Record>) {
    for (sort, their) in theirs {
        let our = &ours[sort];
        let keys = |record: &Record| record.keys().copied().collect::<BTreeSet<u32>>();
        let missing: Vec<u32> = keys(their).difference(&keys(our)).copied().filter(|k| !NOT_OURS.contains(k)).collect();
        let more: Vec<u32> = keys(our).difference(&keys(their)).copied().filter(|k| !NOT_THEIRS.contains(k)).collect();
        println!("{sort}: ours {our:?}\n    theirs {their:?}");
        assert!(missing.is_empty() && more.is_empty(), "{sort}: missing {missing:?}, more {more:?}");
        // Of the same meaning in every run: kinds, protocols, addresses, names, roles, states. A real link with a
        // certificate calls its protocol `amqp`, ours `amqps`.
        let protocol = (*sort != "link").then_some(16);
        for same in [KIND, 13, 15, 19, 30, 33, 34, 53, 54, 67].into_iter().chain(protocol) {
            assert_eq!(our.get(&same), their.get(&same), "{sort}: attribute {same}");
        }
        if sort.ends_with("end") || *sort == "connection" {
            assert_eq!(our.get(&OCTETS), their.get(&OCTETS), "{sort}");
        }
    }
}
