//! The network's own management tools, pointed at our router.
//!
//! Runs where `SKMANAGE` and `SKSTAT` name them; `tests/interop/README.md` says what was seen.

use std::process::Command;

use moorline_tests::command::{finish, moorline, stderr, stdout};
use moorline_tests::definition::Definition;
use moorline_tests::network::{Gateway, Hub};
use moorline_tests::peer::{Server, connect_when_open, echo_server, is_open, read_exactly, wait_until_closed};
use moorline_tests::ports::free_port;
use moorline_tests::process::{Process, eventually};
use moorline_tests::scratch::Scratch;
use moorline_tests::skrouterd::RouterFile;
use serde_json::Value;
use std::io::{Read as _, Write as _};

/// One of the tools, on the port of a router.
struct Tool {
    program: String,
    port: u16,
}

impl Tool {
    /// None, with a word on why, where the environment does not name it.
    fn named(variable: &str, port: u16) -> Option<Tool> {
        let program = std::env::var(variable).ok();
        if program.is_none() {
            println!("skipped: {variable} names no tool (see tests/interop/README.md)");
        }
        program.map(|program| Tool { program, port })
    }

    /// Whether it went well, and what it said.
    fn run(&self, arguments: &[&str]) -> (bool, String) {
        let bus = format!("amqp://127.0.0.1:{}", self.port);
        let output = finish(Command::new(&self.program).args(["-b", &bus, "-t", "30"]).args(arguments));
        (output.status.success(), stdout(&output) + &stderr(&output))
    }

    fn good(&self, arguments: &[&str]) -> String {
        let (good, said) = self.run(arguments);
        assert!(good && !said.contains("Traceback"), "{arguments:?}: {said}");
        said
    }
}

/// An edge without an uplink whose clients come in at `port`.
fn edge(home: &Scratch, port: u16, file: RouterFile) -> Process {
    let file = home.write("edge.json", &file.client_listener(port).json());
    let mut edge = Process::start("edge", moorline(home, ["router", "-c"]).arg(file));
    edge.wait_for(&["AMQP listening"]);
    edge
}

#[test]
fn every_view_of_skstat_is_shown() {
    let port = free_port();
    let Some(skstat) = Tool::named("SKSTAT", port) else { return };
    let hub = Hub::start();
    let _gateway: Gateway = hub.gateway(&Definition::new("east").amqp(port, &[]));
    for (view, words) in [
        ("-g", "Router Statistics"),
        ("-c", "TLSv1.3(TLS_"),
        ("-l", "Router Links"),
        ("-n", "Router is Standalone"),
        ("-e", "x.509"),
        ("-a", "$management"),
        ("-m", "No memory statistics available"),
        ("-p", "Policy Configuration"),
        ("--autolinks", "No AutoLinks found"),
        ("--vhosts", "No Vhosts"),
        ("--vhostgroups", "No Vhosts"),
        ("--vhoststats", "No Vhost Stats"),
        ("--log", ""),
        ("--all-entities", "Router Addresses"),
    ] {
        let said = skstat.good(&[view]);
        assert!(said.contains(words), "{view}: {said}");
    }
}

#[test]
fn skmanage_sets_levels_of_the_log_that_runs() {
    let port = free_port();
    let Some(skmanage) = Tool::named("SKMANAGE", port) else { return };
    let home = Scratch::new();
    let _edge = edge(&home, port, RouterFile::new("edge", "edge"));
    let log = || skmanage.good(&["GET-LOG"]);
    assert!(log().contains("AMQP listening"), "{}", log());
    assert!(!log().contains("client gone"));
    let set = |level: &str| skmanage.run(&["UPDATE", "--type", "log", "--name", "log/SERVER", level]);
    assert!(set("enable=debug+").0);
    assert!(log().contains("client gone"), "{}", log());
    let (good, said) = set("enable=loud");
    assert!(!good && said.contains("`loud` is no level"), "{said}");
}

