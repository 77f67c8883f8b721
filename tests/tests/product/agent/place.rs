//! A user's host with a directory of definitions.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Output};

use moorline_tests::command::{finish, program, stderr, stdout};
use moorline_tests::definition::Definition;
use moorline_tests::process::{Process, eventually};
use serde_json::Value;

use crate::installed::host::{Host, echoes};

pub(super) struct Place {
    pub(super) host: Host,
    pub(super) dir: PathBuf,
}

impl Place {
    pub(super) fn new() -> Place {
        let host = Host::new();
        let dir = host.home.join(".config/moorline/gateways");
        Place { host, dir }
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.arg("agent").args(arguments).current_dir(&self.host.home).env("NO_COLOR", "1");
        command
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Output {
        finish(&mut self.command(arguments))
    }

    /// What it said, when it went well.
    pub(super) fn good(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}{}", stdout(&output), stderr(&output));
        stdout(&output)
    }

    /// An agent in the foreground that keeps the directory.
    pub(super) fn agent(&self, more: &[&str]) -> Process {
        let mut agent = Process::start("agent", self.command(&["run", "--interval", "2"]).args(more));
        agent.wait_for(&["keeps the gateways of"]);
        agent
    }

    pub(super) fn write(&self, file: &str, definition: &Definition) {
        fs::write(self.dir.join(file), definition.yaml()).unwrap();
    }

    /// A link token of its own.
    pub(super) fn token(&self, file: &str) {
        self.host.hub.token(&self.dir.join(file));
    }

    /// What the agent says of a gateway.
    pub(super) fn gateway(&self, name: &str) -> Option<Value> {
        let output = self.run(&["status", "--output", "json"]);
        let status: Value = serde_json::from_str(&stdout(&output)).ok()?;
        status["gateways"].as_array()?.iter().find(|gateway| gateway["name"] == name).cloned()
    }

    /// Waits until the agent says of the gateway what is wanted.
    pub(super) fn until(&self, what: &str, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(what, || self.gateway(name).filter(|gateway| wanted(gateway)))
    }

    pub(super) fn until_linked(&self, name: &str) -> Value {
        self.until("it is linked", name, |gateway| gateway["linked"] == true)
    }

    pub(super) fn until_gone(&self, unit: &str) {
        eventually("the gateway is gone", || (!self.host.home.join(unit_file(unit)).exists()).then_some(()));
    }

    pub(super) fn pid(&self, unit: &str) -> String {
        let shown = self.host.systemctl(&["show", "--property=MainPID", "--value", &format!("{unit}.service")]);
        shown.trim().to_owned()
    }
}

pub(super) fn unit_file(unit: &str) -> String {
    format!(".config/systemd/user/{unit}.service")
}

pub(super) fn addresses(gateway: &Value, list: &str) -> Vec<String> {
    let services = gateway[list].as_array().map(Vec::as_slice).unwrap_or_default();
    services.iter().map(|service| service["address"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Head and body of one GET.
pub(super) fn get(port: u16, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

pub(super) fn still_echoes(client: &mut TcpStream) {
    assert!(echoes(client, b"still here"), "a connection was cut");
}
