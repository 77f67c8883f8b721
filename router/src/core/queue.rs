//! A queue of bytes that gives its memory back.

use std::collections::VecDeque;

/// Capacity that an empty queue may keep.
const KEEP: usize = 4 * 1024;

/// Bytes in order, in at most two slices.
#[derive(Debug, Default)]
pub(super) struct ByteQueue(VecDeque<u8>);

impl From<Vec<u8>> for ByteQueue {
    fn from(bytes: Vec<u8>) -> ByteQueue {
        ByteQueue(bytes.into())
    }
}

impl ByteQueue {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
    }

    pub(super) fn consume(&mut self, n: usize) {
        self.0.drain(..n.min(self.0.len()));
        if self.0.is_empty() && self.0.capacity() > KEEP {
            self.0 = VecDeque::new();
        }
    }

    /// All of it in one slice.
    pub(super) fn contiguous(&mut self) -> &[u8] {
        self.0.make_contiguous()
    }

    pub(super) fn slices(&self) -> (&[u8], &[u8]) {
        self.0.as_slices()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
