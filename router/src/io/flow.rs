//! The task of one TCP socket: moves bytes between the socket and the core, as far as both allow.

use std::io::IoSlice;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::Interest;
use tokio::task::yield_now;
use tokio::time::timeout;

use super::driver::{Buffers, Driver};
use super::signal::Signal;
use super::tally::Cause;
use super::transport::{Taken, Transport, TransportError};
use crate::core::{CloseKind, ConnectorId, FlowId, FlowIo, Router};

/// After this many bytes others have their turn.
const FAIR_SHARE: usize = 256 * 1024;
/// A flow that brings this much at once goes on past the core, where it may; below it, copying costs less than a pipe.
const MUCH: usize = 32 * 1024;
/// Time for the last encrypted bytes to leave.
const CLOSE_LIMIT: Duration = Duration::from_secs(10);

/// Connects the socket that the core asked for, then serves it.
pub(super) async fn connect(driver: Rc<Driver>, flow: FlowId, connector: ConnectorId, signal: Rc<Signal>) {
    let connector = driver.connectors.borrow().get(connector).cloned();
    let Some(connector) = connector else {
        fail(&driver, flow, &signal, "the connector is gone".to_owned()).await;
        return;
    };
    let alpn = driver.core(|router, _| router.flow_alpn(flow));
    // Apart, so that a connection that is open does not carry the room for finding its server.
    let connecting = Box::pin(connector.target.connect(alpn.as_deref().map(str::as_bytes)));
    let outcome = tokio::select! {
        biased;
        outcome = connecting => outcome,
        () = closed_by_core(&driver, flow, &signal) => {
            driver.forget_flow(flow);
            return;
        }
    };
    match outcome {
        Ok((transport, peer)) => {
            *connector.last_error.borrow_mut() = None;
            let local = transport.local_addr().map(|local| local.to_string()).unwrap_or_default();
            driver.core(|router, now| router.connected(flow, peer, local, now));
            run(driver, flow, transport, signal).await;
        }
        Err(failure) => {
            let cause = failure.to_string();
            *connector.last_error.borrow_mut() = Some(cause.clone());
            driver.blame(flow, Cause::from(&failure));
            fail(&driver, flow, &signal, cause).await;
        }
    }
}

/// Serves a connected socket until the core says that it is over.
pub(super) async fn run(driver: Rc<Driver>, flow: FlowId, transport: Transport, signal: Rc<Signal>) {
    if let Some(entry) = driver.flows.borrow().get(flow) {
        entry.plain.set(!transport.is_tls());
    }
    let mut socket = FlowSocket { transport, much: false, read_ended: false, write_shut: false, dead: false };
    loop {
        let next = driver.core_with_buffers(|router, buffers, now| socket.pass(router, flow, buffers, now, &driver));
        // The pass has looked at everything, also at what it caused itself.
        signal.clear();
        match next {
            Next::Close(kind) => {
                socket.close(kind).await;
                driver.forget_flow(flow);
                return;
            }
            Next::Yield => yield_now().await,
            Next::Signal => signal.wait().await,
            Next::Ready(interest) => {
                let ready = tokio::select! {
                    biased;
                    () = signal.wait() => continue,
                    ready = socket.transport.ready(interest) => ready,
                };
                if let Err(error) = ready {
                    driver.core(|router, now| socket.die(router, flow, error, now, &driver));
                }
            }
        }
    }
}

async fn fail(driver: &Rc<Driver>, flow: FlowId, signal: &Signal, cause: String) {
    driver.core(|router, now| router.connect_failed(flow, cause, now));
    if driver.core(|router, _| router.flow_io(flow).close.is_none()) {
        closed_by_core(driver, flow, signal).await;
    }
    driver.forget_flow(flow);
}

async fn closed_by_core(driver: &Rc<Driver>, flow: FlowId, signal: &Signal) {
    loop {
        signal.wait().await;
        if driver.core(|router, _| router.flow_io(flow).close.is_some()) {
            return;
        }
    }
}

struct FlowSocket {
    transport: Transport,
    /// The last that came was much.
    much: bool,
    /// The peer has shut down its writing half.
    read_ended: bool,
    /// We have shut down ours.
    write_shut: bool,
    /// An error was reported; only the core's `close` is awaited.
    dead: bool,
}

/// What the task does after a pass.
enum Next {
    /// The flow is over.
    Close(CloseKind),
    /// More can be done at once, others first.
    Yield,
    /// Wait for the core.
    Signal,
    /// Wait for the core or the socket.
    Ready(Interest),
}

/// What one step of a pass did.
struct Step {
    moved: usize,
    progress: bool,
    /// What to wait for when there was no progress.
    interest: Interest,
}

