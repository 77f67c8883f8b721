//! Peers that misbehave, and honest ones at a bad moment: nobody else is held up, nothing is left behind.

use crate::peers::{Hub, text_message};
use crate::world::{World, pattern};
use moorline_amqp::{DeliveryState, End};
use moorline_router::core::*;

const STREAMING: &str = "qd.streaming-links";

#[test]
fn a_busy_wire_takes_new_streams() {
    let mut world = World::new(4000);
    let hub = world.node("hub", Mode::Hub);
    let far = world.node("far", Mode::Edge);
    world.link(far, hub);
    world.connector(far, "db:1");
    let near: Vec<(usize, ListenerId)> = (0..3)
        .map(|n| {
            let node = world.node(&format!("near-{n}"), Mode::Edge);
            world.link(node, hub);
            (node, world.listener(node, "db:1", Encapsulation::Legacy))
        })
        .collect();
    let clients: Vec<(usize, FlowId)> =
        near.iter().cycle().take(12).map(|(node, listener)| (*node, world.client(*node, *listener))).collect();
    for (node, flow) in clients {
        world.socket(node, flow).to_send = pattern(6_000_000, 1);
    }
    // Three wires fill the one to the far edge.
    for _ in 0..1_000 {
        world.step();
    }
    let (node, listener) = near[0];
    let flow = world.nodes[node].router.accepted(listener, "10.0.0.9:4712".into(), None, world.now).expect("served");
    world.nodes[node].sockets.insert(flow, crate::world::Socket::default());
    for _ in 0..1_500 {
        world.step();
    }
    let busy = world.nodes[node].sockets.values().any(|socket| !socket.to_send.is_empty());
    assert!(busy, "the wire was not busy all the time");
    assert_eq!(world.nodes[far].servers.len(), 13, "the new client waits for the others");
}

#[test]
fn thousands_of_waiting_messages_go_out_when_credit_comes() {
    let mut hub = Hub::new();
    let (a, b) = (hub.peer("a"), hub.peer("b"));
    let at_b = hub.receiver(b, "queue");
    hub.peers[b].amqp.grant_credit(at_b, 0);
    hub.run();
    let link = hub.sender(a, None);
    for i in 0..5_000 {
        hub.send(a, link, Some("queue"), &format!("{i}"));
    }
    hub.peers[b].amqp.grant_credit(at_b, 5_000);
    hub.run();
    assert_eq!(hub.bodies(b, at_b).len(), 5_000);
    assert_eq!(hub.router.open_splices(), 0);
}

#[test]
fn a_message_for_an_edge_without_a_downlink_holds_up_no_other() {
    let mut hub = Hub::new();
    let (a, b) = (hub.peer("a"), hub.peer("b"));
    let at_b = hub.receiver(b, "queue");
    let link = hub.sender(a, None);
    let lost = hub.send(a, link, Some("amqp:/_edge/b/temp.x"), "x");
    let found = hub.send(a, link, Some("queue"), "y");
    assert_eq!(hub.bodies(b, at_b), ["y"]);
    assert_eq!(hub.peers[a].states.get(&found), Some(&DeliveryState::Accepted));
    assert_eq!(hub.peers[a].states.get(&lost), Some(&DeliveryState::Released));
    assert_eq!(hub.router.open_splices(), 0);
}

#[test]
fn a_consumer_that_detaches_releases_what_waits_for_it() {
    let mut hub = Hub::new();
    let (a, b) = (hub.peer("a"), hub.peer("b"));
    let at_b = hub.receiver(b, "queue");
    hub.peers[b].amqp.grant_credit(at_b, 0);
    hub.run();
    let link = hub.sender(a, None);
    let delivery = hub.send(a, link, Some("queue"), "waits for credit");
    hub.peers[b].amqp.detach(at_b, None);
    hub.run();
    assert_eq!(hub.peers[a].states.get(&delivery), Some(&DeliveryState::Released));
    assert_eq!(hub.router.open_splices(), 0);
}

/// Begins a stream to `queue` that does not end.
fn open_stream(hub: &mut Hub, from: usize) -> moorline_amqp::Outgoing {
    let link = hub.sender(from, None);
    let mut bytes = b"\0\x80SKPR--RA\xc0\x06\x04\x52\x05\x40\x40\x45".to_vec();
    bytes.extend_from_slice(&text_message(Some("queue"), "begins"));
    let (delivery, _) = hub.peers[from].amqp.start(link, &bytes, End::More).expect("credit");
    hub.run();
    delivery
}

#[test]
fn links_with_one_credit_at_a_time_carry_streams_side_by_side() {
    let mut hub = Hub::new();
    let (a, b) = (hub.peer("a"), hub.peer_with("b", &[STREAMING], Some(1)));
    hub.receiver(b, "queue");
    for n in 1..=6 {
        open_stream(&mut hub, a);
        assert_eq!(hub.peers[b].partial.len(), n, "stream {n} waits for another");
    }
}

#[test]
fn a_peer_that_refuses_links_is_not_asked_for_ever() {
    let mut hub = Hub::new();
    let (a, b) = (hub.peer("a"), hub.peer_with("b", &[STREAMING], None));
    hub.receiver(b, "queue");
    let delivery = open_stream(&mut hub, a);
    assert!(hub.peers[b].offered.len() < 5);
    assert_eq!(hub.peers[a].states.get(&delivery), Some(&DeliveryState::Released));
}

