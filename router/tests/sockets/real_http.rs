//! HTTP services with the network's own router 2.x at one end or in the middle.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::http_sockets::{Wire, field, fields, http_bridge, mirror, server, status};
use crate::http2_sockets::{all_kinds_of_calls, ask, client, get, grpc_server};
use crate::network::{free_port, run};
use crate::real_router::RealRouter;
use bytes::Bytes;
use moorline_definition::router_config::HttpVersion::{self, Http1, Http2};
use moorline_definition::router_config::{
    Aggregation, Connector, HttpBridge, Listener, Role, RouterConfig, RouterMode,
};
use moorline_router::io::RouterHandle;
use serde_json::{Value, json};

/// Who is where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ground {
    /// Our listener on an edge, their interior with the connector.
    TheirConnector,
    /// Their interior with the listener, our connector on an edge.
    TheirListener,
    /// Both ends ours, their interior between.
    Through,
    /// Our hub with the listener, their edge with the connector.
    TheirEdgeServes,
    /// Their edge with the listener, our hub with the connector.
    TheirEdgeListens,
}

const GROUNDS: [Ground; 5] =
    [Ground::TheirConnector, Ground::TheirListener, Ground::Through, Ground::TheirEdgeServes, Ground::TheirEdgeListens];

/// One HTTP service on such a ground.
struct Service {
    port: u16,
    _ours: Vec<RouterHandle>,
    _theirs: RealRouter,
    _folder: tempfile::TempDir,
}

/// What is to be configured at both ends.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    version: HttpVersion,
    address: &'static str,
    aggregation: Option<Aggregation>,
    event_channel: bool,
}

impl Wanted {
    fn of(version: HttpVersion) -> Wanted {
        Wanted { version, address: "web:80", aggregation: None, event_channel: false }
    }

    fn ours(&self, name: &str, port: u16) -> HttpBridge {
        let mut bridge = http_bridge(name, port, self.address, self.version);
        bridge.aggregation = self.aggregation;
        bridge.event_channel = Some(self.event_channel);
        bridge
    }

    fn theirs(&self, kind: &str, name: &str, port: u16) -> Value {
        let mut bridge = json!({"name": name, "address": self.address, "host": "127.0.0.1", "port": port.to_string(),
            "siteId": "their-site", "protocolVersion": if self.version == Http1 { "HTTP1" } else { "HTTP2" }});
        if let Some(aggregation) = self.aggregation {
            bridge["aggregation"] = if aggregation == Aggregation::Json { "json".into() } else { "multipart".into() };
        }
        if self.event_channel {
            bridge["eventChannel"] = true.into();
        }
        json!([kind, bridge])
    }
}

async fn service(program: &Path, ground: Ground, wanted: Wanted, servers: &[SocketAddr]) -> Service {
    let folder = tempfile::tempdir().unwrap();
    let (uplink, port) = (free_port(), free_port());
    let named: Vec<(String, u16)> = servers.iter().enumerate().map(|(n, s)| (format!("server{n}"), s.port())).collect();
    let edge = |id: &str| {
        let mut config = RouterConfig::default();
        config.router.id = id.to_owned();
        config.connectors.push(Connector {
            name: "uplink".to_owned(),
            role: Role::Edge,
            host: "127.0.0.1".to_owned(),
            port: uplink.to_string(),
            ..Connector::default()
        });
        config
    };
    let mut theirs = vec![json!(["address", {"prefix": "mc", "distribution": "multicast"}])];
    let mut ours = Vec::new();
    let serves = matches!(ground, Ground::TheirConnector | Ground::TheirEdgeServes);
    let listens = matches!(ground, Ground::TheirListener | Ground::TheirEdgeListens);
    let at_edge = matches!(ground, Ground::TheirEdgeServes | Ground::TheirEdgeListens);
    if serves {
        theirs.extend(named.iter().map(|(name, port)| wanted.theirs("httpConnector", name, *port)));
    }
    if listens {
        theirs.push(wanted.theirs("httpListener", "web", port));
    }
    if at_edge {
        theirs.push(json!(["connector", {"name": "uplink", "role": "edge", "host": "127.0.0.1", "port": uplink}]));
        let mut hub = RouterConfig::default();
        hub.router.id = "hub".to_owned();
        hub.router.mode = RouterMode::Interior;
        hub.listeners.push(Listener {
            name: "edges".to_owned(),
            role: Role::Edge,
            host: Some("127.0.0.1".to_owned()),
            port: uplink,
            ..Listener::default()
        });
        ours.push(hub);
    } else {
        theirs.push(json!(["listener", {"name": "edges", "role": "edge", "host": "127.0.0.1", "port": uplink}]));
        if !listens {
            ours.push(edge("near-client"));
        }
        if !serves {
            ours.push(edge("near-server"));
        }
    }
    if !listens {
        ours[0].http_listeners.push(wanted.ours("web", port));
    }
    if !serves {
        ours.last_mut().unwrap().http_connectors.extend(named.iter().map(|(name, port)| wanted.ours(name, *port)));
    }
    let mode = if at_edge { "edge" } else { "interior" };
    let theirs = RealRouter::run(program, folder.path(), "theirs", mode, theirs);
    let ours = ours.iter().map(run).collect();
    // The port opens when the service is reachable.
    Wire::dial(port).await;
    Service { port, _ours: ours, _theirs: theirs, _folder: folder }
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n.wrapping_mul(31) ^ (n >> 9)) as u8).collect()
}

