//! Headers, SASL, open, close, and time.

use crate::support::*;
use moorline_amqp::connection::{Closed, SaslServer};
use moorline_amqp::{Condition, Config, Connection, Event, Sasl, Value};
use std::sync::Arc;
use std::time::Duration;

fn everything() -> SaslServer {
    SaslServer {
        external: true,
        anonymous: true,
        plain: Some(Arc::new(|user, password| (user, password) == ("anna", "s3cret"))),
        optional: false,
    }
}

fn pair(cut: usize, client: Sasl, server: SaslServer) -> Pair {
    let client = Config { sasl: client, ..client_config() };
    let server = Config { sasl: Sasl::Server(server), ..server_config() };
    let mut pair = Pair::with(cut, client, server);
    pair.run();
    pair
}

fn plain(password: &str) -> Sasl {
    Sasl::Plain { user: "anna".to_owned(), password: password.to_owned() }
}

#[test]
fn each_mechanism_opens() {
    each_cut(|cut| {
        let anonymous = Sasl::Anonymous { trace: "me".to_owned() };
        for (sasl, user) in [(Sasl::External, "EXTERNAL"), (anonymous, "anonymous"), (plain("s3cret"), "anna")] {
            let mut pair = pair(cut, sasl, everything());
            let Event::Opened(open) = pair.client.find(|event| Some(event.clone())) else { panic!() };
            assert_eq!(open.container_id, "server");
            assert_eq!((open.idle_timeout_ms, open.max_frame_size), (8_000, 16_384));
            assert_eq!(open.offered_capabilities, ["qd.streaming-links"]);
            assert_eq!(pair.server.engine.remote().unwrap().hostname.as_deref(), Some("localhost"));
            assert_eq!(pair.server.engine.sasl_user(), Some(user));
            assert_eq!(pair.client.engine.sasl_user(), None);
            pair.client.engine.close(None);
            pair.run();
            assert_eq!(pair.client.closed(), Closed::Local);
            assert_eq!(pair.server.closed(), Closed::Remote(None));
            assert!(pair.client.engine.is_closed() && pair.server.engine.is_closed());
        }
    });
}

#[test]
fn external_sends_an_empty_response_that_is_present() {
    let pair = pair(usize::MAX, Sasl::External, everything());
    let init = b"\x00\x53\x41\xc0\x0d\x02\xa3\x08EXTERNAL\xa0\x00";
    assert!(frames(&pair.client.sent).iter().any(|frame| frame.ends_with(init)));
}

#[test]
fn a_mechanism_that_is_not_offered_says_what_is() {
    each_cut(|cut| {
        let offers = SaslServer { external: false, ..everything() };
        let pair = pair(cut, Sasl::External, offers);
        assert_eq!(pair.client.closed(), Closed::Sasl("the peer offers PLAIN, ANONYMOUS, not EXTERNAL".to_owned()));
    });
}

#[test]
fn a_wrong_password_is_refused_and_not_repeated() {
    each_cut(|cut| {
        let pair = pair(cut, plain("guess"), everything());
        assert!(matches!(pair.client.closed(), Closed::Sasl(_)));
        let closed = pair.server.closed();
        assert_eq!(closed, Closed::Sasl("PLAIN was refused".to_owned()));
        assert!(!format!("{:?}", plain("guess")).contains("guess"));
    });
}

#[test]
fn sasl_can_be_left_out_only_if_it_is_optional() {
    each_cut(|cut| {
        let optional = SaslServer { optional: true, ..everything() };
        let open = pair(cut, Sasl::None, optional);
        assert_eq!(open.server.engine.sasl_user(), Some("anonymous"));
        assert!(open.client.engine.remote().is_some());
        let refused = pair(cut, Sasl::None, everything());
        assert!(matches!(refused.server.closed(), Closed::Sasl(_)));
        assert!(matches!(refused.client.closed(), Closed::Protocol(_)));
    });
}

#[test]
fn no_sasl_on_either_side() {
    each_cut(|cut| {
        let mut pair = Pair::with(cut, config("a"), config("b"));
        pair.run();
        assert!(pair.client.engine.remote().is_some() && pair.server.engine.remote().is_some());
        assert_eq!(pair.server.engine.sasl_user(), None);
    });
}

#[test]
fn other_protocols_are_named_and_told_what_is_expected() {
    let tls = b"\x16\x03\x01\x02\x00\x01\x00\x01";
    for (bytes, word) in [(&tls[..], "TLS"), (b"GET / HTTP/1.1\r\n", "HTTP"), (b"AMQP\x00\x00\x09\x01", "older AMQP")] {
        let mut server = Side::new(Connection::server(server_config(), epoch()));
        server.inbox = bytes.to_vec();
        server.read(epoch());
        let Closed::Protocol(condition) = server.closed() else { panic!() };
        assert!(condition.description.unwrap().contains(word));
        assert_eq!(server.engine.output(), b"AMQP\x03\x01\x00\x00");
        assert!(server.engine.is_closed());
    }
}

#[test]
fn errors_travel_with_close() {
    each_cut(|cut| {
        let mut pair = Pair::open(cut);
        let error = Condition::new("amqp:connection:forced", "bye");
        pair.server.engine.close(Some(error.clone()));
        // What crosses the close is swallowed.
        pair.client.engine.begin();
        pair.run();
        assert_eq!(pair.client.closed(), Closed::Remote(Some(error)));
        assert_eq!(pair.server.closed(), Closed::Local);
        assert_eq!(pair.server.seen.len(), 1);
    });
}

