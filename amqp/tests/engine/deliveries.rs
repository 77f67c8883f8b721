//! Deliveries in both directions: streaming, states, settlement, abort.

use crate::support::*;
use moorline_amqp::{Condition, DeliveryState, End, Event, Incoming, Outgoing, Pushed, Role, Tally};

#[test]
fn a_stream_each_way_at_once() {
    each_cut(|cut| {
        let mut pair = Pair::open(cut);
        let session = pair.session();
        let (out, out_there) = pair.link(session, sender("out"));
        let (back, back_there) = pair.link(session, receiver("back"));
        pair.server.engine.keep_credit(out_there, 10);
        pair.client.engine.keep_credit(back, 10);
        pair.run();
        let (up, down) = (pattern(1, 200_000), pattern(2, 150_000));
        let (up_id, _) = pair.client.engine.start(out, &[], End::More).unwrap();
        let (down_id, _) = pair.server.engine.start(back_there, &[], End::More).unwrap();
        let (mut up_at, mut down_at) = (0, 0);
        let mut random = Random(7);
        while up_at < up.len() || down_at < down.len() {
            let n = random.below(40_000).min(up.len() - up_at);
            up_at += pair.client.engine.push(up_id, &up[up_at..up_at + n], End::More).bytes;
            let n = random.below(40_000).min(down.len() - down_at);
            down_at += pair.server.engine.push(down_id, &down[down_at..down_at + n], End::More).bytes;
            pair.step();
        }
        assert!(pair.client.engine.push(up_id, &[], End::Last).done);
        assert!(pair.server.engine.push(down_id, &[], End::Last).done);
        pair.run();
        let (came_up, came_down) = (pair.server.delivery(), pair.client.delivery());
        assert_eq!(pair.server.body(came_up), up);
        assert_eq!(pair.client.body(came_down), down);
        assert_eq!((pair.server.ends(), pair.client.ends()), (1, 1));
        pair.server.engine.dispose(came_up, Some(DeliveryState::Accepted), true);
        pair.client.take();
        pair.run();
        let accepted = Event::Disposition { delivery: up_id, state: Some(DeliveryState::Accepted), settled: true };
        assert_eq!(pair.client.events(), [accepted]);
    });
}

#[test]
fn frames_are_filled_and_repeat_id_and_tag() {
    let mut pair = Pair::open(usize::MAX);
    let (out, _) = pair.sending(5);
    pair.client.sent.clear();
    pair.send(out, &pattern(3, 16_355 * 2 + 1), End::Last);
    let frames = frames(&pair.client.sent);
    let head = |frame: &[u8], len: usize| frame[8..len].to_vec();
    let more = b"\x00\x53\x14\xc0\x10\x06\x43\x43\xa0\x08\x01\0\0\0\0\0\0\0\x43\x40\x41";
    assert_eq!(frames.iter().map(Vec::len).collect::<Vec<_>>(), [16_384, 16_384, 28]);
    assert_eq!(head(&frames[0], 29), more);
    assert_eq!(head(&frames[1], 29), more);
    assert_eq!(head(&frames[2], 27), b"\x00\x53\x14\xc0\x0e\x04\x43\x43\xa0\x08\x01\0\0\0\0\0\0\0\x43");
}

#[test]
fn small_settled_messages_leave_nothing_behind() {
    each_cut(|cut| {
        let mut pair = Pair::open(cut);
        let (out, _) = pair.sending(4);
        for n in 0..100_u64 {
            pair.send(out, &pattern(n, 50), End::LastSettled);
            let seen = pair.server.take();
            assert_eq!(seen.len(), 1);
            assert_eq!(seen[0].payload, pattern(n, 50));
            let Event::Transfer { first: true, more: false, settled: true, delivery, .. } = seen[0].event else {
                panic!("{seen:?}");
            };
            // Settled and complete: unknown here, so nothing is sent for it.
            pair.server.engine.dispose(delivery, Some(DeliveryState::Accepted), true);
        }
        pair.run();
        assert!(!pair.client.events().iter().any(|event| matches!(event, Event::Disposition { .. })));
    });
}

fn one_delivery(pair: &mut Pair, payload: &[u8]) -> (Outgoing, Incoming) {
    let (out, _) = pair.sending(10);
    let sent = pair.send(out, payload, End::Last);
    let came = pair.server.delivery();
    pair.server.take();
    (sent, came)
}

