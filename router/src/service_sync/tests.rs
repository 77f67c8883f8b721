//! Against the form that service controllers write, and against what nobody should send.

use std::time::{Duration, Instant};

use moorline_amqp::Value;
use moorline_amqp::message::{self, APPLICATION_PROPERTIES, DATA, PROPERTIES, Properties, VALUE};
use moorline_definition::router_config::{Aggregation, HttpBridge, RouterConfig, TcpBridge};

use super::heard::{MAX_ORIGINS, MAX_TOTAL, TTL};
use super::message::{Update, decode, encode};
use super::*;

fn service(address: &str, ports: &[u16]) -> Service {
    Service {
        address: address.to_owned(),
        protocol: "tcp".to_owned(),
        ports: ports.to_vec(),
        aggregate: None,
        eventchannel: false,
    }
}

/// As a controller writes it: 32 bit lengths for lists and maps whatever their size, 8 bit ones for short strings.
fn controllers(subject: &str, said: &[(&str, &str)], body: &str) -> Vec<u8> {
    let string = |text: &str| {
        let mut bytes = match u8::try_from(text.len()) {
            Ok(length) => vec![0xa1, length],
            Err(_) => [&[0xb1][..], &(text.len() as u32).to_be_bytes()].concat(),
        };
        bytes.extend_from_slice(text.as_bytes());
        bytes
    };
    let compound = |code: u8, count: u32, items: Vec<u8>| {
        let size = items.len() as u32 + 4;
        [&[code][..], &size.to_be_bytes(), &count.to_be_bytes(), &items].concat()
    };
    let properties = compound(0xd0, 4, [&[0x40; 3][..], &string(subject)].concat());
    let pairs = said.iter().flat_map(|(key, value)| [string(key), string(value)].concat()).collect();
    let said = compound(0xd1, said.len() as u32 * 2, pairs);
    let section = |descriptor: u8, value: Vec<u8>| [&[0, 0x53, descriptor][..], &value].concat();
    [section(0x73, properties), section(0x74, said), section(0x77, string(body))].concat()
}

fn from_foo(body: &str) -> Vec<u8> {
    controllers("service-sync-update-v2", &[("origin", "foo"), ("version", "bar")], body)
}

fn services(body: &str) -> Vec<Service> {
    decode(&from_foo(body)).unwrap().services
}

#[test]
fn what_a_controller_writes_is_read() {
    let plain = r#"[{"address":"a","protocol":"tcp","ports":[8080,9090],"exposeIngress":"","targets":[]}]"#;
    let told = Update { origin: "foo".to_owned(), services: vec![service("a", &[8080, 9090])] };
    assert_eq!(decode(&from_foo(plain)), Ok(told));
    assert_eq!(services("[]"), []);

    // Everything that a definition may have, in the spelling of either version.
    for channel in ["eventchannel", "eventChannel"] {
        let full = format!(
            r#"[{{"address":"my-app","protocol":"http","ports":[8080,9090],"exposeIngress":"Always","{channel}":true,
            "aggregate":"json","headless":{{"name":"headless-1","size":2,"targetPorts":{{"8080":8181}},
            "affinity":{{"a":"b"}},"cpuRequest":"10"}},"labels":{{"app":"my-app"}},"annotations":{{"foo":"bar"}},
            "targets":[{{"name":"my-app","selector":"app=my-app","targetPorts":{{"8080":8181}},"service":"s"}}],
            "origin":"site1","tlsCredentials":"skupper-tls-a","tlsCertAuthority":"ca","publishNotReadyAddresses":true,
            "bridgeImage":"image"}}]"#
        );
        let aggregate = Some("json".to_owned());
        let known =
            Service { protocol: "http".to_owned(), aggregate, eventchannel: true, ..service("my-app", &[8080, 9090]) };
        assert_eq!(services(&full), [known]);
    }

    // One port, before there were several; a list of none is null in a controller's JSON.
    let old = r#"[{"address":"b","protocol":"tcp","port":9090,"targets":null},{"address":"c","protocol":"tcp","ports":null,"port":1}]"#;
    assert_eq!(services(old), [service("b", &[9090]), service("c", &[1])]);
    let twice = r#"[{"address":"d","protocol":"tcp","ports":[1]},{"address":"d","protocol":"tcp","ports":[2]}]"#;
    assert_eq!(services(twice), [service("d", &[2])]);
}

