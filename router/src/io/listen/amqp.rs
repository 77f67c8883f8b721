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
use crate::io::tls::Live;
use crate::io::{Event, amqp_task};

/// Connections that are not up yet; more wait in the backlog.
const SETUPS_AT_ONCE: usize = 64;

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

struct Accepted {
    listener: String,
    peer: SocketAddr,
    tls: Option<Arc<Live<ServerConfig>>>,
    spec: ConnectionSpec,
}

impl Accepted {
    async fn serve(self, driver: Rc<Driver>, stream: TcpStream, permit: OwnedSemaphorePermit) {
        let Accepted { listener, peer, tls, mut spec } = self;
        let deadline = Instant::now() + SETUP_LIMIT;
        let Some(transport) = secure(&listener, peer, stream, tls.as_deref(), deadline).await else {
            return;
        };
        spec.label = peer.to_string();
        spec.external = transport.peer_has_certificate();
        let is_edge = spec.role == ConnRole::Edge;
        let owner = if is_edge { Owner::Edge(peer.to_string()) } else { Owner::Client(peer.to_string()) };
        let ended = amqp_task::run(&driver, transport, spec, owner, deadline, permit).await;
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
                driver.tell(Event::EdgeGone { address: peer.to_string(), cause });
            }
        }
    }
}
