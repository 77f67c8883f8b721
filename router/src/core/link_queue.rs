//! Who waits for one particular link: whole messages go to an address's own link, in order.

use super::conn::Waiter;
use moorline_amqp::{Connection, LinkId};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

/// A link without credit may keep this many bytes waiting.
const BYTES_LIMIT: usize = 64 * 1024 * 1024;

#[derive(Default)]
struct LinkQueue {
    waiting: VecDeque<(Waiter, usize)>,
    bytes: usize,
}

/// The queues of one connection.
#[derive(Default)]
pub(super) struct LinkQueues {
    queues: FxHashMap<LinkId, LinkQueue>,
}

impl LinkQueues {
    pub(super) fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// How many wait for a link.
    pub(super) fn waiting(&self, link: LinkId) -> usize {
        self.queues.get(&link).map_or(0, |queue| queue.waiting.len())
    }

    /// Bytes that wait for a link.
    pub(super) fn bytes(&self, link: LinkId) -> usize {
        self.queues.get(&link).map_or(0, |queue| queue.bytes)
    }

    /// False: too much waits for this link already.
    pub(super) fn push(&mut self, link: LinkId, waiter: Waiter, bytes: usize) -> bool {
        let queue = self.queues.entry(link).or_default();
        if queue.bytes > 0 && queue.bytes + bytes > BYTES_LIMIT {
            return false;
        }
        queue.bytes += bytes;
        queue.waiting.push_back((waiter, bytes));
        true
    }

    /// The next one whose link can start now.
    pub(super) fn pop_ready(&mut self, amqp: &Connection) -> Option<(Waiter, LinkId)> {
        let link = *self.queues.keys().find(|link| amqp.can_start(**link))?;
        let queue = self.queues.get_mut(&link)?;
        let (waiter, bytes) = queue.waiting.pop_front()?;
        queue.bytes -= bytes;
        if queue.waiting.is_empty() {
            self.queues.remove(&link);
        }
        Some((waiter, link))
    }

    /// The link is gone: those who waited for it.
    pub(super) fn take(&mut self, link: LinkId) -> impl Iterator<Item = Waiter> + use<> {
        self.queues.remove(&link).unwrap_or_default().waiting.into_iter().map(|(waiter, _)| waiter)
    }

    pub(super) fn take_all(&mut self) -> Vec<Waiter> {
        std::mem::take(&mut self.queues)
            .into_values()
            .flat_map(|queue| queue.waiting)
            .map(|(waiter, _)| waiter)
            .collect()
    }

    /// Forgets one who waits, and has died.
    pub(super) fn forget(&mut self, waiter: Waiter) {
        self.queues.retain(|_, queue| {
            if let Some(at) = queue.waiting.iter().position(|(other, _)| *other == waiter)
                && let Some((_, bytes)) = queue.waiting.remove(at)
            {
                queue.bytes -= bytes;
            }
            !queue.waiting.is_empty()
        });
    }
}
