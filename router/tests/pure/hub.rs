//! The hub as plain AMQP peers see it: peers without streaming links, messages for many, addresses nobody may claim.

use crate::peers::{Hub, text_message};
use moorline_amqp::{DeliveryState, End, Role, Terminus, Value, message};

#[test]
fn a_message_reaches_one_consumer_and_its_outcome_comes_back() {
    let mut hub = Hub::new();
    let (a, b, c) = (hub.peer("a"), hub.peer("b"), hub.peer("c"));
    let (at_b, at_c) = (hub.receiver(b, "queue"), hub.receiver(c, "queue"));
    let anonymous = hub.sender(a, None);
    let addressed = hub.sender(a, Some("queue"));
    let mut sent = Vec::new();
    for i in 0..3 {
        sent.push(hub.send(a, anonymous, Some("queue"), &format!("to {i}")));
        sent.push(hub.send(a, addressed, None, &format!("link {i}")));
    }
    let mut all = [hub.bodies(b, at_b), hub.bodies(c, at_c)].concat();
    all.sort();
    assert_eq!(all, ["link 0", "link 1", "link 2", "to 0", "to 1", "to 2"]);
    assert_eq!(hub.bodies(b, at_b).len(), 3, "they take turns");
    for delivery in sent {
        assert_eq!(hub.peers[a].states.get(&delivery), Some(&DeliveryState::Accepted));
    }
    assert_eq!(hub.router.open_splices(), 0);
}

#[test]
fn nobody_there_means_released() {
    let mut hub = Hub::new();
    let a = hub.peer("a");
    let link = hub.sender(a, None);
    for to in ["nobody", "amqp:/_edge/nowhere/temp.x", "amqp:/_topo/0/other/x", "amqp:/_topo/0/hub/temp.x"] {
        let delivery = hub.send(a, link, Some(to), "x");
        assert_eq!(hub.peers[a].states.get(&delivery), Some(&DeliveryState::Released), "{to}");
    }
    let own = hub.receiver(a, "mine");
    let delivery = hub.send(a, link, Some("mine"), "x");
    assert_eq!(hub.peers[a].states.get(&delivery), Some(&DeliveryState::Released), "never back to the sender");
    assert!(hub.bodies(a, own).is_empty());
}

#[test]
fn multicast_reaches_every_other_consumer() {
    let mut hub = Hub::new();
    let (a, b, c) = (hub.peer("a"), hub.peer("b"), hub.peer("c"));
    let at = [(a, hub.receiver(a, "mc/news")), (b, hub.receiver(b, "mc/news")), (c, hub.receiver(c, "mc/news"))];
    let link = hub.sender(a, Some("mc/news"));
    for text in ["one", "two"] {
        let delivery = hub.send(a, link, Some("mc/news"), text);
        assert_eq!(hub.peers[a].states.get(&delivery), Some(&DeliveryState::Accepted));
    }
    assert_eq!(at.map(|(peer, link)| hub.bodies(peer, link).len()), [0, 2, 2]);
    assert_eq!(hub.bodies(c, at[2].1), ["one", "two"]);
}

#[test]
fn credit_and_tracking_come_with_the_first_consumer_and_tracking_goes_with_the_last() {
    let mut hub = Hub::new();
    let (a, b) = (hub.peer("a"), hub.peer("b"));
    hub.receiver(a, "_$qd.edge_addr_tracking");
    let sender = hub.sender(a, Some("svc:1"));
    assert_eq!(hub.peers[a].amqp.credit(sender), 0);
    assert!(hub.peers[a].tracking.is_empty());
    hub.receiver(a, "svc:1");
    assert!(hub.peers[a].tracking.is_empty(), "being the only server of what one asks for does not count");
    let at_b = hub.receiver(b, "svc:1");
    assert!(hub.peers[a].amqp.credit(sender) > 0);
    assert_eq!(hub.peers[a].tracking, [("Msvc:1".to_owned(), true)]);
    hub.peers[b].amqp.detach(at_b, None);
    hub.run();
    assert_eq!(hub.peers[a].tracking.last(), Some(&("Msvc:1".to_owned(), false)));
}

#[test]
fn edges_of_one_mesh_do_not_reach_each_other_through_the_hub() {
    let mut hub = Hub::new();
    let (a, b) = (hub.peer("a"), hub.peer("b"));
    for peer in [a, b] {
        let mesh = hub.sender(peer, Some("_$qd.mesh_discovery"));
        let mut bytes = Vec::new();
        let properties = vec![(Value::Symbol("meshid".into()), Value::String("samesamesamesam".into()))];
        message::encode_section(message::APPLICATION_PROPERTIES as u8, &Value::Map(properties), &mut bytes);
        hub.peers[peer].amqp.start(mesh, &bytes, End::LastSettled).expect("credit");
        hub.run();
    }
    hub.receiver(b, "svc:1");
    let link = hub.sender(a, None);
    let delivery = hub.send(a, link, Some("svc:1"), "x");
    assert_eq!(hub.peers[a].states.get(&delivery), Some(&DeliveryState::Released));
}

#[test]
fn addresses_that_name_a_place_cannot_be_claimed() {
    let mut hub = Hub::new();
    let a = hub.peer("a");
    for address in ["_edge/b/temp.x", "amqp:/_edge/b/x", "_topo/0/hub/x", "_local/x", "$management"] {
        hub.receiver(a, address);
        assert_eq!(hub.peers[a].refused.pop().as_deref(), Some("amqp:not-allowed"), "{address}");
    }
    let foreign = Terminus {
        address: Some("b".into()),
        capabilities: vec!["qd.router-edge-downlink".into()],
        ..Terminus::default()
    };
    hub.attach(a, Role::Receiver, foreign, Terminus::anonymous());
    assert_eq!(hub.peers[a].refused.pop().as_deref(), Some("amqp:not-allowed"));
}

#[test]
fn a_consumer_that_leaves_before_it_settles_releases_the_sender() {
    let mut hub = Hub::new();
    let (a, b) = (hub.peer("a"), hub.peer("b"));
    let at_b = hub.receiver(b, "queue");
    hub.peers[b].amqp.grant_credit(at_b, 0);
    hub.run();
    let link = hub.sender(a, None);
    let delivery = hub.send(a, link, Some("queue"), "waits for credit");
    assert_eq!(hub.peers[a].states.get(&delivery), None);
    assert_eq!(hub.router.open_splices(), 1);
    let gone = hub.peers.remove(b);
    hub.router.remove_connection(gone.conn, None, hub.now);
    hub.run();
    assert_eq!(hub.peers[a].states.get(&delivery), Some(&DeliveryState::Released));
    assert_eq!(hub.router.open_splices(), 0);
}

#[test]
fn a_long_message_without_the_streaming_flag_arrives_whole() {
    let mut hub = Hub::new();
    let (a, b) = (hub.peer("a"), hub.peer("b"));
    let at_b = hub.receiver(b, "queue");
    let link = hub.sender(a, None);
    let body = "x".repeat(100_000);
    let bytes = text_message(Some("queue"), &body);
    let (delivery, _) = hub.peers[a].amqp.start(link, &bytes, End::Last).expect("credit");
    hub.run();
    assert_eq!(hub.peers[a].states.get(&delivery), Some(&DeliveryState::Accepted));
    assert_eq!(hub.bodies(b, at_b), [body]);
}
