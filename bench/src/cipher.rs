//! Which TLS the two hops of a chain agree on: read off the wire, where the answer to a greeting is in the clear.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use moorline_tests::ports::free_port;

use crate::competitor::{Competitor, Ports, Shape, Site};
use crate::generator::server::Server;

const PATIENCE: Duration = Duration::from_secs(30);
/// Where the cipher suite stands in a ServerHello, when the session's name before it is left out: record and handshake
/// headers, version, random number (RFC 8446, section 4.1.3).
const SESSION: usize = 5 + 4 + 2 + 32;

/// The cipher suite of a competitor's chain; `None` if it has no TLS.
pub(crate) fn in_use(competitor: &Competitor, site: &Site, server: &Server) -> Result<Option<String>> {
    let between = TcpListener::bind((Ipv4Addr::LOCALHOST, free_port()))?;
    let ports = Ports { connects: between.local_addr()?.port(), ..Ports::to(server.port()) };
    let Some(mut chain) = competitor.chain(site, Shape::Two, ports)? else { return Ok(None) };
    if chain.near_client.is_none() {
        return Ok(None);
    }
    chain.start();
    let (said, hellos) = mpsc::channel();
    // It ends with the process: connections keep coming for as long as the chain is there.
    thread::spawn(move || {
        for client in between.incoming().flatten() {
            let said = said.clone();
            // One that fails comes again.
            thread::spawn(move || relay(client, ports.listens, &said));
        }
    });
    chain.wait_until_it_serves(Duration::from_millis(20))?;
    let hello = hellos.recv_timeout(PATIENCE).context("no TLS between the hops")?;
    Ok(Some(suite(&hello).unwrap_or_else(|| "unknown".to_owned())))
}

/// Passes bytes on, and tells the first that the server says.
fn relay(client: TcpStream, port: u16, said: &mpsc::Sender<Vec<u8>>) -> io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let (mut from, mut to) = (server, client);
    let mut buffer = vec![0; 16 * 1024];
    let count = from.read(&mut buffer)?;
    if count == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    // Nobody may want to know any more.
    let _ = said.send(buffer[..count].to_vec());
    to.write_all(&buffer[..count])?;
    io::copy(&mut from, &mut to)?;
    to.shutdown(Shutdown::Write)
}

/// The name of the suite that a ServerHello has chosen; `None` if it is none.
fn suite(hello: &[u8]) -> Option<String> {
    if hello.first() != Some(&22) || hello.get(5) != Some(&2) {
        return None;
    }
    let at = SESSION + 1 + usize::from(*hello.get(SESSION)?);
    let number = u16::from_be_bytes([*hello.get(at)?, *hello.get(at + 1)?]);
    Some(match number {
        0x1301 => "TLS_AES_128_GCM_SHA256".to_owned(),
        0x1302 => "TLS_AES_256_GCM_SHA384".to_owned(),
        0x1303 => "TLS_CHACHA20_POLY1305_SHA256".to_owned(),
        other => format!("TLS suite {other:#06x}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(session: &[u8], suite: [u8; 2]) -> Vec<u8> {
        let head = [22, 3, 3, 0, 90, 2, 0, 0, 86, 3, 3];
        [&head[..], &[9; 32], &[session.len() as u8], session, &suite, &[0]].concat()
    }

    #[test]
    fn the_suite_is_read_whatever_the_session_is_called() {
        assert_eq!(suite(&hello(&[], [0x13, 1])).as_deref(), Some("TLS_AES_128_GCM_SHA256"));
        assert_eq!(suite(&hello(&[7; 32], [0x13, 2])).as_deref(), Some("TLS_AES_256_GCM_SHA384"));
        assert_eq!(suite(&hello(&[7; 32], [0xc0, 0x30])).as_deref(), Some("TLS suite 0xc030"));
    }

    #[test]
    fn what_is_no_hello_has_no_suite() {
        let whole = hello(&[7; 32], [0x13, 2]);
        for length in 0..whole.len() - 2 {
            assert_eq!(suite(&whole[..length]), None, "{length} bytes");
        }
        assert_eq!(suite(b"AMQP\x03\x01\x00\x00 and more that is no TLS at all, though long enough"), None);
    }
}