#[test]
fn each_state_arrives_as_it_was_sent() {
    let reason = Condition::new("amqp:invalid-field", "x".repeat(400));
    let states = [
        DeliveryState::Received { section_number: 0, section_offset: 0x59abc },
        DeliveryState::Received { section_number: 3, section_offset: u64::MAX },
        DeliveryState::Modified { delivery_failed: true, undeliverable_here: true },
        DeliveryState::Modified { delivery_failed: false, undeliverable_here: true },
        DeliveryState::Modified { delivery_failed: false, undeliverable_here: false },
        DeliveryState::Rejected(Some(reason)),
        DeliveryState::Rejected(None),
        DeliveryState::Released,
        DeliveryState::Accepted,
    ];
    each_cut(|cut| {
        let mut pair = Pair::open(cut);
        let (sent, came) = one_delivery(&mut pair, b"hello");
        for state in &states {
            pair.server.engine.dispose(came, Some(state.clone()), false);
            pair.run();
            let told = Event::Disposition { delivery: sent, state: Some(state.clone()), settled: false };
            assert_eq!(pair.client.events(), [told]);
            pair.client.engine.dispose_sent(sent, Some(state.clone()), false);
            pair.run();
            let told = Event::SenderDisposition { delivery: came, state: Some(state.clone()), settled: false };
            assert_eq!(pair.server.events(), [told]);
        }
        pair.server.engine.dispose(came, None, true);
        pair.run();
        assert_eq!(pair.client.events(), [Event::Disposition { delivery: sent, state: None, settled: true }]);
        // Forgotten on both sides.
        pair.server.engine.dispose(came, Some(DeliveryState::Accepted), true);
        pair.client.engine.dispose_sent(sent, Some(DeliveryState::Accepted), true);
        pair.run();
        assert!(pair.client.seen.is_empty() && pair.server.seen.is_empty());
    });
}

#[test]
fn a_sender_that_settles_is_heard() {
    each_cut(|cut| {
        let mut pair = Pair::open(cut);
        let (sent, came) = one_delivery(&mut pair, b"hello");
        pair.client.engine.dispose_sent(sent, Some(modified()), true);
        pair.run();
        let told = Event::SenderDisposition { delivery: came, state: Some(modified()), settled: true };
        assert_eq!(pair.server.events(), [told]);
        pair.server.engine.dispose(came, Some(DeliveryState::Accepted), true);
        pair.run();
        assert!(pair.client.seen.is_empty());
    });
}

#[test]
fn a_delivery_settled_early_by_its_receiver_is_finished_on_the_wire() {
    each_cut(|cut| {
        let mut pair = Pair::open(cut);
        let (out, _) = pair.sending(10);
        let (sent, _) = pair.client.engine.start(out, b"one", End::More).unwrap();
        pair.run();
        let came = pair.server.delivery();
        pair.server.take();
        pair.server.engine.dispose(came, Some(DeliveryState::Released), true);
        pair.run();
        let released = Event::Disposition { delivery: sent, state: Some(DeliveryState::Released), settled: true };
        assert_eq!(pair.client.events(), [released]);
        let before = pair.client.sent.len();
        assert_eq!(pair.client.engine.push(sent, b"two", End::More), Pushed { bytes: 3, done: true });
        assert!(!pair.client.engine.can_start(out));
        assert_eq!(pair.client.engine.push(sent, b"three", End::Last), Pushed { bytes: 5, done: true });
        assert!(pair.client.engine.can_start(out));
        assert_eq!(pair.client.engine.push(sent, b"four", End::Last), Pushed { bytes: 0, done: true });
        pair.run();
        assert!(pair.client.sent.len() > before);
        // The rest is swallowed, and the next delivery is fine.
        assert!(pair.server.seen.is_empty());
        pair.send(out, b"next", End::Last);
        let next = pair.server.delivery();
        assert_eq!(pair.server.body(next), b"next");
    });
}

