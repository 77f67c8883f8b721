//! The byte stream under AMQP and under services: TCP, or TLS on TCP. Never blocks; reads and writes in large pieces.

use std::io::{self, BufRead, IoSlice, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};
use rustls_pki_types::ServerName;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::driver::Buffers;
use super::socket;
use super::tls::{Refusal, refusal_words};
use crate::management::types::connection::Tls as EncryptionFacts;

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
    /// It ended the stream in the middle of TLS: what came may not be all.
    #[error("the peer broke off without ending TLS")]
    BrokenOff,
}

impl TransportError {
    pub(super) fn lost(error: &io::Error) -> TransportError {
        TransportError::Lost(socket::words(error))
    }
}

/// What one [`Transport::take`] brings.
#[derive(Debug)]
pub(super) enum Taken<'a> {
    /// Clear bytes; none when all that came was of TLS itself.
    Bytes(&'a [u8]),
    /// Nothing is there.
    Blocked,
    /// The other end sends no more, and said so.
    Ended,
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
    /// Decrypted, and not taken yet. Holds no memory while empty.
    ahead: Vec<u8>,
}

struct Tls {
    session: Box<Connection>,
    refusal: Refusal,
    /// Behind what waits the stream ends.
    ends: bool,
}

impl Transport {
    pub(super) fn plain(stream: TcpStream) -> Transport {
        Transport { stream, tls: None, ahead: Vec::new() }
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
        let mut tls = Tls { session: Box::new(session), refusal, ends: false };
        let mut wire = vec![0; HANDSHAKE_READ];
        let mut ahead = Vec::new();
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
                    let decrypted = tls.decrypt(&stream, &wire[..n], &mut ahead);
                    if let Err(error) = decrypted {
                        Transport::let_alert_arrive(&stream, &mut wire).await;
                        return Err(error);
                    }
                }
                Err(error) if is_transient(&error) => {}
                Err(error) => return Err(TransportError::lost(&error)),
            }
        }
        Ok(Transport { stream, tls: Some(tls), ahead })
    }

    /// Our own address; none once the socket is gone.
    pub(super) fn local_addr(&self) -> Option<SocketAddr> {
        self.stream.local_addr().ok()
    }

    /// Whether the other end proved who it is with a certificate.
    pub(super) fn peer_has_certificate(&self) -> bool {
        let certificates = self.tls.as_ref().and_then(|tls| tls.session.peer_certificates());
        certificates.is_some_and(|chain| !chain.is_empty())
    }

    /// The protocol that both ends agreed on for what is in TLS.
    pub(super) fn alpn(&self) -> Option<&[u8]> {
        self.tls.as_ref().and_then(|tls| tls.session.alpn_protocol())
    }

    /// At most `room` clear bytes, with one system call at most. Of a plain socket they are where the call put them.
    ///
    /// TLS that ends without `close_notify` was cut: an error.
    pub(super) fn take<'a>(&mut self, room: usize, buffers: &'a mut Buffers) -> Result<Taken<'a>, TransportError> {
        let Buffers { wire, plain } = buffers;
        let room = room.min(wire.len());
        let Some(tls) = &mut self.tls else {
            return match socket::read(&self.stream, &mut wire[..room]) {
                Ok(0) => Ok(Taken::Ended),
                Ok(n) => Ok(Taken::Bytes(&wire[..n])),
                Err(error) if is_transient(&error) => Ok(Taken::Blocked),
                Err(error) => Err(TransportError::lost(&error)),
            };
        };
        plain.clear();
        plain.extend_from_slice(&self.ahead);
        if plain.is_empty() {
            if tls.closed()? {
                return Ok(Taken::Ended);
            }
            match socket::read(&self.stream, &mut wire[..room]) {
                Ok(0) => return Err(TransportError::BrokenOff),
                Ok(n) => tls.decrypt(&self.stream, &wire[..n], plain)?,
                Err(error) if is_transient(&error) => return Ok(Taken::Blocked),
                Err(error) => return Err(TransportError::lost(&error)),
            }
        }
        // A record of which a part came before may bring more than was read now.
        let taken = room.min(plain.len());
        self.ahead = plain[taken..].to_vec();
        Ok(Taken::Bytes(&plain[..taken]))
    }

    /// How it is encrypted, in the words that OpenSSL has for it.
    pub(super) fn tls(&self) -> Option<EncryptionFacts> {
        let session = &self.tls.as_ref()?.session;
        let version = session.protocol_version().map(|version| format!("{version:?}")).unwrap_or_default();
        let suite = session.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite())).unwrap_or_default();
        Some(EncryptionFacts {
            protocol: version.replace('_', "."),
            strength: if suite.contains("AES_128") { 128 } else { 256 },
            cipher: suite.replace("TLS13_", "TLS_"),
        })
    }

    /// One system call; what it brings, decrypted, goes to the end of `plain`. `wire` is scratch space.
    pub(super) fn read(&mut self, wire: &mut [u8], plain: &mut Vec<u8>) -> Result<Read, TransportError> {
        if !self.ahead.is_empty() {
            let ahead = std::mem::take(&mut self.ahead);
            plain.extend_from_slice(&ahead);
            return Ok(Read::Bytes(ahead.len()));
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
    pub(super) fn write(&mut self, bytes: &[IoSlice<'_>]) -> Result<usize, TransportError> {
        match &mut self.tls {
            None => match socket::write(&self.stream, bytes) {
                Ok(n) => Ok(n),
                Err(error) if is_transient(&error) => Ok(0),
                Err(error) => Err(TransportError::lost(&error)),
            },
            Some(tls) => tls.session.writer().write_vectored(bytes).map_err(|error| TransportError::lost(&error)),
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
    pub(super) fn end_writing(&mut self) {
        match &mut self.tls {
            // Fails only on a socket that is gone, which the next read tells.
            None => drop(socket::shut_down_writing(&self.stream)),
            Some(tls) => {
                // A second one is none.
                tls.session.send_close_notify();
                tls.ends = true;
            }
        }
    }

    /// Makes the coming drop a reset.
    pub(super) fn reset_on_drop(&self) {
        socket::reset_on_drop(&self.stream);
    }

    pub(super) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The socket itself, where nothing is between it and its user.
    pub(super) fn plain_socket(&mut self) -> Option<&mut TcpStream> {
        if self.tls.is_some() { None } else { Some(&mut self.stream) }
    }

    pub(super) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_read_ready(context)
    }

    pub(super) fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_write_ready(context)
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
        if std::mem::take(&mut self.ends) {
            // Fails only on a socket that is gone, which the next read tells.
            let _ = socket::shut_down_writing(stream);
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

pub(super) fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
