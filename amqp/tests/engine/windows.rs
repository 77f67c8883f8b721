//! Credit, session windows, and the limits on what waits.

use crate::support::*;
use moorline_amqp::connection::Closed;
use moorline_amqp::{Config, DeliveryState, End, Event, SessionId, Terminus};

#[test]
fn credit_is_used_and_topped_up() {
    each_cut(|cut| {
        let mut pair = Pair::open(cut);
        let (out, there) = pair.sending(10);
        assert_eq!(pair.client.engine.credit(out), 10);
        for n in 0..50 {
            pair.send(out, b"x", End::LastSettled);
            assert!(pair.client.engine.credit(out) >= 5, "after {n}");
        }
        // From now on not topped up.
        pair.server.engine.grant_credit(there, 2);
        pair.run();
        pair.client.take();
        assert_eq!(pair.client.engine.credit(out), 2);
        pair.send(out, b"x", End::LastSettled);
        pair.send(out, b"x", End::LastSettled);
        assert!(!pair.client.engine.can_start(out));
        assert!(pair.client.engine.start(out, b"x", End::Last).is_none());
        assert!(pair.client.seen.is_empty());
        pair.server.engine.grant_credit(there, 1);
        pair.run();
        assert_eq!(pair.client.events(), [Event::Credit(out)]);
    });
}

#[test]
fn credit_taken_back_may_have_been_used_already() {
    each_cut(|cut| {
        let mut pair = Pair::open(cut);
        let (out, there) = pair.sending(10);
        pair.server.engine.grant_credit(there, 0);
        for _ in 0..10 {
            pair.client.engine.start(out, b"x", End::LastSettled).unwrap();
        }
        pair.run();
        assert_eq!(pair.server.ends(), 10);
        assert_eq!(pair.client.engine.credit(out), 0);
    });
}

#[test]
fn a_window_shuts_and_opens() {
    each_cut(|cut| {
        let server = Config { incoming_window: 4, max_frame_size: 512, ..server_config() };
        let mut pair = Pair::opened(cut, client_config(), server);
        let (out, _) = pair.sending(10);
        let body = pattern(5, 20_000);
        let (sent, first) = pair.client.engine.start(out, &body, End::Last).unwrap();
        assert_eq!(first.bytes, 4 * (512 - 29));
        assert!(!first.done);
        assert_eq!(pair.client.engine.room(SessionId(0)), 0);
        let mut at = first.bytes;
        let mut rooms = 0;
        loop {
            pair.run();
            rooms += pair.client.events().iter().filter(|event| matches!(event, Event::Room(_))).count();
            let room = pair.client.engine.room(SessionId(0));
            let pushed = pair.client.engine.push(sent, &body[at..], End::Last);
            at += pushed.bytes;
            if pushed.done {
                break;
            }
            assert!(pushed.bytes >= room && room > 0);
        }
        pair.run();
        assert!(rooms > 5);
        let came = pair.server.delivery();
        assert_eq!(pair.server.body(came), body);
    });
}

#[test]
fn an_abort_waits_for_the_window() {
    each_cut(|cut| {
        let server = Config { incoming_window: 2, max_frame_size: 512, ..server_config() };
        let mut pair = Pair::opened(cut, client_config(), server);
        let (out, _) = pair.sending(10);
        let (sent, _) = pair.client.engine.start(out, &pattern(5, 20_000), End::Last).unwrap();
        pair.client.engine.abort(sent);
        assert!(!pair.client.engine.can_start(out));
        pair.run();
        assert!(pair.client.engine.can_start(out));
        assert!(matches!(pair.server.take().pop().unwrap().event, Event::Transfer { aborted: true, more: false, .. }));
        pair.send(out, b"next", End::Last);
    });
}

#[test]
fn a_window_of_one_opens_after_each_frame() {
    each_cut(|cut| {
        let mut pair = Pair::opened(cut, client_config(), Config { incoming_window: 1, ..server_config() });
        let (out, _) = pair.sending(10);
        let body = pattern(4, 100_000);
        pair.send(out, &body, End::Last);
        let came = pair.server.delivery();
        assert_eq!(pair.server.body(came), body);
    });
}

#[test]
fn a_drain_is_answered_by_moving_the_count_on() {
    let mut pair = Pair::open(usize::MAX);
    let (out, _) = pair.sending(10);
    let (sent, _) = pair.client.engine.start(out, b"part", End::More).unwrap();
    pair.run();
    pair.client.sent.clear();
    // delivery-count 1, credit 9, drain
    pair.client.inbox = frame(0, &list(0x13, 9, b"\x52\x01\x52\xff\x43\x52\xff\x43\x52\x01\x52\x09\x40\x41"));
    pair.client.read(pair.now);
    assert_eq!(pair.client.events(), [Event::Drained(out)]);
    assert_eq!(pair.client.engine.credit(out), 0);
    let answer = list(0x13, 9, b"\x43\x70\x00\x00\x02\x80\x52\x01\x70\x7f\xff\xff\xff\x43\x52\x0a\x43\x40\x41");
    assert_eq!(pair.client.engine.output()[8..], answer[..]);
    // The delivery under way is not harmed.
    pair.run();
    assert!(pair.client.engine.push(sent, b" and end", End::Last).done);
    pair.run();
    let came = pair.server.delivery();
    assert_eq!(pair.server.body(came), b"part and end");
}

