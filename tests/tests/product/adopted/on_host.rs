//! What an adoption does, and what its clients see of it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use moorline_tests::authority::Authority;
use moorline_tests::command::stderr;
use moorline_tests::definition::Definition;
use moorline_tests::network::Gateway;
use moorline_tests::peer::{connect_when_open, wait_until_dead};
use moorline_tests::ports::free_port;
use moorline_tests::process::{Process, eventually};
use nix::sys::signal::Signal;

use super::judge::{Judge, no_outage};
use super::skuppers::{Place, Theirs, good, lay_out};
use crate::installed::host::{Host, echoes};

const STATE: &str = ".local/state/moorline/gateways/gate";

const FILES: [&str; 3] = ["ca.crt", "tls.crt", "tls.key"];

/// A user's host with a gateway of theirs, another gateway of the network, and a port for each direction.
struct Ground {
    host: Host,
    theirs: Theirs,
    definition: Definition,
    _far: Gateway,
    /// Through the binding of the gateway that is adopted.
    bound: u16,
    /// Through its forward.
    forwarded: u16,
}

impl Ground {
    fn new() -> Ground {
        let host = Host::new();
        let (bound, forwarded) = (free_port(), free_port());
        let echo = host.echo.port();
        let far = host.hub.gateway(&Definition::new("far").binding("far:7", echo).forward("echo:7", bound));
        let definition = Definition::new("gate").binding("echo:7", echo).forward("far:7", forwarded);
        let theirs = lay_out(&host.home, Place::of_environment(), &definition, free_port(), false);
        let ground = Ground { host, theirs, definition, _far: far, bound, forwarded };
        ground.begin();
        ground
    }

    /// Their gateway runs.
    fn begin(&self) {
        self.theirs.start(&self.host.home, &std::env::var("ROUTER").unwrap());
        drop(self.client(self.bound));
        drop(self.client(self.forwarded));
    }

    /// It does again, after ours was taken away.
    fn again(&mut self) {
        self.host.good(&["delete", "gate"]);
        self.theirs = lay_out(&self.host.home, Place::of_environment(), &self.definition, free_port(), false);
        self.begin();
    }

    fn client(&self, port: u16) -> std::net::TcpStream {
        eventually("the echo server answers", || {
            let mut client = connect_when_open(port);
            echoes(&mut client, b"hello").then_some(client)
        })
    }

