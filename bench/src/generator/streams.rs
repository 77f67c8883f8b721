//! Bulk: streams that carry as much as they can, up, down or both ways.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};

use super::open::connect;
use super::phase::Phase;
use super::poll::{Interest, Poll};
use super::server::{Order, unless_full};
use super::{READ, WRITE};

/// Which way the bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// From client to server.
    Up,
    /// From server to client.
    Down,
    /// Both at once.
    Both,
}

impl Way {
    /// What the server is told.
    fn order(self) -> Order {
        match self {
            Self::Up => Order::Take,
            Self::Down => Order::Give,
            Self::Both => Order::Both,
        }
    }

    fn interest(self) -> Interest {
        match self {
            Self::Up => Interest::Write,
            Self::Down => Interest::Read,
            Self::Both => Interest::Both,
        }
    }
}

/// Streams that are open.
#[derive(Debug)]
pub(crate) struct Streams {
    streams: Vec<TcpStream>,
    way: Way,
}

impl Streams {
    /// Opens `count` of them.
    pub(crate) fn open(port: u16, count: usize, way: Way) -> io::Result<Self> {
        let streams = (0..count).map(|_| {
            let stream = connect(port, way.order())?;
            stream.set_nonblocking(true)?;
            Ok(stream)
        });
        Ok(Self { streams: streams.collect::<io::Result<_>>()?, way })
    }

    /// Moves bytes until the phase is over; adds those that come down to `received`. A stream that ends is an error.
    pub(crate) fn run(mut self, phase: &Phase, received: &AtomicU64) -> io::Result<()> {
        let mut poll = Poll::new()?;
        for (number, stream) in (0..).zip(&self.streams) {
            poll.add(stream, number, self.way.interest())?;
        }
        let mut buffer = vec![7; READ.max(WRITE)];
        while !phase.is_over() {
            for ready in poll.wait()? {
                let Some(stream) = usize::try_from(ready.number).ok().and_then(|at| self.streams.get_mut(at)) else {
                    continue;
                };
                if ready.write && self.way != Way::Down {
                    unless_full(stream.write(&buffer[..WRITE]))?;
                }
                if ready.read && self.way != Way::Up {
                    match stream.read(&mut buffer) {
                        Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                        Ok(count) => received.fetch_add(count as u64, Ordering::Relaxed),
                        Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                        Err(error) => return Err(error),
                    };
                }
            }
        }
        Ok(())
    }
}
