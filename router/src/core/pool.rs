//! Links of ours for streams: each carries one at a time and is used again, unless there are far more than are used.

use super::conn::Waiter;
use moorline_amqp::{Connection, LinkId};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

/// So many idle links are kept for the next streams. Attaching one costs a round trip; keeping one costs both ends a
/// kilobyte, and after a crowd the pages among which it lies.
const SPARE: usize = 64;

/// Where a link of the pool stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Without credit.
    Coming,
    /// With credit, unused; its place among the idle ones.
    Idle(usize),
    /// Carrying a stream.
    Busy,
}

/// The links, and who waits for one.
#[derive(Default)]
pub(super) struct Pool {
    links: FxHashMap<LinkId, Standing>,
    idle: Vec<LinkId>,
    coming: usize,
    /// The peer takes no more links: those that are there must do.
    full: bool,
    /// Who waits for any of them.
    pub(super) waiting: VecDeque<Waiter>,
    /// Those who wait are being served: what that frees is for the same loop, not for one inside it.
    pub(super) serving: bool,
}

impl Pool {
    /// Whether another link is to be attached. One stays in reserve, so that the next stream need not wait for it.
    pub(super) fn wants_more(&self) -> bool {
        !self.full && self.idle.len() + self.coming < self.waiting.len() + 1
    }

    /// Nobody who waits will ever be served.
    pub(super) fn is_hopeless(&self) -> bool {
        self.full && self.links.is_empty()
    }

    pub(super) fn set_full(&mut self, full: bool) {
        self.full = full;
    }

    pub(super) fn attached(&mut self, link: LinkId) {
        self.links.insert(link, Standing::Coming);
        self.coming += 1;
    }

    /// A link has credit after it had none. One that carries a stream is not free for that.
    pub(super) fn credited(&mut self, link: LinkId) {
        if let Some(standing @ Standing::Coming) = self.links.get_mut(&link) {
            *standing = Standing::Idle(self.idle.len());
            // So it takes links after all, or again.
            self.full = false;
            self.coming -= 1;
            self.idle.push(link);
        }
    }

    /// The stream of a link is over.
    pub(super) fn released(&mut self, link: LinkId, credit: u32) {
        if let Some(standing @ Standing::Busy) = self.links.get_mut(&link) {
            *standing = Standing::Coming;
            self.coming += 1;
            if credit > 0 {
                self.credited(link);
            }
        }
    }

    /// A link is idle, and more are than the next streams need.
    pub(super) fn is_spare(&self, link: LinkId) -> bool {
        self.idle.len() > SPARE + self.waiting.len() && matches!(self.links.get(&link), Some(Standing::Idle(_)))
    }

    /// A link for a stream to start on now.
    pub(super) fn take(&mut self, amqp: &Connection) -> Option<LinkId> {
        while let Some(link) = self.idle.last().copied() {
            let standing = self.links.get_mut(&link)?;
            if amqp.can_start(link) {
                self.idle.pop();
                *standing = Standing::Busy;
                return Some(link);
            }
            if amqp.credit(link) > 0 {
                return None;
            }
            // The peer took the credit back.
            self.idle.pop();
            *standing = Standing::Coming;
            self.coming += 1;
        }
        None
    }

    /// A link is detached. A peer that refuses one is not asked for more.
    pub(super) fn gone(&mut self, link: LinkId, refused: bool) {
        match self.links.remove(&link) {
            Some(Standing::Coming) => {
                self.coming -= 1;
                self.full |= refused;
            }
            Some(Standing::Idle(place)) => {
                self.idle.swap_remove(place);
                if let Some(moved) = self.idle.get(place) {
                    self.links.insert(*moved, Standing::Idle(place));
                }
            }
            Some(Standing::Busy) | None => {}
        }
    }

    pub(super) fn shrink(&mut self) {
        self.links.shrink_to_fit();
        self.idle.shrink_to_fit();
        self.waiting.shrink_to_fit();
    }

    /// Forgets one who waits, and has died.
    pub(super) fn forget(&mut self, waiter: Waiter) {
        if let Some(at) = self.waiting.iter().position(|other| *other == waiter) {
            self.waiting.remove(at);
        }
    }
}
