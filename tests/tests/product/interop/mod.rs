//! Our programs beside the network's own router: ours as its edge, and its edge on our hub.
//!
//! Runs where `SKROUTERD` names the real router; `tests/interop/README.md` says how, and what was seen.

mod ground;
mod table;

use ground::{Encapsulation, Ground, Place, every_ground};
use moorline_tests::skrouterd::Skrouterd;
use moorline_tests::turn;
use table::Table;

/// The real router, or a word on why nothing is done.
fn real_router() -> Option<Skrouterd> {
    let found = Skrouterd::from_environment();
    if found.is_none() {
        println!("skipped: SKROUTERD names no router (see tests/interop/README.md)");
    }
    found
}

/// Runs every scenario on each ground that has its listener and connector so.
fn run(hub: Place, listener: Place, connector: Place) {
    let Some(real) = real_router() else { return };
    let _turn = turn::heavy();
    let mut table = Table::new(&real.version);
    for encapsulation in Encapsulation::of(&real, hub, listener, connector) {
        let ground = || Ground::start(&real, encapsulation, hub, listener, connector);
        every_ground(&mut table, ground);
    }
    table.print_and_judge();
}

#[test]
fn our_listener_under_a_real_interior_with_the_connector() {
    run(Place::Real, Place::Ours, Place::Real);
}

#[test]
fn our_connector_under_a_real_interior_with_the_listener() {
    run(Place::Real, Place::Real, Place::Ours);
}

#[test]
fn our_edges_meet_over_a_real_interior() {
    run(Place::Real, Place::Ours, Place::Ours);
}

#[test]
fn a_real_listener_meets_our_connector_over_our_hub() {
    run(Place::Ours, Place::Real, Place::Ours);
}

#[test]
fn our_listener_meets_a_real_connector_over_our_hub() {
    run(Place::Ours, Place::Ours, Place::Real);
}

#[test]
fn real_edges_meet_over_our_hub() {
    run(Place::Ours, Place::Real, Place::Real);
}
