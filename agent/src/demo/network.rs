//! The demo's network: a hub, a gateway that binds a server, a gateway that forwards it.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use tempfile::TempDir;
use tokio::process::Command;

use super::child::Child;
use super::echo_server::GREETING;
use super::round_trip::BYTES;
use crate::host;
use crate::output::say;

/// The server's address on the network.
const SERVICE: &str = "echo:7000";
/// For each step; a machine under load takes its time.
const STEP: Duration = Duration::from_secs(15);

/// Three processes and their files. Dropping it kills the processes and removes the files.
#[derive(Debug)]
pub(super) struct Network {
    // Fields are dropped in this order.
    near: Child,
    far: Child,
    hub: Child,
    forward: SocketAddr,
    server: SocketAddr,
    hub_address: String,
    place: Place,
}

/// A directory of this demo's own, 0700.
#[derive(Debug)]
struct Place(TempDir);

impl Place {
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_string_lossy().into_owned()
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        fs::write(self.path(name), text).with_context(|| format!("write {}", self.text(name)))
    }
}

impl Network {
    /// Starts all three, and waits until the forward's port is open.
    pub(super) async fn start(server: SocketAddr) -> anyhow::Result<Self> {
        let place =
            Place(tempfile::Builder::new().prefix("moorline-demo-").tempdir().context("a temporary directory")?);
        let hub_address = format!("127.0.0.1:{}", host::free_port()?);
        let state = place.text("hub");
        let hub = ["hub", "run", "--name", "demo-hub", "--state-dir", &state, "--listen", &hub_address];
        let hub = Child::start("hub", &hub)?;
        hub.says("hub \"demo-hub\" listens", STEP).await?;

        let token = place.text("token.yaml");
        create_token(&token, &state).await?;

        place.write("far.yaml", &definition("far", "bindings", server.port()))?;
        let port = host::free_port()?;
        place.write("near.yaml", &definition("near", "forwards", port))?;
        let far = gateway("far gateway", &place, "far")?;
        let near = gateway("near gateway", &place, "near")?;
        far.says("linked to ", STEP).await.map_err(|error| hub.blame(error))?;
        near.says("linked to ", STEP).await.map_err(|error| hub.blame(error))?;
        near.says("listening on ", STEP).await.map_err(|error| hub.blame(far.blame(error)))?;
        let forward = SocketAddr::from(([127, 0, 0, 1], port));
        Ok(Self { near, far, hub, forward, server, hub_address, place })
    }

    /// The port on this machine that leads to the server.
    pub(super) fn forward(&self) -> SocketAddr {
        self.forward
    }

    /// Adds what all three said last to an error.
    pub(super) fn blame(&self, error: anyhow::Error) -> anyhow::Error {
        [&self.near, &self.far, &self.hub].into_iter().fold(error, |error, child| child.blame(error))
    }

    /// The way that the data went, and what both gateways say of it in their access logs.
    pub(super) async fn show_status(&self) -> anyhow::Result<()> {
        let Self { forward, server, hub_address, .. } = self;
        let near = Account::of(&self.near).await?;
        let far = Account::of(&self.far).await?;
        let (sent, answered) = (BYTES as u64, (BYTES + GREETING.len()) as u64);
        // A listener reads what the client sends, a connector what the server answers.
        if (near.read, near.written) != (sent, answered) || (far.read, far.written) != (answered, sent) {
            bail!("the gateways counted {near:?} and {far:?}, and {sent} bytes went and {answered} came");
        }
        say(format_args!(
            "
  client        -> {forward:<21}  port of the near gateway, a forward of {SERVICE}
  near gateway  -> {hub_address:<21}  the hub, mutual TLS: {sent} bytes went, {answered} came
  far gateway   -> {hub_address:<21}  the hub, mutual TLS: {sent} bytes came, {answered} went
                -> {server:<21}  the server, bound as {SERVICE}
"
        ));
        Ok(())
    }

    pub(super) fn show_what_to_try(&self) {
        let Self { forward, .. } = self;
        let token = self.place.text("token.yaml");
        let (host, port) = (forward.ip(), forward.port());
        say(format_args!(
            "
It runs until Ctrl-C. To try, in another terminal:

  nc {host} {port}
      talks to the server through the network; it begins with: {greeting}

  moorline gateway run examples/database.yaml --token {token}
      makes this machine's PostgreSQL a service of the network

  moorline gateway run examples/forward.yaml --token {token}
      makes it reachable again, on port 15432: psql -h 127.0.0.1 -p 15432",
            greeting = GREETING.trim_end(),
        ));
    }

    /// Waits until a process ends, which it should not.
    pub(super) async fn any_ended(&self) -> anyhow::Error {
        tokio::select! {
            error = self.near.ended() => error,
            error = self.far.ended() => error,
            error = self.hub.ended() => error,
        }
    }

    /// Ends all three in order, and removes the files.
    pub(super) async fn end(mut self) -> anyhow::Result<()> {
        for child in [&self.near, &self.far, &self.hub] {
            child.hush();
        }
        self.near.end().await?;
        self.far.end().await?;
        self.hub.end().await?;
        let path = self.place.0.path().to_owned();
        self.place.0.close().with_context(|| format!("remove {}", path.display()))
    }
}

/// What a gateway says of its one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Account {
    /// Bytes from its client or server.
    read: u64,
    /// Bytes to its client or server.
    written: u64,
}

impl Account {
    async fn of(gateway: &Child) -> anyhow::Result<Self> {
        let line = gateway.says(" access: ", STEP).await?;
        let number = |key: &str| line.split(key).nth(1)?.split(' ').next()?.parse().ok();
        let account = number("bytes_in=").zip(number("bytes_out=")).map(|(read, written)| Self { read, written });
        account.with_context(|| format!("the {} counted nothing: {line}", gateway.name))
    }
}

fn gateway(name: &'static str, place: &Place, gateway: &str) -> anyhow::Result<Child> {
    let definition = place.text(&format!("{gateway}.yaml"));
    let (token, state) = (place.text("token.yaml"), place.text("gateways"));
    Child::start(name, &["gateway", "run", &definition, "--token", &token, "--state-dir", &state])
}

/// One binding or forward of the service; this machine is its only host.
fn definition(name: &str, kind: &str, port: u16) -> String {
    format!(
        "name: {name}
{kind}:
    - name: echo
      host: 127.0.0.1
      service: {{address: \"{SERVICE}\", protocol: tcp, ports: [{port}]}}
      target_ports: [{port}]
"
    )
}

/// With the command that a user would type.
async fn create_token(file: &str, state: &str) -> anyhow::Result<()> {
    let program = std::env::current_exe().context("this program does not know where it is")?;
    let made = Command::new(program)
        .args(["token", "create", file, "--state-dir", state, "--host", "127.0.0.1"])
        .output()
        .await
        .context("the token cannot be made")?;
    if !made.status.success() || !Path::new(file).exists() {
        bail!("the token cannot be made: {}", String::from_utf8_lossy(&made.stderr).trim_end());
    }
    Ok(())
}
