//! The router core, edge to hub to edge, in memory.

use crate::world::{World, pattern};
use moorline_router::core::*;
use std::time::Duration;

const SERVICE: &str = "database:5432";

struct Network {
    world: World,
    client_edge: usize,
    hub: usize,
    server_edge: usize,
    listener: ListenerId,
    wires: [usize; 2],
}

/// Client edge - hub - server edge.
fn network(encapsulation: Encapsulation, chunk: usize) -> Network {
    let mut world = World::new(chunk);
    let hub = world.node("hub", Mode::Hub);
    let client_edge = world.node("skupper-gateway-a", Mode::Edge);
    let server_edge = world.node("skupper-gateway-b", Mode::Edge);
    let listener = world.listener(client_edge, SERVICE, encapsulation);
    world.connector(server_edge, SERVICE);
    let wires = [world.link(client_edge, hub), world.link(server_edge, hub)];
    Network { world, client_edge, hub, server_edge, listener, wires }
}

fn each(test: impl Fn(Network)) {
    for encapsulation in [Encapsulation::Legacy, Encapsulation::Lite] {
        for chunk in [usize::MAX, 7, 1] {
            test(network(encapsulation, chunk));
        }
    }
}

/// Bulk is for whole chunks only: cutting gigabytes into single bytes proves nothing more.
fn each_whole(test: impl Fn(Network)) {
    for encapsulation in [Encapsulation::Legacy, Encapsulation::Lite] {
        test(network(encapsulation, usize::MAX));
    }
}

#[test]
fn a_listener_opens_when_its_service_is_reachable_and_closes_when_not() {
    each(|mut n| {
        assert!(n.world.is_listening(n.client_edge, n.listener));
        n.world.cut(n.wires[1]);
        assert!(!n.world.is_listening(n.client_edge, n.listener));
        n.world.link(n.server_edge, n.hub);
        assert!(n.world.is_listening(n.client_edge, n.listener));
        n.world.cut(n.wires[0]);
        assert!(!n.world.is_listening(n.client_edge, n.listener));
    });
}

#[test]
fn request_and_response_and_both_ends_close() {
    each(|mut n| {
        let client = n.world.client(n.client_edge, n.listener);
        n.world.socket(n.client_edge, client).to_send = b"select 1;".to_vec();
        n.world.run();
        let server = n.world.server(n.server_edge);
        assert_eq!(n.world.socket(n.server_edge, server).received, b"select 1;");
        n.world.socket(n.server_edge, server).to_send = b"one row".to_vec();
        n.world.run();
        assert_eq!(n.world.socket(n.client_edge, client).received, b"one row");
        n.world.socket(n.client_edge, client).finish = true;
        n.world.run();
        assert!(n.world.socket(n.server_edge, server).eof);
        assert_eq!(n.world.socket(n.server_edge, server).closed, None, "the other direction is still open");
        n.world.socket(n.server_edge, server).to_send = b"bye".to_vec();
        n.world.socket(n.server_edge, server).finish = true;
        n.world.run();
        assert_eq!(n.world.socket(n.client_edge, client).received, b"one rowbye");
        assert_eq!(n.world.socket(n.client_edge, client).closed, Some(CloseKind::Done));
        assert_eq!(n.world.socket(n.server_edge, server).closed, Some(CloseKind::Done));
        for node in [n.client_edge, n.server_edge] {
            let records = n.world.records(node);
            assert_eq!(records.len(), 1);
            assert_eq!(records[0].error, None);
            assert_eq!(records[0].bytes_in + records[0].bytes_out, 19);
            assert_eq!(n.world.nodes[node].router.open_flows(), 0);
        }
        assert_eq!(n.world.nodes[n.hub].router.open_splices(), 0);
    });
}

#[test]
fn the_server_may_speak_first() {
    each(|mut n| {
        n.world.nodes[n.server_edge].greeting = b"220 ready".to_vec();
        let client = n.world.client(n.client_edge, n.listener);
        assert_eq!(n.world.socket(n.client_edge, client).received, b"220 ready");
    });
}

