//! Against what real routers were seen to send, type by type.

use super::*;
use moorline_amqp::Value;
use moorline_amqp::message::{self, Properties};
use std::time::{Duration, Instant};

/// Start of the client's flow, microseconds since 1970.
const BEGUN: u64 = 1_795_302_108_190_161;

struct Desk {
    recorder: Recorder,
    now: Moment,
}

type Record = Vec<(u32, Value)>;

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

/// Address, subject, and records with their types.
fn read(bytes: &[u8]) -> (String, String, Vec<Record>) {
    let mut rest = bytes;
    let (mut to, mut subject, mut records) = (String::new(), String::new(), Vec::new());
    while let Some(section) = message::section(rest).unwrap() {
        rest = &rest[section.len..];
        if section.descriptor == message::PROPERTIES {
            let properties = Properties::decode(section.value).unwrap();
            assert!(matches!(properties.message_id, Some(Value::Long(_))));
            (to, subject) = (properties.to.unwrap(), properties.subject.unwrap());
        } else if let Value::List(list) = Value::decode(&mut { section.value }).unwrap() {
            records = list.into_iter().map(record).collect();
        }
    }
    assert!(rest.is_empty());
    (to, subject, records)
}

fn record(value: Value) -> Record {
    let Value::Map(pairs) = value else { panic!("a record is a map: {value:?}") };
    let key = |key: &Value| if let Value::Uint(key) = key { *key } else { panic!("a key is a uint: {key:?}") };
    pairs.into_iter().map(|(k, value)| (key(&k), value)).collect()
}

impl Desk {
    fn new(prefix: &str) -> Desk {
        let mut recorder = Recorder::new(prefix);
        let source = recorder.source().clone();
        for address in [BEACONS, &source.events, &source.flows] {
            recorder.reachable(address, true);
        }
        Desk { recorder, now: Moment { now: Instant::now(), micros: BEGUN } }
    }

    fn pass(&mut self, by: Duration) {
        self.now.now += by;
        self.now.micros += by.as_micros() as u64;
    }

    fn round(&mut self, dialect: Dialect, flows: &[FlowSnapshot<'_>]) {
        let now = self.now;
        let mut round = self.recorder.round(dialect, now);
        for flow in flows {
            round.flow(flow);
        }
        round.end();
    }

    /// Records by the address that they went to.
    fn sent(&mut self) -> Vec<(String, Vec<Record>)> {
        let mut sent = Vec::new();
        self.recorder.flush(self.now.micros, |to, bytes| {
            let (address, subject, records) = read(&bytes);
            assert_eq!((to, &*subject), (&*address, "RECORD"));
            sent.push((address, records));
        });
        sent
    }

    fn sent_flows(&mut self) -> Vec<Record> {
        let flows = self.recorder.source().flows.clone();
        self.sent().into_iter().filter(|(to, _)| *to == flows).flat_map(|(_, records)| records).collect()
    }

    fn client(&self) -> FlowSnapshot<'static> {
        FlowSnapshot {
            number: 14,
            parent: 1,
            listener: true,
            address: "",
            peer: "127.0.0.1:59382",
            local: "",
            started: self.now.now,
            bytes_in: 6,
            bytes_out: 0,
            window: Some((1_459_620, 6)),
            latency: Some(Duration::from_micros(1662)),
            counterflow: None,
            trace: None,
            error: None,
        }
    }

    fn server(&self) -> FlowSnapshot<'static> {
        FlowSnapshot {
            number: 7,
            parent: 2,
            listener: false,
            peer: "127.0.0.1:19090",
            local: "127.0.0.1:55030",
            counterflow: Some("Q_QpR:14"),
            trace: Some("0/interior-2.7"),
            latency: Some(Duration::from_micros(679)),
            ..self.client()
        }
    }
}

