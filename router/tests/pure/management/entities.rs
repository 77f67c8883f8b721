//! The entities: their attributes, order and number types are those of the routers that clients know.

use super::{Fixed, ask, map, member, names};
use moorline_amqp::Value;
use moorline_definition::router_config::{
    AddressEntity, Connector, HttpBridge, Listener, LogEntity, RouterEntity, RouterMode, SslProfile, TcpBridge,
};
use moorline_router::core::{AddressFacts, Encapsulation, LinkFacts};
use moorline_router::management::types::{address, amqp, connection, http, link, log, management, policy, router, tcp};
use moorline_router::management::{EntityType, Kind, Record};

/// One entity of every kind that has any, all attributes set that can be.
pub(crate) fn everything() -> Fixed {
    let bridge = TcpBridge {
        name: "echo".to_owned(),
        host: Some("127.0.0.1".to_owned()),
        port: "19090".to_owned(),
        address: "echo".to_owned(),
        site_id: Some("site-edge".to_owned()),
        ssl_profile: Some("p".to_owned()),
        ..TcpBridge::default()
    };
    let web = HttpBridge {
        name: "web".to_owned(),
        port: "80".to_owned(),
        address: "web:80".to_owned(),
        ..HttpBridge::default()
    };
    let entity = RouterEntity {
        id: "edge-2.7".to_owned(),
        mode: RouterMode::Edge,
        metadata: Some(r#"{"id":"site-edge-2.7","version":"1.8.1"}"#.to_owned()),
        hello_max_age_seconds: Some("3".to_owned()),
        ..RouterEntity::default()
    };
    let metrics = router::Metrics {
        addresses: 12,
        connections: 2,
        memory: Some(486_457_344),
        resident: Some(28_737_536),
        uptime_seconds: 34,
        services: router::Services { tcp: 1, ..router::Services::default() },
        ..router::Metrics::default()
    };
    let traffic = tcp::Traffic { opened: 2, closed: 1, bytes_in: 16, bytes_out: 5_000_000_000 };
    let uplink = connection::Connection {
        id: 2,
        host: "localhost:45672".to_owned(),
        local: Some("127.0.0.1:1".to_owned()),
        role: "edge",
        protocol: "amqp",
        container: "interior-2.7".to_owned(),
        mechanism: "EXTERNAL".to_owned(),
        authenticated: true,
        user: Some("u".to_owned()),
        tls: Some(connection::Tls {
            protocol: "TLSv1.3".to_owned(),
            cipher: "TLS_AES_256_GCM_SHA384".to_owned(),
            strength: 256,
        }),
        properties: vec![("product".into(), "skupper-router".into())],
        opened: true,
        active: true,
        uptime_seconds: 34,
        last_delivery_seconds: Some(31),
        ..connection::Connection::default()
    };
    let profile = SslProfile {
        name: "p".to_owned(),
        ca_cert_file: Some("/ca".to_owned()),
        cert_file: Some("/cert".to_owned()),
        private_key_file: Some("/key".to_owned()),
        extra: [("password".to_owned(), "s3cr3t".into())].into_iter().collect(),
    };
    let connector = Connector {
        name: "conn1".to_owned(),
        host: "localhost".to_owned(),
        port: "45672".to_owned(),
        ssl_profile: Some("p".to_owned()),
        extra: [("saslMechanisms".to_owned(), "EXTERNAL".into())].into_iter().collect(),
        ..Connector::default()
    };
    let logged =
        |module: &str| LogEntity { module: module.to_owned(), enable: "info+".to_owned(), ..LogEntity::default() };
    Fixed(
        [
            (Kind::Management, vec![management()]),
            (Kind::Router, vec![router::router(&entity, "host", "2.0.0", &metrics)]),
            (Kind::RouterMetrics, vec![router::metrics("edge-2.7", "2.0.0", &metrics)]),
            (Kind::Network, vec![router::network()]),
            (Kind::Node, vec![router::node("hub", 1_795_302_002)]),
            (Kind::TcpListener, vec![tcp::listener(&bridge, &traffic, Encapsulation::Legacy, true, None)]),
            (Kind::TcpConnector, vec![tcp::connector(&bridge, &tcp::Traffic { bytes_out: 16, ..traffic })]),
            (
                Kind::TcpConnection,
                vec![tcp::connection(tcp::Connection { site_id: "s".to_owned(), ..Default::default() })],
            ),
            (Kind::HttpListener, vec![http::listener(&web, true)]),
            (Kind::HttpConnector, vec![http::connector(&web)]),
            (Kind::Connection, vec![connection::connection(uplink)]),
            (Kind::SslProfile, vec![amqp::ssl_profile(&profile)]),
            (Kind::Connector, vec![amqp::connector(&connector, amqp::ConnectorState::Connected, "up")]),
            (
                Kind::Listener,
                vec![amqp::listener(&Listener { name: "amqp".to_owned(), port: 5672, ..Listener::default() })],
            ),
            (Kind::Link, vec![link::link(2, LinkFacts { address: Some("Mecho".to_owned()), ..LinkFacts::default() })]),
            (Kind::Address, vec![address::address(&AddressFacts { key: "Mecho".to_owned(), ..Default::default() })]),
            (
                Kind::ConfigAddress,
                vec![address::config(
                    &AddressEntity {
                        name: Some("address/0".to_owned()),
                        prefix: "mc".to_owned(),
                        distribution: "multicast".to_owned(),
                        ..Default::default()
                    },
                    1,
                )],
            ),
            (Kind::Log, vec![log::log(&logged("DEFAULT")), log::log(&logged("AGENT"))]),
            (Kind::Policy, vec![policy::policy(1, 1)]),
        ]
        .into_iter()
        .collect(),
    )
}

fn amqp_type(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "string",
        Value::Bool(_) => "boolean",
        Value::Int(_) => "int",
        Value::Long(_) => "long",
        Value::Uint(_) => "uint",
        Value::Ulong(_) => "ulong",
        Value::List(_) => "list",
        Value::Map(_) => "map",
        other => panic!("no attribute has the type of {other:?}"),
    }
}

