//! Requests at a fixed rate, whatever becomes of those before: a time is counted from when a request was due, so that
//! a stall is seen by all who would have asked in it.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use super::REQUEST;
use super::latency::Latencies;
use super::open::connect_through;
use super::phase::Phase;
use super::poll::{Interest, Poll};

const TIMER: u64 = u64::MAX;
/// Requests under way on one connection. Beyond them a chain is so far behind its rate that it is of no interest how far.
const MOST: usize = 1000;

struct Asker {
    stream: TcpStream,
    /// When the requests under way were due, the oldest first.
    due: VecDeque<Instant>,
    answered: usize,
}

/// Asks `rate` times a second in turn over `connections` until the phase is over. Requests of the window that have no
/// answer by then count as long as they waited.
pub(crate) fn fixed_rate(port: u16, connections: usize, rate: u32, phase: &Phase) -> io::Result<Latencies> {
    let mut poll = Poll::new()?;
    let mut askers = Vec::with_capacity(connections);
    for number in 0..connections {
        let stream = connect_through(port)?;
        stream.set_nonblocking(true)?;
        poll.add(&stream, number as u64, Interest::Read)?;
        askers.push(Asker { stream, due: VecDeque::new(), answered: 0 });
    }
    let interval = Duration::from_secs(1) / rate;
    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK)?;
    let start = Instant::now();
    timer.set(Expiration::Interval(TimeSpec::from_duration(interval)), TimerSetTimeFlags::empty())?;
    poll.add(&timer, TIMER, Interest::Read)?;

    let (mut latencies, mut next, mut buffer) = (Latencies::new(), 1_u32, vec![0; REQUEST * 64]);
    while !phase.is_over() {
        for ready in poll.wait()? {
            if ready.number == TIMER {
                timer.wait()?;
                // The timer only wakes: what is due is a matter of the clock.
                while start + interval * next <= Instant::now() {
                    let at = next as usize % connections;
                    askers[at].ask(start + interval * next)?;
                    next += 1;
                }
            } else if let Some(asker) = usize::try_from(ready.number).ok().and_then(|at| askers.get_mut(at)) {
                asker.hear(&mut buffer, phase, &mut latencies)?;
            }
        }
    }
    for due in askers.iter().flat_map(|asker| &asker.due) {
        latencies.record(due.elapsed());
    }
    Ok(latencies)
}

impl Asker {
    fn ask(&mut self, due: Instant) -> io::Result<()> {
        if self.due.len() == MOST {
            return Err(io::Error::new(ErrorKind::TimedOut, "answers do not keep up with the rate"));
        }
        self.due.push_back(due);
        self.stream.write_all(&[7; REQUEST])
    }

    fn hear(&mut self, buffer: &mut [u8], phase: &Phase, latencies: &mut Latencies) -> io::Result<()> {
        match self.stream.read(buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => self.answered += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
        while self.answered >= REQUEST {
            self.answered -= REQUEST;
            let due = self.due.pop_front().ok_or(ErrorKind::InvalidData)?;
            if phase.counts() {
                latencies.record(due.elapsed());
            }
        }
        Ok(())
    }
}
