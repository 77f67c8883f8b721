//! Sessions and links: who begins them, who ends them, and what goes wrong.

use crate::support::*;
use moorline_amqp::connection::Closed;
use moorline_amqp::{Condition, Config, End, Event, Pushed, Role, Sasl, SessionId, Terminus, Value};

#[test]
fn everything_may_be_asked_for_before_the_open() {
    each_cut(|cut| {
        let mut pair = Pair::with(cut, client_config(), server_config());
        let one = pair.client.engine.begin();
        let two = pair.client.engine.begin();
        let a = pair.client.engine.attach(one, receiver("a")).unwrap();
        let b = pair.client.engine.attach(two, sender("b")).unwrap();
        let gone = pair.client.engine.attach(two, sender("gone")).unwrap();
        pair.client.engine.keep_credit(a, 5);
        pair.client.engine.detach(gone, None);
        assert_eq!(pair.client.engine.session_of(b), Some(two));
        assert_eq!(pair.client.engine.session_of(gone), None);
        pair.run();
        let events = pair.client.events();
        assert!(matches!(events[0], Event::Opened(_)));
        assert_eq!(events[1..], [Event::SessionUp(one), Event::SessionUp(two)]);
        let (a_there, b_there) = (pair.server.requested("a"), pair.server.requested("b"));
        assert!(!pair.server.seen.iter().any(|seen| format!("{seen:?}").contains("gone")));
        pair.server.engine.accept(a_there, Some(Terminus::at("x")), None);
        pair.server.engine.keep_credit(b_there, 3);
        pair.server.engine.accept(b_there, None, Some(Terminus::at("y")));
        pair.server.take();
        pair.run();
        assert_eq!(pair.server.events(), [Event::Credit(a_there)]);
        assert_eq!(pair.server.engine.credit(a_there), 5);
        assert_eq!(pair.client.engine.credit(b), 3);
        let events = pair.client.events();
        assert!(matches!(&events[0], Event::AttachConfirmed(link, attach) if *link == a
            && attach.source.as_ref().unwrap().address.as_deref() == Some("x") && attach.target.is_none()));
        assert!(matches!(events[1], Event::AttachConfirmed(link, _) if link == b));
        assert_eq!(events[2], Event::Credit(b));
    });
}

#[test]
fn the_peer_begins_sessions_and_links_too() {
    each_cut(|cut| {
        let mut pair = Pair::open(cut);
        let ours = pair.session();
        let theirs = pair.server.engine.begin();
        let link = pair.server.engine.attach(theirs, sender("from-server")).unwrap();
        pair.run();
        let there = pair.client.requested("from-server");
        assert_ne!(pair.client.engine.session_of(there), Some(ours));
        pair.client.engine.keep_credit(there, 2);
        pair.client.engine.accept(there, Some(Terminus::anonymous()), Some(Terminus::anonymous()));
        pair.run();
        assert!(pair.server.engine.can_start(link));
        assert!(pair.server.engine.start(link, b"hi", End::LastSettled).unwrap().1.done);
        pair.run();
        let delivery = pair.client.delivery();
        assert_eq!(pair.client.body(delivery), b"hi");
    });
}

#[test]
fn termini_arrive_whole() {
    each_cut(|cut| {
        let mut pair = Pair::open(cut);
        let session = pair.session();
        let mut attach = receiver("down");
        attach.source = Some(Terminus {
            address: Some("edge".to_owned()),
            dynamic: true,
            capabilities: vec!["qd.router-edge-downlink".to_owned()],
            expiry_policy: Some("never".to_owned()),
            coordinator: false,
        });
        let two = Terminus { capabilities: vec!["a".to_owned(), "b".to_owned()], ..Terminus::anonymous() };
        attach.target = Some(two.clone());
        attach.properties = vec![(Value::Symbol("k".to_owned()), Value::List(vec![Value::Null]))];
        attach.rcv_settle_mode = 1;
        let expected = attach.clone();
        pair.client.engine.attach(session, attach).unwrap();
        pair.run();
        let Event::AttachRequested(_, _, seen) = pair.server.take().pop().unwrap().event else { panic!() };
        assert_eq!(seen.role, Role::Sender);
        assert_eq!(seen.source, expected.source);
        assert_eq!(seen.target.unwrap(), Terminus { expiry_policy: Some("link-detach".to_owned()), ..two });
        assert_eq!((seen.properties, seen.rcv_settle_mode), (expected.properties, 1));
    });
}

