//! A host of an ordinary user, or of root, where gateways are installed.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use moorline_tests::command::{finish, program, stderr, stdout};
use moorline_tests::definition::Definition;
use moorline_tests::network::Hub;
use moorline_tests::peer::{Server, connect_when_open, echo_server, read_exactly};
use moorline_tests::ports::free_port;
use moorline_tests::process::eventually;

/// A user's host, with a hub beside it.
pub(crate) struct Host {
    pub(crate) home: PathBuf,
    pub(crate) root: bool,
    pub(crate) hub: Hub,
    pub(crate) echo: Server<u64>,
    pub(crate) entry: u16,
}

impl Host {
    pub(crate) fn new() -> Host {
        let home = PathBuf::from(std::env::var_os("HOME").unwrap());
        assert_eq!(home, Path::new("/home/tester"), "this test is for tests/hosts/user-systemd alone");
        Host::at(home, false)
    }

    /// The machine's, for root.
    pub(crate) fn of_root() -> Host {
        let home = PathBuf::from("/root/gateway");
        fs::create_dir(&home).unwrap();
        Host::at(home, true)
    }

    pub(crate) fn at(home: PathBuf, root: bool) -> Host {
        let host = Host { home, root, hub: Hub::start(), echo: echo_server(free_port()), entry: free_port() };
        host.hub.token(&host.home.join("token.yaml"));
        host
    }

    /// A way to the echo server and back to this host.
    pub(crate) fn definition(&self) -> Definition {
        Definition::new("gate").binding("echo:7", self.echo.port()).forward("echo:7", self.entry)
    }

    pub(crate) fn write(&self, definition: &Definition) {
        fs::write(self.home.join("gate.yaml"), definition.yaml()).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(["gateway"]).args(arguments).current_dir(&self.home).env("NO_COLOR", "1");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        finish(&mut self.command(arguments))
    }

    /// What it said, when it went well.
    pub(crate) fn good(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}{}", stdout(&output), stderr(&output));
        stdout(&output)
    }

    pub(crate) fn apply(&self) -> String {
        self.good(&["apply", "gate.yaml", "--token", "token.yaml", "--wait", "60"])
    }

    pub(crate) fn systemctl(&self, arguments: &[&str]) -> String {
        let whose = if self.root { "--system" } else { "--user" };
        stdout(&finish(Command::new("systemctl").arg(whose).args(arguments)))
    }

    pub(crate) fn pid(&self) -> String {
        self.systemctl(&["show", "--property=MainPID", "--value", "gate.service"]).trim().to_owned()
    }

    pub(crate) fn client(&self) -> TcpStream {
        // The port of a router that was killed may still take one.
        eventually("the echo server answers", || {
            let mut client = connect_when_open(self.entry);
            echoes(&mut client, b"hello").then_some(client)
        })
    }

    /// All files, directories and links with their modes, but for what the test put there.
    pub(crate) fn tree(&self) -> BTreeMap<PathBuf, u32> {
        let mut found = BTreeMap::new();
        collect(&self.home, &mut found);
        found.retain(|path, _| !path.starts_with(self.home.join("gate.yaml")));
        found
    }
}

fn collect(dir: &Path, found: &mut BTreeMap<PathBuf, u32>) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let metadata = fs::symlink_metadata(entry.path()).unwrap();
        found.insert(entry.path(), metadata.permissions().mode() & 0o7777);
        if metadata.is_dir() {
            collect(&entry.path(), found);
        }
    }
}

pub(crate) fn echoes(client: &mut TcpStream, bytes: &[u8]) -> bool {
    client.write_all(bytes).is_ok() && read_exactly(client, bytes.len()).is_ok_and(|read| read == bytes)
}
