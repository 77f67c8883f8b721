//! The words that people know from Skupper: `moorline gateway init`, `expose`, `bind`, `forward`, and what undoes them.
//!
//! Each test has the number of its row in Skupper's feature matrix (tests/README.md) and runs the test of the same name in
//! `rows` as a user of `tests/hosts/user-systemd`: with the embedded router, and with the one that `SKROUTERD` names.

mod rows;

use moorline_tests::host::run_there;

fn run(test: &str, router: &str) {
    run_there("user-systemd", &[], &[("ROUTER", router)], &format!("words::rows::{test}"));
}

fn with_each_router(test: &str) {
    run(test, "embedded");
    match std::env::var("SKROUTERD") {
        Ok(program) => run(test, &format!("skrouterd={program}")),
        Err(_) => println!("SKIPPED with skrouterd: SKROUTERD names no router"),
    }
}

#[test]
fn row_23_expose_one_local_service() {
    with_each_router("row_23_expose_one_local_service");
}

#[test]
fn row_24_expose_a_service_of_another_host() {
    with_each_router("row_24_expose_a_service_of_another_host");
}

#[test]
fn row_25_status_is_skuppers_tree() {
    with_each_router("row_25_status_is_skuppers_tree");
}

#[test]
fn row_27_a_service_without_skrouterd_is_told() {
    run("row_27_a_service_without_skrouterd_is_told", "embedded");
}

#[test]
fn row_28_init_says_the_name() {
    with_each_router("row_28_init_says_the_name");
}

#[test]
fn row_29_bind_without_a_restart() {
    with_each_router("row_29_bind_without_a_restart");
}

#[test]
fn row_30_several_services() {
    with_each_router("row_30_several_services");
}

#[test]
fn row_31_forward_and_an_occupied_port() {
    with_each_router("row_31_forward_and_an_occupied_port");
}

#[test]
fn row_32_forward_on_loopback_only() {
    with_each_router("row_32_forward_on_loopback_only");
}

#[test]
fn row_33_all_is_taken_back() {
    with_each_router("row_33_all_is_taken_back");
}

#[test]
fn row_49_directories_are_where_the_environment_says() {
    run("row_49_directories_are_where_the_environment_says", "embedded");
}

#[test]
fn row_50_one_gateway_one_network() {
    run("row_50_one_gateway_one_network", "embedded");
}

#[test]
fn row_51_export_and_bundle() {
    run("row_51_export_and_bundle", "embedded");
}

#[test]
fn a_definition_of_the_users_own_is_edited_too() {
    run("a_definition_of_the_users_own_is_edited_too", "embedded");
}

#[test]
fn a_service_is_announced_and_withdrawn() {
    run("a_service_is_announced_and_withdrawn", "embedded");
}

#[test]
fn what_does_not_work_is_told() {
    run("what_does_not_work_is_told", "embedded");
}

#[test]
fn a_thousand_connections_outlive_every_change() {
    with_each_router("a_thousand_connections_outlive_every_change");
}