#[test]
fn streams_go_on_after_their_session_was_ended() {
    let mut hub = Hub::new();
    let (a, b) = (hub.peer("a"), hub.peer_with("b", &[STREAMING], Some(10)));
    hub.receiver(b, "queue");
    let cut = open_stream(&mut hub, a);
    let session = hub.peers[b].amqp.session_of(hub.peers[b].offered[0]).expect("up");
    hub.peers[b].amqp.end(session, None);
    hub.run();
    assert_eq!(hub.peers[a].states.get(&cut), Some(&DeliveryState::Released));
    hub.peers[b].partial.clear();
    open_stream(&mut hub, a);
    assert_eq!(hub.peers[b].partial.len(), 1);
}

#[test]
fn aborted_streams_to_a_consumer_without_credit_leave_nothing() {
    let mut hub = Hub::new();
    let (a, b) = (hub.peer("a"), hub.peer("b"));
    let at_b = hub.receiver(b, "queue");
    hub.peers[b].amqp.grant_credit(at_b, 0);
    hub.run();
    for _ in 0..20 {
        let delivery = open_stream(&mut hub, a);
        hub.peers[a].amqp.abort(delivery);
        hub.run();
    }
    assert_eq!(hub.router.open_splices(), 0);
}

#[test]
fn tracking_is_not_lost_on_a_full_wire() {
    let mut hub = Hub::new();
    let (a, b, c) = (hub.peer("a"), hub.peer("b"), hub.peer("c"));
    hub.receiver(a, "_$qd.edge_addr_tracking");
    hub.sender(a, Some("svc:1"));
    let bulk = hub.receiver(a, "bulk");
    hub.peers[a].amqp.keep_credit(bulk, 100);
    hub.run();
    hub.peers[a].deaf = true;
    let link = hub.sender(c, None);
    for _ in 0..40 {
        hub.send(c, link, Some("bulk"), &"x".repeat(16_000));
    }
    hub.receiver(b, "svc:1");
    hub.peers[a].deaf = false;
    hub.run();
    assert_eq!(hub.peers[a].tracking, [("Msvc:1".to_owned(), true)]);
}

#[test]
fn a_sender_that_settles_early_still_ends_its_stream() {
    let mut hub = Hub::new();
    let (a, b) = (hub.peer("a"), hub.peer_with("b", &[STREAMING], Some(10)));
    hub.receiver(b, "queue");
    let delivery = open_stream(&mut hub, a);
    hub.peers[a].amqp.dispose_sent(delivery, None, true);
    hub.run();
    hub.peers[a].amqp.push(delivery, b"the rest", End::Last);
    hub.run();
    assert_eq!(hub.router.open_splices(), 0);
    let (_, messages) = hub.peers[b].received.iter().next().expect("ended");
    assert!(messages[0].ends_with(b"the rest"));
}

#[test]
fn the_newer_of_two_connections_of_one_edge_is_preferred() {
    let mut hub = Hub::new();
    let (a, old, new) = (hub.peer("a"), hub.peer("b"), hub.peer("b"));
    let (at_old, at_new) = (hub.receiver(old, "queue"), hub.receiver(new, "queue"));
    hub.peers[old].deaf = true;
    let link = hub.sender(a, None);
    for i in 0..4 {
        hub.send(a, link, Some("queue"), &format!("{i}"));
    }
    assert_eq!((hub.bodies(old, at_old).len(), hub.bodies(new, at_new).len()), (0, 4));
    let gone = hub.peers[new].conn;
    hub.router.remove_connection(gone, None, hub.now);
    hub.peers[old].deaf = false;
    hub.peers.remove(new);
    hub.send(a, link, Some("queue"), "again");
    assert_eq!(hub.bodies(old, at_old), ["again"]);
}

#[test]
fn an_uplink_whose_endpoint_session_ends_is_closed() {
    use moorline_amqp::connection::SaslServer;
    use moorline_amqp::{Config, Connection, Event, Sasl};
    use std::time::{Duration, Instant};
    let now = Instant::now();
    let mut edge = Router::new(Settings { id: "edge".into(), mode: Mode::Edge, seed: 1, version: "0.1.0".into() });
    let spec = ConnectionSpec {
        role: ConnRole::Uplink,
        label: "uplink".into(),
        hostname: None,
        max_frame_size: 16384,
        max_session_frames: 640,
        idle_timeout: Duration::from_secs(60),
        external: false,
    };
    let conn = edge.add_connection(spec, now);
    let config = Config {
        container_id: "network".into(),
        hostname: None,
        max_frame_size: 16384,
        channel_max: 10,
        handle_max: 100,
        idle_timeout: Duration::from_secs(60),
        incoming_window: 100,
        output_limit: 1 << 20,
        max_unsettled: 1_000,
        capabilities: Vec::new(),
        properties: Vec::new(),
        sasl: Sasl::Server(SaslServer { anonymous: true, ..SaslServer::default() }),
    };
    let mut network = Connection::server(config, now);
    let mut sessions = Vec::new();
    let (mut to_network, mut to_edge) = (Vec::new(), Vec::new());
    for round in 0..20 {
        to_network.extend_from_slice(edge.output(conn));
        edge.consume_output(conn, edge.output(conn).len(), now);
        let mut rest = to_network.as_slice();
        while let Some(event) = network.poll_event(now, &mut rest) {
            if let Event::AttachRequested(_, session, _) = event {
                sessions.push(session);
            }
        }
        let used = to_network.len() - rest.len();
        to_network.drain(..used);
        to_edge.extend_from_slice(network.output());
        network.consume_output(now, network.output().len());
        let used = edge.handle_input(conn, &to_edge, now);
        to_edge.drain(..used);
        if round == 10 {
            assert!(!edge.is_finished(conn) && !sessions.is_empty());
            for session in sessions.drain(..) {
                network.end(session, None);
            }
        }
    }
    assert!(edge.is_finished(conn), "it stays up and serves nothing");
}
