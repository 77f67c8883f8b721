//! Definitions and router configurations, from files as people and other programs write them.

#![allow(clippy::unwrap_used, reason = "a test may stop at what is missing")]

mod derived;
mod edit;
mod edit_random;
mod edit_writer;
mod hostile;
mod invalid;
mod report;
mod router_config;
mod schema;
mod valid;