#[test]
fn the_server_may_close_its_half_first() {
    each(|mut n| {
        let client = n.world.client(n.client_edge, n.listener);
        let server = n.world.server(n.server_edge);
        n.world.socket(n.server_edge, server).to_send = b"bye".to_vec();
        n.world.socket(n.server_edge, server).finish = true;
        n.world.run();
        assert!(n.world.socket(n.client_edge, client).eof);
        n.world.socket(n.client_edge, client).to_send = b"after".to_vec();
        n.world.socket(n.client_edge, client).finish = true;
        n.world.run();
        assert_eq!(n.world.socket(n.server_edge, server).received, b"after");
        assert_eq!(n.world.socket(n.client_edge, client).closed, Some(CloseKind::Done));
        assert_eq!(n.world.socket(n.server_edge, server).closed, Some(CloseKind::Done));
    });
}

#[test]
fn a_reset_reaches_the_other_end_from_either_side() {
    each(|mut n| {
        for from_client in [true, false] {
            let client = n.world.client(n.client_edge, n.listener);
            n.world.socket(n.client_edge, client).to_send = b"x".to_vec();
            n.world.run();
            let server = n.world.server(n.server_edge);
            if from_client {
                n.world.socket(n.client_edge, client).reset = true;
            } else {
                n.world.socket(n.server_edge, server).reset = true;
            }
            n.world.run();
            assert_eq!(n.world.socket(n.client_edge, client).closed, Some(CloseKind::Reset), "{from_client}");
            assert_eq!(n.world.socket(n.server_edge, server).closed, Some(CloseKind::Reset), "{from_client}");
            assert!(n.world.records(n.client_edge).last().unwrap().error.is_some());
            assert_eq!(n.world.nodes[n.hub].router.open_splices(), 0);
            assert_eq!(n.world.nodes[n.client_edge].router.open_flows(), 0);
            assert_eq!(n.world.nodes[n.server_edge].router.open_flows(), 0);
        }
    });
}

#[test]
fn a_refused_target_closes_the_client_and_says_why() {
    each(|mut n| {
        n.world.nodes[n.server_edge].target_up = false;
        let client = n.world.client(n.client_edge, n.listener);
        assert_eq!(n.world.socket(n.client_edge, client).closed, Some(CloseKind::Reset));
        assert_eq!(n.world.records(n.server_edge)[0].error.as_deref(), Some("connection refused"));
        assert!(n.world.records(n.client_edge)[0].error.is_some());
        assert_eq!(n.world.nodes[n.hub].router.open_splices(), 0);
    });
}

#[test]
fn bulk_both_ways_at_once_is_in_order_and_whole() {
    each_whole(|mut n| {
        // Enough streams to fill every output to its limit: then each side must still read, or both wait for ever.
        const STREAMS: usize = 12;
        const LEN: usize = 3 << 20;
        let clients: Vec<FlowId> = (0..STREAMS).map(|_| n.world.client(n.client_edge, n.listener)).collect();
        let servers = n.world.nodes[n.server_edge].servers.clone();
        let (up, down) = (pattern(LEN, 1), pattern(LEN, 2));
        for (client, server) in clients.iter().zip(&servers) {
            let (client, server) = (*client, *server);
            n.world.socket(n.client_edge, client).to_send = up.clone();
            n.world.socket(n.client_edge, client).finish = true;
            n.world.socket(n.server_edge, server).to_send = down.clone();
            n.world.socket(n.server_edge, server).finish = true;
        }
        n.world.run();
        for (client, server) in clients.iter().zip(&servers) {
            assert!(n.world.socket(n.server_edge, *server).received == up);
            assert!(n.world.socket(n.client_edge, *client).received == down);
            assert_eq!(n.world.socket(n.client_edge, *client).closed, Some(CloseKind::Done));
        }
    });
}