#[test]
fn what_no_site_could_have_is_left_out() {
    let long = "x".repeat(256);
    let many = serde_json::to_string(&vec![1; 101]).unwrap();
    for bad in [
        r#"{}"#.to_owned(),
        r#"{"address":"","protocol":"tcp","ports":[1]}"#.to_owned(),
        format!(r#"{{"address":"{long}","protocol":"tcp","ports":[1]}}"#),
        r#"{"address":"a\u001b[2J","protocol":"tcp","ports":[1]}"#.to_owned(),
        r#"{"address":"a","protocol":null,"ports":[1]}"#.to_owned(),
        r#"{"address":"a","protocol":"tcp","ports":[]}"#.to_owned(),
        r#"{"address":"a","protocol":"tcp","ports":[0]}"#.to_owned(),
        r#"{"address":"a","protocol":"tcp","ports":[65536,-1]}"#.to_owned(),
        format!(r#"{{"address":"a","protocol":"tcp","ports":{many}}}"#),
    ] {
        let list = format!(r#"[{bad},{{"address":"good","protocol":"tcp","ports":[1]}}]"#);
        assert_eq!(services(&list), [service("good", &[1])], "{bad}");
    }
}

#[test]
fn other_messages_are_told_apart() {
    let origin = [("origin", "foo")];
    let wrong = |bytes: &[u8]| matches!(decode(bytes), Err(Unread::Wrong(_)));
    assert_eq!(decode(&controllers("service-sync-update", &origin, "[]")), Err(Unread::FirstForm));
    assert!(decode(&controllers("service-sync-update-v2", &origin, "[]")).is_ok(), "a version may be missing");
    assert!(wrong(&controllers("BEACON", &origin, "[]")));
    assert!(wrong(&controllers("service-sync-update-v2", &[("version", "1.8.7")], "[]")));
    assert!(wrong(&controllers("service-sync-update-v2", &[("origin", "")], "[]")));
    assert!(wrong(&controllers("service-sync-update-v2", &[("origin", &"x".repeat(256))], "[]")));
    for body in ["", "null", "{}", "[1]", r#"[{"address":1}]"#, r#"[{"address":"a"}"#] {
        assert!(wrong(&from_foo(body)), "{body}");
    }
    let list = |length: usize| format!("[{}]", vec!["{}"; length].join(","));
    assert!(decode(&from_foo(&list(MAX_SERVICES))).is_ok());
    assert!(wrong(&from_foo(&list(MAX_SERVICES + 1))));
    assert!(wrong(&from_foo(&format!("[]{}", " ".repeat(1024 * 1024)))));

    let whole = from_foo("[]");
    for end in 0..whole.len() {
        assert!(decode(&whole[..end]).is_err(), "cut at {end}");
    }
    let mut data = Vec::new();
    Properties { subject: Some("service-sync-update-v2".to_owned()), ..Properties::default() }.encode(&mut data);
    message::encode_section(DATA as u8, &Value::Binary(b"[]".to_vec()), &mut data);
    assert!(wrong(&data));
}

/// Flips bits all over a message: whatever comes out, it is within bounds.
#[test]
fn broken_messages_break_nothing() {
    let body = r#"[{"address":"a","protocol":"tcp","ports":[8080,9090],"aggregate":"json","targets":[]}]"#;
    let whole = from_foo(body);
    for seed in 0..20_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut bytes = whole.clone();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
        }
        bytes.truncate(random.usize(..=bytes.len()));
        if let Ok(update) = decode(&bytes) {
            assert!(!update.origin.is_empty() && update.services.len() <= 1, "seed {seed}");
            assert!(update.services.iter().all(|service| service.fault().is_none()), "seed {seed}");
        }
    }
}

#[test]
fn we_write_what_a_controller_writes() {
    let channel = Service {
        protocol: "http".to_owned(),
        aggregate: Some("multipart".to_owned()),
        eventchannel: true,
        ..service("log", &[80, 81])
    };
    let bytes = encode("gateway_a_1", "1.8.7", &[service("db", &[5432]), channel]);
    let mut sections = message::sections(&bytes);
    let properties = sections.next().unwrap();
    assert_eq!(properties.descriptor, PROPERTIES);
    let subject = Some("service-sync-update-v2".to_owned());
    assert_eq!(Properties::decode(properties.value).unwrap(), Properties { subject, ..Properties::default() });
    let said = sections.next().unwrap();
    assert_eq!(said.descriptor, APPLICATION_PROPERTIES);
    let text = |text: &str| Value::String(text.to_owned());
    let wanted = vec![(text("origin"), text("gateway_a_1")), (text("version"), text("1.8.7"))];
    assert_eq!(Value::decode(&mut { said.value }).unwrap(), Value::Map(wanted));
    let body = sections.next().unwrap();
    assert_eq!((body.descriptor, sections.next()), (VALUE, None));
    let json = concat!(
        r#"[{"address":"db","protocol":"tcp","ports":[5432],"exposeIngress":"","targets":[]},"#,
        r#"{"address":"log","protocol":"http","ports":[80,81],"exposeIngress":"","eventchannel":true,"#,
        r#""aggregate":"multipart","targets":[]}]"#
    );
    assert_eq!(Value::decode(&mut { body.value }).unwrap(), text(json));
}

/// Connectors with these addresses; `http` ones are of that kind.
fn configured(announced: &[(&str, bool)]) -> RouterConfig {
    let mut config = RouterConfig::default();
    for (address, http) in announced {
        let (address, announce) = ((*address).to_owned(), Some(true));
        match http {
            false => config.tcp_connectors.push(TcpBridge { address, announce, ..TcpBridge::default() }),
            true => config.http_connectors.push(HttpBridge { address, announce, ..HttpBridge::default() }),
        }
    }
    config
}

#[test]
fn connectors_say_which_services_are_ours() {
    let mut config = configured(&[("db:2", false), ("a:80", true), ("db:1", false), ("db:2", false)]);
    config.tcp_connectors.push(TcpBridge { address: "quiet:1".to_owned(), ..TcpBridge::default() });
    config.http_connectors[0].aggregation = Some(Aggregation::Json);
    let http = Service { protocol: "http".to_owned(), aggregate: Some("json".to_owned()), ..service("a", &[80]) };
    assert_eq!(offer(&config), (vec![http, service("db", &[1, 2])], Vec::new()));
    assert_eq!(offer(&RouterConfig::default()), (Vec::new(), Vec::new()));

    for (bad, why) in [
        ("b", "it has no port"),
        ("b:x", "its port is no number"),
        ("b:0", "it has no port, too many, or port 0"),
        (":1", "its name is empty"),
    ] {
        let (services, faults) = offer(&configured(&[(bad, false), ("a:1", false)]));
        assert_eq!(services, [service("a", &[1])]);
        assert!(faults.len() == 1 && faults[0].contains(why), "{bad}: {faults:?}");
    }
    let (services, faults) = offer(&configured(&[("a:1", false), ("a:2", true)]));
    assert!(services == [service("a", &[1])] && faults[0].contains("of another sort"), "{faults:?}");

    let names: Vec<String> = (0..=MAX_SERVICES).map(|at| format!("s{at}:1")).collect();
    let names: Vec<(&str, bool)> = names.iter().map(|name| (name.as_str(), false)).collect();
    let (services, faults) = offer(&configured(&names));
    assert_eq!((services.len(), faults.len()), (MAX_SERVICES, 1));
}

#[test]
fn the_longest_offer_is_a_message_that_is_read() {
    let long = "n".repeat(199);
    let names: Vec<String> = (0..MAX_SERVICES).map(|at| format!("{long}{at:04}:1")).collect();
    let names: Vec<(&str, bool)> = names.iter().map(|name| (name.as_str(), false)).collect();
    let (services, _) = offer(&configured(&names));
    assert_eq!(services.len(), MAX_SERVICES);
    assert_eq!(decode(&encode("foo", "", &services)).unwrap().services, services);
}

fn heard(sync: &ServiceSync, now: Instant) -> Vec<(String, String, u64)> {
    let told = |(origin, service, age): (&str, &Service, Duration)| {
        (origin.to_owned(), service.address.clone(), age.as_secs())
    };
    sync.heard(now).map(told).collect()
}

fn entry(origin: &str, address: &str, age: u64) -> (String, String, u64) {
    (origin.to_owned(), address.to_owned(), age)
}

#[test]
fn a_site_is_known_by_its_last_word_and_for_a_while() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut sync = ServiceSync::new(Some("me".to_owned()), "1.8.7".to_owned());
    let (a, b, c) = (service("a", &[1]), service("b", &[1]), service("c", &[1]));
    let hear = |sync: &mut ServiceSync, origin: &str, services: &[&Service], seconds| {
        let services: Vec<Service> = services.iter().copied().cloned().collect();
        assert_eq!(sync.hear(&encode(origin, "", &services), at(seconds)), None);
    };
    hear(&mut sync, "one", &[&a, &b], 0);
    hear(&mut sync, "two", &[&c], 10);
    hear(&mut sync, "me", &[&c], 10);
    assert_eq!(heard(&sync, at(12)), [entry("one", "a", 12), entry("one", "b", 12), entry("two", "c", 2)]);
    // What is missing is withdrawn.
    hear(&mut sync, "one", &[&b], 20);
    assert_eq!(heard(&sync, at(20)), [entry("one", "b", 0), entry("two", "c", 10)]);
    // Silence.
    let over = 10 + TTL.as_secs();
    assert_eq!(heard(&sync, at(over - 1)), [entry("one", "b", over - 21), entry("two", "c", over - 11)]);
    assert_eq!(heard(&sync, at(over)), [entry("one", "b", over - 20)]);
    hear(&mut sync, "two", &[&c], over);
    assert_eq!(heard(&sync, at(over)).len(), 2);
    hear(&mut sync, "one", &[], over);
    assert_eq!(heard(&sync, at(over)), [entry("two", "c", 0)]);
    // A clock that another thread read earlier.
    assert_eq!(heard(&sync, at(0)), [entry("two", "c", 0)]);
}

