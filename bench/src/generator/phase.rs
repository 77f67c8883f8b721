//! The three phases of a measurement, told to everything that makes load.

use std::sync::atomic::{AtomicU8, Ordering};

/// Where a measurement is: warming up, in its window, or over.
#[derive(Debug, Default)]
pub(crate) struct Phase(AtomicU8);

impl Phase {
    /// The window begins.
    pub(crate) fn begin(&self) {
        self.0.store(1, Ordering::Release);
    }

    /// The window ends, and with it the load.
    pub(crate) fn end(&self) {
        self.0.store(2, Ordering::Release);
    }

    /// Whether what happens now counts.
    pub(crate) fn counts(&self) -> bool {
        self.0.load(Ordering::Acquire) == 1
    }

    /// Whether the load is to stop.
    pub(crate) fn is_over(&self) -> bool {
        self.0.load(Ordering::Acquire) == 2
    }
}
