//! The embedded router: wire-compatible with skupper-router at the edge, and a small hub.
//!
//! [`core`] is pure: bytes, socket events and time in; bytes, actions and deadlines out. [`vanflow`] keeps the books
//! for the network's console, [`service_sync`] tells other sites of services, as pure. [`io`] is their dull driver.

pub mod core;
pub mod io;
pub mod management;
pub mod metrics;
pub mod service_sync;
pub mod vanflow;