#[test]
fn a_refusal_is_an_attach_and_a_detach() {
    each_cut(|cut| {
        let mut pair = Pair::open(cut);
        let session = pair.session();
        let link = pair.client.engine.attach(session, receiver("no")).unwrap();
        pair.run();
        let there = pair.server.requested("no");
        let error = Condition::new("amqp:not-found", "no such thing");
        pair.server.take();
        pair.server.engine.refuse(there, error.clone());
        pair.server.engine.accept(there, None, None);
        pair.run();
        assert!(pair.server.seen.is_empty());
        let events = pair.client.events();
        assert!(
            matches!(&events[0], Event::AttachConfirmed(l, attach) if *l == link && attach.source.is_none() && attach.target.is_some())
        );
        assert_eq!(events[1..], [Event::Detached(link, Some(error))]);
        // Name and handle are free again.
        pair.link(session, receiver("no"));
    });
}

#[test]
fn handles_are_used_again() {
    each_cut(|cut| {
        let mut pair = Pair::opened(cut, client_config(), Config { handle_max: 3, ..server_config() });
        let session = pair.session();
        for round in 0..20 {
            let (ours, theirs) = pair.link(session, sender(&format!("link{round}")));
            if round % 2 == 0 {
                pair.client.engine.detach(ours, None);
                pair.run();
                assert_eq!(pair.server.events(), [Event::Detached(theirs, None)]);
            } else {
                pair.server.engine.detach(theirs, None);
                pair.run();
                assert_eq!(pair.client.events(), [Event::Detached(ours, None)]);
            }
        }
        for n in 0..4 {
            assert!(pair.client.engine.attach(session, sender(&format!("n{n}"))).is_some());
        }
        assert!(pair.client.engine.attach(session, sender("n4")).is_none());
    });
}

#[test]
fn a_link_can_be_let_go_before_it_is_answered() {
    each_cut(|cut| {
        let mut pair = Pair::open(cut);
        let session = pair.session();
        let first = pair.client.engine.attach(session, sender("x")).unwrap();
        pair.client.engine.detach(first, None);
        let second = pair.client.engine.attach(session, sender("x")).unwrap();
        assert!(pair.client.engine.attach(session, sender("x")).is_none());
        pair.run();
        assert!(pair.client.seen.is_empty());
        let requests = pair.server.seen.iter().filter(|seen| matches!(seen.event, Event::AttachRequested(..)));
        assert_eq!(requests.count(), 2);
        let Event::AttachRequested(there, ..) = pair.server.take().pop().unwrap().event else { panic!() };
        pair.server.engine.accept(there, None, None);
        pair.run();
        assert!(matches!(pair.client.events()[..], [Event::AttachConfirmed(link, _)] if link == second));
    });
}

#[test]
fn both_sides_detach_at_once() {
    each_cut(|cut| {
        let mut pair = Pair::open(cut);
        let session = pair.session();
        let (ours, theirs) = pair.link(session, sender("x"));
        pair.client.engine.detach(ours, None);
        pair.server.engine.detach(theirs, None);
        pair.run();
        assert!(pair.client.seen.is_empty() && pair.server.seen.is_empty());
        pair.link(session, sender("x"));
    });
}

#[test]
fn deliveries_die_with_their_link_and_are_told_first() {
    each_cut(|cut| {
        let mut pair = Pair::open(cut);
        let (out, there) = pair.sending(10);
        let whole = pair.send(out, b"whole", End::Last);
        let (part, _) = pair.client.engine.start(out, b"part", End::More).unwrap();
        pair.run();
        let came: Vec<_> = pair
            .server
            .events()
            .into_iter()
            .map(|event| match event {
                Event::Transfer { delivery, .. } => delivery,
                other => panic!("{other:?}"),
            })
            .collect();
        let error = Condition::new("amqp:resource-deleted", "gone");
        pair.server.engine.detach(there, Some(error.clone()));
        pair.run();
        let gone = [Event::OutgoingGone(whole), Event::OutgoingGone(part), Event::Detached(out, Some(error))];
        assert_eq!(pair.client.events(), gone);
        assert!(pair.server.seen.is_empty());
        assert_eq!(pair.client.engine.push(part, b"x", End::Last), Pushed { bytes: 0, done: true });
        pair.server.engine.dispose(came[0], None, true);
        // The session goes on.
        let session = SessionId(0);
        let (out, there) = pair.link(session, sender("again"));
        pair.server.engine.grant_credit(there, 1);
        pair.run();
        pair.send(out, b"new", End::Last);
        assert_eq!(pair.server.ends(), 1);
        let came = pair.server.delivery();
        pair.server.take();
        pair.client.engine.detach(out, None);
        pair.run();
        assert_eq!(pair.server.events(), [Event::IncomingGone(came), Event::Detached(there, None)]);
    });
}

