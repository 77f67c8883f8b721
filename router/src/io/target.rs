//! A server that a connector reaches: where it is, and whether TLS is spoken to it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::time::timeout;

use super::connect::{CONNECT_LIMIT, ConnectFailure, connect};
use super::proxy::{Proxy, ProxyFailure};
use super::resolve::host_port;
use super::tls::{Expected, Live, Profile, TlsError};
use super::transport::{Transport, TransportError};

/// Time for the TLS handshake with a server.
pub(super) const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// More than this is no protocol name.
const LONGEST_ALPN: usize = 255;

/// Host and port of a server.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Option<TargetTls>,
    /// What stands between it and us.
    pub(super) proxy: Option<Arc<Proxy>>,
}

/// How a server proves who it is, and we to it.
#[derive(Debug, Clone)]
pub(super) struct TargetTls {
    config: Arc<Live<ClientConfig>>,
    expected: Expected,
}

/// Why a server was not reached.
#[derive(Debug)]
pub(super) enum TargetFailure {
    /// No connection.
    Absent(ConnectFailure),
    /// None through the proxy.
    Proxy(ProxyFailure),
    /// It answers, at this address, and TLS with it failed.
    Tls(String, TransportError),
}

impl fmt::Display for TargetFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TargetFailure::Absent(failure) => failure.fmt(f),
            TargetFailure::Proxy(failure) => failure.fmt(f),
            TargetFailure::Tls(peer, error) => write!(f, "no TLS with {peer}: {error}"),
        }
    }
}

impl TargetTls {
    /// With the certificates of a profile.
    pub(super) fn new(profile: Arc<Profile>, host: &str, verify_hostname: bool) -> Result<TargetTls, TlsError> {
        let expected = Expected::host(host, verify_hostname)?;
        Ok(TargetTls { config: Live::client(profile, verify_hostname)?, expected })
    }

    pub(super) fn profile(&self) -> &Profile {
        self.config.profile()
    }
}

impl Target {
    /// Connects, with TLS where it is wanted; answers the address reached. `alpn`: what the server is asked to speak in TLS.
    pub(super) async fn connect(&self, alpn: Option<&[u8]>) -> Result<(Transport, String), TargetFailure> {
        let (stream, peer) = match &self.proxy {
            None => {
                let connected = connect(&self.host, self.port, CONNECT_LIMIT).await;
                let (stream, peer) = connected.map_err(TargetFailure::Absent)?;
                (stream, peer.to_string())
            }
            Some(proxy) => {
                let stream = proxy.connect(&self.host, self.port).await.map_err(TargetFailure::Proxy)?;
                (stream, host_port(&self.host, self.port))
            }
        };
        let Some(tls) = &self.tls else {
            return Ok((Transport::plain(stream), peer));
        };
        let mut config = tls.config.get();
        if let Some(alpn) = alpn.filter(|name| (1..=LONGEST_ALPN).contains(&name.len())) {
            Arc::make_mut(&mut config).alpn_protocols = vec![alpn.to_vec()];
        }
        let shaking = Transport::connect(stream, config, tls.expected.name.clone());
        let shaken = timeout(HANDSHAKE_LIMIT, shaking).await.unwrap_or_else(|_| {
            Err(TransportError::Lost("the other end did not finish the TLS handshake in time".to_owned()))
        });
        match shaken {
            Ok(transport) => Ok((transport, peer)),
            Err(error) => Err(TargetFailure::Tls(peer, error)),
        }
    }
}