/// Attributes that routers list although this one has nothing to say there, or says it in a wider type for big numbers.
const OTHERWISE: [(&str, &str); 1] = [("tcpListener", "bytesOut")];

#[test]
fn attributes_have_the_names_order_and_types_that_clients_know() {
    let source = everything();
    let mut compared = 0;
    for line in include_str!("attributes.txt").lines().filter(|line| !line.starts_with('#')) {
        let (name, attributes) = line.split_once(": ").unwrap();
        let entity = EntityType::named(name).unwrap_or_else(|| panic!("there is no type {name}"));
        let records: Vec<Record> = entity.kind.and_then(|kind| source.0.get(&kind)).cloned().unwrap_or_default();
        let mut place = 0;
        for attribute in attributes.split(' ') {
            let (attribute, seen) = attribute.split_once('=').unwrap_or((attribute, ""));
            let at = entity.attributes.iter().position(|a| a.name == attribute);
            let at = at.unwrap_or_else(|| panic!("{name} has no {attribute}"));
            assert!(at >= place, "{name}: {attribute} comes too early");
            place = at;
            for value in records.iter().map(|record| record.get(attribute)).filter(|value| **value != Value::Null) {
                if !seen.is_empty() && !OTHERWISE.contains(&(name, attribute)) {
                    assert_eq!(amqp_type(value), seen, "{name} {attribute}");
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 150, "only {compared} values were compared");
}

#[test]
fn great_numbers_are_longs() {
    let source = everything();
    let read = map([("operation", "READ".into()), ("type", "tcpListener".into()), ("name", "echo".into())]);
    assert_eq!(*member(&ask(&source, read, Value::Null).body, "bytesOut"), Value::Long(5_000_000_000));
}

#[test]
fn identities_are_made_of_host_port_and_name() {
    let source = everything();
    for (kind, name, identity) in [
        (Kind::TcpListener, "echo", "tcpListener/127.0.0.1:19090:echo"),
        (Kind::Connector, "conn1", "connector/localhost:45672:conn1"),
        (Kind::SslProfile, "p", "sslProfile/p"),
        (Kind::HttpListener, "web", "httpListener/0.0.0.0:80:web"),
    ] {
        let record = &source.0[&kind][0];
        assert_eq!((record.get("name"), record.get("identity")), (&name.into(), &identity.into()));
    }
}

#[test]
fn secrets_are_not_shown() {
    let record = &everything().0[&Kind::SslProfile][0];
    assert_eq!(*record.get("password"), Value::Null);
    assert!(!format!("{record:?}").contains("s3cr3t"));
}

#[test]
fn the_site_is_told_in_the_router_s_metadata() {
    let query = map([("operation", "QUERY".into()), ("entityType", "io.skupper.router.router".into())]);
    let said = ask(&everything(), query, map([("attributeNames", names(["metadata", "mode"]))]));
    let row = Value::List(vec![r#"{"id":"site-edge-2.7","version":"1.8.1"}"#.into(), "edge".into()]);
    assert_eq!(*member(&said.body, "results"), Value::List(vec![row]));
}
