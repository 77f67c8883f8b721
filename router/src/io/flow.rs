//! The task of one TCP socket: moves bytes between the socket and the core, as far as both allow.

use std::io::{self, IoSlice};
use std::rc::Rc;
use std::time::Instant;

use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::task::yield_now;

use super::connect::{self, CONNECT_LIMIT};
use super::driver::Driver;
use super::signal::Signal;
use super::socket;
use super::status::Totals;
use crate::core::{CloseKind, ConnectorId, FlowId, Router};

/// After this many bytes others have their turn.
const FAIR_SHARE: usize = 256 * 1024;

/// Connects the socket that the core asked for, then serves it.
pub(super) async fn connect(driver: Rc<Driver>, flow: FlowId, connector: ConnectorId, signal: Rc<Signal>) {
    let target = driver.connectors.borrow().get(connector).cloned();
    let Some(target) = target else {
        fail(&driver, flow, &signal, "the connector is gone".to_owned()).await;
        return;
    };
    let outcome = tokio::select! {
        biased;
        outcome = connect::connect(&target.host, target.port, CONNECT_LIMIT) => outcome,
        () = closed_by_core(&driver, flow, &signal) => {
            forget(&driver, flow);
            return;
        }
    };
    match outcome {
        Ok((stream, peer)) => {
            *target.last_error.borrow_mut() = None;
            driver.core(|router, now| router.connected(flow, peer.to_string(), now));
            run(driver, flow, stream, signal).await;
        }
        Err(failure) => {
            let cause = failure.to_string();
            *target.last_error.borrow_mut() = Some(cause.clone());
            fail(&driver, flow, &signal, cause).await;
        }
    }
}

/// Serves a connected socket until the core says that it is over.
pub(super) async fn run(driver: Rc<Driver>, flow: FlowId, stream: TcpStream, signal: Rc<Signal>) {
    let mut socket = FlowSocket { stream, read_ended: false, write_shut: false, dead: false };
    loop {
        let next = driver.core_with_buffers(|router, buffers, now| {
            socket.pass(router, flow, &mut buffers.wire, now, &driver.totals)
        });
        // The pass has looked at everything, also at what it caused itself.
        signal.clear();
        match next {
            Next::Close(kind) => {
                if kind == CloseKind::Reset {
                    socket::reset_on_drop(&socket.stream);
                }
                drop(socket);
                forget(&driver, flow);
                return;
            }
            Next::Yield => yield_now().await,
            Next::Signal => signal.wait().await,
            Next::Ready(interest) => {
                let ready = tokio::select! {
                    biased;
                    () = signal.wait() => continue,
                    ready = socket.stream.ready(interest) => ready,
                };
                let failed = match ready {
                    // Bytes that came before a reset are read first; the read then finds the error.
                    Ok(ready) => ready.is_error() && !interest.is_readable(),
                    Err(_) => true,
                };
                if failed {
                    let error = socket::pending_error(&socket.stream);
                    driver.core(|router, now| socket.die(router, flow, &error, now));
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
    forget(driver, flow);
}

async fn closed_by_core(driver: &Rc<Driver>, flow: FlowId, signal: &Signal) {
    loop {
        signal.wait().await;
        if driver.core(|router, _| router.flow_io(flow).close.is_some()) {
            return;
        }
    }
}

fn forget(driver: &Rc<Driver>, flow: FlowId) {
    driver.flows.borrow_mut().remove(flow);
    driver.core(|router, now| router.forget_flow(flow, now));
}

struct FlowSocket {
    stream: TcpStream,
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

impl FlowSocket {
    /// Moves what can be moved without waiting.
    fn pass(&mut self, router: &mut Router, flow: FlowId, scratch: &mut [u8], now: Instant, totals: &Totals) -> Next {
        let mut moved = 0;
        loop {
            let io = router.flow_io(flow);
            if let Some(kind) = io.close {
                return Next::Close(kind);
            }
            if self.dead {
                return Next::Signal;
            }
            let mut progress = false;
            // A reset must be noticed even while neither half can move.
            let mut interest = Interest::ERROR;
            if io.has_output {
                let (first, second) = router.flow_output(flow);
                let slices = [IoSlice::new(first), IoSlice::new(second)];
                match socket::write(&self.stream, &slices) {
                    Ok(n) => {
                        router.handle_written(flow, n, now);
                        totals.count_out(n);
                        moved += n;
                        progress = true;
                    }
                    Err(error) if is_transient(&error) => interest |= Interest::WRITABLE,
                    Err(error) => {
                        self.die(router, flow, &error, now);
                        continue;
                    }
                }
            } else if io.shutdown_write && !self.write_shut {
                self.write_shut = true;
                // Fails only on a socket that is gone, which the next read tells.
                let _ = socket::shut_down_writing(&self.stream);
            }
            if io.read_budget > 0 && !self.read_ended {
                let room = io.read_budget.min(scratch.len());
                match socket::read(&self.stream, &mut scratch[..room]) {
                    Ok(0) => {
                        self.read_ended = true;
                        router.handle_read_closed(flow, now);
                        progress = true;
                    }
                    Ok(n) => {
                        router.handle_data(flow, &scratch[..n], now);
                        totals.count_in(n);
                        moved += n;
                        progress = true;
                    }
                    Err(error) if is_transient(&error) => interest |= Interest::READABLE,
                    Err(error) => {
                        self.die(router, flow, &error, now);
                        continue;
                    }
                }
            }
            if !progress {
                return Next::Ready(interest);
            }
            if moved >= FAIR_SHARE {
                return Next::Yield;
            }
        }
    }

    fn die(&mut self, router: &mut Router, flow: FlowId, error: &io::Error, now: Instant) {
        if !self.dead {
            self.dead = true;
            router.handle_reset(flow, socket::words(error), now);
        }
    }
}

fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