    /// It is one of ours now, and nothing of theirs is left.
    fn is_ours(&self) {
        assert!(!self.theirs.directory.exists(), "their directory is still there");
        let unit = fs::read_to_string(&self.theirs.unit).unwrap();
        assert!(unit.contains(STATE), "{unit}");
        let units = self.host.systemctl(&["list-units", "--all"]);
        assert!(!units.contains("adopt"), "{units}");
        assert_eq!(self.host.systemctl(&["is-enabled", "gate.service"]).trim(), "enabled");
        let key = self.host.home.join(STATE).join("skupper-router-certs/conn1-profile/tls.key");
        assert_eq!(fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
        drop(self.client(self.bound));
        drop(self.client(self.forwarded));
    }
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn a_service_is_adopted_while_it_serves() {
    let ground = Ground::new();
    let host = &ground.host;
    let before = host.tree();
    let foretold = host.good(&["adopt", "--dry-run"]);
    assert_eq!(host.tree(), before, "a dry run changed something: {foretold}");

    let (mut through_binding, mut through_forward) = (ground.client(ground.bound), ground.client(ground.forwarded));
    let judges = [Judge::of(ground.bound), Judge::of(ground.forwarded)];
    let mut adopt =
        Process::start("adopt", &mut host.command(&["adopt", "gate", "--drain-timeout", "3", "--wait", "60"]));
    adopt.wait_for(&["drain", "of the old router"]);
    assert!(echoes(&mut through_binding, b"still here"), "a connection was cut before its time was over");
    assert!(echoes(&mut through_forward, b"still here"), "a connection was cut before its time was over");
    adopt.wait_for(&["is adopted"]);
    let said = adopt.said();
    assert!(adopt.wait().success(), "{said}");
    println!("{said}");
    let [binding, forward] = judges.map(Judge::verdict);
    println!("binding: {binding:?}\nforward: {forward:?}, {} ms without", forward.gap.as_millis());
    assert!(said.contains("of the old router end now"), "{said}");
    assert!(wait_until_dead(&mut through_binding).is_ok() && wait_until_dead(&mut through_forward).is_ok());
    no_outage(&binding);
    assert!(forward.good > 100, "{forward:?}");
    ground.is_ours();

    // The words change it as any other.
    let (echo, pid) = (host.echo.port().to_string(), host.pid());
    host.good(&["bind", "more:7", "localhost", &echo, "--wait", "60"]);
    assert_eq!(host.pid(), pid, "the router was started again");
    let output = host.run(&["adopt", "gate"]);
    assert!(output.status.code() == Some(2) && stderr(&output).contains("made no gateway \"gate\""), "{output:?}");
    host.good(&["delete", "gate"]);
    assert!(!ground.theirs.unit.exists());
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn a_service_goes_on_with_the_networks_own_router() {
    let ground = Ground::new();
    let judge = Judge::of(ground.bound);
    let router = format!("skrouterd={}", std::env::var("ROUTER").unwrap());
    println!("{}", ground.host.good(&["adopt", "--router", &router, "--drain-timeout", "0", "--wait", "60"]));
    println!("binding: {:?}", judge.verdict());
    ground.is_ours();
    ground.host.good(&["bind", "more:7", "localhost", &ground.host.echo.port().to_string(), "--wait", "60"]);
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn an_adoption_that_is_killed_is_finished_by_the_next() {
    let mut ground = Ground::new();
    for action in
        ["aside", "write    /home/tester/.config", "start", "link", "rewrite", "release", "add", "drain", "remove"]
    {
        let host = &ground.host;
        let mut through_binding = ground.client(ground.bound);
        let mut adopt = host.command(&["adopt", "--drain-timeout", "1", "--wait", "60"]);
        let mut child = adopt.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        // Each step is said before it begins.
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = lines.map_while(Result::ok).find(|line| line.starts_with(action));
        child.kill().unwrap();
        child.wait().unwrap();
        println!("killed at: {}", said.unwrap());
        assert!(action == "remove" || echoes(&mut through_binding, b"still here"), "a connection was cut");
        if ground.theirs.directory.exists() {
            host.good(&["adopt", "--drain-timeout", "0", "--wait", "60"]);
        }
        ground.is_ours();
        ground.again();
    }
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn an_adoption_that_fails_leaves_the_old_gateway_serving() {
    let ground = Ground::new();
    let host = &ground.host;
    let before = host.tree();
    // Nothing was begun: the network does not take the key.
    let certificates = ground.theirs.directory.join("skupper-router-certs/conn1-profile");
    let stranger = Authority::new("another").client("gate");
    let kept: Vec<Vec<u8>> = FILES.iter().map(|file| fs::read(certificates.join(file)).unwrap()).collect();
    for (file, text) in FILES.iter().zip([&stranger.ca, &stranger.certificate, &stranger.key]) {
        fs::write(certificates.join(file), text).unwrap();
    }
    let output = host.run(&["adopt", "--wait", "3"]);
    assert!(output.status.code() == Some(1) && stderr(&output).contains("nothing was changed"), "{output:?}");
    assert_eq!(host.tree(), before);
    for (file, bytes) in FILES.iter().zip(kept) {
        fs::write(certificates.join(file), bytes).unwrap();
    }

    // Half of it was done: the network does not answer any more.
    let mut adopt = Process::start("adopt", &mut host.command(&["adopt", "--wait", "3"]));
    adopt.wait_for(&["aside"]);
    host.hub.process.signal(Signal::SIGSTOP);
    assert_eq!(adopt.wait().code(), Some(1));
    host.hub.process.signal(Signal::SIGCONT);
    let said = adopt.said();
    assert!(said.contains("it is not linked after 3 s") && said.contains("everything is as it was"), "{said}");
    assert_eq!(host.tree(), before, "something stays behind");
    assert_eq!(host.systemctl(&["is-active", "gate.service"]).trim(), "active");
    let unit = fs::read_to_string(&ground.theirs.unit).unwrap();
    assert!(unit.contains("Qpid Dispatch router daemon"), "{unit}");
    drop(ground.client(ground.bound));
    drop(ground.client(ground.forwarded));
    host.good(&["adopt", "--drain-timeout", "0", "--wait", "60"]);
    ground.is_ours();
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn a_gateway_that_does_not_run_is_adopted_too() {
    let ground = Ground::new();
    let host = &ground.host;
    host.systemctl(&["stop", "gate.service"]);
    let directory = ground.theirs.directory.display().to_string();
    host.good(&["adopt", &directory, "--keep-files", "--wait", "60"]);
    assert!(ground.theirs.directory.exists());
    // It is one of ours, whatever else is to be done with what it was.
    host.good(&["expose", "more", "localhost", &host.echo.port().to_string(), "--gateway", "gate", "--wait", "60"]);
    assert!(host.good(&["adopt", "gate"]).contains("is adopted"));
    ground.is_ours();
    let definition = fs::read_to_string(host.home.join(STATE).join("gateway.yaml")).unwrap();
    assert!(definition.contains("address: more:"), "{definition}");
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn of_several_gateways_the_meant_one_is_adopted() {
    let ground = Ground::new();
    let host = &ground.host;
    let data = host.home.join(".local/share/skupper");
    fs::create_dir_all(data.join("bundle")).unwrap();
    good(Command::new("cp").arg("-R").arg(&ground.theirs.directory).arg(data.join("bundle/other")));
    let refused = |arguments: &[&str]| {
        let output = host.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        stderr(&output)
    };
    let said = refused(&["adopt"]);
    assert!(said.contains("gate (service, runs") && said.contains("other (does not run"), "{said}");
    assert!(refused(&["adopt", "none"]).contains("made no gateway \"none\""));
    host.good(&["adopt", "gate", "--drain-timeout", "0", "--wait", "60"]);
    ground.is_ours();
    // Another of the same name.
    fs::rename(data.join("bundle/other"), data.join("bundle/gate")).unwrap();
    assert!(refused(&["adopt"]).contains("is installed already"));
}

/// Root's gateways of theirs are services of root's own systemd.
#[test]
#[ignore = "for tests/hosts/system-systemd"]
fn roots_service_becomes_one_of_the_machine() {
    let host = Host::of_root();
    good(Command::new("systemctl").args(["start", "user@0.service"]));
    let echo = host.echo.port();
    let (bound, forwarded) = (free_port(), free_port());
    let _far = host.hub.gateway(&Definition::new("far").binding("far:7", echo).forward("echo:7", bound));
    let definition = Definition::new("gate").binding("echo:7", echo).forward("far:7", forwarded);
    let root = Path::new("/root");
    fs::copy(host.home.join("token.yaml"), root.join("token.yaml")).unwrap();
    let theirs = lay_out(root, Place::Cluster, &definition, free_port(), false);
    theirs.start(root, "embedded");
    let client = |port| {
        eventually("the echo server answers", || {
            let mut client = connect_when_open(port);
            echoes(&mut client, b"hello").then_some(client)
        })
    };
    let mut through_binding = client(bound);
    let judge = Judge::of(bound);
    let mut adopt = host.command(&["adopt", "--drain-timeout", "0", "--wait", "60"]);
    println!("{}", good(adopt.env("HOME", root)));
    no_outage(&judge.verdict());
    assert!(!theirs.directory.exists() && !theirs.unit.exists(), "something of theirs is left");
    assert_eq!(host.systemctl(&["is-active", "gate.service"]).trim(), "active");
    assert!(Path::new("/etc/systemd/system/gate.service").exists());
    assert!(wait_until_dead(&mut through_binding).is_ok());
    drop(client(bound));
    drop(client(forwarded));
}

#[test]
#[ignore = "for tests/hosts/engine"]
fn a_service_becomes_a_container() {
    let ground = Ground::new();
    let judge = Judge::of(ground.bound);
    println!("{}", ground.host.good(&["adopt", "-t", "podman", "--drain-timeout", "0", "--wait", "60"]));
    no_outage(&judge.verdict());
    assert!(!ground.theirs.directory.exists() && !ground.theirs.unit.exists(), "something of theirs is left");
    assert_eq!(good(Command::new("podman").args(["ps", "--format", "{{.Names}}"])).trim(), "gate");
    drop(ground.client(ground.bound));
    drop(ground.client(ground.forwarded));
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn what_no_definition_says_is_taken_over_all_the_same() {
    let ground = Ground::new();
    let host = &ground.host;
    let file = ground.theirs.directory.join("config/skrouterd.json");
    let text = fs::read_to_string(&file).unwrap();
    let log = ",[\"log\", {\"module\": \"DEFAULT\", \"enable\": \"info+\"}]]";
    fs::write(&file, text.trim_end().strip_suffix(']').unwrap().to_owned() + log).unwrap();
    let output = host.run(&["adopt", "--drain-timeout", "0", "--wait", "60"]);
    let said = stderr(&output);
    assert!(output.status.success() && said.contains("no definition says log \"DEFAULT\""), "{said}");
    ground.is_ours();
    let output = host.run(&["bind", "more:7", "localhost", "7", "--gateway", "gate"]);
    assert!(output.status.code() == Some(2) && stderr(&output).contains("has no definition"), "{output:?}");
    // One of the user's own does.
    host.write(&ground.definition);
    host.good(&["apply", "gate.yaml", "--wait", "60"]);
    host.good(&["bind", "more:7", "localhost", &host.echo.port().to_string(), "--gateway", "gate", "--wait", "60"]);
}
