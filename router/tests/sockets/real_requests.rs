//! What the network's console is told of HTTP services and their requests by our edge, and by a real one of 2.x in the
//! same place.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::collector::{Collector, Record};
use crate::http_sockets::{Wire, http_bridge, status};
use crate::network::{dial, free_port, run};
use crate::real_router::RealRouter;
use bytes::Bytes;
use moorline_amqp::Value;
use moorline_definition::router_config::HttpVersion::{self, Http1, Http2};
use moorline_definition::router_config::{Connector, Role, RouterConfig};
use moorline_router::io::RouterHandle;
use serde_json::json;

const ROUTER: u32 = 1;
const LISTENER: u32 = 4;
const CONNECTOR: u32 = 5;
const FLOW: u32 = 6;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Edge {
    Ours(HttpVersion),
    Real(HttpVersion),
}

enum Running {
    Ours { _edge: RouterHandle },
    Real { _edge: RealRouter },
}

#[tokio::test]
async fn our_edge_tells_of_requests_what_a_real_one_tells() {
    let Some(program) = crate::real_router::program() else { return };
    if !crate::real_router::has_encapsulations(&program) {
        println!("skipped: this router has no HTTP adaptors");
        return;
    }
    for version in [Http1, Http2] {
        let ours = told(&program, Edge::Ours(version)).await;
        let theirs = told(&program, Edge::Real(version)).await;
        for (sort, their) in &theirs {
            compare(version, sort, &ours[sort], their);
        }
    }
}

/// A real edge says more than we do: rates (35), windows (39), numbers of streams (47).
const NOT_OURS: [u32; 3] = [35, 39, 47];
/// We say more than a real edge: the number of connections (40), and in HTTP/1 the trace (31).
const NOT_THEIRS: [u32; 2] = [31, 40];

fn compare(version: HttpVersion, sort: &str, our: &Record, their: &Record) {
    println!("{version:?} {sort}: ours {our:?}\n    theirs {their:?}");
    let keys = |record: &Record| record.keys().copied().collect::<BTreeSet<u32>>();
    let missing: Vec<u32> = keys(their).difference(&keys(our)).copied().filter(|k| !NOT_OURS.contains(k)).collect();
    let more: Vec<u32> = keys(our).difference(&keys(their)).copied().filter(|k| !NOT_THEIRS.contains(k)).collect();
    assert!(missing.is_empty() && more.is_empty(), "{version:?} {sort}: missing {missing:?}, more {more:?}");
    for same in [0, 15, 16, 19, 27, 28, 29, 30] {
        assert_eq!(our.get(&same), their.get(&same), "{version:?} {sort}: attribute {same}");
    }
    // Of HTTP/1 they count heads too, which we do not see.
    if version == Http2 && sort.ends_with("request") {
        assert_eq!(our.get(&23), their.get(&23), "{sort}");
    }
}

