//! Ports that answer HTTP: a bound on connections, on what a request may be, and on how long it may take.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_local;
use tokio::time::timeout;

use super::page::{Pages, respond};
use crate::io::hyper_stream::{HyperStream, HyperTimer};
use crate::io::listen::{BindError, SETUP_LIMIT, Sockets, open, secure};
use crate::io::local::{self, SocketFile};
use crate::io::stream::Stream;
use crate::io::tls::Live;

/// Connections at once; more wait in the backlog.
const MOST_CONNECTIONS: usize = 32;
/// A connection ends after this time; scrapers make a new one.
const CONNECTION_LIMIT: Duration = Duration::from_secs(60);
/// For the head of a request to come, whole.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// Requests have no body that anybody reads, and a head of a few lines.
const LARGEST_HEAD: usize = 16 * 1024;
const MOST_HEADERS: usize = 64;

/// Where clients come from.
#[derive(Debug)]
pub(in crate::io) enum Ports {
    /// A `listener` with `http: true`.
    Tcp(Vec<TcpListener>, Option<Arc<Live<ServerConfig>>>),
    /// A socket in the file system, for its owner alone.
    Local(SocketFile),
}

/// A port, or a socket in the file system, that is open to be served.
#[derive(Debug)]
pub struct WebPort {
    name: String,
    ports: Ports,
}

impl WebPort {
    pub(super) fn new(name: String, ports: Ports) -> WebPort {
        WebPort { name, ports }
    }

    /// A socket in the file system (0600) that answers nobody but its owner and root, in a directory that exists. Its
    /// file goes with it; one that a killed process left is replaced.
    ///
    /// # Errors
    /// What is there is no socket, or is served by another process; the directory is not there or not ours.
    pub fn at_path(path: &Path) -> io::Result<WebPort> {
        Ok(WebPort::new(path.display().to_string(), Ports::Local(SocketFile::open(path)?)))
    }

    /// A TCP port without TLS: whoever reaches it is answered.
    ///
    /// # Errors
    /// It cannot be opened; who has it is said, when that can be seen.
    pub fn at_address(address: SocketAddr) -> Result<WebPort, BindError> {
        Ok(WebPort::new(address.to_string(), Ports::Tcp(open(&[address])?, None)))
    }

    /// Serves `pages` until it is dropped. Runs in a `LocalSet`.
    ///
    /// # Errors
    /// The runtime cannot wait for clients.
    pub async fn serve(self, pages: Rc<impl Pages + 'static>) -> io::Result<Infallible> {
        let WebPort { name, ports } = self;
        let slots = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        match ports {
            Ports::Tcp(sockets, tls) => {
                let mut sockets = Sockets::new(&name, sockets)?;
                tracing::info!(listener = %name, sockets = ?sockets.addresses(), tls = tls.is_some(), "HTTP listening");
                loop {
                    let slot = slot(&slots).await;
                    let (stream, peer) = sockets.accept().await;
                    let (name, tls, pages) = (name.clone(), tls.clone(), Rc::clone(&pages));
                    spawn_local(async move {
                        let deadline = Instant::now() + SETUP_LIMIT;
                        if let Some(transport) = secure(&name, peer, stream, tls.as_deref(), deadline).await {
                            converse(Stream::new(transport), pages).await;
                        }
                        drop(slot);
                    });
                }
            }
            Ports::Local(file) => {
                let listener = file.listener()?;
                tracing::info!(socket = %file.path().display(), "HTTP listening");
                loop {
                    let slot = slot(&slots).await;
                    let stream = local::accept(&listener, file.owner()).await;
                    let pages = Rc::clone(&pages);
                    spawn_local(async move {
                        converse(stream, pages).await;
                        drop(slot);
                    });
                }
            }
        }
    }
}

async fn slot(slots: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    // The semaphore is never closed.
    Arc::clone(slots).acquire_owned().await.ok()
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin + 'static>(stream: S, pages: Rc<impl Pages + 'static>) {
    let service = service_fn(move |request| {
        let pages = Rc::clone(&pages);
        async move { Ok::<_, Infallible>(respond(&request, &*pages).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(HyperTimer).header_read_timeout(HEAD_LIMIT).max_buf_size(LARGEST_HEAD).max_headers(MOST_HEADERS);
    // A client that breaks off, or never ends, is nobody's loss.
    let _ = timeout(CONNECTION_LIMIT, http.serve_connection(HyperStream(stream), service)).await;
}
