//! The bytes that wait to be sent.

use crate::frame::{self, Layer};

/// What has been sent is cut off once it is this long and more than what still waits.
const COMPACT_FROM: usize = 64 * 1024;

/// One buffer, written at its end and sent from `start`.
#[derive(Default)]
pub(super) struct Output {
    bytes: Vec<u8>,
    start: usize,
}

impl Output {
    pub(super) fn waiting(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    pub(super) fn pending(&self) -> usize {
        self.bytes.len() - self.start
    }

    pub(super) fn consume(&mut self, n: usize) {
        self.start = self.start.saturating_add(n).min(self.bytes.len());
        if self.start == self.bytes.len() {
            self.bytes.clear();
            self.start = 0;
        } else if self.start >= COMPACT_FROM && self.start > self.pending() {
            // Moves less than was sent since the last time, so sending a byte costs less than moving one.
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }

    pub(super) fn shrink(&mut self) {
        self.bytes.drain(..self.start);
        self.start = 0;
        self.bytes.shrink_to_fit();
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn sasl(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        frame::put(&mut self.bytes, Layer::Sasl, 0, write);
    }

    pub(super) fn amqp(&mut self, channel: u16, write: impl FnOnce(&mut Vec<u8>)) {
        frame::put(&mut self.bytes, Layer::Amqp, channel, write);
    }
}