#[test]
fn beacon_and_heartbeat_are_a_routers() {
    let mut desk = Desk::new("Q_QpR");
    let expected = [
        ("v", Value::Uint(1)),
        ("sourceType", text("ROUTER")),
        ("id", text("Q_QpR:0")),
        ("address", text("mc/sfe.Q_QpR:0")),
        ("direct", text("sfe.Q_QpR:0")),
    ];
    assert_announcement(&desk.recorder.beacon(), "mc/sfe.all", "BEACON", &expected);
    let expected = [("v", Value::Uint(1)), ("now", Value::Ulong(BEGUN)), ("id", text("Q_QpR:0"))];
    assert_announcement(&desk.recorder.heartbeat(BEGUN), "mc/sfe.Q_QpR:0", "HEARTBEAT", &expected);
}

fn assert_announcement(bytes: &[u8], to: &str, subject: &str, says: &[(&str, Value)]) {
    assert_eq!(read(bytes), (to.to_owned(), subject.to_owned(), Vec::new()));
    let mut expected = Vec::new();
    let says = says.iter().map(|(key, value)| (Value::Symbol((*key).to_owned()), value.clone())).collect();
    message::encode_section(message::APPLICATION_PROPERTIES as u8, &Value::Map(says), &mut expected);
    message::encode_section(message::VALUE as u8, &Value::Null, &mut expected);
    assert!(bytes.ends_with(&expected), "{bytes:x?}");
}

#[test]
fn an_edge_of_2_7_tells_the_same_of_itself_and_its_services() {
    let mut desk = Desk::new("GJhyN");
    let facts = RouterFacts {
        id: "edge-2.7".into(),
        mode: "edge",
        site: Some("11111111-aaaa".into()),
        host_name: None,
        version: "2.7.6".into(),
        started: 1_795_302_003_050_909,
    };
    let service = Service {
        number: 1,
        kind: Kind::Listener,
        name: "rev",
        address: "rev",
        protocol: "tcp",
        host: "127.0.0.1",
        port: 19102,
        started: 1_795_302_003_076_658,
        opened: 1,
    };
    let link = Link {
        number: 3,
        name: "conn1",
        peer: Some("interior-2.7"),
        access: None,
        port: 45671,
        tls: true,
        cost: 1,
        since: 1_795_302_003_090_958,
        losses: 0,
        traffic: (0, 0),
    };
    let mut round = desk.recorder.round(Dialect::Ends, desk.now);
    round.router(&facts);
    round.service(&service);
    round.service(&Service { number: 2, kind: Kind::Connector, name: "echo", address: "echo", port: 19090, ..service });
    round.link(&link);
    round.end();
    let all = vec![
        vec![
            (0, Value::Uint(1)),
            (1, text("GJhyN:0")),
            (2, text("11111111-aaaa")),
            (3, Value::Ulong(1_795_302_003_050_909)),
            (13, text("edge")),
            (30, text("0/edge-2.7")),
            (32, text("2.7.6")),
        ],
        service_record(4, "GJhyN:1", "19102", "rev"),
        service_record(5, "GJhyN:2", "19090", "echo"),
        vec![
            (0, Value::Uint(2)),
            (1, text("GJhyN:3")),
            (2, text("GJhyN:0")),
            (3, Value::Ulong(1_795_302_003_090_958)),
            (13, text("edge")),
            (30, text("interior-2.7")),
            (34, text("outgoing")),
        ],
    ];
    assert_eq!(desk.sent(), [("mc/sfe.GJhyN:0".to_owned(), all.clone())]);
    assert!(desk.sent().is_empty(), "it is said once");
    desk.recorder.message("sfe.GJhyN:0", &flush());
    assert_eq!(desk.sent()[0].1, all, "and again for who asks");

    let mut round = desk.recorder.round(Dialect::Ends, desk.now);
    round.router(&facts);
    round.service(&Service { opened: 2, ..service });
    round.link(&Link { peer: None, ..link });
    round.end();
    let ended = |kind, id| vec![(0, Value::Uint(kind)), (1, text(id)), (4, Value::Ulong(BEGUN))];
    let count = vec![(0, Value::Uint(4)), (1, text("GJhyN:1")), (40, Value::Ulong(2))];
    assert_eq!(desk.sent()[0].1, [count, ended(5, "GJhyN:2"), ended(2, "GJhyN:3")]);
}