#[test]
fn those_not_heard_of_for_longest_make_room() {
    let start = Instant::now();
    let at = |seconds: usize| start + Duration::from_millis(seconds as u64);
    let mut sync = ServiceSync::default();
    let a = service("a", &[1]);
    for origin in 0..MAX_ORIGINS {
        assert_eq!(sync.hear(&encode(&format!("{origin:04}"), "", std::slice::from_ref(&a)), at(origin)), None);
    }
    // The oldest speaks again, so that the second is the one to go.
    assert_eq!(sync.hear(&encode("0000", "", std::slice::from_ref(&a)), at(MAX_ORIGINS)), None);
    let warning = sync.hear(&encode("new", "", std::slice::from_ref(&a)), at(MAX_ORIGINS + 1)).unwrap();
    assert!(warning.contains("more services"), "{warning}");
    let now = at(MAX_ORIGINS + 1);
    let origins: Vec<String> = heard(&sync, now).into_iter().map(|(origin, ..)| origin).collect();
    assert_eq!(origins.len(), MAX_ORIGINS);
    assert!(origins.contains(&"0000".to_owned()) && origins.contains(&"new".to_owned()));
    assert!(!origins.contains(&"0001".to_owned()));
    assert_eq!(sync.hear(&encode("newer", "", &[a]), at(MAX_ORIGINS + 2)), None, "said once");

    // The same for services.
    let mut sync = ServiceSync::default();
    let many: Vec<Service> = (0..MAX_SERVICES).map(|at| service(&format!("s{at}"), &[1])).collect();
    for origin in 0..=MAX_TOTAL / MAX_SERVICES {
        let warning = sync.hear(&encode(&format!("{origin:04}"), "", &many), at(origin));
        assert_eq!(warning.is_some(), origin == MAX_TOTAL / MAX_SERVICES);
    }
    let left = heard(&sync, now);
    assert_eq!((left.len(), left[0].0.as_str()), (MAX_TOTAL, "0001"));
}

