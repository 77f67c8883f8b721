//! An AMQP `listener`: of role edge, the hub's side of uplinks; of role normal, for clients.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::accept::Sockets;
use super::secure::{SETUP_LIMIT, secure};
use crate::core::{ConnRole, ConnectionSpec};
use crate::io::driver::{Driver, Owner};
use crate::io::local::{self, SocketFile};
use crate::io::tls::Live;
use crate::io::transport::Transport;
use crate::io::{Event, amqp_task};

/// Connections that are not up yet; more wait in the backlog.
const SETUPS_AT_ONCE: usize = 64;
/// What a client at the socket in the file system is called.
const LOCAL: &str = "local";

/// A listener, checked, with its port open.
#[derive(Debug)]
pub(in crate::io) struct AmqpListenPlan {
    pub(in crate::io) name: String,
    pub(in crate::io) sockets: Vec<std::net::TcpListener>,
    pub(in crate::io) tls: Option<Arc<Live<ServerConfig>>>,
    /// With the label and SASL still to be filled in for each peer.
    pub(in crate::io) spec: ConnectionSpec,
}

/// Accepts edges or clients until the task is dropped.
pub(in crate::io) async fn serve(driver: Rc<Driver>, plan: AmqpListenPlan) {
    let AmqpListenPlan { name, sockets, tls, spec } = plan;
    let mut sockets = match Sockets::new(&name, sockets) {
        Ok(sockets) => sockets,
        Err(error) => {
            tracing::error!(listener = %name, %error, "the listener cannot be served");
            return;
        }
    };
    tracing::info!(listener = %name, sockets = ?sockets.addresses(), tls = tls.is_some(), "AMQP listening");
    let setups = Arc::new(Semaphore::new(SETUPS_AT_ONCE));
    loop {
        let Ok(permit) = Arc::clone(&setups).acquire_owned().await else {
            return;
        };
        let (stream, peer) = sockets.accept().await;
        if driver.draining.get() {
            return;
        }
        let accepted = Accepted { listener: name.clone(), peer, tls: tls.clone(), spec: spec.clone() };
        driver.spawn(accepted.serve(Rc::clone(&driver), stream, permit));
    }
}

/// Accepts clients at a socket in the file system until the task is dropped.
pub(in crate::io) async fn serve_local(driver: Rc<Driver>, socket: SocketFile, spec: ConnectionSpec) {
    let listener = match socket.listener() {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(socket = %socket.path().display(), %error, "the socket cannot be served");
            return;
        }
    };
    tracing::info!(socket = %socket.path().display(), "AMQP listening");
    let setups = Arc::new(Semaphore::new(SETUPS_AT_ONCE));
    loop {
        let Ok(permit) = Arc::clone(&setups).acquire_owned().await else {
            return;
        };
        let stream = local::accept(&listener, socket.owner()).await;
        let Ok(transport) = local::transport(stream) else { continue };
        let (client, spec) = (Rc::clone(&driver), spec.clone());
        driver.spawn(async move {
            let deadline = Instant::now() + SETUP_LIMIT;
            converse(&client, LOCAL, LOCAL.to_owned(), transport, spec, deadline, permit).await;
        });
    }
}

struct Accepted {
    listener: String,
    peer: SocketAddr,
    tls: Option<Arc<Live<ServerConfig>>>,
    spec: ConnectionSpec,
}

impl Accepted {
    async fn serve(self, driver: Rc<Driver>, stream: TcpStream, permit: OwnedSemaphorePermit) {
        let Accepted { listener, peer, tls, spec } = self;
        let deadline = Instant::now() + SETUP_LIMIT;
        let Some(transport) = secure(&listener, peer, stream, tls.as_deref(), deadline).await else {
            return;
        };
        converse(&driver, &listener, peer.to_string(), transport, spec, deadline, permit).await;
    }
}

/// Serves a client or an edge to its end.
async fn converse(
    driver: &Rc<Driver>,
    listener: &str,
    peer: String,
    transport: Transport,
    mut spec: ConnectionSpec,
    deadline: Instant,
    permit: OwnedSemaphorePermit,
) {
    spec.label.clone_from(&peer);
    spec.external = transport.peer_has_certificate();
    let is_edge = spec.role == ConnRole::Edge;
    let owner = if is_edge { Owner::Edge(peer.clone()) } else { Owner::Client(peer.clone()) };
    let ended = amqp_task::run(driver, transport, spec, owner, deadline, permit).await;
    let cause = ended.cause;
    match ended.peer {
        None if ended.cut_off => {
            tracing::debug!(%listener, %peer, %cause, "a client went away");
        }
        None => tracing::warn!(%listener, %peer, %cause, "refused a client"),
        Some(client) if !is_edge => {
            tracing::debug!(%listener, %peer, client = %client.container, %cause, "client gone");
        }
        Some(edge) => {
            tracing::info!(%listener, %peer, edge = %edge.container, %cause, "edge gone");
            driver.tell(Event::EdgeGone { address: peer, cause });
        }
    }
}
