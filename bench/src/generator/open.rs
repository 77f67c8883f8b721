//! Connections that are open, and stay so.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::server::Order;

/// How long a connection may take before it has failed.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many connections are opened at once.
const OPENERS: usize = 8;
/// Of those that are to stay open, how many may fail.
const FAILURES: usize = 20;

/// Connects to a port of this machine and says what the server is to do. It blocks, and waits no longer than it must.
pub(crate) fn connect(port: u16, order: Order) -> io::Result<TcpStream> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(&[order as u8])?;
    Ok(stream)
}

/// The same, and one byte has come back: it is open to the very end.
pub(crate) fn connect_through(port: u16) -> io::Result<TcpStream> {
    let mut stream = connect(port, Order::Echo)?;
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    if byte == [Order::Echo as u8] { Ok(stream) } else { Err(ErrorKind::InvalidData.into()) }
}

/// Whether PostgreSQL answers at a port: asked for TLS, it says in one byte whether it has it.
pub(crate) fn ask_postgres(port: u16) -> io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47])?;
    stream.read_exact(&mut [0])
}

/// Opens `count` connections, eight at a time. One that fails is tried again; answers how often that was. A chain that
/// fails all the time is an error.
pub(crate) fn open(port: u16, count: usize) -> io::Result<(Vec<TcpStream>, usize)> {
    let (next, failed, opened) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(Vec::with_capacity(count)));
    thread::scope(|scope| {
        let open_some = || {
            while next.fetch_add(1, Ordering::Relaxed) < count {
                let stream = loop {
                    match connect_through(port) {
                        Ok(stream) => break stream,
                        Err(error) if failed.fetch_add(1, Ordering::Relaxed) > FAILURES => {
                            return Err(io::Error::new(error.kind(), format!("a connection of {count}: {error}")));
                        }
                        Err(_) => {}
                    }
                };
                opened.lock().expect("what was opened").push(stream);
            }
            Ok(())
        };
        let openers: Vec<_> = (0..OPENERS).map(|_| scope.spawn(open_some)).collect();
        openers.into_iter().try_for_each(|opener| opener.join().expect("an opener"))
    })?;
    Ok((opened.into_inner().expect("what was opened"), failed.into_inner()))
}