#[test]
fn unreadable_announcements_are_told_of_once() {
    let (mut sync, now) = (ServiceSync::default(), Instant::now());
    assert_eq!(sync.hear(&controllers("service-sync-update", &[], ""), now), None);
    assert!(sync.hear(&from_foo("{}"), now).unwrap().contains("cannot be read"));
    assert_eq!(sync.hear(&from_foo("{}"), now), None);
}

#[test]
fn a_site_speaks_while_it_has_services_and_thrice_when_it_has_none() {
    let mut sync = ServiceSync::new(Some("me".to_owned()), "1.8.7".to_owned());
    let said = |sync: &mut ServiceSync| {
        let update = decode(sync.announcement()?).unwrap();
        assert_eq!(update.origin, "me");
        Some(update.services)
    };
    assert!(!sync.offer(Vec::new()) && !sync.is_speaking());
    assert_eq!(said(&mut sync), None);
    let (a, b) = (service("a", &[1]), service("b", &[2]));
    assert!(sync.offer(vec![a.clone()]));
    assert!(!sync.offer(vec![a.clone()]), "the same is no news");
    for _ in 0..5 {
        assert_eq!(said(&mut sync), Some(vec![a.clone()]));
    }
    assert!(sync.offer(vec![a.clone(), b.clone()]));
    assert_eq!(sync.announced(), [a.clone(), b.clone()]);
    assert_eq!(said(&mut sync), Some(vec![a.clone(), b]));
    assert!(sync.offer(Vec::new()) && sync.is_speaking());
    for _ in 0..3 {
        assert_eq!(said(&mut sync), Some(Vec::new()));
    }
    assert!(!sync.is_speaking());
    assert_eq!(said(&mut sync), None);
    // Back before all is said.
    assert!(sync.offer(vec![a.clone()]) && sync.offer(Vec::new()) && sync.offer(vec![a.clone()]));
    for _ in 0..5 {
        assert_eq!(said(&mut sync), Some(vec![a.clone()]));
    }
}

#[test]
fn without_a_site_nothing_is_announced() {
    let mut sync = ServiceSync::new(None, "1.8.7".to_owned());
    assert!(!sync.offer(vec![service("a", &[1])]) && !sync.is_speaking());
    assert!(sync.announced().is_empty() && sync.announcement().is_none());
    assert_eq!(sync.hear(&encode("one", "", &[service("b", &[1])]), Instant::now()), None);
    assert_eq!(sync.heard(Instant::now()).count(), 1);
}