#[test]
fn a_session_ends_with_all_that_it_carries() {
    each_cut(|cut| {
        let mut pair = Pair::open(cut);
        let (out, there) = pair.sending(10);
        let sent = pair.send(out, b"whole", End::Last);
        let came = pair.server.delivery();
        pair.server.take();
        let waiting = pair.client.engine.attach(SessionId(0), sender("waiting")).unwrap();
        pair.run();
        let waiting_there = pair.server.requested("waiting");
        pair.server.take();
        let error = Condition::new("amqp:internal-error", "oops");
        pair.server.engine.end(SessionId(0), Some(error.clone()));
        pair.run();
        let error = Some(error);
        assert_eq!(
            pair.client.events(),
            [
                Event::OutgoingGone(sent),
                Event::Detached(out, error.clone()),
                Event::Detached(waiting, error.clone()),
                Event::SessionDown(SessionId(0), error),
            ]
        );
        assert!(pair.server.seen.is_empty());
        pair.server.engine.dispose(came, None, true);
        pair.server.engine.detach(there, None);
        pair.server.engine.accept(waiting_there, None, None);
        assert!(pair.client.engine.attach(SessionId(0), sender("late")).is_none());
        // Its channel is free again on both sides.
        assert_eq!(pair.session(), SessionId(0));
        pair.client.engine.end(SessionId(0), None);
        pair.run();
        assert_eq!(pair.server.events(), [Event::SessionDown(SessionId(0), None)]);
        assert!(pair.client.seen.is_empty());
    });
}

#[test]
fn channels_are_bounded() {
    each_cut(|cut| {
        let mut pair = Pair::opened(cut, client_config(), Config { channel_max: 1, ..server_config() });
        let sessions: Vec<_> = (0..3).map(|_| pair.client.engine.begin()).collect();
        assert_eq!(sessions[2], SessionId(u16::MAX));
        pair.run();
        let events = pair.client.events();
        assert!(matches!(events[0], Event::SessionDown(SessionId(u16::MAX), Some(_))));
        assert_eq!(events[1..], [Event::SessionUp(sessions[0]), Event::SessionUp(sessions[1])]);
        // Asked for before the open, when the limit is not known yet.
        let mut pair = Pair::with(cut, client_config(), Config { channel_max: 0, ..server_config() });
        let (one, two) = (pair.client.engine.begin(), pair.client.engine.begin());
        let link = pair.client.engine.attach(two, sender("x")).unwrap();
        pair.run();
        let events = pair.client.events();
        assert!(matches!(&events[1], Event::Detached(l, Some(_)) if *l == link));
        assert!(matches!(&events[2], Event::SessionDown(id, Some(_)) if *id == two));
        assert_eq!(events[3..], [Event::SessionUp(one)]);
    });
}

/// A server with a session on channel 0 that is given these frames; what it told.
fn provoke(bodies: &[&[u8]]) -> (Pair, Vec<Event<'static>>) {
    let plain = Config { sasl: Sasl::None, handle_max: 5, channel_max: 3, ..config("server") };
    let mut pair = Pair::opened(usize::MAX, config("client"), plain);
    pair.session();
    for body in bodies {
        pair.server.inbox.extend(frame(0, body));
    }
    pair.server.read(pair.now);
    let events = pair.server.events();
    (pair, events)
}

/// The attach of a sender.
fn attach_sender(name: &str, handle: u8) -> Vec<u8> {
    let name = [&[0xa1, name.len() as u8], name.as_bytes()].concat();
    list(0x12, 10, &[&name[..], &[0x52, handle, 0x42, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x43]].concat())
}

