//! HTTP/1 in AMQP.

pub(super) mod aggregate;
pub(super) mod chunked;
pub(super) mod message;
