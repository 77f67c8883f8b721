//! The byte stream under AMQP: TCP, or TLS on TCP. Never blocks; reads and writes in large pieces.

use std::io::{self, BufRead, IoSlice, Write};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};
use rustls_pki_types::ServerName;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::socket;
use super::tls::{Refusal, refusal_words};

/// Encrypted bytes that may wait for the socket.
const PENDING_LIMIT: usize = 256 * 1024;
/// A handshake reads at most this much at once.
const HANDSHAKE_READ: usize = 16 * 1024;
/// How long a refused end may take to read the alert.
const ALERT_LIMIT: Duration = Duration::from_millis(500);

/// Why a transport is at its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum TransportError {
    /// The certificates or protocols do not fit.
    #[error("{0}")]
    Tls(String),
    /// The other end went away.
    #[error("{0}")]
    Lost(String),
}

impl TransportError {
    fn lost(error: &io::Error) -> TransportError {
        TransportError::Lost(socket::words(error))
    }
}

/// The outcome of one read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// So many bytes were read from the socket.
    Bytes(usize),
    /// Nothing is there.
    Blocked,
    /// The other end sends no more.
    Ended,
}

/// A connected transport.
pub(super) struct Transport {
    stream: TcpStream,
    tls: Option<Tls>,
    /// What came behind the handshake, for the first read.
    early: Vec<u8>,
}

struct Tls {
    session: Box<Connection>,
    refusal: Refusal,
}

impl Transport {
    pub(super) fn plain(stream: TcpStream) -> Transport {
        Transport { stream, tls: None, early: Vec::new() }
    }

    /// TLS as the client; ends with the handshake. The caller sets the time limit.
    pub(super) async fn connect(
        stream: TcpStream,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> Result<Transport, TransportError> {
        let session = ClientConnection::new(config, name)
            .map_err(|error| TransportError::Tls(refusal_words(&error, Refusal::OfServer)))?;
        Transport::shake_hands(stream, Connection::Client(session), Refusal::OfServer).await
    }

    /// TLS as the server; ends with the handshake. The caller sets the time limit.
    pub(super) async fn accept(stream: TcpStream, config: Arc<ServerConfig>) -> Result<Transport, TransportError> {
        let session = ServerConnection::new(config)
            .map_err(|error| TransportError::Tls(refusal_words(&error, Refusal::OfClient)))?;
        Transport::shake_hands(stream, Connection::Server(session), Refusal::OfClient).await
    }

    /// A refused end learns why only if the alert is not followed by a reset, which unread bytes would cause.
    async fn let_alert_arrive(stream: &TcpStream, wire: &mut [u8]) {
        if socket::shut_down_writing(stream).is_err() {
            return;
        }
        let until_ended = async {
            while stream.readable().await.is_ok() {
                match socket::read(stream, wire) {
                    Ok(n) if n > 0 => {}
                    Err(error) if is_transient(&error) => {}
                    _ => break,
                }
            }
        };
        // A client that stays silent is not waited for.
        let _ = timeout(ALERT_LIMIT, until_ended).await;
    }

    async fn shake_hands(
        stream: TcpStream,
        mut session: Connection,
        refusal: Refusal,
    ) -> Result<Transport, TransportError> {
        session.set_buffer_limit(Some(PENDING_LIMIT));
        let mut tls = Tls { session: Box::new(session), refusal };
        let mut wire = vec![0; HANDSHAKE_READ];
        let mut early = Vec::new();
        loop {
            let flushed = tls.flush(&stream)?;
            if !tls.session.is_handshaking() {
                break;
            }
            let mut interest = Interest::READABLE;
            if !flushed {
                interest |= Interest::WRITABLE;
            }
            stream.ready(interest).await.map_err(|error| TransportError::lost(&error))?;
            match socket::read(&stream, &mut wire) {
                Ok(0) => {
                    let words = "the other end closed the connection during the TLS handshake";
                    return Err(TransportError::Lost(words.to_owned()));
                }
                Ok(n) => {
                    let decrypted = tls.decrypt(&stream, &wire[..n], &mut early);
                    if let Err(error) = decrypted {
                        Transport::let_alert_arrive(&stream, &mut wire).await;
                        return Err(error);
                    }
                }
                Err(error) if is_transient(&error) => {}
                Err(error) => return Err(TransportError::lost(&error)),
            }
        }
        Ok(Transport { stream, tls: Some(tls), early })
    }

    /// Whether the other end proved who it is with a certificate.
    pub(super) fn peer_has_certificate(&self) -> bool {
        let certificates = self.tls.as_ref().and_then(|tls| tls.session.peer_certificates());
        certificates.is_some_and(|chain| !chain.is_empty())
    }

    /// One system call; what it brings, decrypted, goes to the end of `plain`. `wire` is scratch space.
    pub(super) fn read(&mut self, wire: &mut [u8], plain: &mut Vec<u8>) -> Result<Read, TransportError> {
        if !self.early.is_empty() {
            let early = std::mem::take(&mut self.early);
            plain.extend_from_slice(&early);
            return Ok(Read::Bytes(early.len()));
        }
        let n = match socket::read(&self.stream, wire) {
            Ok(0) => return Ok(Read::Ended),
            Ok(n) => n,
            Err(error) if is_transient(&error) => return Ok(Read::Blocked),
            Err(error) => return Err(TransportError::lost(&error)),
        };
        match &mut self.tls {
            None => plain.extend_from_slice(&wire[..n]),
            Some(tls) => {
                tls.decrypt(&self.stream, &wire[..n], plain)?;
                if tls.closed()? {
                    return Ok(Read::Ended);
                }
            }
        }
        Ok(Read::Bytes(n))
    }

    /// Takes as much of `bytes` as there is room for; 0: wait for the socket.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<usize, TransportError> {
        match &mut self.tls {
            None => match socket::write(&self.stream, &[IoSlice::new(bytes)]) {
                Ok(n) => Ok(n),
                Err(error) if is_transient(&error) => Ok(0),
                Err(error) => Err(TransportError::lost(&error)),
            },
            Some(tls) => tls.session.writer().write(bytes).map_err(|error| TransportError::lost(&error)),
        }
    }

