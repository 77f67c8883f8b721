//! HTTP/2 in AMQP.

pub(super) mod message;
