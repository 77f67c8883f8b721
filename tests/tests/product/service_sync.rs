//! Service sync between gateways and sites, as the service controllers of sites speak it, over a real interior.
//!
//! Runs where `SKROUTERD` names the real router and `PYTHON_PROTON` a python that can import `proton`, which plays a
//! controller.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use moorline_tests::authority::Authority;
use moorline_tests::command::{finish, moorline, stderr, stdout};
use moorline_tests::peer::connect_when_open;
use moorline_tests::ports::free_port;
use moorline_tests::process::{Process, eventually};
use moorline_tests::scratch::Scratch;
use moorline_tests::skrouterd::{RouterFile, Skrouterd};
use moorline_tests::turn;
use serde_json::{Value, json};

/// An interior for edges of ours and who plays controllers.
struct Ground {
    python: OsString,
    authority: Authority,
    edges: u16,
    clients: u16,
    /// Where east and west take AMQP clients.
    managed: [u16; 2],
    _interior: Process,
    home: Scratch,
}

const WEST: &str = "gateway_west_1";

impl Ground {
    fn start(real: &Skrouterd, python: OsString) -> Ground {
        let home = Scratch::new();
        let authority = Authority::new("skupper-site-ca");
        let (edges, clients) = (free_port(), free_port());
        let site = authority.server(&["localhost"]).write(&home.join("site"));
        let file = RouterFile::new("interior", "interior").certificates(&site).edge_listener(edges);
        let interior = real.run("interior", &home, &file.client_listener(clients).multicast("mc"));
        drop(connect_when_open(edges));
        let managed = [free_port(), free_port()];
        Ground { python, authority, edges, clients, managed, _interior: interior, home }
    }

    fn edge(&self, name: &str, site: &str) -> Process {
        let certificates = self.authority.client(name).write(&self.home.join(name));
        let file = RouterFile::new(name, "edge").certificates(&certificates).uplink(self.edges);
        let file = file.client_listener(self.managed[usize::from(site == WEST)]);
        let path = self.home.write(&format!("{name}.json"), &file.json());
        let mut command = moorline(&self.home, ["router", "-c"]);
        command.arg(path).arg("--status-socket").arg(self.home.join(&format!("{name}.sock")));
        Process::start(name, command.env("SKUPPER_SITE_ID", site))
    }

    fn controller(&self, announces: &[&str]) -> Process {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/product/interop/controller.py");
        let mut command = Command::new(&self.python);
        command.arg(script).arg(format!("127.0.0.1:{}", self.clients)).args(announces);
        Process::start("controller", &mut command)
    }

    /// Has the gateway west announce a service, or no more.
    fn manage(&self, operation: &str, kind: &str, name: &str, attributes: &Value) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/product/interop/manage.py");
        let mut command = Command::new(&self.python);
        command.arg(script).arg(format!("127.0.0.1:{}", self.managed[1])).args([operation, kind, name]);
        let output = finish(command.arg(attributes.to_string()));
        assert!(output.status.success(), "{operation} {name}: {}{}", stdout(&output), stderr(&output));
    }

    /// What the edge of this name has heard: origin, name, protocol, ports.
    fn heard(&self, edge: &str) -> Vec<Value> {
        let status = status(&self.home.join(&format!("{edge}.sock")));
        let services = status["services"].as_array().expect("services").iter();
        services.map(|heard| json!([heard["origin"], heard["address"], heard["protocol"], heard["ports"]])).collect()
    }

    fn until_heard(&self, edge: &str, wanted: &[Value]) {
        eventually("what others announce", || (self.heard(edge) == wanted).then_some(()));
    }
}

fn status(socket: &Path) -> Value {
    let mut stream = eventually("a status socket", || UnixStream::connect(socket).ok());
    stream.write_all(b"GET /status HTTP/1.1\r\nHost: router\r\nConnection: close\r\n\r\n").expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    serde_json::from_str(body).expect("JSON")
}