fn service_record(kind: u32, id: &str, port: &str, name: &str) -> Record {
    vec![
        (0, Value::Uint(kind)),
        (1, text(id)),
        (2, text("GJhyN:0")),
        (3, Value::Ulong(1_795_302_003_076_658)),
        (15, text("127.0.0.1")),
        (16, text("tcp")),
        (18, text(port)),
        (19, text(name)),
        (30, text(name)),
        (40, Value::Ulong(1)),
    ]
}

fn flush() -> Vec<u8> {
    let mut bytes = vec![0x00, 0x53, 0x70, 0x45];
    Properties { to: Some("sfe.x".into()), subject: Some("FLUSH".into()), ..Properties::default() }.encode(&mut bytes);
    bytes
}

#[test]
fn both_ends_of_a_flow_are_those_of_2_7() {
    let mut desk = Desk::new("Q_QpR");
    let mut client = desk.client();
    desk.round(Dialect::Ends, &[client]);
    let begun = vec![
        (0, Value::Uint(6)),
        (1, text("Q_QpR:14")),
        (2, text("Q_QpR:1")),
        (3, Value::Ulong(BEGUN)),
        (14, text("127.0.0.1")),
        (17, text("59382")),
        (23, Value::Ulong(6)),
        (24, Value::Ulong(1662)),
        (37, Value::Ulong(6)),
        (39, Value::Ulong(1_459_620)),
    ];
    assert_eq!(desk.sent(), [("mc/sfe.Q_QpR:0.flows".to_owned(), vec![begun])]);
    desk.pass(Duration::from_secs(1));
    desk.round(Dialect::Ends, &[client]);
    assert!(desk.sent().is_empty(), "nothing has changed, nor has the start");
    client.bytes_in = 300;
    desk.recorder.flow_ended(&client, desk.now);
    desk.round(Dialect::Ends, &[]);
    let end = (4, Value::Ulong(BEGUN + 1_000_000));
    let ended = vec![(0, Value::Uint(6)), (1, text("Q_QpR:14")), end, (23, Value::Ulong(300))];
    assert_eq!(desk.sent_flows(), [ended]);
    desk.round(Dialect::Ends, &[]);
    assert!(desk.sent().is_empty(), "it is forgotten");

    let mut desk = Desk::new("GJhyN");
    desk.round(Dialect::Ends, &[desk.server()]);
    let begun = vec![
        (0, Value::Uint(6)),
        (1, text("GJhyN:7")),
        (2, text("GJhyN:2")),
        (3, Value::Ulong(BEGUN)),
        (5, text("Q_QpR:14")),
        (14, text("127.0.0.1")),
        (17, text("55030")),
        (23, Value::Ulong(6)),
        (24, Value::Ulong(679)),
        (31, text("0/interior-2.7")),
        (37, Value::Ulong(6)),
        (39, Value::Ulong(1_459_620)),
    ];
    assert_eq!(desk.sent_flows(), [begun]);
}

#[test]
fn a_flow_that_nobody_saw_open_is_one_record() {
    let mut desk = Desk::new("Q_QpR");
    let client = desk.client();
    desk.pass(Duration::from_millis(20));
    desk.recorder.flow_ended(&FlowSnapshot { error: Some("reset"), ..client }, desk.now);
    desk.round(Dialect::Ends, &[]);
    let flows = desk.sent_flows();
    let says = |wanted: u32| flows[0].iter().find(|(key, _)| *key == wanted).map(|(_, value)| value.clone());
    assert_eq!(flows.len(), 1);
    assert_eq!((says(3), says(4)), (Some(Value::Ulong(BEGUN)), Some(Value::Ulong(BEGUN + 20_000))));
    assert_eq!((says(14), says(28), says(29)), (Some(text("127.0.0.1")), Some(text("failed")), Some(text("reset"))));
}

