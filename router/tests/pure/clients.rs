//! Ordinary AMQP clients, and endpoints inside the process, on one router.

use crate::peers::{Hub, body_of, text_message};
use moorline_amqp::message::{self, Properties};
use moorline_amqp::{DeliveryState, End, Value};
use moorline_router::core::{EndpointEvent, EndpointId, MessageId};

#[test]
fn a_request_finds_its_way_back_to_a_dynamic_address() {
    let mut hub = Hub::new();
    let (asks, answers) = (hub.client("asks"), hub.client("answers"));
    let requests = hub.receiver(answers, "requests");
    let (replies, address) = hub.dynamic(asks);
    assert!(address.starts_with("amqp:/_topo/0/hub/temp."), "{address}");
    let link = hub.sender(asks, Some("requests"));
    let sent = hub.send(asks, link, None, "question");
    assert_eq!(hub.bodies(answers, requests), ["question"]);
    let anonymous = hub.sender(answers, None);
    hub.send(answers, anonymous, Some(&address), "answer");
    assert_eq!(hub.bodies(asks, replies), ["answer"]);
    assert_eq!(hub.peers[asks].states.get(&sent), Some(&DeliveryState::Accepted));
    assert_eq!(hub.router.open_splices(), 0);
    // Clients see no annotations of routers.
    let first = message::section(&hub.peers[asks].received[&replies][0]).unwrap().unwrap();
    assert_eq!(first.descriptor, message::PROPERTIES);
}

#[test]
fn a_client_may_send_to_itself_and_to_what_its_link_names() {
    let mut hub = Hub::new();
    let client = hub.client("c");
    let queue = hub.receiver(client, "queue");
    let link = hub.sender(client, Some("amqp://anywhere:5672/queue"));
    // What the message says does not matter on a link with an address.
    hub.send(client, link, Some("elsewhere"), "x");
    assert_eq!(hub.bodies(client, queue), ["x"]);
}

#[test]
fn a_producer_waits_for_its_first_consumer_and_a_slow_one_holds_it_back() {
    let mut hub = Hub::new();
    let (from, to) = (hub.client("from"), hub.client("to"));
    let link = hub.sender(from, Some("queue"));
    assert_eq!(hub.peers[from].amqp.credit(link), 0, "nobody is there");
    let queue = hub.receiver(to, "queue");
    assert_eq!(hub.peers[from].amqp.credit(link), 250);
    // It takes nothing from now on.
    hub.peers[to].amqp.grant_credit(queue, 0);
    hub.run();
    let mut sent = 0;
    while hub.peers[from].amqp.can_start(link) {
        hub.send(from, link, None, &sent.to_string());
        sent += 1;
    }
    assert!((200..=400).contains(&sent), "{sent} messages went to a router that cannot pass them on");
    assert_eq!(hub.bodies(to, queue).len(), 0);
    hub.peers[to].amqp.keep_credit(queue, 1000);
    hub.run();
    assert!(hub.peers[from].amqp.credit(link) > 100);
    let expected: Vec<String> = (0..sent).map(|n| n.to_string()).collect();
    assert_eq!(hub.bodies(to, queue), expected, "in order, none lost");
    assert_eq!(hub.router.open_splices(), 0);
}

#[test]
fn a_consumer_without_credit_is_passed_over() {
    let mut hub = Hub::new();
    let (from, slow, quick) = (hub.client("from"), hub.client("slow"), hub.client("quick"));
    let (at_slow, at_quick) = (hub.receiver(slow, "queue"), hub.receiver(quick, "queue"));
    hub.peers[slow].amqp.grant_credit(at_slow, 0);
    hub.run();
    let link = hub.sender(from, Some("queue"));
    for n in 0..100 {
        hub.send(from, link, None, &n.to_string());
    }
    assert_eq!(hub.bodies(quick, at_quick).len(), 100);
}

#[test]
fn a_large_message_is_not_held_until_it_is_whole() {
    let mut hub = Hub::new();
    let (from, to) = (hub.client("from"), hub.client("to"));
    let queue = hub.receiver(to, "queue");
    let link = hub.sender(from, Some("queue"));
    let body = "x".repeat(10_000_000);
    let bytes = text_message(None, &body);
    let (delivery, mut pushed) = hub.peers[from].amqp.start(link, &bytes, End::Last).unwrap();
    let mut at = pushed.bytes;
    while !pushed.done {
        hub.run();
        pushed = hub.peers[from].amqp.push(delivery, &bytes[at..], End::Last);
        at += pushed.bytes;
        if at > 1_000_000 && !pushed.done {
            assert!(!hub.peers[to].partial.is_empty(), "its beginning has arrived");
        }
    }
    hub.run();
    assert_eq!(hub.bodies(to, queue), [body]);
    assert_eq!(hub.peers[from].states.get(&delivery), Some(&DeliveryState::Accepted));
}

