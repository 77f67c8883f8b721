//! What makes load, and the server at the other end. All of it shares the machine with what it measures, so it is one
//! thread each over epoll, with large blocks and no copies.

pub(crate) mod churn;
pub(crate) mod latency;
pub(crate) mod manage;
pub(crate) mod open;
pub(crate) mod phase;
pub(crate) mod poll;
pub(crate) mod requests;
pub(crate) mod schedule;
pub(crate) mod server;
pub(crate) mod streams;

/// What is written at once in bulk.
pub(crate) const WRITE: usize = 128 * 1024;
/// What is read at once in bulk.
pub(crate) const READ: usize = 256 * 1024;
/// The length of a request, and of its answer.
pub(crate) const REQUEST: usize = 128;
