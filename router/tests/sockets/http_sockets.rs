//! HTTP/1 by hand on sockets, so that a test says and sees every octet; and routers with HTTP bridges.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use moorline_definition::router_config::{HttpBridge, HttpVersion, RouterConfig};
use moorline_router::io::{ListenerState, RouterHandle};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::network::{Network, dial, free_port, run, until};

pub const LIMIT: Duration = Duration::from_secs(60);

pub fn http_bridge(name: &str, port: u16, address: &str, version: HttpVersion) -> HttpBridge {
    HttpBridge {
        name: name.to_owned(),
        host: Some("127.0.0.1".to_owned()),
        port: port.to_string(),
        address: address.to_owned(),
        site_id: Some("a-site".to_owned()),
        protocol_version: Some(version),
        ..HttpBridge::default()
    }
}

/// Where listener and connector are.
#[derive(Debug, Clone, Copy)]
pub enum Place {
    /// On one edge.
    Same,
    /// On two edges of a hub.
    Apart,
}

/// Routers with one HTTP service.
pub struct Web {
    _network: Network,
    _hub: Option<RouterHandle>,
    pub near_client: RouterHandle,
    pub near_server: RouterHandle,
    pub port: u16,
}

/// Runs routers that carry a service from `port` of the answer to the `servers`.
pub async fn web(place: Place, version: HttpVersion, servers: &[SocketAddr]) -> Web {
    web_with(place, servers, |name, port| http_bridge(name, port, "web:80", version)).await
}

/// The same with bridges of the test's own making.
pub async fn web_with(place: Place, servers: &[SocketAddr], bridge: impl Fn(&str, u16) -> HttpBridge) -> Web {
    let network = Network::new();
    let port = free_port();
    let connectors = servers.iter().enumerate().map(|(n, server)| bridge(&format!("server{n}"), server.port()));
    let (hub, near_server, near_client) = match place {
        Place::Same => {
            let mut config = RouterConfig::default();
            config.router.id = "alone".to_owned();
            config.http_connectors.extend(connectors);
            config.http_listeners.push(bridge("web", port));
            let edge = run(&config);
            (None, edge.clone(), edge)
        }
        Place::Apart => {
            let hub = run(&network.hub_config());
            let mut config = network.edge_config("near-server");
            config.http_connectors.extend(connectors);
            let near_server = run(&config);
            let mut config = network.edge_config("near-client");
            config.http_listeners.push(bridge("web", port));
            (Some(hub), near_server, run(&config))
        }
    };
    until(&near_client, |s| s.http_listeners[0].state == Some(ListenerState::Listening)).await;
    Web { _network: network, _hub: hub, near_client, near_server, port }
}

/// One HTTP/1 connection, either end of it.
pub struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Wire {
    pub fn new(stream: TcpStream) -> Wire {
        stream.set_nodelay(true).unwrap();
        Wire { stream, buffer: Vec::new() }
    }

    pub async fn dial(port: u16) -> Wire {
        Wire::new(dial(port).await)
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Everything up to the empty line; `None` at the end of the connection.
    pub async fn head(&mut self) -> Option<String> {
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break end + 4;
            }
            if !self.more().await {
                assert!(self.buffer.is_empty(), "cut: {:?}", String::from_utf8_lossy(&self.buffer));
                return None;
            }
        };
        Some(String::from_utf8(self.buffer.drain(..end).collect()).unwrap())
    }

    pub async fn exactly(&mut self, length: usize) -> Vec<u8> {
        while self.buffer.len() < length {
            assert!(self.more().await, "cut after {} of {length}", self.buffer.len());
        }
        self.buffer.drain(..length).collect()
    }

    /// Up to `length` octets, as they come; none at the end.
    pub async fn some(&mut self, length: usize) -> Vec<u8> {
        if self.buffer.is_empty() {
            self.more().await;
        }
        let length = length.min(self.buffer.len());
        self.buffer.drain(..length).collect()
    }

    pub async fn line(&mut self) -> String {
        let end = loop {
            if let Some(end) = self.buffer.windows(2).position(|w| w == b"\r\n") {
                break end;
            }
            assert!(self.more().await, "cut inside a line");
        };
        let line = self.buffer.drain(..end + 2).take(end).collect();
        String::from_utf8(line).unwrap()
    }

    /// A chunked body and its trailers.
    pub async fn chunks(&mut self) -> (Vec<u8>, Vec<String>) {
        let mut body = Vec::new();
        loop {
            let size = usize::from_str_radix(&self.line().await, 16).unwrap();
            if size == 0 {
                break;
            }
            body.extend(self.exactly(size).await);
            assert_eq!(self.line().await, "");
        }
        let mut trailers = Vec::new();
        loop {
            match self.line().await {
                line if line.is_empty() => return (body, trailers),
                line => trailers.push(line),
            }
        }
    }

    /// The body that goes with `head`.
    pub async fn body(&mut self, head: &str) -> Vec<u8> {
        if field(head, "transfer-encoding").is_some() {
            return self.chunks().await.0;
        }
        match field(head, "content-length") {
            Some(length) => self.exactly(length.parse().unwrap()).await,
            None => Vec::new(),
        }
    }

    /// Sends a request and reads its answer, with a body as its fields say.
    pub async fn ask(&mut self, request: impl AsRef<[u8]>) -> (String, Vec<u8>) {
        tokio::time::timeout(LIMIT, async {
            self.send(request).await;
            let head = self.head().await.expect("an answer");
            let body = self.body(&head).await;
            (head, body)
        })
        .await
        .unwrap()
    }

    /// Whether the other end has closed or reset.
    pub async fn is_closed(&mut self) -> bool {
        let mut one = [0];
        match tokio::time::timeout(LIMIT, self.stream.read(&mut one)).await.unwrap() {
            Ok(n) => n == 0,
            Err(_) => true,
        }
    }

    async fn more(&mut self) -> bool {
        let read = tokio::time::timeout(LIMIT, self.stream.read_buf(&mut self.buffer)).await;
        matches!(read.expect("in time"), Ok(n) if n > 0)
    }
}

/// The value of a field of a head.
pub fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    fields(head, name).into_iter().next()
}

pub fn fields<'h>(head: &'h str, name: &str) -> Vec<&'h str> {
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

pub fn status(head: &str) -> &str {
    head.lines().next().and_then(|line| line.split(' ').nth(1)).unwrap()
}

/// Runs `serve` for each connection of a client.
pub async fn server<F, S>(serve: S) -> SocketAddr
where
    S: Fn(Wire) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(Wire::new(stream)));
        }
    });
    address
}

/// A server that answers each request with its head and its body, and keeps the connection.
pub async fn mirror(name: &'static str) -> SocketAddr {
    server(move |mut wire| async move {
        while let Some(head) = wire.head().await {
            let body = wire.body(&head).await;
            let answer = [head.as_bytes(), &body].concat();
            let fields = format!("X-Server: {name}\r\nContent-Type: text/plain\r\nContent-Length: {}", answer.len());
            wire.send(format!("HTTP/1.1 200 Fine\r\n{fields}\r\n\r\n")).await;
            if !head.starts_with("HEAD") {
                wire.send(answer).await;
            }
        }
    })
    .await
}
