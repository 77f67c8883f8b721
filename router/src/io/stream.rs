//! A transport as tokio's readers and writers take it, for the protocols that libraries speak.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::driver::Buffers;
use super::transport::{Taken, Transport, TransportError};

/// Read from the socket at once; what one TLS record brings fits in.
const READ_AT_ONCE: usize = 16 * 1024;

/// A connected socket, plain or in TLS.
///
/// Shutting down sends `close_notify` in TLS. TLS that the other end breaks off without one is an error of kind
/// `UnexpectedEof`, never the end of the stream.
pub(super) struct Stream {
    transport: Transport,
    buffers: Buffers,
}

impl Stream {
    pub(super) fn new(transport: Transport) -> Stream {
        // A plain socket reads into its caller's buffer.
        let wire = if transport.is_tls() { READ_AT_ONCE } else { 0 };
        Stream { transport, buffers: Buffers { wire: vec![0; wire].into_boxed_slice(), plain: Vec::new() } }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Stream { transport, buffers } = &mut *self;
        if let Some(socket) = transport.plain_socket() {
            return Pin::new(socket).poll_read(context, buffer);
        }
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            match transport.take(buffer.remaining(), buffers) {
                Ok(Taken::Bytes([])) => {}
                Ok(Taken::Bytes(bytes)) => {
                    buffer.put_slice(bytes);
                    return Poll::Ready(Ok(()));
                }
                Ok(Taken::Ended) => return Poll::Ready(Ok(())),
                Ok(Taken::Blocked) => ready!(transport.poll_readable(context))?,
                Err(error) => return Poll::Ready(Err(io_error(error))),
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if slices.iter().all(|slice| slice.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        let transport = &mut self.transport;
        loop {
            let taken = transport.write(slices).map_err(io_error)?;
            let flushed = transport.flush().map_err(io_error)?;
            if taken > 0 {
                return Poll::Ready(Ok(taken));
            }
            // A flush may have made room.
            if !flushed || !transport.is_tls() {
                ready!(transport.poll_writable(context))?;
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.transport.flush().map_err(io_error)? {
            ready!(self.transport.poll_writable(context))?;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.transport.end_writing();
        self.poll_flush(context)
    }
}

fn io_error(error: TransportError) -> io::Error {
    let kind = match &error {
        TransportError::Tls(_) => io::ErrorKind::InvalidData,
        TransportError::Lost(_) => io::ErrorKind::ConnectionReset,
        TransportError::BrokenOff => io::ErrorKind::UnexpectedEof,
    };
    io::Error::new(kind, error)
}
