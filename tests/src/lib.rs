//! The harness of the whole-product tests: the `moorline` program as a person runs it, the servers and clients
//! beside it, and what is measured of it.
//!
//! Nothing here looks inside the product: it starts programs, reads what they say, and moves bytes through sockets.
//! No test depends on how long something takes; [`DEADLINE`] only keeps a broken product from hanging the run.

#![allow(clippy::missing_panics_doc, reason = "a harness ends a test by a panic that says what is missing")]

use std::time::Duration;

pub mod authority;
pub mod claims;
pub mod command;
pub mod definition;
pub mod host;
pub mod lab;
pub mod name_server;
pub mod network;
pub mod payload;
pub mod peer;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod scenario;
pub mod scratch;
pub mod skrouterd;
pub mod tree;
pub mod turn;
pub mod usage;

/// How long anything may take before a test gives up; far more than a loaded machine needs.
pub const DEADLINE: Duration = Duration::from_secs(90);