#[test]
fn what_a_client_sent_whole_arrives_although_it_left() {
    let mut hub = Hub::new();
    let (from, to) = (hub.client("from"), hub.client("to"));
    let queue = hub.receiver(to, "queue");
    hub.peers[to].amqp.grant_credit(queue, 0);
    hub.run();
    let link = hub.sender(from, Some("queue"));
    hub.send(from, link, None, "last words");
    hub.peers[from].amqp.detach(link, None);
    hub.run();
    hub.peers[to].amqp.keep_credit(queue, 10);
    hub.run();
    assert_eq!(hub.bodies(to, queue), ["last words"]);
    assert_eq!(hub.router.open_splices(), 0);
}

#[test]
fn places_are_not_for_clients_to_claim() {
    let mut hub = Hub::new();
    let client = hub.client("c");
    for address in ["$management", "_edge/x/y", "amqp:/_topo/0/hub/temp.x", "_local/x", ""] {
        hub.peers[client].refused.clear();
        hub.receiver(client, address);
        assert_eq!(hub.peers[client].refused, ["amqp:not-allowed"], "{address}");
    }
}

/// All events of an endpoint that wait.
fn events(hub: &mut Hub, endpoint: EndpointId) -> Vec<EndpointEvent> {
    std::iter::from_fn(|| hub.router.poll_endpoint(endpoint)).collect()
}

fn arrived(hub: &mut Hub, endpoint: EndpointId) -> Vec<MessageId> {
    let message = |event| match event {
        EndpointEvent::Arrived { message, .. } => Some(message),
        _ => None,
    };
    events(hub, endpoint).into_iter().filter_map(message).collect()
}

#[test]
fn an_endpoint_answers_a_client() {
    let mut hub = Hub::new();
    let client = hub.client("c");
    let endpoint = hub.router.add_endpoint();
    hub.router.subscribe_local(endpoint, "$management");
    let (replies, reply_to) = hub.dynamic(client);
    for to in ["$management", "amqp:/_topo/0/hub/$management", "amqp:/_local/$management"] {
        let link = hub.sender(client, Some(to));
        let sent = hub.send(client, link, None, to);
        let messages = arrived(&mut hub, endpoint);
        let [message] = messages[..] else { panic!("{to}: {messages:?}") };
        let (bytes, ended) = hub.router.message_input(message).unwrap();
        assert!(ended);
        assert_eq!(body_of(bytes), to);
        hub.router.settle_message(message, DeliveryState::Accepted);
        let reply = text_message(Some(&reply_to), "done");
        hub.router.send_message(endpoint, &reply_to, &reply, Some(End::LastSettled));
        hub.run();
        assert_eq!(hub.peers[client].states.get(&sent), Some(&DeliveryState::Accepted));
    }
    assert_eq!(hub.bodies(client, replies), ["done"; 3]);
    assert_eq!(hub.router.open_splices(), 0);
}

#[test]
fn endpoints_hear_of_addresses_and_of_outcomes() {
    let mut hub = Hub::new();
    let endpoint = hub.router.add_endpoint();
    hub.router.produce(endpoint, "queue");
    assert_eq!(events(&mut hub, endpoint), []);
    let body = text_message(Some("queue"), "x");
    assert_eq!(hub.router.send_message(endpoint, "queue", &body, Some(End::Last)), None);
    let client = hub.client("c");
    let queue = hub.receiver(client, "queue");
    let reachable = |reachable| EndpointEvent::Reachable { address: "queue".into(), reachable };
    assert_eq!(events(&mut hub, endpoint), [reachable(true)]);
    let message = hub.router.send_message(endpoint, "queue", &body, Some(End::Last)).unwrap();
    hub.run();
    let outcome = EndpointEvent::Outcome { message, state: Some(DeliveryState::Accepted), settled: true };
    assert_eq!(events(&mut hub, endpoint), [outcome]);
    hub.peers[client].amqp.detach(queue, None);
    hub.run();
    assert_eq!(events(&mut hub, endpoint), [reachable(false)]);
    assert_eq!(hub.router.open_splices(), 0);
}

