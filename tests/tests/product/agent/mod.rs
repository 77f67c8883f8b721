//! `moorline agent`: gateways that are kept as a directory of definitions says, on a real systemd.
//!
//! Each test runs the test of the same name in `scenes` as a user of `tests/hosts/user-systemd`; where this machine cannot do
//! that, it says SKIPPED.

mod place;
mod scenes;

use moorline_tests::host::run_there;

fn run(test: &str) {
    run_there("user-systemd", &[], &[], &format!("agent::scenes::{test}"));
}

#[test]
fn a_gateway_is_as_its_file_says() {
    run("a_gateway_is_as_its_file_says");
}

#[test]
fn only_what_came_from_a_file_goes_with_it() {
    run("only_what_came_from_a_file_goes_with_it");
}

#[test]
fn gateways_outlive_the_agent_and_what_was_missed_is_done() {
    run("gateways_outlive_the_agent_and_what_was_missed_is_done");
}

#[test]
fn one_endpoint_tells_of_all_gateways() {
    run("one_endpoint_tells_of_all_gateways");
}

#[test]
fn the_service_is_installed_and_leaves_nothing() {
    run("the_service_is_installed_and_leaves_nothing");
}
