//! What the user wrote, checked, and the router configuration that it means.
//!
//! Everything here is pure: text in, values out. No file is opened, no clock is read, nothing is spawned.

pub mod router_config;