#[test]
fn a_late_settle_and_a_settle_on_the_last_frame() {
    each_cut(|cut| {
        let mut pair = Pair::open(cut);
        let (out, _) = pair.sending(10);
        let (sent, _) = pair.client.engine.start(out, b"one", End::More).unwrap();
        pair.run();
        let came = pair.server.delivery();
        pair.server.engine.dispose(came, Some(modified()), false);
        pair.run();
        assert_eq!(
            pair.client.events(),
            [Event::Disposition { delivery: sent, state: Some(modified()), settled: false }]
        );
        assert!(pair.client.engine.push(sent, b"two", End::LastSettled).done);
        pair.run();
        let last = pair.server.take().pop().unwrap();
        assert!(matches!(last.event, Event::Transfer { first: false, more: false, settled: true, .. }));
        // Settled by the sender: nothing is left to be said.
        pair.server.engine.dispose(came, Some(modified()), true);
        pair.run();
        assert!(pair.client.seen.is_empty());
    });
}

#[test]
fn a_sender_that_settles_in_the_middle() {
    each_cut(|cut| {
        let mut pair = Pair::open(cut);
        let (out, _) = pair.sending(10);
        let (sent, _) = pair.client.engine.start(out, b"one", End::More).unwrap();
        pair.client.engine.dispose_sent(sent, Some(modified()), true);
        assert!(pair.client.engine.push(sent, b"two", End::Last).done);
        pair.run();
        let came = pair.server.delivery();
        assert_eq!(pair.server.body(came), b"onetwo");
        let last = pair.server.take().pop().unwrap();
        assert!(matches!(last.event, Event::Transfer { more: false, settled: true, .. }));
    });
}

#[test]
fn an_abort_ends_an_unfinished_delivery() {
    each_cut(|cut| {
        let mut pair = Pair::open(cut);
        let (out, _) = pair.sending(10);
        let (sent, _) = pair.client.engine.start(out, b"one", End::More).unwrap();
        pair.client.engine.abort(sent);
        pair.client.engine.abort(sent);
        assert_eq!(pair.client.engine.push(sent, b"x", End::Last), Pushed { bytes: 0, done: true });
        assert!(pair.client.engine.can_start(out));
        pair.run();
        let seen = pair.server.take();
        assert_eq!(seen.len(), 2);
        let aborted =
            matches!(seen[1].event, Event::Transfer { first: false, more: false, settled: true, aborted: true, .. });
        assert!(aborted && seen[1].payload.is_empty());
        pair.send(out, b"next", End::Last);
        let next = pair.server.delivery();
        assert_eq!(pair.server.body(next), b"next");
    });
}

#[test]
fn an_abort_of_a_finished_delivery_releases_it() {
    each_cut(|cut| {
        let mut pair = Pair::open(cut);
        let (sent, came) = one_delivery(&mut pair, b"whole");
        pair.client.engine.abort(sent);
        pair.run();
        let state = Some(DeliveryState::Released);
        assert_eq!(pair.server.events(), [Event::SenderDisposition { delivery: came, state, settled: true }]);
    });
}

#[test]
fn streams_of_many_links_interleave() {
    each_cut(|cut| {
        let mut pair = Pair::open(cut);
        let session = pair.session();
        let mut links = Vec::new();
        for n in 0..20 {
            links.push(pair.link(session, sender(&format!("out{n}"))));
        }
        for &(_, theirs) in &links {
            pair.server.engine.keep_credit(theirs, 1);
        }
        pair.run();
        let mut streams = Vec::new();
        for (n, &(ours, theirs)) in links.iter().enumerate() {
            let body = pattern(n as u64, 3_000 + 97 * n);
            let (id, pushed) = pair.client.engine.start(ours, &body[..100], End::More).unwrap();
            assert!(pushed.done);
            streams.push((theirs, id, body, 100));
        }
        while !streams.iter().all(|(_, _, body, at)| *at == body.len()) {
            for (_, id, body, at) in &mut streams {
                let end = (*at + 500).min(body.len());
                let last = if end == body.len() { End::Last } else { End::More };
                *at += pair.client.engine.push(*id, &body[*at..end], last).bytes;
            }
            pair.step();
        }
        pair.run();
        assert_eq!(pair.server.ends(), 20);
        for (theirs, _, body, _) in &streams {
            let came = pair.server.find(|event| match event {
                Event::Transfer { link, delivery, .. } if link == theirs => Some(*delivery),
                _ => None,
            });
            assert_eq!(&pair.server.body(came), body);
        }
    });
}

