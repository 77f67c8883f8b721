//! Connections of an `httpConnector` to its server.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use http::{Request, Response};
use hyper::body::Incoming as ServerBody;
use hyper::client::conn::{TrySendError, http1, http2};

use super::connection::HttpConnection;
use super::connector::RequestBody;
use super::encapsulation::Encapsulation;
use super::outgoing::words;
use super::record::Bridge;
use super::socket::{HttpSocket, MOST_STREAMS, STREAM_WINDOW, Tasks};
use crate::io::driver::Driver;
use crate::io::target::Target;
use crate::io::transport::Transport;

/// Connections that wait for the next request.
const MOST_IDLE: usize = 32;
/// Many servers close an idle connection after five seconds, and then a request on it is lost.
const IDLE_LIMIT: Duration = Duration::from_secs(4);

/// The open connections.
pub(super) struct Pool {
    driver: Rc<Driver>,
    bridge: Rc<Bridge>,
    target: Target,
    idle: RefCell<Vec<Idle>>,
    shared: RefCell<Vec<Shared>>,
}

struct Idle {
    sender: http1::SendRequest<RequestBody>,
    connection: Rc<HttpConnection>,
    since: Instant,
}

/// HTTP/2 carries many requests at once.
#[derive(Clone)]
struct Shared {
    sender: http2::SendRequest<RequestBody>,
    connection: Rc<HttpConnection>,
    streams: Rc<Cell<usize>>,
}

/// A connection for one request.
pub(super) struct Line {
    kind: Kind,
    pub(super) connection: Rc<HttpConnection>,
    /// It carried a request before.
    pub(super) used: bool,
}

enum Kind {
    Http1(http1::SendRequest<RequestBody>),
    Http2 {
        sender: http2::SendRequest<RequestBody>,
        /// Held as long as the request runs.
        _place: Place,
    },
}

/// Among the streams of a shared connection.
struct Place(Rc<Cell<usize>>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

impl Pool {
    pub(super) fn new(driver: &Rc<Driver>, bridge: &Rc<Bridge>, target: Target) -> Pool {
        Pool {
            driver: Rc::clone(driver),
            bridge: Rc::clone(bridge),
            target,
            idle: RefCell::default(),
            shared: RefCell::default(),
        }
    }

    /// A connection that is free, or a new one.
    pub(super) async fn line(&self) -> Result<Line, String> {
        match self.free() {
            Some(line) => Ok(line),
            None => self.connect().await,
        }
    }

    /// A new connection.
    pub(super) async fn connect(&self) -> Result<Line, String> {
        let alpn = self.bridge.encapsulation.alpn().first().map(|name| name.as_bytes());
        let outcome = match self.target.connect(alpn).await {
            Ok((transport, peer)) => self.shake_hands(transport, peer).await,
            Err(failure) => Err(failure.to_string()),
        };
        *self.bridge.last_error.borrow_mut() = outcome.as_ref().err().cloned();
        outcome
    }

    /// Takes a connection back that has carried its request to the end.
    pub(super) async fn give_back(&self, line: Line) {
        let Kind::Http1(mut sender) = line.kind else { return };
        if sender.ready().await.is_ok() {
            let mut idle = self.idle.borrow_mut();
            idle.retain(|idle| !idle.is_stale());
            if idle.len() < MOST_IDLE {
                idle.push(Idle { sender, connection: line.connection, since: Instant::now() });
            }
        }
    }

    /// Closes connections that have waited for too long.
    pub(super) fn tidy(&self) {
        self.idle.borrow_mut().retain(|idle| !idle.is_stale());
    }

    /// Closes all that wait; nothing may be asked for afterwards.
    pub(super) fn close(&self) {
        self.idle.borrow_mut().clear();
        self.shared.borrow_mut().clear();
    }

    fn free(&self) -> Option<Line> {
        if self.bridge.encapsulation == Encapsulation::Http1 {
            let mut idle = self.idle.borrow_mut();
            idle.retain(|idle| !idle.is_stale());
            let Idle { sender, connection, .. } = idle.pop()?;
            return Some(Line { kind: Kind::Http1(sender), connection, used: true });
        }
        let mut shared = self.shared.borrow_mut();
        shared.retain(|shared| !shared.sender.is_closed());
        let free = shared.iter().find(|shared| shared.streams.get() < MOST_STREAMS as usize)?;
        Some(free.line(true))
    }

    async fn shake_hands(&self, transport: Transport, peer: String) -> Result<Line, String> {
        let socket = HttpSocket::new(transport, peer, &self.driver, &self.bridge);
        let connection = Rc::clone(&socket.connection);
        let name = self.bridge.name.clone();
        let ended = move |ended: hyper::Result<()>| {
            if let Err(error) = ended {
                tracing::debug!(connector = %name, error = words(&error), "server connection ended");
            }
        };
        match self.bridge.encapsulation {
            Encapsulation::Http1 => {
                let handshake = http1::Builder::new().title_case_headers(true).handshake(socket).await;
                let (sender, carrying) = handshake.map_err(|error| words(&error))?;
                self.driver.spawn(async move { ended(carrying.await) });
                Ok(Line { kind: Kind::Http1(sender), connection, used: false })
            }
            Encapsulation::Http2 => {
                let tasks = Tasks(Rc::clone(&self.driver));
                let handshake = http2::Builder::new(tasks)
                    .initial_stream_window_size(STREAM_WINDOW)
                    .initial_connection_window_size(STREAM_WINDOW * MOST_STREAMS)
                    .handshake(socket)
                    .await;
                let (sender, carrying) = handshake.map_err(|error| words(&error))?;
                self.driver.spawn(async move { ended(carrying.await) });
                let shared = Shared { sender, connection, streams: Rc::default() };
                let line = shared.line(false);
                self.shared.borrow_mut().push(shared);
                Ok(line)
            }
        }
    }
}

impl Idle {
    fn is_stale(&self) -> bool {
        self.sender.is_closed() || self.since.elapsed() > IDLE_LIMIT
    }
}

impl Shared {
    fn line(&self, used: bool) -> Line {
        self.streams.set(self.streams.get() + 1);
        let place = Place(Rc::clone(&self.streams));
        Line {
            kind: Kind::Http2 { sender: self.sender.clone(), _place: place },
            connection: Rc::clone(&self.connection),
            used,
        }
    }
}

impl Line {
    /// Sends a request; on failure it comes back when none of it was sent.
    pub(super) async fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<ServerBody>, TrySendError<Request<RequestBody>>> {
        match &mut self.kind {
            Kind::Http1(sender) => sender.try_send_request(request).await,
            Kind::Http2 { sender, .. } => sender.try_send_request(request).await,
        }
    }
}
