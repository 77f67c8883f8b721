//! What each row promises, on a host of an ordinary user.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};

use moorline_tests::command::{finish, program, stderr, stdout};
use moorline_tests::definition::Definition;
use moorline_tests::network::{Gateway, Hub};
use moorline_tests::peer::{connect, connect_when_open, is_open, read_exactly};
use moorline_tests::ports::free_port;
use moorline_tests::process::eventually;
use serde_json::Value;

use crate::installed::host::{Host, echoes};

/// A host where nothing is installed yet, and the name that its gateway gets by itself.
struct Place {
    host: Host,
    name: String,
    router: String,
}

impl Place {
    fn new() -> Place {
        let host = Host::new();
        let name = format!("{}-tester", stdout(&finish(&mut Command::new("hostname"))).trim().to_lowercase());
        Place { host, name, router: std::env::var("ROUTER").unwrap() }
    }

    /// One whose gateway is installed.
    fn initialised() -> Place {
        let place = Place::new();
        place.init();
        place
    }

    fn init(&self) -> String {
        self.good(&["init", "--token", "token.yaml", "--router", &self.router, "--wait", "60"])
    }

    fn run(&self, words: &[&str]) -> Output {
        self.host.run(words)
    }

    fn good(&self, words: &[&str]) -> String {
        self.host.good(words)
    }

    /// What it says on stderr when it ends with `code`.
    fn refused(&self, words: &[&str], code: i32) -> String {
        let output = self.run(words);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {}{}", stdout(&output), stderr(&output));
        stderr(&output)
    }

    /// Another gateway of the network, with `address` on a local port.
    fn far(&self, address: &str) -> (Gateway, u16) {
        let port = free_port();
        (self.host.hub.gateway(&Definition::new("far").forward(address, port)), port)
    }

    fn pid(&self) -> String {
        self.host.systemctl(&["show", "--property=MainPID", "--value", &format!("{}.service", self.name)])
    }

    fn echo(&self) -> String {
        self.host.echo.port().to_string()
    }

    fn json(&self) -> Value {
        let output = self.run(&["status", "--output", "json"]);
        serde_json::from_str::<Value>(&stdout(&output)).unwrap()["gateways"][0].clone()
    }
}