    /// Sends what [`Transport::write`] took. True: all of it.
    pub(super) fn flush(&mut self) -> Result<bool, TransportError> {
        match &mut self.tls {
            None => Ok(true),
            Some(tls) => tls.flush(&self.stream),
        }
    }

    /// Says that we send no more; flush afterwards.
    pub(super) fn close_notify(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.session.send_close_notify();
        }
    }

    /// Sends the end of the stream under TLS.
    pub(super) fn shut_down_writing(&self) {
        // Fails only when the other end is gone, which is what was wanted.
        let _ = socket::shut_down_writing(&self.stream);
    }

    /// Waits until the socket is ready.
    pub(super) async fn ready(&self, interest: Interest) -> Result<(), TransportError> {
        let ready = self.stream.ready(interest).await.map_err(|error| TransportError::lost(&error))?;
        // With a wish to read the read finds the error, behind the bytes that came before it.
        if ready.is_error() && !interest.is_readable() {
            return Err(TransportError::lost(&socket::pending_error(&self.stream)));
        }
        Ok(())
    }
}

impl Tls {
    fn decrypt(&mut self, stream: &TcpStream, mut wire: &[u8], plain: &mut Vec<u8>) -> Result<(), TransportError> {
        while !wire.is_empty() {
            let taken = self.session.read_tls(&mut wire).map_err(|error| TransportError::lost(&error))?;
            if let Err(error) = self.session.process_new_packets() {
                // The alert tells the other end why; whether it arrives does not matter.
                let _ = self.flush(stream);
                return Err(TransportError::Tls(refusal_words(&error, self.refusal)));
            }
            self.collect(plain);
            if taken == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Moves decrypted bytes out, so that the session always has room for the next record.
    fn collect(&mut self, plain: &mut Vec<u8>) {
        let mut reader = self.session.reader();
        // `WouldBlock` is the usual end; an end of the stream shows as an empty chunk.
        while let Ok(chunk) = reader.fill_buf() {
            if chunk.is_empty() {
                break;
            }
            plain.extend_from_slice(chunk);
            let n = chunk.len();
            reader.consume(n);
        }
    }

    /// Whether the other end said `close_notify`.
    fn closed(&mut self) -> Result<bool, TransportError> {
        let state = self
            .session
            .process_new_packets()
            .map_err(|error| TransportError::Tls(refusal_words(&error, self.refusal)))?;
        Ok(state.peer_has_closed())
    }

    fn flush(&mut self, stream: &TcpStream) -> Result<bool, TransportError> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut SocketWriter(stream)) {
                Ok(_) => {}
                Err(error) if is_transient(&error) => return Ok(false),
                Err(error) => return Err(TransportError::lost(&error)),
            }
        }
        Ok(true)
    }
}

/// Lets the session write many records with one system call.
struct SocketWriter<'a>(&'a TcpStream);

impl Write for SocketWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        socket::write(self.0, &[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        socket::write(self.0, slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