#[test]
fn a_stalled_reader_is_held_by_its_window_and_stalls_nobody() {
    each_whole(|mut n| {
        let stalled = n.world.client(n.client_edge, n.listener);
        n.world.run();
        let server = n.world.server(n.server_edge);
        n.world.socket(n.server_edge, server).stalled = true;
        n.world.socket(n.client_edge, stalled).to_send = pattern(8 << 20, 3);
        n.world.run();
        let sent = (8 << 20) - n.world.socket(n.client_edge, stalled).to_send.len();
        assert!((900_000..1_600_000).contains(&sent), "the window let {sent} bytes go");
        let client = n.world.client(n.client_edge, n.listener);
        n.world.socket(n.client_edge, client).to_send = pattern(4 << 20, 4);
        n.world.run();
        let other = n.world.server(n.server_edge);
        assert!(n.world.socket(n.server_edge, other).received == pattern(4 << 20, 4));
        n.world.socket(n.server_edge, server).stalled = false;
        n.world.run();
        assert!(n.world.socket(n.server_edge, server).received == pattern(8 << 20, 3));
    });
}

#[test]
fn many_connections_at_once() {
    each_whole(|mut n| {
        let clients: Vec<FlowId> = (0..500).map(|_| n.world.client(n.client_edge, n.listener)).collect();
        for (i, client) in clients.iter().enumerate() {
            n.world.socket(n.client_edge, *client).to_send = pattern(10_000 + i, i as u8);
            n.world.socket(n.client_edge, *client).finish = true;
        }
        n.world.run();
        let servers = n.world.nodes[n.server_edge].servers.clone();
        assert_eq!(servers.len(), 500);
        for (i, server) in servers.iter().enumerate() {
            assert!(n.world.socket(n.server_edge, *server).received == pattern(10_000 + i, i as u8), "flow {i}");
            assert!(n.world.socket(n.server_edge, *server).eof);
        }
    });
}

#[test]
fn losing_the_uplink_ends_flows_on_both_sides() {
    each(|mut n| {
        for wire in [0, 1] {
            let client = n.world.client(n.client_edge, n.listener);
            n.world.socket(n.client_edge, client).to_send = b"x".to_vec();
            n.world.run();
            let server = n.world.server(n.server_edge);
            n.world.cut(n.wires[wire]);
            assert_eq!(n.world.socket(n.client_edge, client).closed, Some(CloseKind::Reset), "wire {wire}");
            assert_eq!(n.world.socket(n.server_edge, server).closed, Some(CloseKind::Reset), "wire {wire}");
            assert_eq!(n.world.nodes[n.hub].router.open_splices(), 0);
            let edge = [n.client_edge, n.server_edge][wire];
            n.wires[wire] = n.world.link(edge, n.hub);
            assert!(n.world.is_listening(n.client_edge, n.listener));
        }
    });
}

#[test]
fn streams_go_to_the_server_with_the_fewest() {
    each_whole(|mut n| {
        let second = n.world.node("skupper-gateway-c", Mode::Edge);
        n.world.connector(second, SERVICE);
        let wire = n.world.link(second, n.hub);
        for _ in 0..10 {
            n.world.client(n.client_edge, n.listener);
        }
        assert_eq!(n.world.nodes[n.server_edge].servers.len(), 5);
        assert_eq!(n.world.nodes[second].servers.len(), 5);
        n.world.cut(wire);
        assert!(n.world.is_listening(n.client_edge, n.listener));
        n.world.client(n.client_edge, n.listener);
        assert_eq!(n.world.nodes[n.server_edge].servers.len(), 6);
    });
}

