//! The engine: against itself, against bytes of the worst kind, and against the implementations of others.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

mod deliveries;
mod fe2o3;
mod handshake;
mod hostile;
mod links;
mod message;
mod proton;
mod support;
mod windows;
