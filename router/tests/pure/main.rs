//! The router without sockets: bytes and a clock of the test's own.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

mod adversity;
mod clients;
mod flows;
mod hub;
mod management;
mod message_simulation;
mod peers;
mod simulation;
mod world;