#[test]
fn ranges_are_taken_apart() {
    let mut pair = Pair::open(usize::MAX);
    let (out, _) = pair.sending(10);
    let sent: Vec<Outgoing> = (0..4).map(|_| pair.send(out, b"x", End::Last)).collect();
    pair.client.engine.push(sent[1], b"", End::Last);
    // first 1, last 0xffffffff: nearly all numbers that there are.
    pair.client.inbox = frame(0, b"\x00\x53\x15\xc0\x0e\x05\x41\x52\x01\x70\xff\xff\xff\xff\x41\x00\x53\x24\x45");
    pair.client.read(pair.now);
    let told = |n: usize| Event::Disposition { delivery: sent[n], state: Some(DeliveryState::Accepted), settled: true };
    assert_eq!(pair.client.events(), [told(1), told(2), told(3)]);
    // Over the end of the numbers: from 2^32 - 1 to 0.
    pair.client.inbox = frame(0, b"\x00\x53\x15\xc0\x0d\x05\x41\x70\xff\xff\xff\xff\x43\x41\x00\x53\x24\x45");
    pair.client.read(pair.now);
    assert_eq!(pair.client.events(), [told(0)]);
}

#[test]
fn both_ends_count_what_became_of_deliveries() {
    let mut pair = Pair::open(usize::MAX);
    let (out, _) = pair.sending(5);
    for _ in 0..2 {
        pair.send(out, b"settled", End::LastSettled);
        pair.run();
    }
    pair.server.take();
    pair.send(out, b"accepted", End::Last);
    pair.run();
    let accepted = pair.server.delivery();
    pair.server.engine.dispose(accepted, Some(DeliveryState::Accepted), true);
    pair.run();
    pair.server.take();
    pair.send(out, b"open", End::Last);
    pair.run();
    let expected = Tally { deliveries: 4, presettled: 2, accepted: 1, ..Tally::default() };
    for (engine, role) in [(&pair.client.engine, Role::Sender), (&pair.server.engine, Role::Receiver)] {
        let links = engine.links();
        let link = links.first().unwrap();
        assert_eq!((links.len(), link.role, link.number, link.unsettled), (1, role, 1, 1));
        assert_eq!((link.tally, engine.tally()), (expected, expected));
    }
    assert!(pair.server.engine.last_delivery().is_some());
    assert_eq!(pair.client.engine.last_delivery(), None);
    pair.client.engine.detach(out, None);
    pair.run();
    for engine in [&pair.client.engine, &pair.server.engine] {
        assert_eq!((engine.links().len(), engine.tally()), (0, expected));
    }
}

#[test]
fn a_link_may_go_when_its_receiver_has_read_everything() {
    each_cut(|cut| {
        let mut pair = Pair::open(cut);
        let (out, there) = pair.sending(10);
        assert!(pair.client.engine.can_detach(out) && !pair.server.engine.can_detach(there), "the sender knows");
        let sent = pair.client.engine.start(out, b"half", End::More).unwrap().0;
        pair.run();
        let came = pair.server.delivery();
        pair.server.engine.dispose(came, Some(DeliveryState::Accepted), true);
        pair.run();
        assert!(!pair.client.engine.can_detach(out), "settled, and not over");
        assert!(pair.client.engine.push(sent, b"whole", End::Last).done);
        assert!(pair.client.engine.can_detach(out));
        // Who is told that a delivery is settled may not have read it.
        for settled_by_us in [true, false] {
            let sent = pair.send(out, b"next", if settled_by_us { End::LastSettled } else { End::Last });
            assert!(!pair.client.engine.can_detach(out));
            pair.client.engine.dispose_sent(sent, Some(DeliveryState::Accepted), true);
            pair.run();
            assert!(!pair.client.engine.can_detach(out), "settled by us alone");
            pair.server.take();
            let later = pair.send(out, b"later", End::Last);
            let came = pair.server.delivery();
            pair.server.engine.dispose(came, Some(DeliveryState::Accepted), true);
            pair.run();
            assert!(pair.client.engine.can_detach(out), "{later:?} was read behind it");
            pair.server.take();
        }
        let sent = pair.client.engine.start(out, b"half", End::More).unwrap().0;
        pair.client.engine.abort(sent);
        assert!(pair.client.engine.can_detach(out), "nobody wants what is aborted");
        pair.client.engine.detach(out, None);
        assert!(!pair.client.engine.can_detach(out));
    });
}
