//! `moorline demo`, man pages and completions.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::{Place, Running};

fn command(place: &Place, arguments: &[&str]) -> std::process::Command {
    fs::create_dir_all(place.path("tmp")).unwrap();
    let mut command = place.command(arguments);
    command.env("TMPDIR", place.path("tmp"));
    command
}

fn assert_nothing_left(place: &Place) {
    let left: Vec<_> = fs::read_dir(place.path("tmp")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_demo_makes_a_round_trip_through_two_gateways() {
    let place = Place::new();
    let begun = Instant::now();
    let mut demo = Running::start(command(&place, &["demo"]));
    let status = demo.ended();
    let said = demo.said();
    assert!(status.success(), "{said}");
    assert!(begun.elapsed() < Duration::from_secs(15), "{said}");
    assert!(said.contains("round trip through two gateways: ok (greeted in "), "{said}");
    assert!(said.contains("8388608 bytes went, 8388674 came"), "{said}");
    assert!(!said.contains("WARN") && !said.contains("error"), "{said}");
    assert_nothing_left(&place);
}

#[test]
fn a_demo_that_is_kept_serves_until_it_is_told_to_end() {
    let place = Place::new();
    let mut demo = Running::start(command(&place, &["demo", "--keep"]));
    let line = demo.says("  nc 127.0.0.1 ");
    let port: u16 = line.trim().rsplit(' ').next().unwrap().parse().unwrap();
    let mut greeting = String::new();
    let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    BufReader::new(client.try_clone().unwrap()).read_line(&mut greeting).unwrap();
    assert!(greeting.starts_with("Hello from the far side"), "{greeting}");
    drop(client);
    demo.end();
    assert_nothing_left(&place);
}

#[test]
fn a_demo_that_is_killed_leaves_no_process() {
    let place = Place::new();
    let mut demo = Running::start(command(&place, &["demo", "--keep"]));
    let line = demo.says("  nc 127.0.0.1 ");
    let port: u16 = line.trim().rsplit(' ').next().unwrap().parse().unwrap();
    demo.signal("KILL");
    demo.ended();
    let deadline = Instant::now() + Duration::from_secs(15);
    while TcpStream::connect(("127.0.0.1", port)).is_ok_and(|mut client| client.read(&mut [0; 1]).is_ok_and(|n| n > 0))
    {
        assert!(Instant::now() < deadline, "its gateways still serve");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn man_pages_and_completions_come_from_the_command_line() {
    let place = Place::new();
    let ended = place.moorline(&["docs", "man", "man"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let page = fs::read_to_string(place.path("man/moorline-gateway-run.1")).unwrap();
    assert!(page.contains("Run a gateway in the foreground") && page.contains("Exit codes"), "{page}");
    for shell in ["bash", "zsh", "fish"] {
        let ended = place.moorline(&["docs", "completions", shell]);
        assert_eq!(ended.code, Some(0));
        assert!(ended.out.contains("COMPLETE"), "{}", ended.out);
        // They ask the program, as it was called.
        assert!(ended.out.contains(env!("CARGO_BIN_EXE_moorline")), "{}", ended.out);
    }
}

#[test]
fn the_version_is_said() {
    let ended = Place::new().moorline(&["--version"]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), concat!("moorline ", env!("CARGO_PKG_VERSION"), "\n")));
}

#[test]
fn the_reference_is_what_help_says() {
    let ended = Place::new().moorline(&["docs", "reference"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, &ended.out).unwrap();
    }
    assert!(ended.out == fs::read_to_string(path).unwrap(), "docs/reference.md is old; UPDATE_GOLDEN=1 rewrites it");
}
