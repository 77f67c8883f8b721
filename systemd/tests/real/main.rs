//! A real systemd, in namespaces of its own, and real services that it runs.
//!
//! Each test here has a script of `tests/hosts` start a systemd, of a user that the host does not know or of a booted
//! host, and run one of the ignored tests below there: those are the tests proper, and fail when they are run without it. The services
//! are this program too (see [`service`]), so that what they say they say through the crate itself.

#![allow(clippy::unwrap_used)]

mod host;
mod life;
mod quoting;
mod sandbox;
mod service;
mod system;

use host::{on_a_booted_host, on_a_host};

#[test]
fn a_unit_lives_as_told() {
    on_a_host("life::of_a_unit", &[]);
}

#[test]
fn units_that_fail_say_how() {
    on_a_host("life::of_failing_units", &[]);
}

#[test]
fn a_service_that_hangs_is_started_anew() {
    on_a_host("life::under_a_watchdog", &[]);
}

#[test]
fn a_systemd_without_a_bus_is_told() {
    on_a_host("life::without_a_bus", &["DBUS_SESSION_BUS_ADDRESS=unix:path=/nowhere"]);
}

#[test]
fn the_runtime_directory_is_found_without_the_variable() {
    on_a_host("life::without_the_variable", &["--unset=XDG_RUNTIME_DIR"]);
}

#[test]
fn a_runtime_directory_without_a_systemd_is_told() {
    on_a_host("life::without_a_systemd", &["XDG_RUNTIME_DIR=/tmp"]);
}

#[test]
fn the_sandbox_is_in_force_inside_the_service() {
    on_a_host("sandbox::in_force", &[]);
}

#[test]
fn any_path_and_argument_arrives_as_it_is() {
    on_a_host("quoting::arrives", &[]);
}

#[test]
fn the_sandbox_is_in_force_inside_a_system_service() {
    on_a_booted_host("system::in_force");
}

#[test]
fn users_are_made_to_linger() {
    on_a_booted_host("system::lingering");
}

#[test]
fn users_may_not_command_the_system() {
    on_a_booted_host("system::denied_to_users");
}
