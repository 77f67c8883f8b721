//! The same for containers.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use moorline_tests::command::{finish, program, stderr, stdout};
use moorline_tests::definition::Definition;
use moorline_tests::network::{Gateway, Hub};
use moorline_tests::peer::{Server, connect_when_open, echo_server};
use moorline_tests::ports::free_port;
use moorline_tests::process::{Process, eventually};
use moorline_tests::scratch::Scratch;

use super::judge::Judge;
use super::skuppers::{Place, Theirs, good, lay_out};
use crate::installed::host::echoes;

const IMAGE: &str = "localhost/network-router:latest";

struct Ground {
    home: Scratch,
    engine: &'static str,
    _hub: Hub,
    _echo: Server<u64>,
    _far: Gateway,
    definition: Definition,
    theirs: PathBuf,
    bound: u16,
    forwarded: u16,
}

impl Ground {
    fn new() -> Ground {
        let engine = if std::env::var("ENGINE").unwrap() == "docker" { "docker" } else { "podman" };
        let (home, hub, echo) = (Scratch::new(), Hub::start(), echo_server(free_port()));
        let (bound, forwarded) = (free_port(), free_port());
        hub.token(&home.join("token.yaml"));
        let port = echo.port();
        let far = hub.gateway(&Definition::new("far").binding("far:7", port).forward("echo:7", bound));
        let definition = Definition::new("gate").binding("echo:7", port).forward("far:7", forwarded);
        let theirs = PathBuf::new();
        let mut ground =
            Ground { home, engine, _hub: hub, _echo: echo, _far: far, definition, theirs, bound, forwarded };
        ground.image();
        ground.begin();
        ground
    }

    /// An image in the place of the network's: this program, which reads the same file.
    fn image(&self) {
        let root = self.home.join("root");
        for dir in ["dev", "etc", "proc", "sys", "opt/skupper"] {
            fs::create_dir_all(root.join(dir)).unwrap();
        }
        fs::copy(program(), root.join("moorline")).unwrap();
        let archive = self.home.join("root.tar");
        good(Command::new("tar").arg("-cf").arg(&archive).arg("-C").arg(&root).arg("."));
        let command =
            r#"CMD ["/moorline", "router", "--drain-timeout", "0", "-c", "/opt/skupper/config/skrouterd.json"]"#;
        good(Command::new(self.engine).args(["import", "--change", command]).arg(&archive).arg(IMAGE));
        fs::remove_file(archive).unwrap();
    }

    /// As Skupper's script starts it.
    fn begin(&mut self) {
        let Theirs { directory, .. } = lay_out(self.home.path(), Place::Bundle, &self.definition, free_port(), true);
        let seen = format!("{}:/opt/skupper:Z", directory.display());
        let mut run = Command::new(self.engine);
        run.args(["run", "--restart", "always", "-d", "--name", "gate", "--network", "host"]);
        run.args(["-e", "QDROUTERD_CONF_TYPE=json", "-e", "QDROUTERD_CONF=/opt/skupper/config/skrouterd.json"]);
        good(run.args(["-e", "SKUPPER_SITE_ID=gateway_gate_x", "-v", &seen, IMAGE]));
        self.theirs = directory;
        drop(self.client(self.bound));
        drop(self.client(self.forwarded));
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.arg("gateway").args(arguments).current_dir(self.home.path()).env("NO_COLOR", "1");
        command.env("XDG_STATE_HOME", self.home.join(".local/state"));
        command.env("XDG_DATA_HOME", self.home.join(".local/share"));
        command
    }

    fn engine(&self, arguments: &[&str]) -> String {
        stdout(&finish(Command::new(self.engine).args(arguments))).trim().to_owned()
    }

    fn client(&self, port: u16) -> TcpStream {
        eventually("the echo server answers", || {
            let mut client = connect_when_open(port);
            echoes(&mut client, b"hello").then_some(client)
        })
    }

    fn is_ours(&self) {
        assert!(!self.theirs.exists(), "their directory is still there");
        assert_eq!(self.engine(&["ps", "--all", "--format", "{{.Names}}"]), "gate");
        assert!(!self.engine(&["inspect", "--format", "{{.Config.Image}}", "gate"]).contains(IMAGE));
        drop(self.client(self.bound));
        drop(self.client(self.forwarded));
    }
}

#[test]
#[ignore = "for tests/hosts/engine"]
fn a_container_is_adopted_while_it_serves() {
    let mut ground = Ground::new();

    // Half of it was done: a port that the old router had not is taken. It never stopped.
    let id = ground.engine(&["inspect", "--format", "{{.Id}}", "gate"]);
    let file = ground.theirs.join("config/skrouterd.json");
    let text = fs::read_to_string(&file).unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let door = format!(",[\"listener\", {{\"name\": \"more\", \"host\": \"localhost\", \"port\": {port}}}]]");
    fs::write(&file, text.trim_end().strip_suffix(']').unwrap().to_owned() + &door).unwrap();
    let (mut through_binding, judge) = (ground.client(ground.bound), Judge::of(ground.bound));
    let output = finish(&mut ground.command(&["adopt", "--wait", "60"]));
    assert!(stderr(&output).contains("everything is as it was"), "{}{}", stdout(&output), stderr(&output));
    assert_eq!(ground.engine(&["inspect", "--format", "{{.Id}} {{.State.Running}}", "gate"]), format!("{id} true"));
    assert!(echoes(&mut through_binding, b"still here"), "a connection was cut");
    println!("while it failed: {:?}", judge.verdict());
    drop(taken);
    fs::write(&file, text).unwrap();

    let judges = [Judge::of(ground.bound), Judge::of(ground.forwarded)];
    let mut adopt = Process::start("adopt", &mut ground.command(&["adopt", "--drain-timeout", "3", "--wait", "60"]));
    adopt.wait_for(&["drain", "of the old router"]);
    assert!(echoes(&mut through_binding, b"still here"), "a connection was cut before its time was over");
    adopt.wait_for(&["is adopted"]);
    println!("{}", adopt.said());
    assert!(adopt.wait().success());
    let [binding, forward] = judges.map(Judge::verdict);
    println!("binding: {binding:?}\nforward: {forward:?}, {} ms without", forward.gap.as_millis());
    super::judge::no_outage(&binding);
    ground.is_ours();

    for action in ["aside", "create", "link", "release", "remove"] {
        good(&mut ground.command(&["delete", "gate"]));
        ground.begin();
        let mut child = ground.command(&["adopt", "--drain-timeout", "0", "--wait", "60"]);
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = lines.map_while(Result::ok).find(|line| line.starts_with(action));
        child.kill().unwrap();
        child.wait().unwrap();
        println!("killed at: {}", said.unwrap());
        if ground.theirs.exists() {
            good(&mut ground.command(&["adopt", "--drain-timeout", "0", "--wait", "60"]));
        }
        ground.is_ours();
    }
}
