//! A byte stream as hyper wants it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use hyper::rt::{Executor, Read, ReadBufCursor, Write};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection::HttpConnection;
use super::record::Bridge;
use crate::io::driver::Driver;
use crate::io::stream::Stream;
use crate::io::transport::Transport;

/// Requests on one HTTP/2 connection: as many as most servers take at once.
pub(super) const MOST_STREAMS: u32 = 100;
/// Octets of one HTTP/2 stream that may wait here. The window of a connection has room for all of its streams, so that
/// one that nobody reads holds no other up.
pub(super) const STREAM_WINDOW: u32 = 256 * 1024;

/// One connection of a bridge, counted while it is open. It reads into the thread's scratch space, so that an idle one
/// owns no buffer of ours.
pub(super) struct HttpSocket {
    stream: Stream,
    driver: Rc<Driver>,
    pub(super) connection: Rc<HttpConnection>,
}

impl HttpSocket {
    pub(super) fn new(transport: Transport, peer: String, driver: &Rc<Driver>, bridge: &Rc<Bridge>) -> HttpSocket {
        let connection = HttpConnection::open(driver, bridge, &transport, peer);
        HttpSocket { stream: Stream::new(transport), driver: Rc::clone(driver), connection }
    }

    fn written(&self, n: usize) -> usize {
        self.connection.count_out(n);
        self.driver.totals.count_out(n);
        n
    }
}

impl Drop for HttpSocket {
    fn drop(&mut self) {
        self.connection.close(&self.driver);
    }
}

impl Read for HttpSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.connection.poll_uncut(context)?;
        let read = this.driver.scratch(|wire| {
            let room = cursor.remaining().min(wire.len());
            let mut buffer = ReadBuf::new(wire.get_mut(..room).unwrap_or_default());
            let read = Pin::new(&mut this.stream).poll_read(context, &mut buffer);
            cursor.put_slice(buffer.filled());
            read.map_ok(|()| buffer.filled().len())
        });
        let n = ready!(read)?;
        self.connection.count_in(n);
        self.driver.totals.count_in(n);
        Poll::Ready(Ok(()))
    }
}

impl Write for HttpSocket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.connection.poll_uncut(context)?;
        let n = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        Poll::Ready(Ok(self.written(n)))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.connection.poll_uncut(context)?;
        let n = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, slices))?;
        Poll::Ready(Ok(self.written(n)))
    }
}

/// Starts hyper's own tasks on the router thread.
#[derive(Clone)]
pub(super) struct Tasks(pub(super) Rc<Driver>);

impl<F: Future<Output = ()> + 'static> Executor<F> for Tasks {
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}
