//! A service network of our own programs: one hub and gateways, each with its token, over mutual TLS.

use std::path::{Path, PathBuf};

use crate::authority::Authority;
use crate::command::{moorline, run, stderr};
use crate::definition::Definition;
use crate::ports::free_port;
use crate::process::Process;
use crate::scratch::Scratch;

/// A hub that runs, and the place for what belongs to it.
#[derive(Debug)]
pub struct Hub {
    home: Scratch,
    port: u16,
    /// The program.
    pub process: Process,
}

/// A gateway that runs.
#[derive(Debug)]
pub struct Gateway {
    /// The program. It ends before its files go.
    pub process: Process,
    home: Scratch,
}

impl Hub {
    /// Starts one, and waits until it listens.
    #[must_use]
    pub fn start() -> Self {
        let home = Scratch::new();
        let port = free_port();
        let process = run_hub(&home, port);
        Self { home, port, process }
    }

    /// Starts the same hub again, which has ended.
    pub fn restart(&mut self) {
        self.process = run_hub(&self.home, self.port);
    }

    /// The port for edges.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its state directory.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.home.join("hub")
    }

    /// Its certificate authority.
    #[must_use]
    pub fn authority(&self) -> Authority {
        Authority::of_hub(&self.state())
    }

    /// Makes a link token, as `file`.
    pub fn token(&self, file: &Path) {
        let made = run(
            &self.home,
            [
                "token".as_ref(),
                "create".as_ref(),
                file.as_os_str(),
                "--host".as_ref(),
                "localhost".as_ref(),
                "--state-dir".as_ref(),
                self.state().as_os_str(),
            ],
        );
        assert!(made.status.success(), "token create: {}", stderr(&made));
    }

    /// Runs a gateway that is linked to it.
    #[must_use]
    pub fn gateway(&self, definition: &Definition) -> Gateway {
        self.gateway_with(definition, &[])
    }

    /// The same with more options.
    #[must_use]
    pub fn gateway_with(&self, definition: &Definition, options: &[&str]) -> Gateway {
        let home = Scratch::new();
        self.token(&home.join("token.yaml"));
        let mut gateway = Gateway::run(home, definition.name(), &definition.yaml(), options);
        gateway.process.wait_for(&["linked to"]);
        gateway
    }
}

impl Gateway {
    /// Runs the definition `text` with the token `token.yaml` in `home`, linked or not.
    #[must_use]
    pub fn run(home: Scratch, name: &str, text: &str, options: &[&str]) -> Self {
        let file = home.write("gateway.yaml", text);
        let mut command = moorline(&home, ["gateway", "run"]);
        command.arg(file).arg("--token").arg(home.join("token.yaml"));
        command.arg("--state-dir").arg(home.join("gateway")).args(options);
        Self { process: Process::start(name, &mut command), home }
    }

    /// The program, and the place for what belongs to it.
    #[must_use]
    pub fn into_parts(self) -> (Process, Scratch) {
        (self.process, self.home)
    }

    /// Where its files are.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }
}

fn run_hub(home: &Scratch, port: u16) -> Process {
    let mut command = moorline(home, ["hub", "run", "--host", "localhost", "--host", "127.0.0.1", "--listen"]);
    command.arg(format!("127.0.0.1:{port}")).arg("--state-dir").arg(home.join("hub"));
    let mut process = Process::start("hub", &mut command);
    process.wait_for(&["listens for gateways"]);
    process
}

/// One address from a forward on one gateway, through a hub, to a binding on another.
#[derive(Debug)]
pub struct Route {
    /// Where clients connect.
    pub entry: u16,
    /// Where the server is.
    pub target: u16,
    /// The gateway of the forward.
    pub east: Gateway,
    /// The gateway of the binding.
    pub west: Gateway,
    /// Between them.
    pub hub: Hub,
}

impl Route {
    /// Starts all of it.
    #[must_use]
    pub fn start() -> Self {
        let (entry, target) = (free_port(), free_port());
        let hub = Hub::start();
        let west = hub.gateway(&Definition::new("west").binding("service:1", target));
        let east = hub.gateway(&Definition::new("east").forward("service:1", entry));
        Self { entry, target, east, west, hub }
    }
}