#[test]
fn listener_and_connector_on_one_router_need_no_network() {
    for mode in [Mode::Edge, Mode::Hub] {
        let mut world = World::new(usize::MAX);
        let node = world.node("alone", mode);
        let listener = world.listener(node, SERVICE, Encapsulation::Legacy);
        assert!(!world.is_listening(node, listener));
        let connector = world.connector(node, SERVICE);
        assert!(world.is_listening(node, listener));
        let client = world.client(node, listener);
        let server = world.server(node);
        world.socket(node, client).to_send = pattern(3 << 20, 9);
        world.socket(node, client).finish = true;
        world.socket(node, server).to_send = b"hello".to_vec();
        world.run();
        assert!(world.socket(node, server).received == pattern(3 << 20, 9));
        assert!(world.socket(node, server).eof);
        world.socket(node, server).finish = true;
        world.run();
        assert_eq!(world.socket(node, client).received, b"hello");
        assert_eq!(world.socket(node, client).closed, Some(CloseKind::Done));
        // One end is over and gone while the other still has to take its last bytes.
        let slow = world.client(node, listener);
        let server = world.server(node);
        world.socket(node, slow).stalled = true;
        world.socket(node, slow).finish = true;
        world.socket(node, server).to_send = pattern(1_500, 5);
        world.socket(node, server).finish = true;
        world.run();
        assert_eq!(world.socket(node, server).closed, Some(CloseKind::Done));
        world.socket(node, slow).stalled = false;
        world.run();
        assert!(world.socket(node, slow).received == pattern(1_500, 5));
        assert_eq!(world.socket(node, slow).closed, Some(CloseKind::Done));
        // What goes past the core is counted, and is held back like anything else.
        let slow = world.client(node, listener);
        let server = world.server(node);
        world.socket(node, slow).stalled = true;
        world.socket(node, server).to_send = pattern(3 << 20, 6);
        world.socket(node, server).finish = true;
        world.run();
        assert!(world.socket(node, server).to_send.len() > 2 << 20);
        assert_eq!(world.socket(node, server).closed, None);
        let halfway = world.nodes[node].router.flow(server).unwrap().bytes_in;
        assert_eq!(halfway as usize, (3 << 20) - world.socket(node, server).to_send.len());
        assert_eq!(world.nodes[node].router.flow(slow).unwrap().bytes_out, 0);
        world.socket(node, slow).stalled = false;
        world.socket(node, slow).finish = true;
        world.run();
        assert!(world.socket(node, slow).received == pattern(3 << 20, 6));
        let carried: Vec<(u64, u64)> =
            world.records(node).iter().rev().take(2).map(|record| (record.bytes_in, record.bytes_out)).collect();
        assert!(carried.contains(&(3 << 20, 0)) && carried.contains(&(0, 3 << 20)), "{carried:?}");
        let other = world.client(node, listener);
        world.socket(node, other).reset = true;
        world.run();
        let server = world.server(node);
        assert_eq!(world.socket(node, server).closed, Some(CloseKind::Reset));
        world.nodes[node].router.remove_connector(connector);
        world.run();
        assert!(!world.is_listening(node, listener));
        assert_eq!(world.nodes[node].router.open_flows(), 0);
    }
}

#[test]
fn the_hub_serves_and_listens_too() {
    each(|mut n| {
        let listener = n.world.listener(n.hub, SERVICE, Encapsulation::Legacy);
        assert!(n.world.is_listening(n.hub, listener));
        let client = n.world.client(n.hub, listener);
        n.world.socket(n.hub, client).to_send = b"from the hub".to_vec();
        n.world.run();
        let server = n.world.server(n.server_edge);
        assert_eq!(n.world.socket(n.server_edge, server).received, b"from the hub");
        let own = n.world.listener(n.client_edge, "hub-svc:1", Encapsulation::Lite);
        assert!(!n.world.is_listening(n.client_edge, own));
        n.world.connector(n.hub, "hub-svc:1");
        assert!(n.world.is_listening(n.client_edge, own));
        n.world.nodes[n.hub].greeting = b"hub here".to_vec();
        let client = n.world.client(n.client_edge, own);
        assert_eq!(n.world.socket(n.client_edge, client).received, b"hub here");
    });
}

#[test]
fn services_come_and_go_live_and_cut_nothing() {
    each(|mut n| {
        let client = n.world.client(n.client_edge, n.listener);
        let more = n.world.listener(n.client_edge, "more:1", Encapsulation::Legacy);
        assert!(!n.world.is_listening(n.client_edge, more));
        let connector = n.world.connector(n.server_edge, "more:1");
        assert!(n.world.is_listening(n.client_edge, more));
        let second = n.world.client(n.client_edge, more);
        n.world.nodes[n.server_edge].router.remove_connector(connector);
        n.world.nodes[n.client_edge].router.remove_listener(n.listener);
        n.world.run();
        assert!(!n.world.is_listening(n.client_edge, more));
        assert!(!n.world.is_listening(n.client_edge, n.listener));
        for flow in [client, second] {
            n.world.socket(n.client_edge, flow).to_send = b"still here".to_vec();
            n.world.run();
        }
        let servers = n.world.nodes[n.server_edge].servers.clone();
        assert_eq!(n.world.socket(n.server_edge, servers[0]).received, b"still here");
        assert_eq!(n.world.socket(n.server_edge, servers[1]).received, b"still here");
    });
}