#[test]
fn an_echo_is_answered() {
    let mut pair = Pair::open(usize::MAX);
    pair.sending(10);
    let session = list(0x13, 10, b"\x43\x52\xff\x43\x52\xff\x40\x40\x40\x40\x40\x41");
    let link = list(0x13, 10, b"\x43\x52\xff\x43\x52\xff\x43\x43\x52\x0a\x40\x42\x41");
    for body in [session, link] {
        pair.client.inbox = frame(0, &body);
        pair.client.read(pair.now);
        let output = pair.client.engine.output().to_vec();
        assert_eq!(frames(&output).len(), 1);
        assert_eq!(output[8..11], [0x00, 0x53, 0x13]);
        pair.client.engine.consume_output(pair.now, output.len());
    }
    assert!(pair.client.seen.is_empty());
}

#[test]
fn waiting_output_stops_pushes_but_not_input() {
    each_cut(|cut| {
        let client = Config { output_limit: 20_000, ..client_config() };
        let mut pair = Pair::opened(cut, client, server_config());
        let (out, _) = pair.sending(10);
        let body = pattern(9, 200_000);
        let (_, pushed) = pair.client.engine.start(out, &body, End::Last).unwrap();
        assert_eq!(pushed.bytes, 2 * 16_355);
        assert_eq!(pair.client.engine.room(SessionId(0)), 0);
        // Two ends that both wait to be read must not wait for ever.
        assert!(pair.client.engine.wants_input());
        pair.client.engine.consume_output(pair.now, 20_000);
        assert!(pair.client.engine.room(SessionId(0)) > 0);
        pair.client.inbox = frame(0, b"\x00\x53\x18\x45");
        pair.client.read(pair.now);
        assert_eq!(pair.client.closed(), Closed::Remote(None));
    });
}

#[test]
fn unsettled_deliveries_are_bounded_on_both_sides() {
    each_cut(|cut| {
        // A sender stops by itself …
        let mut pair = Pair::opened(cut, Config { max_unsettled: 3, ..client_config() }, server_config());
        let (out, _) = pair.sending(10);
        let sent: Vec<_> = (0..3).map(|_| pair.send(out, b"x", End::Last)).collect();
        assert!(!pair.client.engine.can_start(out));
        let came = pair.server.delivery();
        pair.server.engine.dispose(came, Some(DeliveryState::Accepted), true);
        pair.client.take();
        pair.run();
        let told = Event::Disposition { delivery: sent[0], state: Some(DeliveryState::Accepted), settled: true };
        assert_eq!(pair.client.events(), [told, Event::Room(SessionId(0))]);
        assert!(pair.client.engine.can_start(out));
        // … and a peer that does not is cut off.
        let mut pair = Pair::opened(cut, client_config(), Config { max_unsettled: 3, ..server_config() });
        let (out, _) = pair.sending(10);
        for _ in 0..4 {
            pair.client.engine.start(out, b"x", End::Last).unwrap();
        }
        pair.run();
        let Closed::Protocol(condition) = pair.server.closed() else { panic!() };
        assert_eq!(condition.condition, "amqp:resource-limit-exceeded");
        assert_eq!(pair.client.closed(), Closed::Remote(Some(condition)));
    });
}

#[test]
fn small_and_large_frames() {
    each_cut(|cut| {
        for (ours, theirs) in [(512, 512), (512, 65_536), (1, 1_000_000)] {
            let client = Config { max_frame_size: ours, ..client_config() };
            let server = Config { max_frame_size: theirs, ..server_config() };
            let mut pair = Pair::opened(cut, client, server);
            let (out, _) = pair.sending(10);
            let body = pattern(11, 100_000);
            pair.send(out, &body, End::Last);
            let came = pair.server.delivery();
            assert_eq!(pair.server.body(came), body);
            let largest = frames(&pair.client.sent).iter().map(Vec::len).max().unwrap();
            assert!(largest <= theirs.max(512) as usize && largest >= 100_000.min(theirs.max(512)) as usize);
        }
    });
}

#[test]
fn a_drain_asked_before_the_answer() {
    let mut pair = Pair::open(usize::MAX);
    let session = pair.session();
    pair.server.inbox = frame(0, &list(0x12, 10, b"\xa1\x01a\x43\x41\x40\x40\x40\x40\x40\x40\x43"));
    pair.server.inbox.extend(frame(0, &list(0x13, 9, b"\x43\x52\xff\x43\x52\xff\x43\x43\x52\x09\x40\x41")));
    pair.server.read(pair.now);
    let link = pair.server.requested("a");
    pair.server.take();
    pair.server.engine.accept(link, Some(Terminus::anonymous()), Some(Terminus::anonymous()));
    pair.server.read(pair.now);
    assert_eq!(pair.server.events(), [Event::Drained(link)]);
    assert_eq!(pair.server.engine.credit(link), 0);
    assert_eq!(session, SessionId(0));
}
