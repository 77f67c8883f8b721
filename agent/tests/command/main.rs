//! The command as its users see it: what it prints, its exit codes, the files that it leaves.

#![allow(clippy::unwrap_used, reason = "a test may stop at what is missing")]

mod check;
mod demo;
mod doctor;
mod gateway_run;
mod hub;
mod refusals;
mod support;
