//! The three phases of a measurement, told to everything that makes load.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// Where a measurement is: warming up, in its window, or over.
#[derive(Debug, Default)]
pub(crate) struct Phase {
    at: AtomicU8,
    /// Something counted.
    happened: AtomicBool,
}

impl Phase {
    /// The window begins.
    pub(crate) fn begin(&self) {
        self.at.store(1, Ordering::Release);
    }

    /// The window ends, and with it the load.
    pub(crate) fn end(&self) {
        self.at.store(2, Ordering::Release);
    }

    /// Asked by whoever has just done something: whether it counts.
    pub(crate) fn counts(&self) -> bool {
        let counts = self.at.load(Ordering::Acquire) == 1;
        if counts && !self.happened.load(Ordering::Relaxed) {
            self.happened.store(true, Ordering::Relaxed);
        }
        counts
    }

    /// Whether anything counted yet.
    pub(crate) fn has_counted(&self) -> bool {
        self.happened.load(Ordering::Relaxed)
    }

    /// Whether the load is to stop.
    pub(crate) fn is_over(&self) -> bool {
        self.at.load(Ordering::Acquire) == 2
    }
}
