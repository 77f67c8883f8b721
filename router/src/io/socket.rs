//! Non-blocking reads and writes of a TCP socket, one system call each.

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::Interest;
use tokio::net::TcpStream;

const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE_PROBES: u32 = 4;

/// Small messages leave at once, and a vanished peer is noticed within two minutes.
/// What a listening socket is told here is true of those that it accepts.
pub(super) fn tune(socket: SockRef<'_>) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    let keepalive =
        TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL).with_retries(KEEPALIVE_PROBES);
    socket.set_tcp_keepalive(&keepalive)
}

/// Reads what is there. A short read also clears the readiness, which saves the read that would only say `WouldBlock`.
pub(super) fn read(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    let mut short = None;
    let outcome = stream.try_io(Interest::READABLE, || {
        let n = (&*SockRef::from(stream)).read(buffer)?;
        if n > 0 && n < buffer.len() {
            short = Some(n);
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(n)
    });
    short.map_or(outcome, Ok)
}

/// Writes as much as fits. A short write also clears the readiness.
pub(super) fn write(stream: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    let length: usize = slices.iter().map(|slice| slice.len()).sum();
    let mut short = None;
    let outcome = stream.try_io(Interest::WRITABLE, || {
        let n = (&*SockRef::from(stream)).write_vectored(slices)?;
        if n < length {
            short = Some(n);
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(n)
    });
    short.map_or(outcome, Ok)
}

/// Tells the peer that no more comes.
pub(super) fn shut_down_writing(stream: &TcpStream) -> io::Result<()> {
    SockRef::from(stream).shutdown(Shutdown::Write)
}

/// Makes the coming drop a reset.
pub(super) fn reset_on_drop(stream: &TcpStream) {
    // A socket that refuses the option is dead already.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

/// The error that waits on a socket which reported one.
pub(super) fn pending_error(stream: &TcpStream) -> io::Error {
    match stream.take_error() {
        Ok(Some(error)) | Err(error) => error,
        Ok(None) => io::ErrorKind::ConnectionReset.into(),
    }
}

/// A socket error in words, about the connection with its peer.
pub(super) fn words(error: &io::Error) -> String {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable,
        TimedOut,
    };
    match error.kind() {
        ConnectionReset => "connection reset by peer".to_owned(),
        ConnectionAborted => "connection aborted".to_owned(),
        BrokenPipe => "the peer has closed the connection".to_owned(),
        ConnectionRefused => "connection refused".to_owned(),
        TimedOut => "the peer no longer answers".to_owned(),
        HostUnreachable => "no route to the host".to_owned(),
        NetworkUnreachable => "the network is unreachable".to_owned(),
        _ => error.to_string(),
    }
}
