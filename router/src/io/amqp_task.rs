//! The task of one AMQP connection: moves bytes between its transport and the core, and keeps its deadlines.

use std::io::IoSlice;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::Interest;
use tokio::task::yield_now;
use tokio::time::{sleep_until, timeout};

use super::Timestamp;
use super::driver::{Buffers, ConnectionEntry, Driver, Owner};
use super::signal::Signal;
use super::status::PeerIdentity;
use super::transport::{Read, Transport, TransportError};
use crate::core::{ConnId, ConnectionSpec, Router};

/// After this many bytes the output and the other tasks have their turn.
const FAIR_SHARE: usize = 256 * 1024;
/// More than any frame that the core accepts: a core that leaves so much unused is stuck.
const UNUSED_LIMIT: usize = 1024 * 1024;
/// Time for the last bytes to leave.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// How a connection ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// The peer, when AMQP was up.
    pub(super) peer: Option<PeerIdentity>,
    /// Why, in words.
    pub(super) cause: String,
    /// The transport broke before AMQP was up, without a word from the other end.
    pub(super) cut_off: bool,
}

/// Runs AMQP on a transport to its end.
///
/// `setup_deadline`: AMQP must be up by then. `while_setting_up` is dropped when it is.
pub(super) async fn run<G>(
    driver: &Rc<Driver>,
    transport: Transport,
    spec: ConnectionSpec,
    owner: Owner,
    setup_deadline: Instant,
    while_setting_up: G,
) -> Ended {
    if !matches!(owner, Owner::Uplink(_)) {
        driver.accepted.set(driver.accepted.get() + 1);
    }
    let signal = Rc::new(Signal::default());
    let conn = driver.core(|router, now| {
        let conn = router.add_connection(spec, now);
        let entry = ConnectionEntry {
            number: driver.new_number(),
            signal: Rc::clone(&signal),
            owner,
            peer: None,
            since: Timestamp::now(),
            began: now,
            tls: transport.tls(),
            closing: None,
        };
        driver.connections.borrow_mut().insert(conn, entry);
        conn
    });
    let mut task = AmqpTask { driver, conn, transport, signal, unused: Vec::new() };
    let outcome = task.serve(setup_deadline, while_setting_up).await;
    if outcome.is_ok() {
        task.close().await;
    }
    task.end(outcome)
}

struct AmqpTask<'a> {
    driver: &'a Rc<Driver>,
    conn: ConnId,
    transport: Transport,
    signal: Rc<Signal>,
    /// The beginning of a frame whose rest has not come yet. Holds no memory while empty and idle.
    unused: Vec<u8>,
}

/// What one pass over the connection leaves to do.
enum Next {
    /// AMQP is over; its last bytes may still wait.
    Finished,
    /// More can be done at once, others first.
    Yield,
    /// Wait for the socket, the core or the deadline.
    Wait(Interest, Option<Instant>),
}

impl AmqpTask<'_> {
    /// Until AMQP is over (`Ok`) or the transport is.
    async fn serve<G>(&mut self, setup_deadline: Instant, while_setting_up: G) -> Result<(), TransportError> {
        let mut guard = Some(while_setting_up);
        loop {
            let next = self.driver.core_with_buffers(|router, buffers, now| {
                pass(router, self.conn, &mut self.transport, &mut self.unused, buffers, now)
            })?;
            // The pass has looked at everything, also at what it caused itself.
            self.signal.clear();
            if guard.is_some() && self.is_up() {
                guard = None;
            }
            let (interest, deadline) = match next {
                Next::Finished => return Ok(()),
                Next::Yield => {
                    yield_now().await;
                    continue;
                }
                Next::Wait(interest, deadline) => (interest, deadline),
            };
            if self.unused.is_empty() && self.unused.capacity() > 0 {
                self.unused = Vec::new();
            }
            let setup = guard.is_some().then_some(setup_deadline);
            let closing = self.closing();
            let wake_at = deadline.into_iter().chain(setup).chain(closing).min();
            tokio::select! {
                biased;
                () = self.signal.wait() => {}
                ready = self.transport.ready(interest) => ready?,
                () = sleep_until(wake_at.unwrap_or_else(Instant::now).into()), if wake_at.is_some() => {
                    if closing.is_some_and(|closing| Instant::now() >= closing) {
                        return Err(TransportError::Lost("the other end did not answer the close".to_owned()));
                    }
                    if guard.is_some() && !self.is_up() && Instant::now() >= setup_deadline {
                        let words = "the other end did not finish the AMQP handshake in time";
                        return Err(TransportError::Lost(words.to_owned()));
                    }
                }
            }
        }
    }

    fn closing(&self) -> Option<Instant> {
        self.driver.connections.borrow().get(self.conn).and_then(|entry| entry.closing)
    }

    fn is_up(&self) -> bool {
        let connections = self.driver.connections.borrow();
        connections.get(self.conn).is_some_and(|entry| entry.peer.is_some())
    }

    /// The orderly end of the transport: all output, `close_notify`, the end of the stream. A peer that fell silent
    /// takes nothing any more; neither the streams nor the next attempt may wait for it.
    async fn close(&mut self) {
        let flushed = timeout(CLOSE_LIMIT, async {
            let (driver, conn) = (self.driver, self.conn);
            while !driver.core(|router, now| send(router, conn, &mut self.transport, now))? {
                self.transport.ready(Interest::WRITABLE).await?;
            }
            self.transport.end_writing();
            while !self.transport.flush()? {
                self.transport.ready(Interest::WRITABLE).await?;
            }
            Ok::<(), TransportError>(())
        });
        // Whoever does not take the end is left.
        let _ = flushed.await;
    }

    /// Takes the connection out of the core and the books.
    fn end(self, outcome: Result<(), TransportError>) -> Ended {
        let (cut_off, cause) = match outcome {
            Ok(()) => (false, None),
            Err(TransportError::Tls(words)) => (false, Some(words)),
            Err(lost) => (true, Some(lost.to_string())),
        };
        let (driver, conn) = (self.driver, self.conn);
        let closed = driver.core(|router, _| router.closed_because(conn));
        driver.core(|router, now| router.remove_connection(conn, cause.clone(), now));
        let entry = driver.connections.borrow_mut().remove(conn);
        let peer = entry.and_then(|entry| entry.peer);
        Ended {
            cut_off: cut_off && peer.is_none() && closed.is_none(),
            peer,
            cause: closed.or(cause).unwrap_or_else(|| "closed in good order".to_owned()),
        }
    }
}