impl FlowSocket {
    /// Moves what can be moved without waiting.
    fn pass(
        &mut self,
        router: &mut Router,
        flow: FlowId,
        buffers: &mut Buffers,
        now: Instant,
        driver: &Driver,
    ) -> Next {
        let mut moved = 0;
        loop {
            let io = router.flow_io(flow);
            if let Some(kind) = io.close {
                return Next::Close(kind);
            }
            if self.dead {
                return Next::Signal;
            }
            match self.step(router, flow, io, buffers, now, driver) {
                Ok(step) if !step.progress => return Next::Ready(step.interest),
                Ok(step) => moved += step.moved,
                Err(error) => self.die(router, flow, error, now, driver),
            }
            if moved >= FAIR_SHARE {
                return Next::Yield;
            }
        }
    }

    /// One write and one read, where the core wants them.
    fn step(
        &mut self,
        router: &mut Router,
        flow: FlowId,
        io: FlowIo,
        buffers: &mut Buffers,
        now: Instant,
        driver: &Driver,
    ) -> Result<Step, TransportError> {
        // A reset must be noticed even while neither half can move.
        let mut step = Step { moved: 0, progress: false, interest: Interest::ERROR };
        if io.has_output || io.moved > 0 {
            let n = if io.has_output {
                let (first, second) = router.flow_output(flow);
                self.transport.write(&[IoSlice::new(first), IoSlice::new(second)])?
            } else {
                self.empty_pipe(flow, io.moved, driver)?
            };
            if n > 0 {
                router.handle_written(flow, n, now);
                driver.totals.count_out(n);
                step.moved += n;
                step.progress = true;
            } else {
                step.interest |= Interest::WRITABLE;
            }
        } else if io.shutdown_write && !self.write_shut {
            self.write_shut = true;
            self.transport.end_writing();
        }
        let filled = if io.read_budget > 0 && self.much { self.fill_pipe(io, driver)? } else { 0 };
        if filled > 0 {
            self.much = filled >= MUCH;
            router.handle_moved(flow, filled, now);
            driver.totals.count_in(filled);
            step.moved += filled;
            step.progress = true;
        } else if io.read_budget > 0 && !self.read_ended {
            match self.transport.take(io.read_budget, buffers)? {
                Taken::Bytes(bytes) => {
                    if !bytes.is_empty() {
                        self.much = bytes.len() >= MUCH;
                        router.handle_data(flow, bytes, now);
                        driver.totals.count_in(bytes.len());
                        step.moved += bytes.len();
                    }
                    step.progress = true;
                }
                Taken::Blocked => step.interest |= Interest::READABLE,
                Taken::Ended => {
                    self.read_ended = true;
                    router.handle_read_closed(flow, now);
                    step.progress = true;
                }
            }
        }
        if !self.transport.flush()? {
            step.interest |= Interest::WRITABLE;
        }
        Ok(step)
    }

    /// Moves what came to the other socket's pipe, where both are as they are on the wire; 0: read it.
    fn fill_pipe(&mut self, io: FlowIo, driver: &Driver) -> Result<usize, TransportError> {
        let (Some(other), Some(socket)) = (io.joined, self.transport.plain_socket()) else { return Ok(0) };
        if !driver.is_plain(other) {
            return Ok(0);
        }
        driver.pipes.fill(other, socket, io.read_budget).map_err(|error| TransportError::lost(&error))
    }

    fn empty_pipe(&mut self, flow: FlowId, length: usize, driver: &Driver) -> Result<usize, TransportError> {
        let Some(socket) = self.transport.plain_socket() else { return Ok(0) };
        driver.pipes.empty(flow, socket, length).map_err(|error| TransportError::lost(&error))
    }

    /// What TLS still holds goes out first when the flow ended well; a plain socket leaves that to the kernel.
    async fn close(mut self, kind: CloseKind) {
        if kind == CloseKind::Reset {
            self.transport.reset_on_drop();
            return;
        }
        if !self.write_shut {
            self.transport.end_writing();
        }
        let flushed = timeout(CLOSE_LIMIT, async {
            while !self.transport.flush()? {
                self.transport.ready(Interest::WRITABLE).await?;
            }
            Ok::<(), TransportError>(())
        });
        // A peer that takes nothing any more, or is gone, is left.
        let _ = flushed.await;
    }

    fn die(&mut self, router: &mut Router, flow: FlowId, error: TransportError, now: Instant, driver: &Driver) {
        if !self.dead {
            self.dead = true;
            driver.blame(flow, Cause::from(&error));
            router.handle_reset(flow, error.to_string(), now);
        }
    }
}
