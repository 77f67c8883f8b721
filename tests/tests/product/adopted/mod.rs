//! Gateways that Skupper's own tools made, adopted while they run: `moorline gateway adopt`.
//!
//! What those tools leave on a host is laid out here to the letter, with a router in it: this program's, which reads the same
//! file, and the one that `SKROUTERD` names. Each test runs the test of the same name in `on_host` as a user of
//! `tests/hosts/user-systemd`, or beside an engine of `tests/hosts/engine`.

mod contained;
mod judge;
mod on_host;
mod skuppers;

use moorline_tests::host::run_there;

fn run(test: &str, place: &str, router: &str) {
    let environment = [("PLACE", place), ("ROUTER", router)];
    run_there("user-systemd", &[], &environment, &format!("adopted::on_host::{test}"));
}

fn with_each_router(test: &str, place: &str) {
    run(test, place, "embedded");
    match std::env::var("SKROUTERD") {
        Ok(router) => run(test, place, &router),
        Err(_) => println!("SKIPPED with skrouterd: SKROUTERD names no router"),
    }
}

#[test]
fn a_service_of_a_bundle_is_adopted_while_it_serves() {
    with_each_router("a_service_is_adopted_while_it_serves", "bundle");
}

#[test]
fn a_service_of_a_cluster_is_adopted_while_it_serves() {
    with_each_router("a_service_is_adopted_while_it_serves", "cluster");
}

#[test]
fn a_service_goes_on_with_the_networks_own_router() {
    match std::env::var("SKROUTERD") {
        Ok(router) => run("a_service_goes_on_with_the_networks_own_router", "bundle", &router),
        Err(_) => println!("SKIPPED: SKROUTERD names no router"),
    }
}

#[test]
fn an_adoption_that_is_killed_is_finished_by_the_next() {
    run("an_adoption_that_is_killed_is_finished_by_the_next", "cluster", "embedded");
}

#[test]
fn an_adoption_that_fails_leaves_the_old_gateway_serving() {
    with_each_router("an_adoption_that_fails_leaves_the_old_gateway_serving", "cluster");
}

#[test]
fn a_gateway_that_does_not_run_is_adopted_too() {
    run("a_gateway_that_does_not_run_is_adopted_too", "bundle", "embedded");
}

#[test]
fn of_several_gateways_the_meant_one_is_adopted() {
    run("of_several_gateways_the_meant_one_is_adopted", "cluster", "embedded");
}

fn beside(engine: &str, test: &str) {
    let environment = [("ENGINE", engine)];
    run_there("engine", &[engine], &environment, &format!("adopted::contained::{test}"));
}

#[test]
fn a_docker_container_is_adopted_while_it_serves() {
    beside("docker", "a_container_is_adopted_while_it_serves");
}

#[test]
fn a_podman_container_is_adopted_while_it_serves() {
    beside("podman", "a_container_is_adopted_while_it_serves");
}

#[test]
fn a_podman_container_without_root_is_adopted_while_it_serves() {
    beside("rootless", "a_container_is_adopted_while_it_serves");
}

#[test]
fn a_service_becomes_a_container() {
    let environment = [("PLACE", "bundle"), ("ROUTER", "embedded")];
    run_there("engine", &["rootless"], &environment, "adopted::on_host::a_service_becomes_a_container");
}

#[test]
fn what_no_definition_says_is_taken_over_all_the_same() {
    run("what_no_definition_says_is_taken_over_all_the_same", "cluster", "embedded");
}

#[test]
fn roots_service_becomes_one_of_the_machine() {
    run_there("system-systemd", &[], &[], "adopted::on_host::roots_service_becomes_one_of_the_machine");
}