/// Output, input, deadlines, output again: all that can be done without waiting.
fn pass(
    router: &mut Router,
    conn: ConnId,
    transport: &mut Transport,
    unused: &mut Vec<u8>,
    buffers: &mut Buffers,
    now: Instant,
) -> Result<Next, TransportError> {
    if router.next_timeout(conn).is_some_and(|deadline| deadline <= now) {
        router.handle_timeout(conn, now);
    }
    send(router, conn, transport, now)?;
    let mut more = false;
    if !router.is_finished(conn) && router.wants_input(conn) {
        more = receive(router, conn, transport, unused, buffers, now)?;
    }
    let flushed = send(router, conn, transport, now)?;
    if router.is_finished(conn) {
        return Ok(Next::Finished);
    }
    if more {
        return Ok(Next::Yield);
    }
    let mut interest = Interest::ERROR;
    if router.wants_input(conn) {
        interest |= Interest::READABLE;
    }
    if !flushed {
        interest |= Interest::WRITABLE;
    }
    Ok(Next::Wait(interest, router.next_timeout(conn)))
}

/// Sends the core's output as far as the socket takes it. True: all of it.
fn send(router: &mut Router, conn: ConnId, transport: &mut Transport, now: Instant) -> Result<bool, TransportError> {
    loop {
        let output = router.output(conn);
        if output.is_empty() {
            return transport.flush();
        }
        let taken = transport.write(&[IoSlice::new(output)])?;
        if taken > 0 {
            router.consume_output(conn, taken, now);
        }
        if !transport.flush()? || taken == 0 {
            return Ok(false);
        }
    }
}

/// Reads and feeds the core, up to the fair share. True: the socket may hold more.
fn receive(
    router: &mut Router,
    conn: ConnId,
    transport: &mut Transport,
    unused: &mut Vec<u8>,
    buffers: &mut Buffers,
    now: Instant,
) -> Result<bool, TransportError> {
    let Buffers { wire, plain } = buffers;
    plain.clear();
    plain.extend_from_slice(unused);
    unused.clear();
    let mut total = 0;
    let mut more = true;
    let mut ended = false;
    while more && total < FAIR_SHARE && router.wants_input(conn) {
        match transport.read(wire, plain)? {
            Read::Bytes(n) => total += n,
            Read::Blocked => more = false,
            Read::Ended => ended = true,
        }
        let used = router.handle_input(conn, plain, now);
        plain.drain(..used.min(plain.len()));
        if plain.len() > UNUSED_LIMIT {
            let words = "the other end sent a frame that is too large";
            return Err(TransportError::Lost(words.to_owned()));
        }
        if ended || router.is_finished(conn) {
            break;
        }
    }
    unused.extend_from_slice(plain);
    if ended && !router.is_finished(conn) {
        let words = "the other end closed the connection";
        return Err(TransportError::Lost(words.to_owned()));
    }
    Ok(more && !ended)
}