#[test]
fn open_properties_arrive() {
    let properties = vec![("product".to_owned(), Value::String("x".repeat(300))), ("n".to_owned(), Value::Int(-3))];
    let client = Config { properties, capabilities: vec!["a".to_owned(), "b".to_owned()], ..client_config() };
    let pair = Pair::opened(7, client, server_config());
    let open = pair.server.engine.remote().unwrap();
    assert_eq!(open.properties[1], (Value::Symbol("n".to_owned()), Value::Int(-3)));
    assert_eq!(open.offered_capabilities, ["a", "b"]);
}

#[test]
fn heartbeats_keep_a_silent_connection_alive() {
    each_cut(|cut| {
        let mut pair = Pair::open(cut);
        let start = pair.now;
        assert_eq!(pair.client.engine.poll_timeout(), Some(start + Duration::from_secs(4)));
        for second in 1..=60 {
            pair.pass(Duration::from_secs(1));
            let before = pair.client.sent.len();
            pair.client.engine.handle_timeout(pair.now);
            pair.server.engine.handle_timeout(pair.now);
            pair.run();
            let sent = pair.client.sent.len() - before;
            assert_eq!(sent, if second % 4 == 0 { 8 } else { 0 }, "second {second}");
        }
        assert!(pair.client.seen.is_empty() && pair.server.seen.is_empty());
    });
}

#[test]
fn a_silent_peer_is_dead_after_the_time_out() {
    let mut pair = Pair::open(usize::MAX);
    pair.pass(Duration::from_millis(15_999));
    pair.client.engine.handle_timeout(pair.now);
    assert!(!pair.client.read(pair.now) && pair.client.seen.is_empty());
    pair.client.engine.consume_output(pair.now, 8);
    assert_eq!(pair.client.engine.poll_timeout(), Some(pair.now + Duration::from_millis(1)));
    pair.pass(Duration::from_millis(1));
    pair.client.engine.handle_timeout(pair.now);
    pair.client.read(pair.now);
    assert_eq!(pair.client.closed(), Closed::Idle);
    assert_eq!(pair.client.engine.poll_timeout(), None);
}

#[test]
fn a_peer_that_never_answers_is_dead_too() {
    let now = epoch();
    let mut client = Side::new(Connection::client(client_config(), now));
    client.engine.handle_timeout(now + Duration::from_secs(16));
    client.read(now);
    assert_eq!(client.closed(), Closed::Idle);
}

#[test]
fn output_counts_as_sent_when_it_is_consumed() {
    let mut pair = Pair::open(usize::MAX);
    pair.client.engine.begin();
    pair.pass(Duration::from_secs(3));
    // Waiting output makes a heartbeat needless; only the dead line is left.
    assert_eq!(pair.client.engine.poll_timeout(), Some(pair.now + Duration::from_secs(13)));
    let n = pair.client.engine.output().len();
    pair.client.engine.consume_output(pair.now, n);
    assert_eq!(pair.client.engine.poll_timeout(), Some(pair.now + Duration::from_secs(4)));
}

#[test]
fn the_same_leftover_bytes_are_no_sign_of_life() {
    let mut pair = Pair::open(usize::MAX);
    let start = pair.now;
    pair.client.inbox = vec![0, 0, 0];
    pair.client.read(start);
    pair.pass(Duration::from_secs(10));
    pair.client.read(pair.now);
    let dead = start + Duration::from_secs(16);
    pair.client.engine.handle_timeout(dead);
    pair.client.read(dead);
    assert_eq!(pair.client.closed(), Closed::Idle);
}

#[test]
fn an_ended_transport_is_the_last_event() {
    let mut pair = Pair::open(7);
    pair.client.engine.handle_eof();
    pair.client.engine.handle_eof();
    pair.client.read(pair.now);
    assert_eq!(pair.client.events(), [Event::Closed(Closed::Eof)]);
    pair.client.engine.close(None);
    pair.client.engine.begin();
    assert_eq!(pair.client.engine.output(), b"");
}

#[test]
fn closing_before_the_open_is_over_at_once() {
    let mut client = Side::new(Connection::client(client_config(), epoch()));
    client.engine.close(None);
    client.read(epoch());
    assert_eq!(client.closed(), Closed::Local);
}

#[test]
fn nothing_follows_our_close() {
    let mut pair = Pair::open(usize::MAX);
    pair.client.engine.close(None);
    let session = pair.client.engine.begin();
    assert!(pair.client.engine.attach(session, sender("x")).is_none());
    let close = pair.client.engine.output().to_vec();
    assert_eq!(close, frame(0, b"\x00\x53\x18\x45"));
    // Swallowed: an unknown performative, a transfer on no session; then the framing breaks.
    pair.client.inbox = [frame(0, b"\x00\x53\x99\x45"), frame(3, b"\x00\x53\x14\x45")].concat();
    pair.client.read(pair.now);
    assert!(pair.client.seen.is_empty());
    pair.client.inbox = vec![0; 8];
    pair.client.read(pair.now);
    assert!(matches!(pair.client.closed(), Closed::Protocol(_)));
    assert_eq!(pair.client.engine.output(), close);
}

#[test]
fn plain_acts_for_nobody_else() {
    for (response, fits) in [
        (&b"\0anna\0s3cret"[..], true),
        (b"anna\0anna\0s3cret", true),
        (b"root\0anna\0s3cret", false),
        (b"anna", false),
    ] {
        let mut server =
            Side::new(Connection::server(Config { sasl: Sasl::Server(everything()), ..server_config() }, epoch()));
        let fields = [&[0xa3, 5][..], b"PLAIN", &[0xa0, response.len() as u8], response].concat();
        let mut init = frame(0, &list(0x41, 2, &fields));
        init[5] = 1;
        server.inbox = [&b"AMQP\x03\x01\x00\x00"[..], &init].concat();
        server.read(epoch());
        assert_eq!(server.engine.sasl_user(), fits.then_some("anna"));
        assert_eq!(server.seen.is_empty(), fits);
    }
}
