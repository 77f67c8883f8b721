//! Gateways that stay: `moorline gateway plan`, `apply`, `status` and `remove` on a real systemd.
//!
//! Each test runs the test of the same name in `life` as a user of `tests/hosts/user-systemd`, or as root of
//! `tests/hosts/system-systemd`; where this machine cannot do that, it says SKIPPED.

pub(crate) mod host;
mod life;

use moorline_tests::host::run_there;

fn as_a_user_with_systemd(test: &str) {
    let router = std::env::var("SKROUTERD").ok();
    let environment: Vec<(&str, &str)> = router.iter().map(|path| ("SKROUTERD", path.as_str())).collect();
    run_there("user-systemd", &[], &environment, &format!("installed::life::{test}"));
}

fn as_root_with_systemd(test: &str) {
    run_there("system-systemd", &[], &[], &format!("installed::life::{test}"));
}

#[test]
fn row_26_39_41_a_gateway_is_installed_changed_and_removed() {
    as_a_user_with_systemd("a_gateway_is_installed_changed_and_removed");
}

#[test]
fn a_change_that_fails_is_taken_back() {
    as_a_user_with_systemd("a_change_that_fails_is_taken_back");
}

#[test]
fn an_apply_that_is_killed_is_finished_by_the_next() {
    as_a_user_with_systemd("an_apply_that_is_killed_is_finished_by_the_next");
}

#[test]
fn a_restart_that_fails_is_taken_back_and_one_that_was_killed_is_finished() {
    as_a_user_with_systemd("a_restart_that_fails_is_taken_back_and_one_that_was_killed_is_finished");
}

#[test]
fn row_35_36_37_38_a_bundle_is_launched_and_removed_by_its_scripts() {
    as_a_user_with_systemd("a_bundle_is_launched_and_removed_by_its_scripts");
}

#[test]
fn a_unit_that_is_not_ours_is_left_alone() {
    as_a_user_with_systemd("a_unit_that_is_not_ours_is_left_alone");
}

#[test]
fn the_networks_own_router_runs_as_a_service() {
    if std::env::var_os("SKROUTERD").is_none() {
        println!("SKIPPED: SKROUTERD names no router");
        return;
    }
    as_a_user_with_systemd("the_networks_own_router_runs_as_a_service");
}

#[test]
fn a_router_that_is_not_there_changes_nothing() {
    as_a_user_with_systemd("a_router_that_is_not_there_changes_nothing");
}

#[test]
fn roots_gateway_is_a_system_service_in_a_sandbox() {
    as_root_with_systemd("roots_gateway_is_a_system_service_in_a_sandbox");
}
