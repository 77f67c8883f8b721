//! Real engines, with data, networks and processes of their own, and a real static program in their containers.
//!
//! Each test here has `tests/hosts/engine` start an engine and run one of the ignored tests below beside it: those are
//! the tests proper, and fail when they are run without it. What runs in the containers is `probe.rs`.

#![allow(clippy::unwrap_used)]

mod containers;
mod host;
mod images;
mod registry;
mod sandbox;

use host::{beside, beside_with};

#[test]
fn images_are_made_here() {
    beside(&["docker", "podman", "rootless"], "images::made_here");
}

#[test]
fn images_of_others_are_fetched_or_it_is_said_why_not() {
    beside(&["docker", "podman"], "images::fetched");
}

#[test]
fn images_of_a_registry_run() {
    beside(&["docker", "podman"], "images::from_a_registry");
}

#[test]
fn a_full_disk_is_told() {
    beside_with(&["docker", "podman"], &[("ENGINE_SPACE", "24m")], "images::too_large");
}

#[test]
fn a_container_lives_as_told() {
    beside(&["docker", "podman", "rootless"], "containers::life");
}

#[test]
fn names_are_exact() {
    beside(&["docker", "podman"], "containers::exact_names");
}

#[test]
fn the_sandbox_is_in_force_inside_the_container() {
    beside(&["docker", "podman", "rootless"], "sandbox::in_force");
}

#[test]
fn health_is_told() {
    beside(&["docker", "rootless"], "containers::health");
}

#[test]
fn what_is_missing_after_a_reboot_is_said() {
    beside(&["rootless"], "containers::after_a_reboot");
}

#[test]
fn an_engine_that_does_not_start_is_told() {
    beside(&["rootless"], "containers::does_not_start");
}

#[test]
fn the_other_engine_is_told() {
    beside(&["docker"], "containers::docker_for_podman");
    beside(&["podman"], "containers::podman_for_docker");
}
