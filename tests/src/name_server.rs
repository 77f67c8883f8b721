//! A name server on this host: real DNS over UDP and TCP, answering as a test says.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

const A: u16 = 1;
const AAAA: u16 = 28;
const NO_ERROR: u16 = 0;
const SERVER_FAILURE: u16 = 2;
const NO_SUCH_NAME: u16 = 3;
const TRUNCATED: u16 = 0x0200;

/// What the server says to a question.
#[derive(Clone, Debug)]
pub enum Says {
    /// The name has these addresses; those of the family asked for are told.
    Addresses(Vec<IpAddr>),
    /// The same, but over UDP only that the answer is too long for it.
    AddressesOverTcp(Vec<IpAddr>),
    /// There is no such name.
    NoSuchName,
    /// The server has a problem.
    Failure,
    /// Nothing at all.
    Nothing,
}

/// A question that was asked: the name, in lower case and without a final dot, and whether for IPv4.
pub type Question = (String, bool);

type Answer = dyn Fn(&Question) -> Says + Send + Sync;

/// A running server; it runs until the process ends.
pub struct NameServer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Question>>>,
}

impl NameServer {
    /// Starts one. Port 0: the system chooses one that is free for both UDP and TCP.
    pub fn start(at: SocketAddr, answer: impl Fn(&Question) -> Says + Send + Sync + 'static) -> io::Result<Self> {
        let (udp, tcp) = sockets(at)?;
        let address = udp.local_addr()?;
        let asked = Arc::new(Mutex::new(Vec::new()));
        let answer: Arc<Answer> = {
            let asked = Arc::clone(&asked);
            Arc::new(move |question: &Question| {
                asked.lock().expect("the questions").push(question.clone());
                answer(question)
            })
        };
        let over_tcp = Arc::clone(&answer);
        thread::spawn(move || serve_udp(&udp, &*answer));
        thread::spawn(move || {
            for stream in tcp.incoming().flatten() {
                let answer = Arc::clone(&over_tcp);
                thread::spawn(move || serve_tcp(stream, &*answer));
            }
        });
        Ok(Self { address, asked })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All questions so far, in their order.
    #[must_use]
    pub fn asked(&self) -> Vec<Question> {
        self.asked.lock().expect("the questions").clone()
    }
}

fn sockets(at: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..20 {
        let tcp = TcpListener::bind(at)?;
        match UdpSocket::bind(tcp.local_addr()?) {
            Ok(udp) => return Ok((udp, tcp)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn serve_udp(socket: &UdpSocket, answer: &Answer) {
    let mut packet = [0; 4096];
    while let Ok((length, from)) = socket.recv_from(&mut packet) {
        if let Some(reply) = reply(&packet[..length], answer, false) {
            // Whoever asked may be gone.
            let _ = socket.send_to(&reply, from);
        }
    }
}

fn serve_tcp(mut stream: TcpStream, answer: &Answer) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
    let mut length = [0; 2];
    while stream.read_exact(&mut length).is_ok() {
        let mut packet = vec![0; u16::from_be_bytes(length).into()];
        if stream.read_exact(&mut packet).is_err() {
            return;
        }
        let Some(reply) = reply(&packet, answer, true) else { continue };
        let length = u16::try_from(reply.len()).expect("a short answer").to_be_bytes();
        if stream.write_all(&[&length, &*reply].concat()).is_err() {
            return;
        }
    }
}

/// The answer to a packet with one question; `None` for no answer.
fn reply(packet: &[u8], answer: &Answer, over_tcp: bool) -> Option<Vec<u8>> {
    let (name, end) = name(packet)?;
    let kind = u16::from_be_bytes([*packet.get(end)?, *packet.get(end + 1)?]);
    let question = (name, kind == A);
    let (code, addresses) = match answer(&question) {
        Says::Addresses(addresses) => (NO_ERROR, addresses),
        Says::AddressesOverTcp(addresses) if over_tcp => (NO_ERROR, addresses),
        Says::AddressesOverTcp(_) => (TRUNCATED, Vec::new()),
        Says::NoSuchName => (NO_SUCH_NAME, Vec::new()),
        Says::Failure => (SERVER_FAILURE, Vec::new()),
        Says::Nothing => return None,
    };
    let told = addresses.iter().filter(|address| kind == if address.is_ipv4() { A } else { AAAA });
    let told: Vec<_> = told.collect();
    let count = u16::try_from(told.len()).expect("few addresses");
    let mut reply = packet[..2].to_vec();
    // An answer, by a server that asks others when asked to.
    reply.extend((0x8180 | code).to_be_bytes());
    for count in [1, count, 0, 0] {
        reply.extend(count.to_be_bytes());
    }
    reply.extend(&packet[12..end + 4]);
    for address in told {
        // The name of the question, the kind, the class Internet, good for a minute.
        reply.extend([0xc0, 12]);
        reply.extend(kind.to_be_bytes());
        reply.extend([0, 1, 0, 0, 0, 60]);
        let octets = match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        reply.extend(u16::try_from(octets.len()).expect("an address").to_be_bytes());
        reply.extend(octets);
    }
    Some(reply)
}

/// The name asked for, and where it ends.
fn name(packet: &[u8]) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    let mut at = 12;
    loop {
        let length = usize::from(*packet.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(packet.get(at..at + length)?).to_lowercase());
        at += length;
    }
}
