//! The first step with an accepted client: TLS, where the listener has it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::time::timeout_at;

use crate::io::tls::Live;
use crate::io::transport::{Transport, TransportError};

/// From accept until the client may speak.
pub(in crate::io) const SETUP_LIMIT: Duration = Duration::from_secs(10);

/// The client's transport. None: it was refused or went away, which is logged.
pub(in crate::io) async fn secure(
    listener: &str,
    peer: SocketAddr,
    stream: TcpStream,
    tls: Option<&Live<ServerConfig>>,
    deadline: Instant,
) -> Option<Transport> {
    let Some(tls) = tls else {
        return Some(Transport::plain(stream));
    };
    let cause = match timeout_at(deadline.into(), Transport::accept(stream, tls.get())).await {
        Ok(Ok(transport)) => return Some(transport),
        Ok(Err(TransportError::Tls(cause))) => cause,
        // Port scans and health checks: nobody has to act.
        Ok(Err(cause)) => {
            tracing::debug!(%listener, %peer, %cause, "a client went away");
            return None;
        }
        Err(_) => "it did not finish the TLS handshake in time".to_owned(),
    };
    tracing::warn!(%listener, %peer, %cause, "refused a client");
    None
}
