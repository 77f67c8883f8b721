//! The whole product: the `moorline` program, real servers, engines and service managers.
//!
//! Tests in a module `on_host` run on a host of `tests/hosts`; the test beside them that has their name takes them there.

#![allow(clippy::unwrap_used, reason = "a test may stop at what is missing")]

mod adopted;
mod agent;
mod amqp_clients;
mod bad_input;
mod bulk;
mod claims;
mod contained;
mod demo;
mod empty_root;
mod examples;
mod failures;
mod flow_records;
mod hosts;
mod installed;
mod interop;
mod management;
mod postgres;
mod service_sync;
mod streams;
mod tls;
mod words;
