//! epoll, by the number of a socket.

use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// How long nothing may happen before the phase is looked at again.
const LOOK: u8 = 20;
const EVENTS: usize = 128;

/// What a socket waits for, level-triggered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interest {
    /// Bytes to read.
    Read,
    /// Room to write.
    Write,
    /// Either.
    Both,
}

impl Interest {
    fn flags(self) -> EpollFlags {
        match self {
            Self::Read => EpollFlags::EPOLLIN,
            Self::Write => EpollFlags::EPOLLOUT,
            Self::Both => EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT,
        }
    }
}

/// What a socket is ready for. One that has failed is ready for both.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ready {
    pub(crate) number: u64,
    pub(crate) read: bool,
    pub(crate) write: bool,
}

/// A set of sockets that are waited for.
#[derive(Debug)]
pub(crate) struct Poll {
    epoll: Epoll,
    events: Vec<EpollEvent>,
}

impl Poll {
    pub(crate) fn new() -> nix::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        Ok(Self { epoll, events: vec![EpollEvent::empty(); EVENTS] })
    }

    pub(crate) fn add(&self, socket: impl AsFd, number: u64, interest: Interest) -> nix::Result<()> {
        self.epoll.add(socket, EpollEvent::new(interest.flags(), number))
    }

    pub(crate) fn change(&self, socket: impl AsFd, number: u64, interest: Interest) -> nix::Result<()> {
        self.epoll.modify(socket, &mut EpollEvent::new(interest.flags(), number))
    }

    /// The socket stays open and is not looked at any more.
    pub(crate) fn forget(&self, socket: impl AsFd) -> nix::Result<()> {
        self.epoll.delete(socket)
    }

    /// Waits a little for sockets that are ready; there may be none.
    pub(crate) fn wait(&mut self) -> nix::Result<impl Iterator<Item = Ready> + use<'_>> {
        let count = match self.epoll.wait(&mut self.events, EpollTimeout::from(LOOK)) {
            Ok(count) => count,
            Err(Errno::EINTR) => 0,
            Err(error) => return Err(error),
        };
        let failed = EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP;
        Ok(self.events[..count].iter().map(move |event| {
            let flags = event.events();
            Ready {
                number: event.data(),
                read: flags.intersects(EpollFlags::EPOLLIN | failed),
                write: flags.intersects(EpollFlags::EPOLLOUT | failed),
            }
        }))
    }
}
