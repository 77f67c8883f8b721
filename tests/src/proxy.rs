//! An HTTP proxy that opens tunnels.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::peer::Server;
use crate::ports::free_port;

/// A proxy on 127.0.0.1 that answers `CONNECT`.
#[derive(Debug)]
pub struct Proxy {
    server: Server<()>,
    asked: Arc<AtomicUsize>,
    tunnels: Arc<AtomicUsize>,
}

impl Proxy {
    /// Starts one; with `authorization`, for those alone whose request has these words.
    #[must_use]
    pub fn start(authorization: Option<&'static str>) -> Self {
        let (asked, tunnels) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (all, opened) = (Arc::clone(&asked), Arc::clone(&tunnels));
        let server = Server::start(free_port(), move |client| {
            all.fetch_add(1, Ordering::SeqCst);
            serve(client, authorization, &opened)
        });
        Self { server, asked, tunnels }
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// How many connections were made to it.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// How many tunnels it opened.
    #[must_use]
    pub fn tunnels(&self) -> usize {
        self.tunnels.load(Ordering::SeqCst)
    }
}

fn serve(mut client: TcpStream, authorization: Option<&str>, tunnels: &AtomicUsize) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head);
    if !authorization.is_none_or(|words| head.contains(words)) {
        return client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    }
    let place = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()).unwrap_or_default();
    let Ok(server) = TcpStream::connect(place) else {
        return client.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n");
    };
    tunnels.fetch_add(1, Ordering::SeqCst);
    // In two pieces, as it may happen.
    client.write_all(b"HTTP/1.1 200 Connection esta")?;
    thread::yield_now();
    client.write_all(b"blished\r\nVia: test\r\n\r\n")?;
    let (from, to) = (server.try_clone()?, client.try_clone()?);
    let back = thread::spawn(move || pass_on(from, to));
    pass_on(client, server);
    let _ = back.join();
    Ok(())
}

/// Until one of them has enough.
fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
