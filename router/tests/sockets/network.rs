//! A hub and its edges on real sockets, with real certificates.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use moorline_definition::router_config::{Connector, Listener, Role, RouterConfig, RouterMode, SslProfile, TcpBridge};
use moorline_router::io::{RouterHandle, RouterStatus, StartOptions, UplinkState, start};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::pki::{Ca, Leaf, VALID, dns, ip, write};
pub use crate::ports::free_port;

/// One network's certificates and the hub's port.
pub struct Network {
    pub folder: TempDir,
    pub ca: Ca,
    pub port: u16,
}

impl Network {
    pub fn new() -> Network {
        listen_to_logs();
        Network { folder: tempfile::tempdir().unwrap(), ca: Ca::new("skupper-internal-ca"), port: free_port() }
    }

    pub fn profile(&self, name: &str, ca: &Ca, leaf: &Leaf) -> SslProfile {
        let paths = write(&self.folder.path().join(name), ca, leaf);
        let [ca, certificate, key] = paths.map(|path: PathBuf| Some(path.display().to_string()));
        SslProfile {
            name: name.to_owned(),
            ca_cert_file: ca,
            cert_file: certificate,
            private_key_file: key,
            ..SslProfile::default()
        }
    }

    pub fn hub_config(&self) -> RouterConfig {
        let leaf = self.ca.issue("hub", &[dns("localhost"), ip("127.0.0.1")], VALID);
        let mut config = RouterConfig::default();
        config.router.id = "hub".to_owned();
        config.router.mode = RouterMode::Interior;
        config.ssl_profiles.push(self.profile("hub", &self.ca, &leaf));
        config.listeners.push(Listener {
            name: "edges".to_owned(),
            role: Role::Edge,
            host: Some("127.0.0.1".to_owned()),
            port: self.port,
            ssl_profile: Some("hub".to_owned()),
            sasl_mechanisms: Some("EXTERNAL".to_owned()),
            authenticate_peer: Some(true),
            ..Listener::default()
        });
        config
    }

    pub fn edge_config(&self, name: &str) -> RouterConfig {
        let leaf = self.ca.issue(name, &[dns("")], VALID);
        self.edge_config_with(name, &self.ca, &leaf)
    }

    pub fn edge_config_with(&self, name: &str, ca: &Ca, leaf: &Leaf) -> RouterConfig {
        let mut config = RouterConfig::default();
        config.router.id = name.to_owned();
        config.ssl_profiles.push(self.profile(name, ca, leaf));
        config.connectors.push(Connector {
            name: "uplink".to_owned(),
            role: Role::Edge,
            host: "127.0.0.1".to_owned(),
            port: self.port.to_string(),
            ssl_profile: Some(name.to_owned()),
            ..Connector::default()
        });
        config
    }
}

/// Lets clients in, at the port that is returned.
pub fn with_clients(config: &mut RouterConfig) -> u16 {
    let port = free_port();
    config.listeners.push(Listener {
        name: "amqp".to_owned(),
        host: Some("127.0.0.1".to_owned()),
        port,
        ..Listener::default()
    });
    port
}

pub fn bridge(name: &str, port: u16, address: &str) -> TcpBridge {
    TcpBridge {
        name: name.to_owned(),
        host: Some("127.0.0.1".to_owned()),
        port: port.to_string(),
        address: address.to_owned(),
        ..TcpBridge::default()
    }
}

pub fn run(config: &RouterConfig) -> RouterHandle {
    start(config, StartOptions::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// Waits until the status is as wanted.
pub async fn until(handle: &RouterHandle, wanted: impl Fn(&RouterStatus) -> bool) -> RouterStatus {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let status = handle.status().await.unwrap();
        if wanted(&status) {
            return status;
        }
        assert!(Instant::now() < deadline, "never came: {status:#?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub fn is_up(status: &RouterStatus) -> bool {
    status.uplinks.iter().any(|uplink| uplink.state == UplinkState::Up)
}

/// A server that sends back what it gets, and ends when its client does.
pub async fn echo_server() -> SocketAddr {
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = server.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
                let _ = write.shutdown().await;
            });
        }
    });
    address
}

pub async fn dial(port: u16) -> TcpStream {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match TcpStream::connect(("127.0.0.1", port)).await {
            Ok(stream) => return stream,
            Err(error) => assert!(Instant::now() < deadline, "port {port}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Sends `bytes`, ends, and reads the answer to its end.
pub async fn exchange(mut stream: TcpStream, bytes: Vec<u8>) -> Vec<u8> {
    let (mut read, mut write) = stream.split();
    let send = async {
        write.write_all(&bytes).await.unwrap();
        write.shutdown().await.unwrap();
    };
    let mut answer = Vec::new();
    let receive = async {
        let outcome = read.read_to_end(&mut answer).await;
        outcome.unwrap_or_else(|error| panic!("{error}\n{}", log_text()))
    };
    tokio::time::timeout(Duration::from_secs(60), async { tokio::join!(send, receive) }).await.unwrap();
    answer
}

static LOG: OnceLock<&'static Mutex<Vec<u8>>> = OnceLock::new();

fn listen_to_logs() {
    LOG.get_or_init(|| {
        let log: &'static Mutex<Vec<u8>> = Box::leak(Box::default());
        tracing_subscriber::fmt().with_ansi(false).with_writer(move || Log(log)).init();
        log
    });
}

fn log_text() -> String {
    LOG.get().map(|log| String::from_utf8_lossy(&log.lock().unwrap()).into_owned()).unwrap_or_default()
}

pub async fn logged(words: &[&str]) -> String {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let text = log_text();
        if let Some(line) = text.lines().find(|line| words.iter().all(|word| line.contains(word))) {
            return line.to_owned();
        }
        assert!(Instant::now() < deadline, "{words:?} never in:\n{text}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

struct Log(&'static Mutex<Vec<u8>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