fn session_error(events: &[Event<'static>]) -> String {
    let Some(Event::SessionDown(SessionId(0), Some(condition))) = events.last() else { panic!("{events:?}") };
    condition.condition.clone()
}

fn connection_error(events: &[Event<'static>]) -> String {
    let Some(Event::Closed(Closed::Protocol(condition))) = events.last() else { panic!("{events:?}") };
    condition.condition.clone()
}

#[test]
fn errors_have_the_right_condition_and_scope() {
    let attach = attach_sender("a", 0);
    let flow = list(0x13, 5, b"\x43\x52\x0a\x43\x52\x0a\x52\x04");
    assert_eq!(session_error(&provoke(&[&flow]).1), "amqp:session:unattached-handle");
    // A detach too many costs nothing.
    assert!(provoke(&[&list(0x16, 2, b"\x43\x41")]).1.is_empty());
    assert_eq!(session_error(&provoke(&[&attach, &attach]).1), "amqp:session:handle-in-use");
    assert_eq!(connection_error(&provoke(&[&attach_sender("a", 9)]).1), "amqp:connection:framing-error");
    assert_eq!(connection_error(&provoke(&[&list(0x12, 1, b"\xa1")]).1), "amqp:decode-error");
    assert_eq!(connection_error(&provoke(&[b"\x00\x53\x99\x45"]).1), "amqp:not-allowed");
    assert_eq!(connection_error(&provoke(&[&list(0x11, 4, b"\x40\x43\x43\x43")]).1), "amqp:not-allowed");
    // A transfer without credit costs its link only, also before the link is answered.
    let transfer = [&list(0x14, 2, b"\x43\x43")[..], b"hello"].concat();
    let (mut pair, events) = provoke(&[&attach, &transfer, &transfer]);
    assert!(matches!(&events[1], Event::Detached(_, Some(c)) if c.condition == "amqp:link:transfer-limit-exceeded"));
    assert_eq!(events.len(), 2);
    // The peer's detach completes it, and its handle is free.
    pair.server.inbox = [frame(0, &list(0x16, 2, b"\x43\x41")), frame(0, &attach)].concat();
    pair.server.read(pair.now);
    assert!(matches!(pair.server.events()[..], [Event::AttachRequested(..)]));
}

#[test]
fn a_name_that_is_attached_is_refused_to_another_link() {
    let (mut pair, events) = provoke(&[&attach_sender("a", 0), &attach_sender("a", 1)]);
    assert!(matches!(events[..], [Event::AttachRequested(..)]));
    let sent = pair.server.engine.output().to_vec();
    assert!(sent.windows(16).any(|window| window == b"amqp:not-allowed"));
    // The first keeps working.
    let Event::AttachRequested(link, ..) = events[0] else { panic!() };
    pair.server.engine.accept(link, None, None);
    pair.server.engine.grant_credit(link, 1);
    pair.server.inbox = frame(0, &[&list(0x14, 4, b"\x43\x43\x40\x43")[..], b"hello"].concat());
    pair.server.read(pair.now);
    assert_eq!(pair.server.take()[0].payload, b"hello");
}

#[test]
fn continuations_may_leave_the_id_out_but_not_change_it() {
    let transfers: [Vec<u8>; 3] = [
        [&list(0x14, 6, b"\x43\x43\x40\x43\x40\x41")[..], b"one"].concat(),
        [&list(0x14, 6, b"\x43\x40\x40\x40\x40\x41")[..], b"two"].concat(),
        [&list(0x14, 6, b"\x43\x52\x01\x40\x40\x40\x41")[..], b"no"].concat(),
    ];
    let (mut pair, events) = provoke(&[&attach_sender("a", 0)]);
    let Event::AttachRequested(link, ..) = events[0] else { panic!() };
    pair.server.engine.accept(link, None, None);
    pair.server.engine.grant_credit(link, 5);
    pair.server.inbox = transfers.iter().flat_map(|body| frame(0, body)).collect();
    pair.server.read(pair.now);
    let delivery = pair.server.delivery();
    assert_eq!(pair.server.body(delivery), b"onetwo");
    let events = pair.server.events();
    assert_eq!(events[2], Event::IncomingGone(delivery));
    assert_eq!(session_error(&events), "amqp:invalid-field");
}
