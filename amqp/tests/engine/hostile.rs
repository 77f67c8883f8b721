//! Input of the worst kind: no panic, no unbounded output, no event after the last.

use crate::support::*;
use moorline_amqp::connection::SaslServer;
use moorline_amqp::message::{Properties, section, section_start};
use moorline_amqp::{Config, Connection, DeliveryState, End, Event, Sasl, Terminus, Value};
use std::time::{Duration, Instant};

const TRACES: [&str; 2] = [include_str!("../data/edge-legacy.txt"), include_str!("../data/edge-lite.txt")];

/// What one side (`>` or `<`) of a trace sent.
fn trace(trace: &str, side: &str) -> Vec<Vec<u8>> {
    let unhex = |text: &str| -> Vec<u8> {
        (0..text.len() / 2).map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap()).collect()
    };
    trace.lines().filter(|line| line.starts_with(side)).map(|line| unhex(&line[2..])).collect()
}

fn small(sasl: Sasl) -> Config {
    Config {
        sasl,
        output_limit: 64 * 1024,
        max_unsettled: 50,
        incoming_window: 100,
        handle_max: 20,
        channel_max: 10,
        ..config("x")
    }
}

fn client(now: Instant) -> Connection {
    let mut engine = Connection::client(small(Sasl::Anonymous { trace: "x".to_owned() }), now);
    // As many sessions and links as the edge of the traces has, so that answers find somebody.
    for _ in 0..4 {
        let session = engine.begin();
        for n in 0..8 {
            engine.attach(session, if n % 2 == 0 { sender(&format!("s{n}")) } else { receiver(&format!("r{n}")) });
        }
    }
    engine
}

fn server(now: Instant) -> Connection {
    Connection::server(small(Sasl::Server(SaslServer { anonymous: true, ..SaslServer::default() })), now)
}

/// Gives an engine these bytes in pieces and does with each event what a router might. Sent output is thrown away.
fn devour(engine: &mut Connection, bytes: &[u8], random: &mut Random, now: Instant) {
    let mut inbox = Vec::new();
    let mut at = 0;
    let mut events = 0;
    while at < bytes.len() {
        let n = (1 + random.below(200)).min(bytes.len() - at);
        inbox.extend_from_slice(&bytes[at..at + n]);
        at += n;
        loop {
            let mut input = &inbox[..];
            let event = engine.poll_event(now, &mut input).map(own);
            let left = input.len();
            inbox.drain(..inbox.len() - left);
            let Some(event) = event else { break };
            events += 1;
            react(engine, event.event, random);
        }
        assert!(inbox.len() <= 16_384);
        // A frame can cause only so much.
        assert!(engine.output().len() < 64 * 1024 + 40_000, "{}", engine.output().len());
        engine.consume_output(now, random.below(5_000));
        if engine.is_closed() {
            let mut input = &b"more"[..];
            assert!(engine.poll_event(now, &mut input).is_none());
            assert!(input.is_empty());
            break;
        }
    }
    assert!(events < 50_000);
    engine.handle_timeout(now + Duration::from_secs(5));
    engine.handle_eof();
}

fn react(engine: &mut Connection, event: Event<'static>, random: &mut Random) {
    match event {
        Event::AttachRequested(link, ..) => match random.below(4) {
            0 => engine.refuse(link, moorline_amqp::Condition::new("a:b", "no")),
            1 => engine.detach(link, None),
            _ => {
                engine.keep_credit(link, 10);
                engine.accept(link, Some(Terminus::anonymous()), Some(Terminus::anonymous()));
            }
        },
        Event::AttachConfirmed(link, _) => engine.grant_credit(link, 5),
        Event::Credit(link) => {
            let end = [End::More, End::Last, End::LastSettled][random.below(3)];
            if let Some((delivery, _)) = engine.start(link, &[7; 20_000], end) {
                match random.below(3) {
                    0 => engine.abort(delivery),
                    1 => engine.dispose_sent(delivery, Some(DeliveryState::Accepted), true),
                    _ => {}
                }
                engine.push(delivery, b"end", End::Last);
            }
        }
        Event::Transfer { delivery, .. } if random.below(2) == 0 => {
            engine.dispose(delivery, Some(DeliveryState::Accepted), random.below(2) == 0);
        }
        Event::Disposition { delivery, .. } => {
            engine.push(delivery, b"more", End::Last);
        }
        _ => {}
    }
}

