//! What must be true of a TCP connection that crosses a network, whatever routers carry it.
//!
//! Each scenario brings its own server on `target`; `entry` is the port that leads there.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;

use crate::payload::{self, Sum};
use crate::peer::{Server, connect, connect_when_open, echo_server, is_reset, read_exactly, reset, wait_until_dead};

/// Where a connection enters a network, and where it comes out.
#[derive(Debug, Clone, Copy)]
pub struct Ends {
    /// The port for clients.
    pub entry: u16,
    /// The port for the server.
    pub target: u16,
}

/// A scenario.
pub type Scenario = fn(Ends) -> io::Result<()>;

/// All that are quick, by name.
pub const QUICK: &[(&str, Scenario)] = &[
    ("greeting", server_speaks_first),
    ("echo", echo),
    ("half close by client", half_close_by_client),
    ("half close by server", half_close_by_server),
    ("reset by client", reset_by_client),
    ("reset by server", reset_by_server),
    ("client gone in mid-stream", client_gone_in_mid_stream),
    ("server gone in mid-stream", server_gone_in_mid_stream),
    ("refused target", refused_target),
];

/// The server greets before the client says a word.
pub fn server_speaks_first(ends: Ends) -> io::Result<()> {
    let server = Server::start(ends.target, |mut stream| {
        stream.write_all(b"220 welcome\r\n")?;
        read_exactly(&mut stream, 6)
    });
    let mut client = connect_when_open(ends.entry);
    assert_eq!(read_exactly(&mut client, 13)?, b"220 welcome\r\n");
    client.write_all(b"QUIT\r\n")?;
    assert_eq!(server.result()?, b"QUIT\r\n");
    expect_end(&mut client)
}

/// What a client says comes back, in one small and one large piece.
pub fn echo(ends: Ends) -> io::Result<()> {
    let server = echo_server(ends.target);
    let mut client = connect_when_open(ends.entry);
    for length in [1, 300_000] {
        let sent = payload::bytes(length as u64, length);
        let writing = write_aside(&client, sent.clone())?;
        assert_eq!(payload::digest_of(&read_exactly(&mut client, length)?), payload::digest_of(&sent));
        writing.join().expect("the writer")?;
    }
    client.shutdown(Shutdown::Write)?;
    expect_end(&mut client)?;
    assert_eq!(server.result()?, 300_001);
    Ok(())
}

/// The client ends its direction; the server answers afterwards at length.
pub fn half_close_by_client(ends: Ends) -> io::Result<()> {
    let server = Server::start(ends.target, |mut stream| {
        let question = payload::receive(&mut stream)?;
        let answer = payload::send(&mut stream, 2, 700_000)?;
        Ok((question, answer))
    });
    let mut client = connect_when_open(ends.entry);
    let question = payload::send(&mut client, 1, 50_000)?;
    client.shutdown(Shutdown::Write)?;
    let answer = payload::receive(&mut client)?;
    assert_eq!(server.result()?, (question, answer));
    Ok(())
}

/// The server ends its direction; the client goes on at length.
pub fn half_close_by_server(ends: Ends) -> io::Result<()> {
    let server = Server::start(ends.target, |mut stream| {
        let greeting = payload::send(&mut stream, 3, 50_000)?;
        stream.shutdown(Shutdown::Write)?;
        let rest = payload::receive(&mut stream)?;
        Ok((greeting, rest))
    });
    let mut client = connect_when_open(ends.entry);
    let greeting = payload::receive(&mut client)?;
    let rest = payload::send(&mut client, 4, 700_000)?;
    client.shutdown(Shutdown::Write)?;
    assert_eq!(server.result()?, (greeting, rest));
    Ok(())
}

/// The client crashes; the server's connection ends in both directions.
pub fn reset_by_client(ends: Ends) -> io::Result<()> {
    let server = Server::start(ends.target, |mut stream| {
        stream.write_all(b"ready")?;
        wait_until_dead(&mut stream)
    });
    let mut client = connect_when_open(ends.entry);
    read_exactly(&mut client, 5)?;
    reset(client);
    server.result()
}

/// The server crashes; the client's connection ends in both directions.
pub fn reset_by_server(ends: Ends) -> io::Result<()> {
    let server = Server::start(ends.target, |mut stream| {
        read_exactly(&mut stream, 5)?;
        reset(stream);
        Ok(())
    });
    let mut client = connect_when_open(ends.entry);
    client.write_all(b"hello")?;
    server.result()?;
    wait_until_dead(&mut client)
}

/// The client crashes while the server sends at full speed: the server's connection ends.
pub fn client_gone_in_mid_stream(ends: Ends) -> io::Result<()> {
    let server = Server::start(ends.target, |mut stream| Ok(send_until_dead(&mut stream)));
    let mut client = connect_when_open(ends.entry);
    payload::receive_at_most(&mut client, 3 << 20)?;
    reset(client);
    let error = server.result()?;
    if is_reset(&error) { Ok(()) } else { Err(error) }
}

