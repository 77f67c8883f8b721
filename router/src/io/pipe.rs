//! The way of bytes from one plain socket to another of this process: through a pipe of the kernel, which hands pages on
//! where a buffer of ours would copy them twice.

use std::cell::RefCell;
use std::io;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, splice};
use nix::unistd::pipe2;
use rustc_hash::FxHashMap;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::transport::is_transient;
use crate::core::FlowId;

/// Room of a pipe in bytes. It takes one filling of at most a read's budget; but small packets use up whole pages of it.
const ROOM: i32 = 256 * 1024;
/// Pipes at once: half of what the kernel gives an ordinary user (`pipe-user-pages-soft`, 64 MiB), and 256 descriptors.
const AT_ONCE: usize = 128;
/// So many of them wait empty for the next who needs one.
const SPARE: usize = 8;

#[derive(Debug)]
struct Pipe {
    reader: OwnedFd,
    writer: OwnedFd,
}

impl Pipe {
    fn open() -> nix::Result<Pipe> {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        fcntl(&writer, FcntlArg::F_SETPIPE_SZ(ROOM))?;
        Ok(Pipe { reader, writer })
    }
}

/// The pipes with bytes in them, each for the flow whose socket shall get them, and some that are empty.
#[derive(Debug, Default)]
pub(super) struct Pipes(RefCell<State>);

#[derive(Debug, Default)]
struct State {
    filled: FxHashMap<FlowId, Pipe>,
    spare: Vec<Pipe>,
}

impl Pipes {
    /// Moves at most `room` bytes from a socket into a pipe for `flow`, which has none. 0: they have to be read, if there are any:
    /// it is the end of the stream, urgent data, no pipe is to be had, or this system does not do it.
    pub(super) fn fill(&self, flow: FlowId, from: &TcpStream, room: usize) -> io::Result<usize> {
        let state = &mut *self.0.borrow_mut();
        let pipe = match state.spare.pop() {
            Some(pipe) => pipe,
            None if state.filled.len() >= AT_ONCE => return Ok(0),
            None => match Pipe::open() {
                Ok(pipe) => pipe,
                Err(_) => return Ok(0),
            },
        };
        let filled = from.try_io(Interest::READABLE, || {
            match splice(from, None, &pipe.writer, None, room, SpliceFFlags::SPLICE_F_NONBLOCK) {
                // Perhaps it only stands before urgent data, which a read alone gets past: the readiness stays.
                Err(Errno::EAGAIN) => Ok(0),
                outcome => Ok(outcome?),
            }
        });
        match filled {
            Ok(n) if n > 0 => {
                state.filled.insert(flow, pipe);
                Ok(n)
            }
            outcome => {
                state.spare.push(pipe);
                outcome.or_else(|error| if is_transient(&error) || is_refused(&error) { Ok(0) } else { Err(error) })
            }
        }
    }

    /// Moves at most `length` bytes, all that are in it, from the pipe for `flow` to its socket. 0: wait for the socket.
    pub(super) fn empty(&self, flow: FlowId, to: &TcpStream, length: usize) -> io::Result<usize> {
        let state = &mut *self.0.borrow_mut();
        let Some(pipe) = state.filled.get(&flow) else { return Err(io::ErrorKind::BrokenPipe.into()) };
        let emptied = to.try_io(Interest::WRITABLE, || {
            Ok(splice(&pipe.reader, None, to, None, length, SpliceFFlags::SPLICE_F_NONBLOCK)?)
        });
        match emptied {
            Ok(n) => {
                if n == length
                    && let Some(pipe) = state.filled.remove(&flow)
                    && state.spare.len() < SPARE
                {
                    state.spare.push(pipe);
                }
                Ok(n)
            }
            Err(error) if is_transient(&error) => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// The flow is over: what is in its pipe goes with it.
    pub(super) fn forget(&self, flow: FlowId) {
        self.0.borrow_mut().filled.remove(&flow);
    }
}

/// The system's word on such calls, not on this socket.
fn is_refused(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, OutOfMemory, PermissionDenied, Unsupported};
    matches!(error.kind(), InvalidInput | OutOfMemory | PermissionDenied | Unsupported)
}