/// What bash is offered for the last of the words, but options.
fn offered(words: &[&str]) -> BTreeSet<String> {
    let mut shell = Command::new(program());
    shell.env("COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", words.len().to_string()).env("_CLAP_IFS", "\n");
    let offered = stdout(&finish(shell.args(["--", "moorline"]).args(words)));
    offered.lines().filter(|line| !line.starts_with('-')).map(str::to_owned).collect()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn echoing(port: u16) -> TcpStream {
    eventually("the echo server answers", || {
        let mut client = connect_when_open(port);
        echoes(&mut client, b"hello").then_some(client)
    })
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn row_23_expose_one_local_service() {
    let place = Place::new();
    let said = place.refused(&["expose", "db", "localhost", &place.echo()], 2);
    assert!(said.contains("--token"), "{said}");
    let words = ["expose", "db", "localhost", &place.echo(), "--token", "token.yaml", "--router", &place.router];
    assert_eq!(place.good(&words), "", "as Skupper, it says nothing when all is well");
    let (_far, port) = place.far(&format!("db:{}", place.echo()));
    drop(echoing(port));
    assert_eq!(place.good(&["expose", "db", "localhost", &place.echo()]), "", "twice is once");
    assert_eq!(place.json()["bindings"].as_array().unwrap().len(), 1);

    // The form that Skupper documents, and fails at.
    assert_eq!(place.good(&["expose", "db2", &format!("localhost:{}", place.echo())]), "");
    let (_far, port) = place.far(&format!("db2:{}", place.echo()));
    drop(echoing(port));

    for (words, expected) in [
        (vec!["expose"], "Gateway service address, target host and port must all be specified"),
        (vec!["expose", "db", "localhost"], "Gateway service address, target host and port must all be specified"),
        (vec!["expose", "db", "localhost:1", "2"], "extra argument: 2"),
        (vec!["expose", "db", "localhost", "1:2:3"], "1:2:3 is not a valid port"),
        (vec!["bind", "db"], "Service address, target host and port must all be specified"),
        (
            vec!["expose", "db", "localhost", "1", "--type", "lxc"],
            "lxc is not a valid gateway type. Choose 'service', 'docker' or 'podman'.",
        ),
        (
            vec!["expose", "db", "localhost", "1", "--type", "podman"],
            "gateway previously created as service type, delete current gateway to change to podman type",
        ),
    ] {
        let said = place.refused(&words, 2);
        assert!(said.contains(expected), "{words:?}: {said}");
    }
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn row_24_expose_a_service_of_another_host() {
    let place = Place::initialised();
    // Not the address that localhost has.
    let server = TcpListener::bind(("127.0.0.9", free_port())).unwrap();
    let port = server.local_addr().unwrap().port().to_string();
    std::thread::spawn(move || {
        for mut client in server.incoming().flatten() {
            let _ = client.write_all(b"from the other host");
        }
    });
    place.good(&["expose", "db", "127.0.0.9", &format!("5432:{port}")]);
    let (_far, entry) = place.far("db:5432");
    let said = eventually("the other host answers", || {
        read_exactly(&mut connect_when_open(entry), 19).ok().filter(|said| !said.is_empty())
    });
    assert_eq!(said, b"from the other host");
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn row_25_status_is_skuppers_tree() {
    let place = Place::new();
    let none = place.run(&["status"]);
    assert_eq!(stdout(&none), "No gateway definition found on cluster\n");
    place.init();
    place.good(&["bind", "mydb", "localhost", &format!("3306:{}", place.echo())]);
    let status = place.good(&["status"]);
    let json = place.json();
    let version = json["router"]["version"].as_str().unwrap_or_else(|| panic!("{json:#}")).to_owned();
    let (name, port) = (&place.name, place.echo());
    let wanted = [
        "Gateway Definition:".to_owned(),
        format!("╰─ {name} type:service version:{version}"),
        "   ╰─ Bindings:".to_owned(),
        format!("      ╰─ mydb:3306 tcp mydb:3306 localhost {port}"),
    ];
    let lines: Vec<&str> = status.lines().filter(|line| wanted.iter().any(|wanted| wanted == line)).collect();
    assert_eq!(lines, wanted, "{status}");
    assert!(status.contains("   ├─ linked to "), "{status}");
    let yaml = place.good(&["status", "--output", "yaml"]);
    assert!(yaml.contains("name: mydb:3306") && yaml.contains("linked: true"), "{yaml}");

    place.host.systemctl(&["stop", &format!("{name}.service")]);
    let stopped = place.run(&["status"]);
    assert_eq!(stopped.status.code(), Some(3));
    let said = stdout(&stopped);
    assert!(said.contains("does not run") && !said.contains("Bindings"), "{said}");
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn row_27_a_service_without_skrouterd_is_told() {
    let place = Place::new();
    let before = place.host.tree();
    let said = place.refused(&["init", "--token", "token.yaml", "--router", "skrouterd"], 2);
    let text = "skrouterd not found, please 'dnf install skupper-router' first or use --type [docker|podman]";
    assert!(said.contains(text), "{said}");
    assert_eq!(place.host.tree(), before);
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn row_28_init_says_the_name() {
    let place = Place::new();
    let text = format!("Skupper gateway: '{}'. Use 'skupper gateway status' to get more information.\n", place.name);
    assert_eq!(place.init(), text);
    let pid = place.pid();
    assert_eq!(place.good(&["init"]), text, "again it changes nothing");
    assert_eq!(place.pid(), pid);
    // The name of the program is no matter.
    let link = place.host.home.join("skupper");
    std::os::unix::fs::symlink(moorline_tests::command::program(), &link).unwrap();
    let mut skupper = Command::new(&link);
    let status = finish(skupper.args(["gateway", "status"]));
    assert!(stdout(&status).contains("type:service"), "{}{}", stdout(&status), stderr(&status));
    let help = finish(Command::new(&link).args(["gateway", "bind", "--help"]));
    assert!(stdout(&help).contains("skupper gateway bind"), "{}", stdout(&help));

    // With a definition, whose name is not looked at.
    place.host.write(&Definition::new("another").binding("echo:7", place.host.echo.port()));
    assert_eq!(place.good(&["init", "--config", "gate.yaml"]), text);
    assert_eq!(place.pid(), pid);
    assert_eq!(place.json()["bindings"][0]["address"], "echo:7");
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn row_29_bind_without_a_restart() {
    let place = Place::initialised();
    place.good(&["bind", "one", "localhost", &place.echo()]);
    let (_far, port) = place.far(&format!("one:{}", place.echo()));
    let mut open = echoing(port);
    let pid = place.pid();
    assert_eq!(place.good(&["bind", "two", "localhost", &place.echo()]), "");
    assert_eq!(place.pid(), pid);
    assert!(echoes(&mut open, b"still here"));
    let (_far, port) = place.far(&format!("two:{}", place.echo()));
    drop(echoing(port));
    let planned = place.good(&["bind", "three", "localhost", &place.echo(), "--dry-run"]);
    assert!(planned.contains("add      tcpConnector three:"), "{planned}");
    assert_eq!(place.json()["bindings"].as_array().unwrap().len(), 2);
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn row_30_several_services() {
    let place = Place::initialised();
    place.good(&["bind", "one", "localhost", &place.echo()]);
    let other = moorline_tests::peer::echo_server(free_port());
    // Several ports of one service.
    place.good(&["bind", "two", "localhost", &format!("1:{}", place.echo()), &format!("2:{}", other.port())]);
    let status = place.good(&["status"]);
    let echo = place.echo();
    for line in [
        format!("├─ one:{echo} tcp one:{echo} localhost {echo}"),
        format!("├─ two:1 tcp two:1 localhost {echo}"),
        format!("╰─ two:2 tcp two:2 localhost {}", other.port()),
    ] {
        assert!(status.contains(&line), "{line} is not in\n{status}");
    }
    let (_far, port) = place.far("two:2");
    drop(echoing(port));
    place.good(&["unbind", "two"]);
    assert_eq!(place.json()["bindings"].as_array().unwrap().len(), 1);
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn row_31_forward_and_an_occupied_port() {
    let place = Place::initialised();
    let _far = place.host.hub.gateway(&Definition::new("far").binding("api:443", place.host.echo.port()));
    let port = free_port();
    assert_eq!(place.good(&["forward", "api:443", &port.to_string()]), "");
    drop(echoing(port));

    let occupied = TcpListener::bind(("0.0.0.0", free_port())).unwrap();
    let taken = occupied.local_addr().unwrap().port();
    place.good(&["unforward", "api"]);
    let said = place.refused(&["forward", "api:443", &taken.to_string(), "--strict-port"], 2);
    assert!(said.contains(&format!(":{taken} is in use by")), "{said}");
    assert!(place.json()["forwards"].as_array().unwrap().is_empty());
    let output = place.run(&["forward", "api:443", &taken.to_string()]);
    assert!(output.status.success(), "{}", stderr(&output));
    let forward = place.json()["forwards"][0].clone();
    let actual: u16 = forward["port"].as_str().unwrap().parse().unwrap();
    assert!(actual != taken && forward["requested_port"].as_str() == Some(&taken.to_string()), "{forward}");
    let told = stderr(&output);
    assert!(told.contains(&format!("from port {actual} instead")), "{told}");
    let status = place.good(&["status"]);
    assert!(status.contains(&format!("api:443 tcp api:443  {taken}:{actual}")), "{status}");
    drop(echoing(actual));
    assert_eq!(place.good(&["forward", "api:443", &taken.to_string()]), "", "it keeps its port");
    assert_eq!(place.json()["forwards"][0]["port"], actual.to_string());
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn row_32_forward_on_loopback_only() {
    let place = Place::initialised();
    let _far = place.host.hub.gateway(&Definition::new("far").binding("api:443", place.host.echo.port()));
    let (all, own) = (free_port(), free_port());
    place.good(&["forward", "api:443", &all.to_string()]);
    drop(echoing(all));
    assert!(TcpStream::connect(("127.0.0.2", all)).is_ok());
    place.good(&["unforward", "api"]);
    place.good(&["forward", "api:443", &own.to_string(), "--loopback"]);
    drop(echoing(own));
    assert!(TcpStream::connect(("127.0.0.2", own)).is_err());
    assert!(!is_open(all));
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn row_33_all_is_taken_back() {
    let place = Place::new();
    let before = place.host.tree();
    place.init();
    let _far = place.host.hub.gateway(&Definition::new("far").binding("api:443", place.host.echo.port()));
    let port = free_port();
    place.good(&["forward", "api:443", &port.to_string()]);
    place.good(&["expose", "db", "localhost", &place.echo()]);
    place.good(&["bind", "other", "localhost", &place.echo()]);
    let mut open = echoing(port);
    let pid = place.pid();

    place.good(&["unbind", "other"]);
    assert_eq!(place.json()["bindings"].as_array().unwrap().len(), 1);
    assert!(place.good(&["unbind", "other"]).contains("nothing to do"));
    // Not the last service: the gateway stays, which Skupper would delete.
    place.good(&["unexpose", "db"]);
    assert!(place.json()["bindings"].as_array().unwrap().is_empty());
    assert_eq!(place.pid(), pid);
    assert!(echoes(&mut open, b"still here"));
    place.good(&["unforward", "api"]);
    eventually("the port is closed", || (!is_open(port)).then_some(()));
    assert!(echoes(&mut open, b"a connection that is open goes on"));
    drop(open);

    place.good(&["expose", "db", "localhost", &place.echo()]);
    place.good(&["unexpose", "db", "--delete-last=false"]);
    assert_eq!(place.pid(), pid);
    place.good(&["expose", "db", "localhost", &place.echo()]);
    assert!(place.good(&["unexpose", "db", "--dry-run"]).contains("delete"));
    place.good(&["unexpose", "db"]);
    assert_eq!(place.host.tree(), before, "the last service takes the gateway with it");

    place.init();
    place.good(&["delete"]);
    assert_eq!(place.host.tree(), before);
    assert!(place.good(&["delete", "-v"]).contains("nothing to do"));
    let said = place.refused(&["unbind", "db"], 2);
    assert!(said.contains("is not installed"), "{said}");
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn row_49_directories_are_where_the_environment_says() {
    let place = Place::new();
    let before = place.host.tree();
    let state = place.host.home.join("elsewhere");
    let run = |words: &[&str]| {
        let output = finish(place.host.command(words).env("XDG_STATE_HOME", &state));
        assert!(output.status.success(), "{words:?}: {}{}", stdout(&output), stderr(&output));
        stdout(&output)
    };
    run(&["init", "--token", "token.yaml", "--wait", "60"]);
    assert!(state.join("moorline/gateways").join(&place.name).join("config/skrouterd.json").exists());
    assert!(!place.host.home.join(".local").exists());
    assert!(run(&["status"]).contains("linked to"));
    run(&["delete"]);
    assert_eq!(place.host.tree(), before);
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn row_50_one_gateway_one_network() {
    let place = Place::initialised();
    let other = Hub::start();
    other.token(&place.host.home.join("other.yaml"));
    let pid = place.pid();
    let said = place.refused(&["init", "--token", "other.yaml"], 2);
    assert!(said.contains("gateway not created as existing gateway detected for site: "), "{said}");
    assert_eq!(place.pid(), pid);
    // It is another gateway's network.
    place.good(&["init", "--token", "other.yaml", "--gateway", "second", "--wait", "60"]);
    place.good(&["bind", "db", "localhost", &place.echo(), "--gateway", "second"]);
    let status = place.good(&["status"]);
    assert!(status.contains("├─ second type:service") && status.contains(&format!("╰─ {}", place.name)), "{status}");

    // New credentials of its own network, while it runs.
    place.host.hub.token(&place.host.home.join("new.yaml"));
    place.good(&["init", "--token", "new.yaml"]);
    assert_eq!(place.pid(), pid);
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn row_51_export_and_bundle() {
    let place = Place::initialised();
    place.good(&["bind", "db", "localhost", &format!("5432:{}", place.echo())]);
    let text = "Skupper gateway definition configuration written to './export.yaml'\n";
    assert_eq!(place.good(&["export-config", "export", "."]), text);
    let said = place.good(&["generate-bundle", "export.yaml", ".", "--token", "token.yaml", "--without-program"]);
    assert_eq!(said, "Skupper gateway bundle written to './export.tar.gz'\n");
    let words = ["-xzOf", "export.tar.gz", "config/skrouterd.json"];
    let bundled = stdout(&finish(Command::new("tar").args(words).current_dir(&place.host.home)));
    let own = place.host.home.join(format!(".local/state/moorline/gateways/{}/config/skrouterd.json", place.name));
    let bridges = |text: &str| {
        let entities: Vec<Value> = serde_json::from_str(text).unwrap();
        let mut found: Vec<Value> = entities.into_iter().filter(|entity| entity[0] == "tcpConnector").collect();
        found.iter_mut().for_each(|entity| drop(entity[1].as_object_mut().unwrap().remove("siteId")));
        found
    };
    let found = bridges(&bundled);
    assert!(found.len() == 1 && found == bridges(&fs::read_to_string(own).unwrap()), "{found:?}");
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn a_definition_of_the_users_own_is_edited_too() {
    let place = Place::new();
    let file = place.host.home.join("gate.yaml");
    let echo = place.echo();
    let text = format!(
        "# The accounts of the shop.\nname: gate   # its unit\nbindings:\n- service: {{address: 'db:1', protocol: tcp, ports: [{echo}]}} # the old one\n  host: localhost\n"
    );
    fs::write(&file, &text).unwrap();
    place.host.apply();
    place.good(&["bind", "other", "localhost", &format!("2:{echo}")]);
    let edited = fs::read_to_string(&file).unwrap();
    assert!(edited.starts_with(&text) && edited.contains("other:2"), "{edited}");
    let planned = place.good(&["apply", "gate.yaml", "--dry-run"]);
    assert!(planned.lines().all(|line| line.starts_with("linger ") || line.contains("nothing to do")), "{planned}");
    place.good(&["unbind", "other"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), text);

    // Two that differ: nobody knows which is meant.
    fs::write(&file, text.replace("db:1", "db:3")).unwrap();
    let said = place.refused(&["bind", "other", "localhost", &echo], 2);
    assert!(said.contains("has changed since it was applied"), "{said}");
    fs::remove_file(&file).unwrap();
    place.good(&["bind", "other", "localhost", &echo]);
    assert!(!file.exists());
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn a_service_is_announced_and_withdrawn() {
    let place = Place::initialised();
    place.good(&["init", "--token", "token.yaml", "--gateway", "second", "--wait", "60"]);
    let echo = place.echo();
    let first = ["--gateway", &place.name];
    let list = || {
        let mut list = Command::new(moorline_tests::command::program());
        stdout(&finish(list.args(["service", "list", "--gateway", "second"])))
    };
    assert_eq!(list(), "no site announces a service\n");
    place.good(&[&["expose", "db", "localhost", &format!("5432:{echo}")], &first[..]].concat());
    place.good(&[&["bind", "quiet", "localhost", &echo], &first[..]].concat());
    let said = eventually("the other gateway hears of it", || Some(list()).filter(|list| list.contains("db tcp 5432")));
    assert!(said.starts_with("Services:\n╰─ db tcp 5432\n   ╰─ site gateway_") && !said.contains("quiet"), "{said}");

    // Its name is offered, and its port is known.
    assert_eq!(offered(&["gateway", "forward", ""]), names(&["db"]));
    let port = free_port();
    place.good(&["forward", "db", &port.to_string(), "--gateway", "second"]);
    let status = place.good(&["status", "second"]);
    assert!(status.contains(&format!("db:5432 tcp db:5432  {port}:{port}")), "{status}");
    drop(echoing(port));
    assert_eq!(offered(&["gateway", "unforward", ""]), names(&["db:5432"]));
    assert_eq!(offered(&["gateway", "unbind", ""]), names(&["db:5432", &format!("quiet:{echo}")]));
    assert_eq!(offered(&["gateway", "delete", "sec"]), names(&["second"]));
    assert_eq!(offered(&["gateway", "status", ""]), names(&[&place.name, "second"]));
    assert_eq!(offered(&["gateway", "init", "--type", "po"]), names(&["podman"]));

    place.good(&[&["unexpose", "db"], &first[..]].concat());
    eventually("the other gateway forgets it", || list().contains("no site").then_some(()));
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn what_does_not_work_is_told() {
    let place = Place::initialised();
    let closed = free_port().to_string();
    let said = place.refused(&["bind", "db", "localhost", &closed, "--wait", "1"], 1);
    assert!(said.contains("its server does not answer") && said.contains("refused"), "{said}");
    assert_eq!(place.good(&["bind", "db", "localhost", &closed, "--no-wait"]), "");
    let said = place.refused(&["forward", "nobody:1", &free_port().to_string(), "--wait", "1"], 1);
    assert!(said.contains("no site of the network has a server for it"), "{said}");
    let said = place.refused(&["forward", "db", "x"], 2);
    assert!(said.contains("x is not a valid forward port"), "{said}");
    let said = place.refused(&["bind", "Not_A_Name", "localhost", "1"], 2);
    assert!(said.contains("service name must be"), "{said}");
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn a_thousand_connections_outlive_every_change() {
    const CONNECTIONS: usize = 1000;
    let place = Place::initialised();
    place.good(&["bind", "db", "localhost", &place.echo()]);
    let (_far, port) = place.far(&format!("db:{}", place.echo()));
    drop(echoing(port));
    let mut open: Vec<TcpStream> = (0..CONNECTIONS).map(|_| connect(port).unwrap()).collect();
    let pid = place.pid();
    let all_echo = |open: &mut Vec<TcpStream>, when: &str| {
        for (number, client) in open.iter_mut().enumerate() {
            assert!(echoes(client, format!("{when} {number}").as_bytes()), "connection {number} {when}");
        }
    };
    all_echo(&mut open, "at first");
    place.good(&["bind", "other", "localhost", &place.echo()]);
    place.good(&["forward", &format!("other:{}", place.echo()), &free_port().to_string()]);
    place.good(&["expose", "more", "localhost", &format!("1:{}", place.echo()), &format!("2:{}", place.echo())]);
    all_echo(&mut open, "after what was added");
    place.good(&["unbind", "other"]);
    place.good(&["unforward", "other"]);
    place.good(&["unexpose", "more"]);
    all_echo(&mut open, "after what was taken");
    if place.router == "embedded" {
        place.host.hub.token(&place.host.home.join("new.yaml"));
        place.good(&["init", "--token", "new.yaml"]);
        all_echo(&mut open, "with new credentials");
    }
    assert_eq!(place.pid(), pid);
}
