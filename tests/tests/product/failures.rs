//! What breaks in operation: a hub that crashes, a host that is lost, and the orderly end.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;

use moorline_tests::definition::Definition;
use moorline_tests::network::{Hub, Route};
use moorline_tests::payload;
use moorline_tests::peer::{
    Server, connect, connect_when_open, echo_server, named_server, read_exactly, wait_until_closed, wait_until_dead,
};
use moorline_tests::ports::free_port;
use moorline_tests::process::{Process, eventually};
use moorline_tests::scenario::{self, Ends};
use nix::sys::signal::Signal;

#[test]
fn forwards_work_again_after_the_hub_crashed() {
    let mut route = Route::start();
    let ends = Ends { entry: route.entry, target: route.target };
    scenario::echo(ends).unwrap();
    {
        let _server = echo_server(route.target);
        let mut open = connect_when_open(route.entry);
        open.write_all(b"x").unwrap();
        read_exactly(&mut open, 1).unwrap();
        let marks = (route.east.process.mark(), route.west.process.mark());
        route.hub.process.crash();
        // What ran over it ends, and nothing pretends to work.
        wait_until_dead(&mut open).unwrap();
        wait_until_closed(route.entry);
        route.east.process.wait_for_after(marks.0, &["no longer linked"]);
        route.west.process.wait_for_after(marks.1, &["no longer linked"]);
    }
    for _ in 0..2 {
        route.hub.restart();
        scenario::server_speaks_first(ends).unwrap();
        scenario::bulk_both_ways(ends, 4 << 20).unwrap();
        route.hub.process.crash();
        wait_until_closed(route.entry);
    }
    assert!(route.east.process.is_running() && route.west.process.is_running());
}

/// Asks who serves a new connection.
fn who(port: u16) -> std::io::Result<(TcpStream, String)> {
    let mut client = connect(port)?;
    let name = String::from_utf8_lossy(&read_exactly(&mut client, 3)?).into_owned();
    Ok((client, name))
}

#[test]
fn new_connections_go_to_the_host_that_is_left() {
    let (entry, one, two) = (free_port(), free_port(), free_port());
    let hub = Hub::start();
    let _east = hub.gateway(&Definition::new("east").forward("service:1", entry));
    let (_one, _two) = (named_server(one, "one"), named_server(two, "two"));
    let mut first = hub.gateway(&Definition::new("first").binding("service:1", one));
    let _second = hub.gateway(&Definition::new("second").binding("service:1", two));
    drop(connect_when_open(entry));

    // Open connections are shared out: with several open, both hosts have some.
    let open: Vec<_> = (0..6).map(|_| who(entry).unwrap()).collect();
    let (with_one, with_two): (Vec<_>, Vec<_>) = open.into_iter().partition(|(_, name)| name == "one");
    assert!(with_one.len() >= 2 && with_two.len() >= 2, "{} and {}", with_one.len(), with_two.len());

    first.process.crash();
    for (mut client, _) in with_one {
        wait_until_dead(&mut client).unwrap();
    }
    for _ in 0..20 {
        let (_, name) = who(entry).unwrap();
        assert_eq!(name, "two");
    }
    // Those of the other host never noticed.
    for (mut client, _) in with_two {
        client.write_all(b"still").unwrap();
        assert_eq!(read_exactly(&mut client, 5).unwrap(), b"still");
    }
}

/// Ends a program in the middle of a transfer, which must finish.
fn drains(route: &mut Route, which: fn(&mut Route) -> &mut Process, takes_nothing_new: bool) {
    const HALF: u64 = 8 << 20;
    let server = Server::start(route.target, |mut stream| {
        let received = payload::receive(&mut stream)?;
        stream.write_all(received.digest.as_bytes())?;
        Ok(received.length)
    });
    let mut client = connect_when_open(route.entry);
    payload::send(&mut client, 1, HALF).unwrap();
    let process = which(route);
    let mark = process.mark();
    process.signal(Signal::SIGTERM);
    process.wait_for_after(mark, &["SIGTERM: stopping"]);
    if takes_nothing_new {
        // The service is gone for others while this connection goes on.
        wait_until_closed(route.entry);
    }
    payload::send(&mut client, 2, HALF).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut digest = String::new();
    client.read_to_string(&mut digest).unwrap();
    assert_eq!(digest.len(), 64);
    let lengths = std::iter::once(server.result()).chain(std::iter::from_fn(|| server.result_now()));
    assert!(lengths.flatten().any(|length| length == 2 * HALF), "the transfer did not arrive");
    let process = which(route);
    assert_eq!(process.wait().code(), Some(0), "{}", process.said());
    assert!(!process.said().contains("were cut"), "{}", process.said());
}

#[test]
fn a_forward_drains_at_sigterm() {
    drains(&mut Route::start(), |route| &mut route.east.process, true);
}

#[test]
fn a_binding_drains_at_sigterm() {
    drains(&mut Route::start(), |route| &mut route.west.process, true);
}

#[test]
fn a_hub_drains_at_sigterm() {
    drains(&mut Route::start(), |route| &mut route.hub.process, false);
}

#[test]
fn a_hub_that_drains_takes_nothing_new() {
    drains(&mut Route::start(), |route| &mut route.hub.process, true);
}

#[test]
fn a_gateway_without_connections_ends_at_once_at_sigterm() {
    let mut route = Route::start();
    for process in [&mut route.east.process, &mut route.west.process, &mut route.hub.process] {
        process.signal(Signal::SIGTERM);
        assert_eq!(process.wait().code(), Some(0), "{}", process.said());
    }
}

#[test]
fn an_uplink_that_is_lost_for_a_while_comes_back_for_every_gateway() {
    let mut hub = Hub::start();
    let ports: Vec<(u16, u16)> = (0..4).map(|_| (free_port(), free_port())).collect();
    let gateways: Vec<_> = ports
        .iter()
        .enumerate()
        .map(|(at, (entry, target))| {
            let own = format!("service-{at}:1");
            let next = format!("service-{}:1", (at + 1) % ports.len());
            hub.gateway(&Definition::new(&format!("gateway-{at}")).binding(&own, *target).forward(&next, *entry))
        })
        .collect();
    let names = ["000", "111", "222", "333"];
    let _servers: Vec<_> = ports.iter().zip(names).map(|((_, target), name)| named_server(*target, name)).collect();
    let all_work = || {
        for (at, (entry, _)) in ports.iter().enumerate() {
            let name = eventually("a service answers", || who(*entry).ok()).1;
            assert_eq!(name, names[(at + 1) % names.len()]);
        }
    };
    drop(connect_when_open(ports[0].0));
    all_work();
    hub.process.crash();
    ports.iter().for_each(|(entry, _)| wait_until_closed(*entry));
    thread::yield_now();
    hub.restart();
    all_work();
    drop(gateways);
}