#[test]
fn a_request_belongs_to_its_connection() {
    let mut desk = Desk::new("GJhyN");
    let request = Request {
        number: 9,
        connection: 7,
        started: desk.now.now,
        octets: 10,
        latency: Some(Duration::from_micros(800)),
        method: Some("GET"),
        status: Some(200),
        reason: Some("OK"),
        counterflow: Some("Q_QpR:16"),
        trace: Some("0/interior-2.7"),
    };
    desk.pass(Duration::from_micros(900));
    desk.recorder.request_ended(&request, desk.now);
    let whole = vec![
        (0, Value::Uint(6)),
        (1, text("GJhyN:9")),
        (2, text("GJhyN:7")),
        (3, Value::Ulong(BEGUN)),
        (4, Value::Ulong(BEGUN + 900)),
        (5, text("Q_QpR:16")),
        (23, Value::Ulong(10)),
        (24, Value::Ulong(800)),
        (27, text("GET")),
        (28, text("200")),
        (29, text("OK")),
        (31, text("0/interior-2.7")),
    ];
    assert_eq!(desk.sent_flows(), [whole]);
}

#[test]
fn an_end_that_was_not_told_is_found() {
    let mut desk = Desk::new("Q_QpR");
    desk.round(Dialect::Ends, &[desk.client()]);
    assert_eq!(desk.sent_flows().len(), 1);
    let source = desk.recorder.source().clone();
    for address in [BEACONS, &source.events, &source.flows] {
        desk.recorder.reachable(address, false);
    }
    assert!(!desk.recorder.is_heard());
    desk.recorder.flow_ended(&desk.client(), desk.now);
    desk.pass(Duration::from_secs(9));
    desk.recorder.reachable(&source.flows, true);
    desk.round(Dialect::Ends, &[]);
    let ended = vec![(0, Value::Uint(6)), (1, text("Q_QpR:14")), (4, Value::Ulong(BEGUN + 9_000_000))];
    assert_eq!(desk.sent_flows(), [ended]);
}

#[test]
fn in_3_x_a_connection_has_one_record_to_which_both_routers_write() {
    let (mut owner, mut other) = (Desk::new("s7TDv"), Desk::new("9s1K_"));
    let client = FlowSnapshot { window: None, bytes_out: 6, ..owner.client() };
    owner.round(Dialect::Connections, &[client]);
    let begun = vec![
        (0, Value::Uint(16)),
        (1, text("s7TDv:14")),
        (2, text("s7TDv:1")),
        (3, Value::Ulong(BEGUN)),
        (14, text("127.0.0.1")),
        (17, text("59382")),
        (23, Value::Ulong(6)),
        (24, Value::Ulong(1662)),
        (58, Value::Ulong(6)),
    ];
    assert_eq!(owner.sent_flows(), [begun]);

    let server = FlowSnapshot { counterflow: Some("s7TDv:14"), ..other.server() };
    other.round(Dialect::Connections, &[server]);
    let mut letters = Vec::new();
    other.recorder.flush(BEGUN, |to, bytes| letters.push((to.to_owned(), bytes)));
    let [(to, letter)] = letters.as_slice() else { panic!("{letters:?}") };
    assert_eq!(to, "vfcr.s7TDv:0");
    let added = [
        (31, text("0/interior-2.7")),
        (60, text("9s1K_:2")),
        (61, Value::Ulong(679)),
        (62, text("127.0.0.1")),
        (63, text("55030")),
    ];
    let identified = |says: &[(u32, Value)]| [&[(0, Value::Uint(16)), (1, text("s7TDv:14"))], says].concat();
    assert_eq!(read(letter).2, [identified(&added)]);

    owner.recorder.message("vfcr.s7TDv:0", letter);
    assert_eq!(owner.sent_flows(), [identified(&added)], "what was added is told to collectors");
    owner.recorder.flow_ended(&client, owner.now);
    owner.round(Dialect::Connections, &[]);
    assert!(owner.sent().is_empty(), "a late addition may come");
    other.recorder.flow_ended(&FlowSnapshot { error: Some("refused"), ..server }, other.now);
    other.recorder.flush(BEGUN, |_, bytes| owner.recorder.message("vfcr.s7TDv:0", &bytes));
    owner.pass(Duration::from_secs(5));
    owner.round(Dialect::Connections, &[]);
    assert_eq!(owner.sent_flows(), [identified(&[(4, Value::Ulong(BEGUN)), (65, text("refused"))])]);
}

