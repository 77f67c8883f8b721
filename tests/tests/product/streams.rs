//! What becomes of one TCP connection, and of many: order, ends, failures, independence.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use moorline_tests::command::{finish, moorline, stderr};
use moorline_tests::definition::Definition;
use moorline_tests::network::{Gateway, Hub, Route};
use moorline_tests::peer::{
    Server, connect, connect_when_open, echo_server, is_open, named_server, read_exactly, wait_until_closed,
};
use moorline_tests::ports::free_port;
use moorline_tests::process::{Process, eventually};
use moorline_tests::scenario::{self, Ends, QUICK};
use moorline_tests::scratch::Scratch;
use moorline_tests::turn;

fn every_scenario(ends: Ends) {
    for (name, scenario) in QUICK {
        scenario(ends).unwrap_or_else(|error| panic!("{name}: {error}"));
        println!("{name}: good");
    }
}

#[test]
fn greetings_half_closes_resets_and_refusals_cross_the_network() {
    let mut route = Route::start();
    every_scenario(Ends { entry: route.entry, target: route.target });
    // The refused target: the cause is in the connector's log, and in its access line.
    route.west.process.wait_for(&["service:1", "refused"]);
    route.west.process.wait_for(&["access", "service:1", "connection ended", "refused"]);
    route.east.process.wait_for(&["access", "service:1", "listener"]);
}

#[test]
fn one_gateway_serves_its_own_forward_from_its_own_binding() {
    let (entry, target) = (free_port(), free_port());
    let hub = Hub::start();
    let both = Definition::new("both").binding("service:1", target).forward("service:1", entry);
    let _gateway = hub.gateway(&both);
    let ends = Ends { entry, target };
    every_scenario(ends);
    scenario::bulk_both_ways(ends, 8 << 20).unwrap();
}

#[test]
fn five_hundred_connections_at_once_each_get_their_own_bytes() {
    let _turn = turn::heavy();
    let route = Route::start();
    scenario::parallel(Ends { entry: route.entry, target: route.target }, 500).unwrap();
}

#[test]
fn a_stalled_reader_slows_nobody() {
    const STALLED: u64 = 256 << 20;
    const BUSY: usize = 8;
    const EACH: u64 = 16 << 20;
    let route = Route::start();
    let written = Arc::new(AtomicU64::new(0));
    let give_up = Arc::new(AtomicBool::new(false));
    let (counter, stop) = (Arc::clone(&written), Arc::clone(&give_up));
    // `s`: sends and sends. `e`: sends back what it gets.
    let server = Server::start(route.target, move |mut stream| {
        let kind = read_exactly(&mut stream, 1)?;
        if kind == b"s" {
            let block = vec![0x5a; 64 * 1024];
            while !stop.load(Ordering::Relaxed) && counter.load(Ordering::Relaxed) < STALLED {
                if stream.write_all(&block).is_err() {
                    break;
                }
                counter.fetch_add(block.len() as u64, Ordering::Relaxed);
            }
        } else {
            std::io::copy(&mut stream.try_clone()?, &mut stream)?;
        }
        Ok(())
    });
    let mut stalled = connect_when_open(route.entry);
    stalled.write_all(b"s").unwrap();
    // It is stalled once nothing moves any more, long before the end.
    let mut before = 0;
    eventually("the sender to the stalled reader is held", || {
        thread::sleep(std::time::Duration::from_millis(300));
        let now = written.load(Ordering::Relaxed);
        let held = now > 0 && now == before;
        before = now;
        held.then_some(())
    });
    assert!(before < STALLED / 4, "{before} bytes were taken for a reader that reads nothing");

    let busy: Vec<_> = (0..BUSY)
        .map(|at| {
            let mut client = connect(route.entry).unwrap();
            thread::spawn(move || {
                client.write_all(b"e").unwrap();
                let mut writer = client.try_clone().unwrap();
                let sending = thread::spawn(move || {
                    let sum = moorline_tests::payload::send(&mut writer, at as u64, EACH).unwrap();
                    writer.shutdown(Shutdown::Write).unwrap();
                    sum
                });
                let received = moorline_tests::payload::receive(&mut client).unwrap();
                assert_eq!(sending.join().unwrap(), received);
                received.length
            })
        })
        .collect();
    let moved: u64 = busy.into_iter().map(|client| client.join().unwrap()).sum();
    assert_eq!(moved, BUSY as u64 * EACH);
    assert_eq!(written.load(Ordering::Relaxed), before, "the stalled one was read by nobody meanwhile");

    // It goes on when its reader does.
    give_up.store(true, Ordering::Relaxed);
    let mut rest = Vec::new();
    stalled.read_to_end(&mut rest).unwrap();
    assert!(rest.len() as u64 >= before);
    drop(server);
}

#[test]
fn a_forward_opens_with_its_service_and_closes_with_it() {
    let (entry, target) = (free_port(), free_port());
    let hub = Hub::start();
    let mut east = hub.gateway(&Definition::new("east").forward("service:1", entry));
    assert!(!is_open(entry), "open, though the network has no server");
    let _server = named_server(target, "here");
    let west = hub.gateway(&Definition::new("west").binding("service:1", target));
    let mut client = connect_when_open(entry);
    assert_eq!(read_exactly(&mut client, 4).unwrap(), b"here");
    let mark = east.process.mark();
    drop(west);
    wait_until_closed(entry);
    east.process.wait_for_after(mark, &["no longer listening", "service:1"]);
    // It comes back as often as the service does.
    let _west = hub.gateway(&Definition::new("west").binding("service:1", target));
    assert_eq!(read_exactly(&mut connect_when_open(entry), 4).unwrap(), b"here");
}

#[test]
fn a_port_in_use_is_said_at_the_start() {
    let entry = free_port();
    let _occupied = TcpListener::bind(("127.0.0.1", entry)).unwrap();
    let hub = Hub::start();
    let home = Scratch::new();
    hub.token(&home.join("token.yaml"));
    let text = Definition::new("east").forward("service:1", entry).yaml();
    let mut gateway = Gateway::run(home, "east", &text, &[]);
    let status = gateway.process.wait();
    assert_eq!(status.code(), Some(1), "{}", gateway.process.said());
    gateway.process.wait_for(&[&entry.to_string(), "in use"]);

    // The hub's port as well.
    let home = Scratch::new();
    let mut second = moorline(&home, ["hub", "run", "--listen"]);
    let output = finish(second.arg(format!("127.0.0.1:{}", hub.port())));
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(&hub.port().to_string()), "{}", stderr(&output));
}

#[test]
fn a_router_runs_with_a_file_of_its_own() {
    use moorline_tests::skrouterd::RouterFile;
    let hub = Hub::start();
    let (entry, target) = (free_port(), free_port());
    let home = Scratch::new();
    let certificates = hub.authority().client("router").write(&home.join("certs"));
    let file = RouterFile::new("edge-of-file", "edge").certificates(&certificates).uplink(hub.port()).tcp_listener(
        "service:1",
        entry,
        Some("legacy"),
    );
    let path = home.write("skrouterd.json", &file.json());
    let mut router = Process::start("router", moorline(&home, ["router", "-c"]).arg(path));
    router.wait_for(&["edge-of-file", "runs as an edge"]);
    let _west = hub.gateway(&Definition::new("west").binding("service:1", target));
    let _server = echo_server(target);
    let mut client = connect_when_open(entry);
    client.write_all(b"there and back").unwrap();
    assert_eq!(read_exactly(&mut client, 14).unwrap(), b"there and back");
}
