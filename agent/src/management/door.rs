//! The ways to a router's management node.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use moorline_amqp::Sasl;
use moorline_bundle::files;
use moorline_router::io::tls::TlsIdentity;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{IpAddr, ServerName};

const LARGEST_PEM: u64 = 256 * 1024;

/// Where a router takes management.
pub(crate) enum Door {
    /// A socket that lets in its owner and root.
    Socket(PathBuf),
    /// A port of 127.0.0.1 that lets in who has a certificate: the one in the directory `identity`, which is also the
    /// router's own.
    Port { port: u16, identity: PathBuf },
    /// A port of this host that lets in whoever is on it.
    Plain { port: u16 },
}

/// What a management connection runs over.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

impl Door {
    pub(super) async fn open(&self) -> anyhow::Result<Box<dyn Stream>> {
        let (port, identity) = match self {
            Door::Socket(path) => return Ok(Box::new(UnixStream::connect(path).await?)),
            Door::Port { port, identity } => (*port, identity),
            Door::Plain { port } => {
                let stream = match TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).await {
                    Ok(stream) => stream,
                    // What was told to listen on localhost may do so there alone.
                    Err(_) => TcpStream::connect((Ipv6Addr::LOCALHOST, *port)).await?,
                };
                return Ok(Box::new(stream));
            }
        };
        let read = |file: &str| files::read_bounded(&identity.join(file), LARGEST_PEM);
        let (certificate, key) = (read("tls.crt")?, read("tls.key")?);
        // Whoever else has the port has another certificate, and is told nothing.
        let identity = TlsIdentity::from_pem("management", &certificate, Some((&certificate, &key)))?;
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        let name = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST.into()));
        Ok(Box::new(TlsConnector::from(identity.client(false)?).connect(name, stream).await?))
    }

    pub(super) fn sasl(&self) -> Sasl {
        match self {
            Door::Socket(_) | Door::Plain { .. } => Sasl::None,
            Door::Port { .. } => Sasl::External,
        }
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Door::Socket(path) => write!(f, "{}", path.display()),
            Door::Port { port, .. } | Door::Plain { port } => write!(f, "127.0.0.1:{port}"),
        }
    }
}