#[test]
fn an_addition_may_be_there_before_the_record() {
    let (mut owner, mut other) = (Desk::new("s7TDv"), Desk::new("9s1K_"));
    let server = FlowSnapshot { counterflow: Some("s7TDv:14"), ..other.server() };
    other.round(Dialect::Connections, &[server]);
    owner.round(Dialect::Connections, &[]);
    other.recorder.flush(BEGUN, |_, bytes| owner.recorder.message("vfcr.s7TDv:0", &bytes));
    owner.round(Dialect::Connections, &[owner.client()]);
    let begun = owner.sent_flows();
    assert!(begun[0].contains(&(60, text("9s1K_:2"))), "{begun:?}");
}

#[test]
fn additions_of_strangers_change_nothing_else() {
    let mut desk = Desk::new("s7TDv");
    desk.round(Dialect::Connections, &[desk.client()]);
    desk.sent();
    let pair = |key: Attribute, value| (Value::Uint(key as u32), value);
    let forged = |identity: &str, says: Vec<(Value, Value)>| {
        let head = [pair(Attribute::Kind, Value::Uint(16)), pair(Attribute::Identity, text(identity))];
        let mut bytes = Vec::new();
        let record = Value::Map(head.into_iter().chain(says).collect());
        message::encode_section(message::VALUE as u8, &Value::List(vec![record, Value::Null]), &mut bytes);
        bytes
    };
    for message in [
        forged("s7TDv:14", vec![pair(Attribute::Octets, Value::Ulong(9)), pair(Attribute::Parent, text("x"))]),
        forged("s7TDv:14", vec![pair(Attribute::ServerLatency, text("soon")), (text("31"), text("x"))]),
        forged("other:14", vec![pair(Attribute::Trace, text("x"))]),
        forged("s7TDv:99", vec![pair(Attribute::Trace, text("x"))]),
        forged("s7TDv", vec![]),
        vec![0x00, 0x53],
        flush(),
    ] {
        desk.recorder.message("vfcr.s7TDv:0", &message);
    }
    assert!(desk.sent().is_empty());
}

#[test]
fn long_lists_are_sent_in_batches_and_ends_without_end_are_not_kept() {
    let mut desk = Desk::new("Q_QpR");
    let client = desk.client();
    for number in 0..6_000 {
        desk.recorder.flow_ended(&FlowSnapshot { number: 100 + number, ..client }, desk.now);
    }
    let sent = desk.sent();
    assert!(sent.iter().all(|(_, records)| records.len() == 50), "batches");
    assert_eq!(sent.len(), 100, "the newest thousand were too many");
}

#[test]
fn the_dialect_is_that_of_the_networks_routers() {
    for (versions, dialect) in [
        (&["2.7.6"][..], Dialect::Ends),
        (&["3.5.1"], Dialect::Connections),
        (&["0.1.0"], Dialect::Ends),
        (&["0.1.0", "3.1.0"], Dialect::Connections),
        (&["3.5.1", "2.5.3"], Dialect::Ends),
        (&["nonsense"], Dialect::Ends),
        (&[], Dialect::Ends),
    ] {
        assert_eq!(Dialect::of(versions.iter().copied()), dialect, "{versions:?}");
    }
}
