//! Accepting from several sockets, and living through a lack of files.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// Wait after an error that the next accept would meet again.
const PAUSE: Duration = Duration::from_millis(200);
const EMFILE: i32 = 24;
const ENFILE: i32 = 23;

/// The sockets of one listener.
pub(in crate::io) struct Sockets {
    name: String,
    sockets: Vec<TcpListener>,
    short_of_files: bool,
}

impl Sockets {
    pub(in crate::io) fn new(name: &str, opened: Vec<std::net::TcpListener>) -> io::Result<Sockets> {
        Ok(Sockets {
            name: name.to_owned(),
            sockets: opened.into_iter().map(TcpListener::from_std).collect::<io::Result<_>>()?,
            short_of_files: false,
        })
    }

    /// Where clients can connect.
    pub(in crate::io) fn addresses(&self) -> Vec<SocketAddr> {
        let addresses = self.sockets.iter();
        addresses.filter_map(|s| s.local_addr().ok()).collect()
    }

    /// The next client. Errors are waited out here: a listener never ends by itself.
    pub(in crate::io) async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            let accepted = poll_fn(|context| {
                for socket in &self.sockets {
                    if let Poll::Ready(accepted) = socket.poll_accept(context) {
                        return Poll::Ready(accepted);
                    }
                }
                Poll::Pending
            })
            .await;
            match accepted {
                Ok(accepted) => {
                    self.short_of_files = false;
                    return accepted;
                }
                Err(error) => self.wait_out(&error).await,
            }
        }
    }

    /// A client that the kernel has taken already. For the last look before the sockets close, which would reset it.
    pub(super) fn accept_waiting(&self) -> Option<(TcpStream, SocketAddr)> {
        self.sockets.iter().find_map(|socket| {
            let (stream, peer) = SockRef::from(socket).accept().ok()?;
            stream.set_nonblocking(true).ok()?;
            Some((TcpStream::from_std(stream.into()).ok()?, peer.as_socket()?))
        })
    }

    async fn wait_out(&mut self, error: &io::Error) {
        let listener = &self.name;
        match error.raw_os_error() {
            Some(EMFILE | ENFILE) => {
                if !self.short_of_files {
                    self.short_of_files = true;
                    tracing::warn!(%listener, "no file descriptor left, clients wait; raise the limit of open files (LimitNOFILE)");
                }
                sleep(PAUSE).await;
            }
            // The client gave up before we came.
            _ if error.kind() == io::ErrorKind::ConnectionAborted => {}
            _ => {
                tracing::debug!(%listener, %error, "accept failed");
                sleep(PAUSE).await;
            }
        }
    }
}