#[test]
fn random_bytes() {
    let now = epoch();
    let mut random = Random(0x00c0_ffee);
    for round in 0..3_000 {
        let noise: Vec<u8> = (0..random.below(2_000)).map(|_| random.next() as u8).collect();
        // With an honest beginning, so that the noise comes to the inner layers too.
        let honest = trace(TRACES[round % 2], if round % 4 < 2 { ">" } else { "<" });
        let mut bytes = honest[..random.below(honest.len())].concat();
        if round % 3 == 0 {
            bytes.extend(frame(random.below(3) as u16, &noise));
        } else if round % 3 == 1 {
            let body = [&[0x00, 0x53, 0x10 + random.below(9) as u8][..], &noise].concat();
            bytes.extend(frame(random.below(3) as u16, &body));
        }
        bytes.extend(noise);
        let mut engine = if round % 4 < 2 { server(now) } else { client(now) };
        devour(&mut engine, &bytes, &mut random, now);
    }
}

#[test]
fn mutated_conversations() {
    let now = epoch();
    let mut random = Random(0xdead_beef);
    for round in 0..6_000 {
        let side = if round % 2 == 0 { ">" } else { "<" };
        let mut frames = trace(TRACES[(round / 2) % 2], side);
        for _ in 0..1 + random.below(4) {
            let at = 3 + random.below(frames.len() - 3);
            let other = frames[random.below(frames.len())].clone();
            let frame = &mut frames[at];
            let byte = random.below(frame.len());
            match random.below(6) {
                0 => frame[byte] = random.next() as u8,
                1 => frame[byte] ^= 1 << random.below(8),
                // Only behind the size, so that the framing stays sound.
                2 if frame.len() > 12 => {
                    let byte = 8 + random.below(frame.len() - 8);
                    frame[byte] = [0x00, 0x40, 0x41, 0x43, 0x45, 0x70, 0xff][random.below(7)];
                }
                3 => drop(frames.remove(at)),
                4 => frames.insert(at, other),
                _ => frames.swap(at, 3),
            }
        }
        let mut engine = if side == ">" { server(now) } else { client(now) };
        devour(&mut engine, &frames.concat(), &mut random, now);
    }
}

#[test]
fn conversations_that_break_off() {
    let now = epoch();
    let mut random = Random(1);
    for side in [">", "<"] {
        let bytes = trace(TRACES[0], side).concat();
        for cut in 0..bytes.len() {
            let mut engine = if side == ">" { server(now) } else { client(now) };
            devour(&mut engine, &bytes[..cut], &mut random, now);
        }
    }
}

#[test]
fn floods_are_bounded() {
    let now = epoch();
    let begin = list(0x11, 4, b"\x40\x43\x52\x09\x43");
    // Begin and end, attach and detach, echo upon echo: answered, one for one, as far as the output goes.
    let attach = list(0x12, 10, b"\xa1\x01a\x43\x42\x40\x40\x40\x40\x40\x40\x43");
    let detach = list(0x16, 2, b"\x43\x41");
    let end = vec![0x00, 0x53, 0x17, 0x45];
    let echo = list(0x13, 10, b"\x43\x52\xff\x43\x52\xff\x40\x40\x40\x40\x40\x41");
    let loops: [Vec<Vec<u8>>; 3] = [vec![begin.clone(), end], vec![attach, detach], vec![echo]];
    for (n, bodies) in loops.iter().enumerate() {
        let mut engine = Connection::server(small(Sasl::None), now);
        let mut bytes = trace(TRACES[0], ">")[2..4].concat();
        if n > 0 {
            bytes.extend(frame(0, &begin));
        }
        for _ in 0..50_000 {
            bodies.iter().for_each(|body| bytes.extend(frame(0, body)));
        }
        let mut input = &bytes[..];
        let mut events = 0;
        while engine.poll_event(now, &mut input).is_some() {
            events += 1;
        }
        assert!(!engine.wants_input() && !input.is_empty());
        assert!(engine.output().len() < 4 * 64 * 1024 + 1000 && events < 150_000);
    }
}

#[test]
fn garbage_in_messages() {
    let mut random = Random(5);
    for _ in 0..200_000 {
        let mut bytes: Vec<u8> = (0..random.below(60)).map(|_| random.next() as u8).collect();
        if random.below(2) == 0 {
            bytes.splice(0..0, [0x00, 0x53, 0x70 + random.below(9) as u8, 0xc0, 20, 5]);
        }
        drop(section_start(&bytes));
        if let Ok(Some(section)) = section(&bytes) {
            assert!(section.len <= bytes.len() && section.len > section.value.len());
            drop(Properties::decode(section.value));
        }
        drop(Value::decode(&mut &bytes[..]));
    }
}
