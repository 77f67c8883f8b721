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
fn row_46_a_service_from_a_definition() {
    in_a_lab("service_from_definition");
}

#[test]
fn row_36_41_46_a_service_from_a_bundle() {
    in_a_lab("service_from_bundle");
}

#[test]
fn row_47_podman_without_root_from_a_definition() {
    in_a_lab("podman_from_definition");
}

#[test]
fn row_36_37_47_podman_without_root_from_a_bundle() {
    in_a_lab("podman_from_bundle");
}

#[test]
fn row_47_docker_from_a_definition() {
    in_a_lab("docker_from_definition");
}

#[test]
fn row_36_37_47_docker_from_a_bundle() {
    in_a_lab("docker_from_bundle");
}