/// The server crashes while the client sends at full speed: the client's connection ends.
pub fn server_gone_in_mid_stream(ends: Ends) -> io::Result<()> {
    let server = Server::start(ends.target, |mut stream| {
        payload::receive_at_most(&mut stream, 3 << 20)?;
        reset(stream);
        Ok(())
    });
    let mut client = connect_when_open(ends.entry);
    let error = send_until_dead(&mut client);
    server.result()?;
    if is_reset(&error) { Ok(()) } else { Err(error) }
}

/// Writes as fast as it can, for as long as somebody takes it; answers why not any more.
fn send_until_dead(stream: &mut TcpStream) -> io::Error {
    payload::send(stream, 9, u64::MAX).err().unwrap_or_else(|| io::Error::other("everything was taken"))
}

/// Nobody listens at the target: the client's connection ends, without a byte.
pub fn refused_target(ends: Ends) -> io::Result<()> {
    let mut client = connect_when_open(ends.entry);
    expect_end(&mut client)
}

/// `length` bytes from client to server, then as many back.
pub fn bulk(ends: Ends, length: u64) -> io::Result<()> {
    let server = Server::start(ends.target, move |mut stream| {
        let received = payload::receive_at_most(&mut stream, length)?;
        let sent = payload::send(&mut stream, 6, length)?;
        Ok((received, sent))
    });
    let mut client = connect_when_open(ends.entry);
    let sent = payload::send(&mut client, 5, length)?;
    let received = payload::receive(&mut client)?;
    assert_eq!(received.length, length, "bytes to the client");
    assert_eq!(server.result()?, (sent, received));
    Ok(())
}

/// `length` bytes each way at the same time.
pub fn bulk_both_ways(ends: Ends, length: u64) -> io::Result<()> {
    let server = Server::start(ends.target, move |mut stream| exchange(&mut stream, 8, length));
    let mut client = connect_when_open(ends.entry);
    let (sent, received) = exchange(&mut client, 7, length)?;
    let (returned, arrived) = server.result()?;
    assert_eq!((sent, received), (arrived, returned));
    Ok(())
}

fn exchange(stream: &mut TcpStream, seed: u64, length: u64) -> io::Result<(Sum, Sum)> {
    let mut writer = stream.try_clone()?;
    let sending = thread::spawn(move || {
        let sum = payload::send(&mut writer, seed, length)?;
        writer.shutdown(Shutdown::Write)?;
        Ok::<_, io::Error>(sum)
    });
    let received = payload::receive(stream)?;
    Ok((sending.join().expect("the sender")?, received))
}

/// `number` connections, all open before any of them sends its payload, none with another's bytes.
pub fn parallel(ends: Ends, number: usize) -> io::Result<()> {
    let _server = echo_server(ends.target);
    drop(connect_when_open(ends.entry));
    let mut clients = Vec::with_capacity(number);
    for _ in 0..number {
        clients.push(connect(ends.entry)?);
    }
    // One byte there and back on each: all are open to the very end at once.
    for (at, client) in clients.iter_mut().enumerate() {
        client.write_all(&[at as u8])?;
    }
    for (at, client) in clients.iter_mut().enumerate() {
        assert_eq!(read_exactly(client, 1)?, [at as u8], "connection {at}");
    }
    let talks: Vec<_> =
        clients.into_iter().enumerate().map(|(at, client)| thread::spawn(move || talk(at, client))).collect();
    for talk in talks {
        talk.join().expect("a client")?;
    }
    Ok(())
}

fn talk(at: usize, mut client: TcpStream) -> io::Result<()> {
    let sent = payload::bytes(at as u64, 20_000 + 97 * at);
    let writing = write_aside(&client, sent.clone())?;
    let received = read_exactly(&mut client, sent.len())?;
    writing.join().expect("the writer")?;
    assert!(received == sent, "connection {at} got other bytes than it sent");
    client.shutdown(Shutdown::Write)?;
    expect_end(&mut client)
}

/// Writes on a thread of its own, so that the caller can read meanwhile.
fn write_aside(stream: &TcpStream, bytes: Vec<u8>) -> io::Result<thread::JoinHandle<io::Result<()>>> {
    let mut writer = stream.try_clone()?;
    Ok(thread::spawn(move || writer.write_all(&bytes)))
}

/// The other end closes, and says nothing more.
fn expect_end(stream: &mut TcpStream) -> io::Result<()> {
    match stream.read(&mut [0; 16]) {
        Ok(0) => Ok(()),
        Ok(n) => panic!("{n} bytes that nobody sent"),
        Err(error) if is_reset(&error) => Ok(()),
        Err(error) => Err(error),
    }
}
