//! Clients and servers that speak TLS on real sockets.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use moorline_router::io::tls::{Clients, Expected, TlsIdentity};
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection, StreamOwned};

use crate::pki::{Ca, Leaf};

pub type ClientStream = StreamOwned<ClientConnection, TcpStream>;

pub fn identity(ca: &Ca, leaf: Option<&Leaf>) -> TlsIdentity {
    let own = leaf.map(|leaf| (leaf.certificate.as_bytes(), leaf.key.as_bytes()));
    TlsIdentity::from_pem("peer", ca.pem().as_bytes(), own).unwrap()
}

pub fn client_config(ca: &Ca, leaf: Option<&Leaf>, alpn: &[&str]) -> Arc<ClientConfig> {
    let mut config = identity(ca, leaf).client(true).unwrap();
    Arc::make_mut(&mut config).alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

/// Connects to a local port as `localhost`, trying until it is open. The handshake happens with the first use.
pub fn connect(port: u16, config: Arc<ClientConfig>) -> ClientStream {
    let deadline = Instant::now() + Duration::from_secs(10);
    let stream = loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => break stream,
            Err(error) => assert!(Instant::now() < deadline, "port {port}: {error}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let name = Expected::host("localhost", true).unwrap().name;
    StreamOwned::new(ClientConnection::new(config, name).unwrap(), stream)
}

/// Sends `bytes`, ends its half, and reads to the end of the answer.
pub fn exchange(mut stream: ClientStream, bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    let mut answer = echoed(&mut stream, bytes)?;
    stream.conn.send_close_notify();
    stream.flush()?;
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

/// What an echo makes of `bytes`: a piece at a time is under way, so that neither end waits for room for ever.
pub fn echoed(stream: &mut ClientStream, bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    let mut answer = Vec::with_capacity(bytes.len());
    stream.conn.complete_io(&mut stream.sock)?;
    for piece in bytes.chunks(100_000) {
        stream.write_all(piece)?;
        stream.flush()?;
        let begun = answer.len();
        answer.resize(begun + piece.len(), 0);
        stream.read_exact(&mut answer[begun..])?;
    }
    Ok(answer)
}

/// What a server saw of one client.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub alpn: Option<String>,
    pub has_certificate: bool,
    /// How the client ended.
    pub end: Option<ErrorKind>,
}

/// An echo server that speaks TLS.
pub struct TlsServer {
    pub address: SocketAddr,
    pub seen: Arc<Mutex<Vec<Seen>>>,
}

impl TlsServer {
    pub fn new(identity: &TlsIdentity, clients: Clients, alpn: &[&str]) -> TlsServer {
        let mut config = identity.server(clients).unwrap();
        Arc::make_mut(&mut config).alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in server.incoming() {
                let (config, all) = (Arc::clone(&config), Arc::clone(&all));
                std::thread::spawn(move || {
                    let seen = echo(stream.unwrap(), config);
                    all.lock().unwrap().push(seen);
                });
            }
        });
        TlsServer { address, seen }
    }

    pub fn saw(&self, wanted: impl Fn(&Seen) -> bool) -> Seen {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let seen = self.seen.lock().unwrap().clone();
            if let Some(seen) = seen.iter().find(|seen| wanted(seen)) {
                return seen.clone();
            }
            assert!(Instant::now() < deadline, "never seen: {seen:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn echo(stream: TcpStream, config: Arc<ServerConfig>) -> Seen {
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    let mut buffer = vec![0; 64 * 1024];
    let end = loop {
        match stream.read(&mut buffer) {
            Ok(0) => break None,
            Ok(n) => {
                if let Err(error) = stream.write_all(&buffer[..n]) {
                    break Some(error.kind());
                }
            }
            Err(error) => break Some(error.kind()),
        }
    };
    if end.is_none() {
        stream.conn.send_close_notify();
        let _ = stream.flush();
    }
    let alpn = stream.conn.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
    let has_certificate = stream.conn.peer_certificates().is_some_and(|chain| !chain.is_empty());
    Seen { alpn, has_certificate, end }
}