/// Where this runs; none without such a router.
fn program() -> Option<std::path::PathBuf> {
    let program = crate::real_router::program()?;
    if !crate::real_router::has_encapsulations(&program) {
        println!("skipped: this router has no HTTP adaptors");
        return None;
    }
    Some(program)
}

#[tokio::test]
async fn http1_requests_and_answers() {
    let Some(program) = program() else { return };
    for ground in GROUNDS {
        println!("{ground:?}");
        let service = service(&program, ground, Wanted::of(Http1), &[mirror("one").await]).await;
        let mut client = Wire::dial(service.port).await;
        let request = "GET /a%20b?c=d HTTP/1.1\r\nHost: example.org\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n";
        let (head, body) = client.ask(request).await;
        assert_eq!(head.lines().next(), Some("HTTP/1.1 200 Fine"), "{ground:?}");
        let seen = String::from_utf8(body).unwrap();
        assert_eq!(seen.lines().next(), Some("GET /a%20b?c=d HTTP/1.1"));
        assert_eq!((fields(&seen, "cookie"), field(&seen, "host")), (vec!["a=1", "b=2"], Some("example.org")));
        for length in [1, 1000, 300_000, 5_000_000] {
            let long = pattern(length);
            let head = format!("PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
            let (head, body) = client.ask([head.as_bytes(), &long].concat()).await;
            assert_eq!(status(&head), "200");
            assert!(body.ends_with(&long), "{ground:?} {length}");
        }
        client.send("HEAD /h HTTP/1.1\r\nHost: h\r\n\r\n").await;
        let head = client.head().await.unwrap();
        assert!(field(&head, "content-length").is_some(), "{head}");
        client.send("GET /first HTTP/1.1\r\nHost: h\r\n\r\nDELETE /second HTTP/1.1\r\nHost: h\r\n\r\n").await;
        for line in ["GET /first HTTP/1.1", "DELETE /second HTTP/1.1"] {
            let head = client.head().await.unwrap();
            let body = String::from_utf8(client.body(&head).await).unwrap();
            assert_eq!(body.lines().next(), Some(line));
        }
        let many = (0..20).map(|n| {
            let port = service.port;
            tokio::spawn(async move {
                let mut client = Wire::dial(port).await;
                for _ in 0..10 {
                    let (head, body) = client.ask(format!("GET /{n} HTTP/1.1\r\nHost: h\r\n\r\n")).await;
                    assert_eq!(status(&head), "200");
                    assert!(body.starts_with(format!("GET /{n} ").as_bytes()));
                }
            })
        });
        for one in many.collect::<Vec<_>>() {
            one.await.unwrap();
        }
    }
}

#[tokio::test]
async fn http1_bodies_in_chunks() {
    let Some(program) = program() else { return };
    for ground in GROUNDS {
        println!("{ground:?}");
        let upstream = server(|mut wire| async move {
            while let Some(head) = wire.head().await {
                let body = wire.body(&head).await;
                assert!(head.starts_with("POST"));
                wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Digest\r\n\r\n").await;
                for piece in body.chunks(50_000) {
                    wire.send(format!("{:x}\r\n", piece.len())).await;
                    wire.send([piece, b"\r\n"].concat()).await;
                }
                wire.send("0\r\nDigest: abc\r\n\r\n").await;
            }
        })
        .await;
        let service = service(&program, ground, Wanted::of(Http1), &[upstream]).await;
        let mut client = Wire::dial(service.port).await;
        for length in [0, 10, 100_000, 3_000_000] {
            let long = pattern(length);
            client.send("POST /echo HTTP/1.1\r\nHost: h\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n").await;
            for piece in long.chunks(70_000) {
                client.send(format!("{:X};note=x\r\n", piece.len())).await;
                client.send([piece, b"\r\n"].concat()).await;
            }
            client.send("0\r\n\r\n").await;
            let head = client.head().await.unwrap();
            assert_eq!(status(&head), "200");
            let (body, trailers) = client.chunks().await;
            assert!(body == long, "{ground:?}: {} of {length}", body.len());
            assert_eq!(trailers, ["Digest: abc"]);
        }
    }
}

#[tokio::test]
async fn http1_odd_answers() {
    let Some(program) = program() else { return };
    for ground in GROUNDS {
        println!("{ground:?}");
        let upstream = server(|mut wire| async move {
            while let Some(head) = wire.head().await {
                let answer = match head.split(' ').nth(1).unwrap() {
                    "/204" => "HTTP/1.1 204 None\r\nX-A: 1\r\n\r\n",
                    "/304" => "HTTP/1.1 304 Same\r\nETag: x\r\n\r\n",
                    "/continue" => {
                        wire.send("HTTP/1.1 100 Continue\r\n\r\n").await;
                        assert_eq!(wire.body(&head).await, b"hello");
                        "HTTP/1.1 201 Made\r\nContent-Length: 2\r\n\r\nok"
                    }
                    "/until" => {
                        wire.send("HTTP/1.0 200 OK\r\n\r\nuntil the end").await;
                        return;
                    }
                    "/amid" => {
                        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly the beginning").await;
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        return;
                    }
                    _ => return,
                };
                wire.send(answer).await;
            }
        })
        .await;
        let service = service(&program, ground, Wanted::of(Http1), &[upstream]).await;
        let mut client = Wire::dial(service.port).await;
        for expected in ["204", "304"] {
            client.send(format!("GET /{expected} HTTP/1.1\r\nHost: h\r\n\r\n")).await;
            assert_eq!(status(&client.head().await.unwrap()), expected, "{ground:?}");
        }
        client.send("PUT /continue HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n").await;
        assert_eq!(status(&client.head().await.unwrap()), "100");
        let (head, body) = client.ask("hello").await;
        assert_eq!((status(&head), &body[..]), ("201", &b"ok"[..]), "{ground:?}");
        let mut old = Wire::dial(service.port).await;
        old.send("GET /until HTTP/1.0\r\n\r\n").await;
        assert_eq!(status(&old.head().await.unwrap()), "200");
        assert_eq!(old.exactly(13).await, b"until the end");
        assert!(old.is_closed().await, "{ground:?}");
        let mut cut = reached(service.port, "GET /amid HTTP/1.1\r\nHost: h\r\n\r\n", "200").await;
        assert_eq!(cut.exactly(18).await, b"only the beginning");
        assert!(cut.is_closed().await, "{ground:?}");
        reached(service.port, "GET /gone HTTP/1.1\r\nHost: h\r\n\r\n", "503").await;
    }
}

/// A server that went away is found again by its router in its own time: asks until the answer has this status.
async fn reached(port: u16, request: &str, wanted: &str) -> Wire {
    for _ in 0..100 {
        let mut client = Wire::dial(port).await;
        client.send(request).await;
        match client.head().await {
            Some(head) if status(&head) == wanted => return client,
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    panic!("never {wanted}");
}

#[tokio::test]
async fn http1_for_several_servers() {
    let Some(program) = program() else { return };
    for ground in GROUNDS {
        println!("{ground:?}");
        let servers = [mirror("one").await, mirror("two").await];
        let service_of_all = service(&program, ground, Wanted::of(Http1), &servers).await;
        let mut names = BTreeSet::new();
        let mut client = Wire::dial(service_of_all.port).await;
        for _ in 0..1000 {
            let (head, _) = client.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
            names.insert(field(&head, "x-server").unwrap().to_owned());
            if names.len() == 2 {
                break;
            }
        }
        assert_eq!(names.len(), 2, "{ground:?}");
        drop(service_of_all);

        let wanted = Wanted { address: "mc/web:80", aggregation: Some(Aggregation::Json), ..Wanted::of(Http1) };
        let all = service(&program, ground, wanted, &servers).await;
        let mut client = Wire::dial(all.port).await;
        let request = "POST /all HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
        let mut seen = 0;
        for _ in 0..200 {
            let (head, body) = client.ask(request).await;
            assert!(matches!(status(&head), "200" | "204"), "{ground:?} {head}");
            let answers: Vec<Value> = serde_json::from_slice(&body).unwrap_or_default();
            seen = answers.len();
            if seen == 2 {
                assert!(answers.iter().all(|answer| answer["body"].as_str().unwrap().ends_with("hello")));
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(seen, 2, "{ground:?}");
    }
}

#[tokio::test]
async fn http1_events() {
    let Some(program) = program() else { return };
    for ground in GROUNDS {
        println!("{ground:?}");
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let mut servers = Vec::new();
        for n in 0..2 {
            let tell = tell.clone();
            let serve = move |mut wire: Wire| {
                let tell = tell.clone();
                async move {
                    while let Some(head) = wire.head().await {
                        tell.send((n, wire.body(&head).await)).unwrap();
                        wire.send("HTTP/1.1 200 Ignored\r\nContent-Length: 3\r\n\r\nbad").await;
                    }
                }
            };
            servers.push(server(serve).await);
        }
        let wanted = Wanted { address: "mc/events:80", event_channel: true, ..Wanted::of(Http1) };
        let events = service(&program, ground, wanted, &servers).await;
        let mut client = Wire::dial(events.port).await;
        let mut reached = BTreeSet::new();
        for _ in 0..200 {
            client.send("POST /event HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello").await;
            assert_eq!(status(&client.head().await.unwrap()), "204", "{ground:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
            while let Ok((n, body)) = told.try_recv() {
                assert_eq!(body, b"hello");
                reached.insert(n);
            }
            if reached.len() == 2 {
                break;
            }
        }
        assert_eq!(reached.len(), 2, "{ground:?}");
    }
}

#[tokio::test]
async fn http2_requests_and_answers() {
    let Some(program) = program() else { return };
    for ground in GROUNDS {
        println!("{ground:?}");
        let service = service(&program, ground, Wanted::of(Http2), &[crate::http2_sockets::mirror("one").await]).await;
        let mut client = client(service.port).await;
        let (parts, body, _) = ask(&mut client, get("/a?b=c"), Bytes::new()).await;
        assert_eq!((parts.status.as_u16(), &parts.headers["x-server"]), (200, &"one".parse().unwrap()));
        assert!(body.starts_with(b"GET http://example.org/a?b=c\n"), "{ground:?}");
        for length in [1, 1000, 300_000, 5_000_000] {
            let long = Bytes::from(pattern(length));
            let mut request = get("/long");
            *request.method_mut() = http::Method::PUT;
            let (_, body, _) = ask(&mut client, request, long.clone()).await;
            assert!(body.ends_with(&long), "{ground:?} {length}");
        }
        // Their connector forgets some of many requests at once, also those of their own listener.
        let at_once = if ground == Ground::Through { 40 } else { 8 };
        let many = (0..at_once).map(|n| {
            let mut client = client.clone();
            tokio::spawn(async move { ask(&mut client, get(&format!("/{n}")), Bytes::new()).await.1 })
        });
        for (n, body) in many.collect::<Vec<_>>().into_iter().enumerate() {
            assert!(body.await.unwrap().starts_with(format!("GET http://example.org/{n}\n").as_bytes()));
        }
    }
}

#[tokio::test]
async fn grpc_calls_of_python() {
    let (Some(program), Some(python)) = (program(), crate::grpc::Python::start()) else { return };
    for ground in GROUNDS {
        println!("{ground:?}");
        let service = service(&program, ground, Wanted::of(Http2), &[python.server]).await;
        python.call(service.port).await;
    }
}

#[tokio::test]
async fn grpc_calls() {
    let Some(program) = program() else { return };
    for ground in GROUNDS {
        println!("{ground:?}");
        let service = service(&program, ground, Wanted::of(Http2), &[grpc_server().await]).await;
        all_kinds_of_calls(service.port).await;
    }
}
