//! `moorline demo`: the round trip, and nothing left behind.

use moorline_tests::command::{moorline, run, stderr, stdout};
use moorline_tests::process::{Process, eventually};
use moorline_tests::scratch::Scratch;
use moorline_tests::{turn, usage};
use nix::sys::signal::Signal;

/// What runs of ours with this home in its command line.
fn left_running(home: &Scratch) -> Vec<(u32, String)> {
    usage::running(home.path().to_str().unwrap())
}

fn left_in(home: &Scratch) -> Vec<std::path::PathBuf> {
    moorline_tests::tree::tree(home.path()).into_keys().filter(|path| path != home.path()).collect()
}

#[test]
fn the_demo_moves_data_both_ways_and_leaves_nothing() {
    let _turn = turn::heavy();
    let home = Scratch::new();
    let output = run(&home, ["demo"]);
    let said = format!("{}\n{}", stdout(&output), stderr(&output));
    assert_eq!(output.status.code(), Some(0), "{said}");
    println!("{said}");
    assert!(said.contains("round trip"), "{said}");
    assert_eq!(left_running(&home), []);
    assert!(left_in(&home).is_empty(), "{:?}", left_in(&home));
}

#[test]
fn a_kept_demo_ends_at_sigterm_and_leaves_nothing() {
    let _turn = turn::heavy();
    let home = Scratch::new();
    let mut demo = Process::start("demo", &mut moorline(&home, ["demo", "--keep"]));
    demo.wait_for(&["round trip", "ok"]);
    demo.wait_for(&["runs until"]);
    eventually("its parts run", || (!left_running(&home).is_empty()).then_some(()));
    demo.signal(Signal::SIGTERM);
    assert_eq!(demo.wait().code(), Some(0), "{}", demo.said());
    eventually("its parts end", || left_running(&home).is_empty().then_some(()));
    assert!(left_in(&home).is_empty(), "{:?}", left_in(&home));
}