#[test]
fn a_streamed_message_between_endpoints_keeps_within_its_room() {
    let mut hub = Hub::new();
    let (from, to) = (hub.router.add_endpoint(), hub.router.add_endpoint());
    hub.router.subscribe(to, "web");
    let address = hub.router.temporary_address(from);
    let mut head = Vec::new();
    Properties { to: Some("web".into()), reply_to: Some(address), ..Properties::default() }.encode(&mut head);
    message::encode_section(message::VALUE as u8, &Value::Null, &mut head);
    let sent = hub.router.send_message(from, "web", &head, None).unwrap();
    let [received] = arrived(&mut hub, to)[..] else { panic!("one message") };
    let (bytes, _) = hub.router.message_input(received).unwrap();
    assert_eq!(bytes, head);
    hub.router.consume_message(received, head.len());
    let mut total = 0;
    for _ in 0..100 {
        let room = hub.router.message_room(sent);
        assert!(room > 0);
        hub.router.extend_message(sent, &vec![7; room], None);
        assert_eq!(hub.router.message_room(sent), 0);
        let (bytes, ended) = hub.router.message_input(received).unwrap();
        let n = bytes.len();
        assert!(!ended);
        hub.router.consume_message(received, n);
        total += room;
        assert!(events(&mut hub, from).contains(&EndpointEvent::Room(sent)));
        assert!(events(&mut hub, to).contains(&EndpointEvent::Input(received)));
    }
    assert!(total > 10_000_000);
    hub.router.extend_message(sent, b"", Some(End::Last));
    assert_eq!(hub.router.message_input(received), Some((&b""[..], true)));
    hub.router.settle_message(received, DeliveryState::Accepted);
    let outcome = EndpointEvent::Outcome { message: sent, state: Some(DeliveryState::Accepted), settled: true };
    assert_eq!(events(&mut hub, from), [outcome]);
    assert_eq!(hub.router.open_splices(), 0);
}

#[test]
fn an_endpoint_that_goes_leaves_nothing_behind() {
    let mut hub = Hub::new();
    let client = hub.client("c");
    let endpoint = hub.router.add_endpoint();
    hub.router.subscribe(endpoint, "web");
    let link = hub.sender(client, Some("web"));
    let sent = hub.send(client, link, None, "unread");
    hub.router.remove_endpoint(endpoint);
    hub.run();
    assert_eq!(hub.peers[client].states.get(&sent), Some(&DeliveryState::Released));
    assert_eq!(hub.router.open_splices(), 0);
}

/// Who takes part in an exchange hears the others, not itself.
#[test]
fn an_endpoint_is_no_consumer_of_its_own_messages() {
    let mut hub = Hub::new();
    let (one, other) = (hub.router.add_endpoint(), hub.router.add_endpoint());
    let reachable = |reachable| EndpointEvent::Reachable { address: "mc/talk".into(), reachable };
    hub.router.subscribe(one, "mc/talk");
    hub.router.produce(one, "mc/talk");
    assert_eq!(events(&mut hub, one), [], "nobody else listens");
    hub.router.subscribe(other, "mc/talk");
    assert_eq!(events(&mut hub, one), [reachable(true)]);
    let said = text_message(None, "x");
    hub.router.send_message(one, "mc/talk", &said, Some(End::LastSettled));
    assert_eq!(events(&mut hub, one), []);
    let [message] = arrived(&mut hub, other)[..] else { panic!("one copy") };
    hub.router.settle_message(message, DeliveryState::Accepted);
    hub.router.remove_endpoint(other);
    assert_eq!(events(&mut hub, one), [reachable(false)]);
    assert_eq!(hub.router.open_splices(), 0);
}

#[test]
fn a_multicast_message_is_accepted_when_anyone_took_it() {
    let mut hub = Hub::new();
    let (from, a, b) = (hub.client("from"), hub.client("a"), hub.client("b"));
    let endpoint = hub.router.add_endpoint();
    hub.router.subscribe(endpoint, "mc/news");
    let at = [hub.receiver(a, "mc/news"), hub.receiver(b, "mc/news")];
    let link = hub.sender(from, Some("mc/news"));
    let sent = hub.send(from, link, None, "x");
    assert_eq!(hub.peers[from].states.get(&sent), None, "one has not spoken");
    let [message] = arrived(&mut hub, endpoint)[..] else { panic!("one copy") };
    hub.router.settle_message(message, DeliveryState::Released);
    hub.run();
    assert_eq!(hub.peers[from].states.get(&sent), Some(&DeliveryState::Accepted));
    assert_eq!([hub.bodies(a, at[0]), hub.bodies(b, at[1])], [["x"], ["x"]]);
    // Nobody at all.
    let link = hub.sender(from, Some("mc/void"));
    let sent = hub.send(from, link, None, "x");
    assert_eq!(hub.peers[from].states.get(&sent), Some(&DeliveryState::Released));
    assert_eq!(hub.router.open_splices(), 0);
}

#[test]
fn a_consumer_that_leaves_before_its_verdict_leaves_a_doubt() {
    let mut hub = Hub::new();
    let (from, to) = (hub.client("from"), hub.client("to"));
    hub.receiver(to, "queue");
    let link = hub.sender(from, Some("queue"));
    // It never hears of the message; the router does not know that.
    hub.peers[to].deaf = true;
    let sent = hub.send(from, link, None, "x");
    let gone = hub.peers.remove(to);
    hub.router.remove_connection(gone.conn, None, hub.now);
    hub.run();
    let doubt = DeliveryState::Modified { delivery_failed: true, undeliverable_here: false };
    assert_eq!(hub.peers[from].states.get(&sent), Some(&doubt));
    assert_eq!(hub.router.open_splices(), 0);
}