#[test]
fn a_hub_that_leaves_closes_the_ports_of_its_edges_and_cuts_nothing() {
    each(|mut n| {
        let client = n.world.client(n.client_edge, n.listener);
        n.world.nodes[n.hub].router.stop_serving();
        n.world.run();
        assert!(!n.world.is_listening(n.client_edge, n.listener));
        n.world.socket(n.client_edge, client).to_send = b"still here".to_vec();
        n.world.run();
        let server = n.world.server(n.server_edge);
        assert_eq!(n.world.socket(n.server_edge, server).received, b"still here");
    });
}

#[test]
fn an_idle_network_stays_up_and_a_silent_peer_is_found() {
    let mut n = network(Encapsulation::Legacy, usize::MAX);
    n.world.advance(Duration::from_secs(120));
    assert!(n.world.is_listening(n.client_edge, n.listener));
    n.world.freeze(n.wires[0]);
    n.world.advance(Duration::from_secs(15));
    assert!(!n.world.is_finished(n.wires[0]), "15 s of silence are borne");
    n.world.advance(Duration::from_secs(2));
    assert!(n.world.is_finished(n.wires[0]), "16 s are not");
    assert!(!n.world.is_finished(n.wires[1]));
}

/// What the newest link of an edge is called, and how many it has.
fn links(world: &World, edge: usize, wire: usize) -> (u64, usize) {
    let links = world.nodes[edge].router.link_facts(world.end(wire, edge));
    (links.last().expect("links").number, links.len())
}

#[test]
fn links_are_used_again_and_those_of_a_crowd_are_given_back() {
    each_whole(|mut n| {
        let clients: Vec<FlowId> = (0..600).map(|_| n.world.client(n.client_edge, n.listener)).collect();
        let servers = n.world.nodes[n.server_edge].servers.clone();
        for server in &servers {
            n.world.socket(n.server_edge, *server).stalled = true;
        }
        for (i, client) in clients.iter().enumerate() {
            n.world.socket(n.client_edge, *client).to_send = pattern(1000, i as u8);
            n.world.socket(n.client_edge, *client).finish = true;
        }
        n.world.run();
        // Each stream has a link; those towards the servers are over, but not settled.
        for (edge, wire) in [(n.client_edge, n.wires[0]), (n.server_edge, n.wires[1])] {
            assert!(links(&n.world, edge, wire).1 > 1200);
        }
        for (i, server) in servers.iter().enumerate() {
            n.world.socket(n.server_edge, *server).to_send = pattern(1000, i as u8);
            n.world.socket(n.server_edge, *server).finish = true;
            n.world.socket(n.server_edge, *server).stalled = false;
        }
        n.world.run();
        for (i, server) in servers.iter().enumerate() {
            assert!(n.world.socket(n.server_edge, *server).received == pattern(1000, i as u8), "flow {i}");
        }
        for (i, client) in clients.iter().enumerate() {
            assert!(n.world.socket(n.client_edge, *client).received == pattern(1000, i as u8), "flow {i}");
            assert_eq!(n.world.socket(n.client_edge, *client).closed, Some(CloseKind::Done), "flow {i}");
        }
        for (edge, wire) in [(n.client_edge, n.wires[0]), (n.server_edge, n.wires[1])] {
            let left = links(&n.world, edge, wire).1;
            assert!((128..150).contains(&left), "64 each way, and those for control: {left}");
        }
        let newest = links(&n.world, n.client_edge, n.wires[0]).0;
        for _ in 0..50 {
            let some: Vec<FlowId> = (0..8).map(|_| n.world.client(n.client_edge, n.listener)).collect();
            for client in some {
                let server = n.world.server(n.server_edge);
                n.world.socket(n.client_edge, client).reset = true;
                n.world.socket(n.server_edge, server).finish = true;
            }
            n.world.run();
        }
        assert_eq!(links(&n.world, n.client_edge, n.wires[0]).0, newest, "none was attached");
    });
}
