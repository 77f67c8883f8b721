//! The pieces of work.

use moorline_amqp::Value;
use moorline_router::core::Encapsulation::{Legacy, Lite};
use moorline_router::core::{Encapsulation, FlowId};

use super::Work;
use super::engine::Pair;
use super::network::{BLOCK, Network};

/// The payload of a frame: what fits into 16 KiB beside its head.
static FRAME: [u8; 16_000] = [7; 16_000];

pub(super) fn all() -> Vec<Work> {
    let work = |name, what, times, run| Work { name, what, times, run };
    vec![
        work("values", "a map of ten entries, encoded and decoded", 2000, values),
        work("frame", "a frame of 16 kB within a delivery, sent by one engine and taken by another", 2000, frame),
        work("message", "a delivery of 128 bytes, sent, taken and accepted", 2000, message),
        work("stream legacy", "16 KiB of one TCP connection through hub and edge", 2000, |n| stream(Legacy, 1, n)),
        work("stream lite", "the same, lite", 2000, |n| stream(Lite, 1, n)),
        work("streams legacy", "16 KiB of one of 64 busy connections", 2000, |n| stream(Legacy, 64, n)),
        work("streams lite", "the same, lite", 2000, |n| stream(Lite, 64, n)),
        work("request legacy", "128 bytes through hub and edge, and back", 2000, |n| request(Legacy, 0, n)),
        work("request lite", "the same, lite", 2000, |n| request(Lite, 0, n)),
        work("request among idle", "the same beside 2,000 connections that are open", 2000, |n| request(Lite, 2000, n)),
        work("connection legacy", "a connection: begun, 1 byte there and back, ended", 500, |n| {
            connection(Legacy, 1, n)
        }),
        work("connection lite", "the same, lite", 500, |n| connection(Lite, 1, n)),
        work("connection of many", "the same at an edge that serves 2,000 addresses", 500, |n| {
            connection(Lite, 2000, n)
        }),
    ]
}

fn values(times: u64) {
    let entry = |at: u32| (Value::Symbol(format!("attribute-{at}")), Value::String(format!("value {at}")));
    let mut entries: Vec<_> = (0..8).map(entry).collect();
    entries.push((Value::Symbol("count".to_owned()), Value::Ulong(123_456)));
    entries.push((Value::Symbol("up".to_owned()), Value::Bool(true)));
    let map = Value::Map(entries);
    let mut bytes = Vec::new();
    for _ in 0..times {
        bytes.clear();
        map.encode(&mut bytes);
        let again = Value::decode(&mut &bytes[..]).expect("what was encoded");
        assert!(matches!(again, Value::Map(entries) if entries.len() == 10));
    }
}

fn frame(times: u64) {
    let mut pair = Pair::new(false);
    let delivery = pair.begin(&FRAME);
    for _ in 0..times {
        pair.push(delivery, &FRAME);
    }
    assert_eq!(pair.arrived, (times + 1) * FRAME.len() as u64);
}

fn message(times: u64) {
    let mut pair = Pair::new(true);
    for _ in 0..times {
        pair.send(&FRAME[..128]);
    }
    assert_eq!(pair.arrived, times * 128);
}

/// All streams have a block to send, again and again.
fn stream(encapsulation: Encapsulation, streams: u64, times: u64) {
    let mut network = Network::new(encapsulation, 1, false);
    let flows: Vec<FlowId> = (0..streams).map(|_| network.client()).collect();
    let mut given = 0;
    while given < times {
        for flow in flows.iter().take(usize::try_from(times - given).unwrap_or(usize::MAX)) {
            network.give(*flow, BLOCK);
            given += 1;
        }
        network.settle();
    }
    assert_eq!(network.arrived as u64, times * BLOCK as u64);
}

fn request(encapsulation: Encapsulation, idle: usize, times: u64) {
    let mut network = Network::new(encapsulation, 1, true);
    for _ in 0..idle {
        network.client();
    }
    let flow = network.client();
    for _ in 0..times {
        network.give(flow, 128);
        network.settle();
    }
    assert_eq!(network.arrived as u64, times * 128 * 2);
}

fn connection(encapsulation: Encapsulation, addresses: usize, times: u64) {
    let mut network = Network::new(encapsulation, addresses, true);
    for _ in 0..times {
        let flow = network.client();
        network.give(flow, 1);
        network.settle();
        network.finish(flow);
    }
    assert_eq!((network.arrived as u64, network.open()), (times * 2, 0));
}
