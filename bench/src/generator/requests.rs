//! Requests and answers in a closed loop: each connection asks again when it has its answer.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use super::REQUEST;
use super::latency::Latencies;
use super::open::connect_through;
use super::phase::Phase;
use super::poll::{Interest, Poll};

struct Asker {
    stream: TcpStream,
    asked: Instant,
    /// How much of the answer is there.
    answered: usize,
}

impl Asker {
    fn ask(&mut self) -> io::Result<()> {
        self.answered = 0;
        self.asked = Instant::now();
        self.stream.write_all(&[7; REQUEST])
    }
}

/// Asks over `connections` until the phase is over; answers how long each request in the window took.
pub(crate) fn closed_loop(port: u16, connections: usize, phase: &Phase) -> io::Result<Latencies> {
    let mut poll = Poll::new()?;
    let mut askers = Vec::with_capacity(connections);
    for number in 0..connections {
        let stream = connect_through(port)?;
        stream.set_nonblocking(true)?;
        poll.add(&stream, number as u64, Interest::Read)?;
        askers.push(Asker { stream, asked: Instant::now(), answered: 0 });
    }
    askers.iter_mut().try_for_each(Asker::ask)?;
    let mut latencies = Latencies::new();
    let mut answer = [0; REQUEST];
    while !phase.is_over() {
        for ready in poll.wait()? {
            let Some(asker) = usize::try_from(ready.number).ok().and_then(|at| askers.get_mut(at)) else { continue };
            match asker.stream.read(&mut answer[asker.answered..]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => asker.answered += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            }
            if asker.answered == REQUEST {
                if phase.counts() {
                    latencies.record(asker.asked.elapsed());
                }
                asker.ask()?;
            }
        }
    }
    Ok(latencies)
}
