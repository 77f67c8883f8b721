//! The server at the far end: one thread, which does with each connection what its first byte says.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use moorline_tests::ports::free_port;
use socket2::{Domain, Socket, Type};

use super::poll::{Interest, Poll, Ready};
use super::{READ, WRITE};

/// The listener among the numbers of the sockets.
const LISTENER: u64 = 0;
const BACKLOG: i32 = 4096;

/// What the server is to do, the first byte of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Order {
    /// Send everything back, this byte too.
    Echo = b'E',
    /// Count what comes.
    Take = b'T',
    /// Send without end.
    Give = b'G',
    /// Count and send.
    Both = b'B',
    /// Read no more.
    Stall = b'S',
}

impl Order {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Echo, Self::Take, Self::Give, Self::Both, Self::Stall].into_iter().find(|order| *order as u8 == byte)
    }

    fn gives(self) -> bool {
        matches!(self, Self::Give | Self::Both)
    }
}

/// The server, until dropped.
#[derive(Debug)]
pub(crate) struct Server {
    port: u16,
    received: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start() -> io::Result<Self> {
        let port = free_port();
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        let (received, stop) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let mut service = Service {
            listener: socket.into(),
            poll: Poll::new()?,
            connections: HashMap::new(),
            next: LISTENER + 1,
            received: Arc::clone(&received),
            buffer: vec![7; READ.max(WRITE)],
        };
        service.poll.add(&service.listener, LISTENER, Interest::Read)?;
        let stopped = Arc::clone(&stop);
        let serve = move || {
            while !stopped.load(Ordering::Relaxed) {
                if let Err(error) = service.turn() {
                    eprintln!("the server of the load: {error}");
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("server".to_owned()).spawn(serve)?;
        Ok(Self { port, received, stop, thread: Some(thread) })
    }

    /// Its port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The bytes that it counted so far.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Connection {
    stream: TcpStream,
    order: Option<Order>,
    /// Of an echo, what there was no room for.
    unsent: Vec<u8>,
}

struct Service {
    listener: TcpListener,
    poll: Poll,
    connections: HashMap<u64, Connection>,
    next: u64,
    received: Arc<AtomicU64>,
    buffer: Vec<u8>,
}

impl Service {
    fn turn(&mut self) -> io::Result<()> {
        let ready: Vec<Ready> = self.poll.wait()?.collect();
        for ready in ready {
            if ready.number == LISTENER {
                self.accept()?;
            } else if self.serve(ready).is_err() {
                self.connections.remove(&ready.number);
            }
        }
        Ok(())
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            self.poll.add(&stream, self.next, Interest::Read)?;
            self.connections.insert(self.next, Connection { stream, order: None, unsent: Vec::new() });
            self.next += 1;
        }
    }

    /// One read and one write at most, so that all connections have their turn. An error is the connection's end.
    fn serve(&mut self, ready: Ready) -> io::Result<()> {
        let Some(connection) = self.connections.get_mut(&ready.number) else { return Ok(()) };
        let stream = &mut connection.stream;
        if ready.write && !connection.unsent.is_empty() {
            let sent = unless_full(stream.write(&connection.unsent))?;
            connection.unsent.drain(..sent);
            if connection.unsent.is_empty() {
                self.poll.change(&*stream, ready.number, Interest::Read)?;
            }
            return Ok(());
        }
        if ready.write && connection.order.is_some_and(Order::gives) {
            unless_full(stream.write(&self.buffer[..WRITE]))?;
        }
        if !ready.read {
            return Ok(());
        }
        let count = match stream.read(&mut self.buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        if connection.order.is_none() {
            let order = Order::from_byte(self.buffer[0]).ok_or(ErrorKind::InvalidData)?;
            connection.order = Some(order);
            if order.gives() {
                self.poll.change(&*stream, ready.number, Interest::Both)?;
            }
        }
        match connection.order {
            Some(Order::Echo) => {
                let sent = unless_full(stream.write(&self.buffer[..count]))?;
                if sent < count {
                    connection.unsent.extend_from_slice(&self.buffer[sent..count]);
                    self.poll.change(&*stream, ready.number, Interest::Write)?;
                }
            }
            Some(Order::Stall) => self.poll.forget(&*stream)?,
            _ => {
                self.received.fetch_add(count as u64, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

/// Nothing was written where there is no room.
pub(crate) fn unless_full(written: io::Result<usize>) -> io::Result<usize> {
    match written {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        written => written,
    }
}
