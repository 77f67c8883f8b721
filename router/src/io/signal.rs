//! A wake-up for one local task.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

/// Set from the router thread, awaited by at most one task of the same thread. Setting twice is setting once.
#[derive(Debug, Default)]
pub(super) struct Signal {
    set: Cell<bool>,
    waiter: RefCell<Option<Waker>>,
}

impl Signal {
    /// Wakes the task, now or when it next waits.
    pub(super) fn set(&self) {
        if !self.set.replace(true)
            && let Some(waiter) = self.waiter.borrow_mut().take()
        {
            waiter.wake();
        }
    }

    /// Forgets a wake-up: whoever looks at everything needs none.
    pub(super) fn clear(&self) {
        self.set.set(false);
    }

    /// Waits until set, and clears it.
    pub(super) async fn wait(&self) {
        poll_fn(|context| self.poll(context)).await;
    }

    /// The same for a hand-written future.
    pub(super) fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.set.replace(false) {
            return Poll::Ready(());
        }
        let mut waiter = self.waiter.borrow_mut();
        match &mut *waiter {
            Some(known) => known.clone_from(context.waker()),
            None => *waiter = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}