#[test]
fn skmanage_adds_and_removes_services() {
    let port = free_port();
    let Some(skmanage) = Tool::named("SKMANAGE", port) else { return };
    let (home, server, local) = (Scratch::new(), echo_server(free_port()), free_port().to_string());
    let _edge = edge(&home, port, RouterFile::new("edge", "edge"));
    let target = server.port().to_string();
    let (to, at) = (format!("port={target}"), format!("port={local}"));
    let create = |kind, port| ["CREATE", "--type", kind, "--name", "echo", "address=echo:7", "host=127.0.0.1", port];
    skmanage.good(&create("tcpConnector", &to));
    let made: Value = serde_json::from_str(&skmanage.good(&create("tcpListener", &at))).unwrap();
    assert_eq!(made["identity"], format!("tcpListener/127.0.0.1:{local}:echo"));
    let mut client = connect_when_open(local.parse().unwrap());
    client.write_all(b"hello").unwrap();
    assert_eq!(read_exactly(&mut client, 5).unwrap(), b"hello");

    let read = skmanage.good(&["READ", "--type", "tcpListener", "--name", "echo"]);
    let read: Value = serde_json::from_str(&read).unwrap();
    assert_eq!(
        (&read["operStatus"], &read["bytesIn"], &read["connectionsOpened"]),
        (&"up".into(), &5.into(), &1.into())
    );
    let (good, said) = skmanage.run(&create("tcpListener", &at));
    assert!(!good && said.contains("there is a tcpListener echo already"), "{said}");

    skmanage.good(&["DELETE", "--type", "tcpListener", "--name", "echo"]);
    wait_until_closed(local.parse().unwrap());
    assert!(is_open(port));
    // Who was there is not cut.
    client.write_all(b"again").unwrap();
    assert_eq!(read_exactly(&mut client, 5).unwrap(), b"again");
    let (good, said) = skmanage.run(&["DELETE", "--type", "tcpListener", "--name", "echo"]);
    assert!(!good && said.contains("No entity with name=echo"), "{said}");
    for operation in ["GET-TYPES", "GET-ATTRIBUTES", "GET-OPERATIONS", "GET-ANNOTATIONS"] {
        skmanage.good(&[operation, "tcpListener"]);
    }
    for operation in ["GET-MGMT-NODES", "GET-SCHEMA", "GET-LOG", "QUERY"] {
        skmanage.good(&[operation]);
    }
}

#[test]
fn skmanage_adds_and_removes_http_services() {
    let port = free_port();
    let Some(skmanage) = Tool::named("SKMANAGE", port) else { return };
    let (home, local) = (Scratch::new(), free_port());
    // Who connects and goes again only looks whether there is a server.
    let server = Server::start(free_port(), |mut stream| {
        let mut request = [0; 1000];
        while stream.read(&mut request)? > 0 {
            stream.write_all(b"HTTP/1.1 404 Nothing\r\nContent-Length: 0\r\n\r\n")?;
        }
        Ok(())
    });
    let _edge = edge(&home, port, RouterFile::new("edge", "edge"));
    let (to, at) = (format!("port={}", server.port()), format!("port={local}"));
    let create = |kind, port| ["CREATE", "--type", kind, "--name", "web", "address=web:80", "host=127.0.0.1", port];
    skmanage.good(&create("httpConnector", &to));
    let made: Value = serde_json::from_str(&skmanage.good(&create("httpListener", &at))).unwrap();
    assert_eq!(made["identity"], format!("httpListener/127.0.0.1:{local}:web"));
    let mut client = connect_when_open(local);
    client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    assert_eq!(read_exactly(&mut client, 12).unwrap(), b"HTTP/1.1 404");

    let read = skmanage.good(&["READ", "--type", "httpListener", "--name", "web"]);
    let read: Value = serde_json::from_str(&read).unwrap();
    assert_eq!((&read["operStatus"], &read["protocolVersion"]), (&"up".into(), &"HTTP1".into()));
    let infos = eventually("both ends of the request", || {
        let infos = skmanage.good(&["QUERY", "--type", "httpRequestInfo"]);
        let infos: Vec<Value> = serde_json::from_str(&infos).unwrap();
        (infos.len() == 2).then_some(infos)
    });
    for (info, name) in infos.iter().zip(["o_127.0.0.1_web:80@", "i_127.0.0.1_web:80@"]) {
        assert_eq!((&info["name"], &info["details"]), (&name.into(), &serde_json::json!({"GET:404": 1})));
    }
    let connections = skmanage.good(&["QUERY", "--type", "connection"]);
    assert!(connections.contains("http/1.x"), "{connections}");
    let (good, said) = skmanage.run(&create("httpListener", &at));
    assert!(!good && said.contains("there is a httpListener web already"), "{said}");
    for kind in ["httpListener", "httpConnector"] {
        skmanage.good(&["DELETE", "--type", kind, "--name", "web"]);
    }
    wait_until_closed(local);
    let (good, said) = skmanage.run(&["DELETE", "--type", "httpListener", "--name", "web"]);
    assert!(!good && said.contains("No entity with name=web"), "{said}");
}
