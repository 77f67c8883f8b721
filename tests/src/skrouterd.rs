//! The network's own router beside ours: its configuration, and what it is.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::process::Process;
use crate::scratch::Scratch;

/// The real router, where the environment names one.
#[derive(Debug, Clone)]
pub struct Skrouterd {
    program: PathBuf,
    /// As it says itself.
    pub version: String,
}

impl Skrouterd {
    /// The program that `SKROUTERD` names; `None` if it names none.
    #[must_use]
    pub fn from_environment() -> Option<Self> {
        let program = PathBuf::from(std::env::var_os("SKROUTERD")?);
        let output = Command::new(&program).arg("-v").output().expect("run what SKROUTERD names");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let numbers = |word: &&str| word.split('.').count() == 3 && word.split('.').all(|n| n.parse::<u32>().is_ok());
        let version = said.split_whitespace().find(numbers).unwrap_or_else(|| panic!("no version in {said:?}"));
        Some(Self { program, version: version.to_owned() })
    }

    /// The program itself.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Versions before 3 speak legacy unless told otherwise; later ones speak lite alone.
    #[must_use]
    pub fn has_encapsulations(&self) -> bool {
        self.version.starts_with("2.")
    }

    /// Runs it; `name` is for messages.
    #[must_use]
    pub fn run(&self, name: &str, home: &Scratch, config: &RouterFile) -> Process {
        let file = home.write(&format!("{name}.json"), &config.json());
        Process::start(name, Command::new(&self.program).arg("-c").arg(file).current_dir(home.path()))
    }
}

/// A `skrouterd.json`, as either router takes it.
#[derive(Debug, Clone)]
pub struct RouterFile(Vec<(&'static str, Value)>);

impl RouterFile {
    /// A router's; `mode` is `edge` or `interior`.
    #[must_use]
    pub fn new(id: &str, mode: &str) -> Self {
        Self(vec![("router", json!({"id": id, "mode": mode}))])
    }

    /// Certificates `ca.crt`, `tls.crt` and `tls.key` in `dir`, as the profile `tls`.
    #[must_use]
    pub fn certificates(mut self, dir: &Path) -> Self {
        let file = |name| dir.join(name).to_string_lossy().into_owned();
        let files = [file("ca.crt"), file("tls.crt"), file("tls.key")];
        self.0.push((
            "sslProfile",
            json!({"name": "tls", "caCertFile": files[0], "certFile": files[1], "privateKeyFile": files[2]}),
        ));
        self
    }

    /// Edges link here, with a certificate.
    #[must_use]
    pub fn edge_listener(mut self, port: u16) -> Self {
        self.0.push((
            "listener",
            json!({"name": "edges", "role": "edge", "host": "127.0.0.1", "port": port, "sslProfile": "tls",
                "saslMechanisms": "EXTERNAL", "authenticatePeer": true, "requireSsl": true,
                "maxFrameSize": 16384, "maxSessionFrames": 640}),
        ));
        self
    }

    /// AMQP clients connect here, without more ado.
    #[must_use]
    pub fn client_listener(mut self, port: u16) -> Self {
        self.0.push((
            "listener",
            json!({"name": "clients", "role": "normal", "host": "127.0.0.1", "port": port,
                "authenticatePeer": false, "saslMechanisms": "ANONYMOUS"}),
        ));
        self
    }

    /// Messages to addresses that begin with `prefix/` go to everyone.
    #[must_use]
    pub fn multicast(mut self, prefix: &str) -> Self {
        self.0.push(("address", json!({"prefix": prefix, "distribution": "multicast"})));
        self
    }

    /// The link of an edge.
    #[must_use]
    pub fn uplink(mut self, port: u16) -> Self {
        self.0.push((
            "connector",
            json!({"name": "uplink", "role": "edge", "host": "localhost", "port": port.to_string(),
                "sslProfile": "tls", "maxFrameSize": 16384, "maxSessionFrames": 640}),
        ));
        self
    }

    /// A server on the local `port` for `address`.
    #[must_use]
    pub fn tcp_connector(self, address: &str, port: u16, encapsulation: Option<&str>) -> Self {
        self.bridge("tcpConnector", address, port, encapsulation)
    }

    /// Clients of `address` on the local `port`.
    #[must_use]
    pub fn tcp_listener(self, address: &str, port: u16, encapsulation: Option<&str>) -> Self {
        self.bridge("tcpListener", address, port, encapsulation)
    }

    fn bridge(mut self, entity: &'static str, address: &str, port: u16, encapsulation: Option<&str>) -> Self {
        let mut bridge = json!({"name": format!("{entity}-{address}"), "address": address, "host": "127.0.0.1",
            "port": port.to_string(), "siteId": "interop"});
        if let Some(encapsulation) = encapsulation {
            bridge["encapsulation"] = encapsulation.into();
        }
        self.0.push((entity, bridge));
        self
    }

    /// With so many threads instead of the router's own choice.
    #[must_use]
    pub fn workers(mut self, count: u32) -> Self {
        self.0[0].1["workerThreads"] = count.into();
        self
    }

    /// Says what is wrong alone, not each connection.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.0.push(("log", json!({"module": "DEFAULT", "enable": "warning+"})));
        self
    }

    /// Writes every frame to `file`: for the hunt, not for the tests.
    #[must_use]
    pub fn trace(mut self, file: &Path) -> Self {
        self.0.push(("log", json!({"module": "PROTOCOL", "enable": "debug+", "outputFile": file.to_string_lossy()})));
        self
    }

    /// The file's text.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(&self.0).expect("JSON")
    }
}
