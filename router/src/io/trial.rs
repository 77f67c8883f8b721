//! Whether a server could be reached and a port opened: for checks before a router runs, and for what is asked of the
//! network before there is one. Nothing stays of a trial.

use std::fmt;
use std::io::IoSlice;
use std::time::Duration;

use hyper::rt::{Read, Write};
use moorline_definition::router_config::ProxyProfile;
use tokio::io::Interest;
use tokio::time::timeout;

use super::BindError;
use super::connect::{CONNECT_LIMIT, connect};
use super::hyper_stream::HyperStream;
use super::listen::{BindTarget, probe};
use super::proxy::{Proxy, ProxyFailure};
use super::resolve::{host_port, resolve_blocking};
use super::stream::Stream;
use super::target::HANDSHAKE_LIMIT;
use super::tls::{Expected, TlsIdentity};
use super::transport::{Read as Took, Transport, TransportError};

/// AMQP's protocol header for SASL, AMQP 1.0 section 5.3.2: a router answers it with its own.
const SASL_HEADER: &[u8; 8] = b"AMQP\x03\x01\x00\x00";

/// How far a trial came before it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrialStage {
    /// The host's name was not found, or it did not answer, or the proxy did not.
    Reach,
    /// The proxy does not let us through.
    Proxy,
    /// One end refused the other's certificate, or what answers speaks no TLS.
    Tls,
    /// What answers is no router.
    Router,
}

/// Why a trial failed, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialFailure {
    /// How far it came.
    pub stage: TrialStage,
    words: String,
}

impl fmt::Display for TrialFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl std::error::Error for TrialFailure {}

fn failed(stage: TrialStage) -> impl FnOnce(String) -> TrialFailure {
    move |words| TrialFailure { stage, words }
}

/// Connects to a router as an uplink does, until it has answered AMQP's first word; answers the address reached.
///
/// Takes some 30 seconds at most.
///
/// # Errors
/// What is in the way, and how far away it is.
pub async fn try_link(
    host: &str,
    port: u16,
    proxy: Option<&ProxyProfile>,
    identity: &TlsIdentity,
) -> Result<String, TrialFailure> {
    let (mut transport, peer) = secure(host, port, proxy, identity).await?;
    match timeout(HANDSHAKE_LIMIT, first_word(&mut transport)).await {
        Ok(Ok(answer)) if answer.starts_with(b"AMQP") => Ok(peer),
        Ok(Ok(_)) => Err(failed(TrialStage::Router)(format!("what answers at {peer} is no router"))),
        Ok(Err(error)) => Err(no_tls(&peer, error)),
        Err(_) => Err(no_tls(&peer, late())),
    }
}

/// Connects to a server with TLS, as an uplink does; answers a stream for HTTP and the address reached.
///
/// Takes some 20 seconds at most.
///
/// # Errors
/// What is in the way, and how far away it is. Nothing was sent but TLS's own handshake.
pub async fn dial(
    host: &str,
    port: u16,
    proxy: Option<&ProxyProfile>,
    identity: &TlsIdentity,
) -> Result<(impl Read + Write + Unpin + use<>, String), TrialFailure> {
    let (transport, peer) = secure(host, port, proxy, identity).await?;
    Ok((HyperStream(Stream::new(transport)), peer))
}

async fn secure(
    host: &str,
    port: u16,
    proxy: Option<&ProxyProfile>,
    identity: &TlsIdentity,
) -> Result<(Transport, String), TrialFailure> {
    let (stream, peer) = match proxy {
        None => {
            let connected = connect(host, port, CONNECT_LIMIT).await;
            let (stream, peer) = connected.map_err(|failure| failed(TrialStage::Reach)(failure.to_string()))?;
            (stream, peer.to_string())
        }
        Some(profile) => {
            let proxy_port = profile.port.parse().map_err(|_| format!("the proxy's port {:?} is none", profile.port));
            let proxy = Proxy::new(profile, proxy_port.map_err(failed(TrialStage::Reach))?);
            let stream = proxy.connect(host, port).await.map_err(|failure| match failure {
                ProxyFailure::Absent(words) => failed(TrialStage::Reach)(words),
                ProxyFailure::Refused(words) => failed(TrialStage::Proxy)(words),
            })?;
            (stream, host_port(host, port))
        }
    };
    let expected = Expected::host(host, true).map_err(|error| no_tls(&peer, error))?;
    let config = identity.client(true).map_err(|error| no_tls(&peer, error))?;
    match timeout(HANDSHAKE_LIMIT, Transport::connect(stream, config, expected.name)).await {
        Ok(Ok(transport)) => Ok((transport, peer)),
        Ok(Err(error)) => Err(no_tls(&peer, error)),
        Err(_) => Err(no_tls(&peer, late())),
    }
}

fn no_tls(peer: &str, cause: impl fmt::Display) -> TrialFailure {
    failed(TrialStage::Tls)(format!("no TLS with {peer}: {cause}"))
}

fn late() -> String {
    format!("it did not answer within {} s", HANDSHAKE_LIMIT.as_secs())
}

/// What the other end says first. A client's certificate may be refused as late as here.
async fn first_word(transport: &mut Transport) -> Result<Vec<u8>, TransportError> {
    transport.write(&[IoSlice::new(SASL_HEADER)])?;
    while !transport.flush()? {
        transport.ready(Interest::WRITABLE).await?;
    }
    let (mut wire, mut plain) = (vec![0; 4096], Vec::new());
    while plain.len() < SASL_HEADER.len() {
        match transport.read(&mut wire, &mut plain)? {
            Took::Bytes(_) => {}
            Took::Ended => break,
            Took::Blocked => transport.ready(Interest::READABLE).await?,
        }
    }
    Ok(plain)
}

/// Connects to a server as a connector does; answers the address reached. Takes some seconds at most.
///
/// # Errors
/// What is in the way.
pub async fn try_server(host: &str, port: u16) -> Result<String, TrialFailure> {
    let limit = Duration::from_secs(2);
    let connected = connect(host, port, limit).await;
    connected.map(|(_, peer)| peer.to_string()).map_err(|failure| failed(TrialStage::Reach)(failure.to_string()))
}

/// Opens a port as a listener does, and closes it. An empty host: every interface. Blocks while a name is resolved.
///
/// # Errors
/// Who has it, or why else it cannot be opened.
pub fn try_port(host: &str, port: u16) -> Result<(), BindError> {
    probe(&BindTarget { host: host.to_owned(), port }.addresses_blocking()?)
}

/// The addresses that a name has for the router, which asks the hosts file and the name servers itself. Blocks.
///
/// # Errors
/// Why it has none.
pub fn try_name(host: &str) -> std::io::Result<Vec<std::net::IpAddr>> {
    Ok(resolve_blocking(host, 0)?.into_iter().map(|address| address.ip()).collect())
}