/// What a controller has heard from `origin`.
fn announcements(controller: &Process, origin: &str) -> Vec<Value> {
    let said = controller.said();
    let lines = said.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")));
    lines.filter(|line: &Value| line["said"]["origin"] == origin).collect()
}

fn until_announced(controller: &Process, origin: &str, services: &Value) -> Value {
    eventually("an announcement", || {
        announcements(controller, origin).into_iter().find(|heard| {
            let body = heard["body"].as_str().expect("a string");
            serde_json::from_str::<Value>(body).expect("JSON") == *services
        })
    })
}

#[test]
fn gateways_and_sites_hear_of_each_others_services() {
    let (Some(real), Some(python)) = (Skrouterd::from_environment(), std::env::var_os("PYTHON_PROTON")) else {
        println!("skipped: SKROUTERD or PYTHON_PROTON is not set (see tests/interop/README.md)");
        return;
    };
    let _turn = turn::heavy();
    let ground = Ground::start(&real, python);
    let _west = ground.edge("west", WEST);
    eventually("an uplink", || (status(&ground.home.join("west.sock"))["uplinks"][0]["state"] == "up").then_some(()));
    let db = json!({"address": "db:5432", "host": "127.0.0.1", "port": "5432", "announce": true});
    ground.manage("CREATE", "tcpConnector", "db", &db);

    // The only one who listens, besides the edge itself.
    let mut listener = ground.controller(&[]);
    listener.wait_for(&["hears"]);
    let written = json!([{"address": "db", "protocol": "tcp", "ports": [5432], "exposeIngress": "", "targets": []}]);
    let ours = until_announced(&listener, WEST, &written);
    let _east = ground.edge("east", "gateway_east_2");
    ground.until_heard("east", &[json!([WEST, "db", "tcp", [5432]])]);

    // What a site announces has the same form.
    let theirs = r#"[{"address":"shop","protocol":"http2","ports":[8080,9090],"exposeIngress":"Always","eventchannel":true,"labels":{"app":"shop"},"targets":[],"tlsCredentials":"skupper-tls-shop"}]"#;
    let mut site = ground.controller(&["site-1", theirs]);
    site.wait_for(&["outcome", "accepted"]);
    let shop = json!(["site-1", "shop", "http2", [8080, 9090]]);
    ground.until_heard("west", std::slice::from_ref(&shop));
    let theirs = until_announced(&listener, "site-1", &serde_json::from_str(theirs).expect("JSON"));
    println!("skrouterd {}\n ours   {ours}\n theirs {theirs}", real.version);
    for same in ["sections", "subject", "properties", "wrong"] {
        assert_eq!(ours[same], theirs[same], "{same}");
    }
    assert_eq!(ours["wrong"], json!([]));
    assert_eq!(ours["said"], json!({"origin": WEST, "version": "1.8.7"}));
    until_announced(&site, WEST, &written);

    // A change, and the end of both.
    ground.manage("DELETE", "tcpConnector", "db", &json!({}));
    for port in ["81", "80"] {
        let log = json!({"address": format!("log:{port}"), "host": "127.0.0.1", "port": port, "aggregation": "json", "announce": true});
        ground.manage("CREATE", "httpConnector", port, &log);
    }
    let log = json!([{"address": "log", "protocol": "http", "ports": [80, 81], "exposeIngress": "",
        "aggregate": "json", "targets": []}]);
    until_announced(&listener, WEST, &log);
    ground.until_heard("east", &[json!([WEST, "log", "http", [80, 81]]), shop.clone()]);
    drop(site);
    for port in ["81", "80"] {
        ground.manage("DELETE", "httpConnector", port, &json!({}));
    }
    until_announced(&listener, WEST, &json!([]));
    ground.until_heard("east", &[shop]);
    ground.controller(&["site-1", "[]"]).wait_for(&["outcome", "accepted"]);
    ground.until_heard("east", &[]);
    ground.until_heard("west", &[]);
}
