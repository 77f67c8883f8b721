//! Gateways on hosts that boot: crash of the router, reboot, loss of power, of the network, a change while a session is
//! open, removal. The judge is `psql` on another host.
//!
//! Each test has a lab of its own; where this machine cannot give one, it says SKIPPED.

mod life;
mod scene;

use moorline_tests::host::run_there;

fn in_a_lab(test: &str) {
    run_there("lab", &[], &[], &format!("hosts::life::{test}"));
}

#[test]
fn a_service_from_a_definition() {
    in_a_lab("service_from_definition");
}

#[test]
fn a_service_from_a_bundle() {
    in_a_lab("service_from_bundle");
}

#[test]
fn podman_without_root_from_a_definition() {
    in_a_lab("podman_from_definition");
}

#[test]
fn podman_without_root_from_a_bundle() {
    in_a_lab("podman_from_bundle");
}

#[test]
fn docker_from_a_definition() {
    in_a_lab("docker_from_definition");
}

#[test]
fn docker_from_a_bundle() {
    in_a_lab("docker_from_bundle");
}
