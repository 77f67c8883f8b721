//! The servers and clients at both ends of a connection, on plain threads and blocking sockets.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::SockRef;

use crate::DEADLINE;
use crate::process::eventually;

const POLL: Duration = Duration::from_millis(5);
const STACK: usize = 256 * 1024;

/// A TCP server on 127.0.0.1 that handles each connection on a thread of its own, until dropped.
#[derive(Debug)]
pub struct Server<T> {
    port: u16,
    results: Receiver<io::Result<T>>,
    stop: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Server<T> {
    /// Listens on `port`; `handle` makes a result of each connection.
    pub fn start(port: u16, handle: impl Fn(TcpStream) -> io::Result<T> + Send + Sync + 'static) -> Self {
        // The one before may be held a moment longer, by a program that another test has forked and not yet executed.
        let listener = eventually("a port of ours", || TcpListener::bind(("127.0.0.1", port)).ok());
        listener.set_nonblocking(true).expect("a listener that does not block");
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, results) = mpsc::channel();
        let (stopped, handle) = (Arc::clone(&stop), Arc::new(handle));
        let accepting = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let Ok((stream, _)) = listener.accept() else {
                    thread::sleep(POLL);
                    continue;
                };
                let (sender, handle) = (sender.clone(), Arc::clone(&handle));
                let serve = move || {
                    let result = patient(stream).and_then(|stream| handle(stream));
                    let _ = sender.send(result);
                };
                thread::Builder::new().stack_size(STACK).spawn(serve).expect("a thread");
            }
        });
        Self { port, results, stop, accepting: Some(accepting) }
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The result of the next connection that ended.
    pub fn result(&self) -> io::Result<T> {
        self.results.recv_timeout(DEADLINE).expect("no connection to the server ended")
    }

    /// The result of a connection that ended already.
    #[must_use]
    pub fn result_now(&self) -> Option<io::Result<T>> {
        self.results.try_recv().ok()
    }
}

impl<T> Drop for Server<T> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

/// A server that sends back what it gets.
#[must_use]
pub fn echo_server(port: u16) -> Server<u64> {
    Server::start(port, |mut stream| {
        let mut buffer = [0; 16 * 1024];
        let mut total = 0;
        loop {
            match stream.read(&mut buffer)? {
                0 => return Ok(total),
                n => {
                    stream.write_all(&buffer[..n])?;
                    total += n as u64;
                }
            }
        }
    })
}

/// A server that says `name` at once, then sends back what it gets.
#[must_use]
pub fn named_server(port: u16, name: &'static str) -> Server<()> {
    Server::start(port, move |mut stream| {
        stream.write_all(name.as_bytes())?;
        let mut buffer = [0; 4096];
        loop {
            match stream.read(&mut buffer)? {
                0 => return Ok(()),
                n => stream.write_all(&buffer[..n])?,
            }
        }
    })
}

/// A socket on which nothing waits longer than the deadline.
fn patient(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Connects to a port of this machine that is open.
pub fn connect(port: u16) -> io::Result<TcpStream> {
    patient(TcpStream::connect(("127.0.0.1", port))?)
}

/// Waits until the port is open, and connects.
pub fn connect_when_open(port: u16) -> TcpStream {
    eventually(&format!("a connection to port {port}"), || connect(port).ok())
}

/// Waits until connections to the port are refused.
pub fn wait_until_closed(port: u16) {
    eventually(&format!("port {port} closes"), || match TcpStream::connect(("127.0.0.1", port)) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Some(()),
        _ => None,
    });
}

/// Whether a connection to the port is accepted.
#[must_use]
pub fn is_open(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Ends a connection as a crashed program would: by RST.
pub fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("SO_LINGER");
    drop(stream);
}

/// Reads exactly `length` bytes.
pub fn read_exactly(stream: &mut TcpStream, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Whether an error is the end that a reset brings.
#[must_use]
pub fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted)
}

/// Waits until the other end has closed the connection for reading and for writing.
///
/// A half close alone leaves it open for writing, and is not enough.
pub fn wait_until_dead(stream: &mut TcpStream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if is_reset(&error) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    for _ in 0..DEADLINE.as_millis() / POLL.as_millis() {
        match stream.write_all(b"is somebody there?") {
            Ok(()) => thread::sleep(POLL),
            Err(error) if is_reset(&error) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(ErrorKind::TimedOut, "the connection is still open for writing"))
}

/// Connects with `openssl`, a TLS client that is not ours, with the certificate in `dir` or none; whether the other
/// end speaks AMQP then.
#[must_use]
pub fn tls_speaks_amqp(port: u16, dir: Option<&Path>) -> bool {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-quiet", "-verify_quiet", "-connect", &format!("localhost:{port}")]);
    if let Some(dir) = dir {
        command.arg("-cert").arg(dir.join("tls.crt")).arg("-key").arg(dir.join("tls.key"));
    }
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut client = piped.spawn().expect("start openssl");
    // The SASL header: who lets us in answers with its own. It may have hung up already.
    let mut stdin = client.stdin.take().expect("stdin");
    let _ = stdin.write_all(b"AMQP\x03\x01\x00\x00").and_then(|()| stdin.flush());
    let mut answer = [0; 4];
    let mut stdout = client.stdout.take().expect("stdout");
    let spoke = stdout.read_exact(&mut answer).is_ok() && answer == *b"AMQP";
    drop(stdin);
    // It may wait for a server that waits for it.
    let _ = client.kill();
    client.wait().expect("its end");
    spoke
}