/// One request each way, over an interior with both services and an edge with both; what the edge said of it.
async fn told(program: &Path, edge: Edge) -> BTreeMap<&'static str, Record> {
    let (Edge::Ours(version) | Edge::Real(version)) = edge;
    let folder = tempfile::tempdir().unwrap();
    let (edges, clients, entries) = (free_port(), free_port(), [free_port(), free_port()]);
    let server = match version {
        Http1 => crate::http_sockets::mirror("one").await,
        Http2 => crate::http2_sockets::mirror("one").await,
    };
    let protocol = if version == Http1 { "HTTP1" } else { "HTTP2" };
    let theirs = |kind: &str, name: &str, address: &str, port: u16| {
        json!([kind, {"name": name, "address": address, "host": "127.0.0.1", "port": port.to_string(),
            "siteId": "a-site", "protocolVersion": protocol}])
    };
    let interior = vec![
        json!(["address", {"prefix": "mc", "distribution": "multicast"}]),
        json!(["listener", {"name": "edges", "role": "edge", "host": "127.0.0.1", "port": edges}]),
        json!(["listener", {"name": "clients", "host": "127.0.0.1", "port": clients, "saslMechanisms": "ANONYMOUS"}]),
        theirs("httpConnector", "far-server", "site:1", server.port()),
        theirs("httpListener", "far-port", "edge:1", entries[1]),
    ];
    let _interior = RealRouter::run(program, folder.path(), "interior", "interior", interior);
    drop(dial(edges).await);
    let _edge = match edge {
        Edge::Real(_) => {
            let entities = vec![
                json!(["connector", {"name": "uplink", "role": "edge", "host": "127.0.0.1", "port": edges}]),
                theirs("httpConnector", "server", "edge:1", server.port()),
                theirs("httpListener", "port", "site:1", entries[0]),
            ];
            Running::Real { _edge: RealRouter::run(program, folder.path(), "edge", "edge", entities) }
        }
        Edge::Ours(_) => {
            let mut config = RouterConfig::default();
            config.router.id = "edge".to_owned();
            config.connectors.push(Connector {
                name: "uplink".to_owned(),
                role: Role::Edge,
                host: "127.0.0.1".to_owned(),
                port: edges.to_string(),
                ..Connector::default()
            });
            config.http_connectors.push(http_bridge("server", server.port(), "edge:1", version));
            config.http_listeners.push(http_bridge("port", entries[0], "site:1", version));
            Running::Ours { _edge: run(&config) }
        }
    };
    let mut collector = Collector::connect(clients).await;
    let of_edge = |c: &Collector, kind: u32| {
        let router = c.find(ROUTER, &[(30, "0/edge")]).pop()?;
        c.find(kind, &[(2, text(&router, 1))]).pop()
    };
    // Both routers are known: what is over before nobody hears of.
    collector.until(|c| c.find(LISTENER, &[]).len() == 2 && of_edge(c, CONNECTOR).is_some()).await;
    for entry in entries {
        request(version, entry).await;
    }
    let child = |c: &Collector, parent: &Record| c.find(FLOW, &[(2, text(parent, 1))]);
    let request_of = |c: &Collector, service: u32| {
        let service = of_edge(c, service)?;
        let connections = child(c, &service).into_iter();
        let mut requests =
            connections.flat_map(|connection| child(c, &connection).into_iter().map(move |r| (connection.clone(), r)));
        requests.find(|(_, request)| request.contains_key(&4))
    };
    collector.until(|c| request_of(c, LISTENER).is_some() && request_of(c, CONNECTOR).is_some()).await;
    let (client, asked) = request_of(&collector, LISTENER).unwrap();
    let (connection, served) = request_of(&collector, CONNECTOR).unwrap();
    // Its far end is among the interior's records.
    collector.until(|c| c.records().contains_key(text(&served, 5))).await;
    // Clients are gone; connections to servers may last.
    let ends = |mut record: Record| {
        record.remove(&4);
        record
    };
    BTreeMap::from([
        ("listener", of_edge(&collector, LISTENER).unwrap()),
        ("connector", of_edge(&collector, CONNECTOR).unwrap()),
        ("client", ends(client)),
        ("connection to the server", ends(connection)),
        ("listener's request", asked),
        ("connector's request", served),
    ])
}

async fn request(version: HttpVersion, port: u16) {
    match version {
        Http1 => {
            let mut client = Wire::dial(port).await;
            let (head, _) = client.ask("PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello").await;
            assert_eq!(status(&head), "200");
        }
        Http2 => {
            let mut client = crate::http2_sockets::client(port).await;
            let mut request = crate::http2_sockets::get("/x");
            *request.method_mut() = http::Method::PUT;
            let (parts, _, _) = crate::http2_sockets::ask(&mut client, request, Bytes::from_static(b"hello")).await;
            assert_eq!(parts.status, 200);
        }
    }
}

fn text(record: &Record, key: u32) -> &str {
    record.get(&key).and_then(Value::as_str).unwrap_or_else(|| panic!("no {key}: {record:?}"))
}
