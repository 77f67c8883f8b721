//! The management node of routers on real sockets: asked here, and through the network.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use crate::amqp::{Client, create, delete, map, member, query, text};
use crate::http_sockets::Wire;
use crate::network::{Network, bridge, dial, echo_server, exchange, free_port, run, until, with_clients};
use moorline_amqp::{DeliveryState, Value};
use moorline_router::io::{ListenerState, LogControl, StartOptions, start};
use moorline_router::management::LogLine;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn an_edge_answers_here_and_through_the_network() {
    let network = Network::new();
    let mut hub_config = network.hub_config();
    let hub_port = with_clients(&mut hub_config);
    let _hub = run(&hub_config);
    let mut config = network.edge_config("edge-a");
    config.router.metadata = Some(r#"{"id":"site","version":"1.8.1"}"#.to_owned());
    config.tcp_connectors.push(bridge("echo", echo_server().await.port(), "echo:7"));
    let port = with_clients(&mut config);
    let edge = run(&config);
    until(&edge, crate::network::is_up).await;

    let mut here = Client::connect(port).await;
    let link = here.sender(Some("$management")).await;
    let connections = query(&mut here, link, None, "connection").await;
    let uplink = connections.iter().find(|row| member(row, "dir") == &text("out")).unwrap();
    for (attribute, value) in [
        ("role", "edge"),
        ("container", "hub"),
        ("operStatus", "up"),
        ("sasl", "EXTERNAL"),
        ("sslProto", "TLSv1.3"),
        ("protocol", "amqp"),
    ] {
        assert_eq!(member(uplink, attribute), &text(value), "{attribute}");
    }
    assert!(member(uplink, "sslCipher").as_str().unwrap().starts_with("TLS_"));
    let client = connections.iter().find(|row| member(row, "dir") == &text("in")).unwrap();
    assert_eq!((member(client, "role"), member(client, "container")), (&text("normal"), &text("asker")));

    // A hub is asked for its edges, then each of them through it: with `to`, and on a link that names it.
    let mut far = Client::connect(hub_port).await;
    let at_hub = far.sender(Some("$management")).await;
    let edges = query(&mut far, at_hub, None, "connection").await;
    let known = edges.iter().filter(|row| member(row, "role") == &text("edge"));
    assert_eq!(known.map(|row| member(row, "container").clone()).collect::<Vec<_>>(), [text("edge-a")]);
    let anonymous = far.sender(None).await;
    let direct = far.sender(Some("_edge/edge-a/$management")).await;
    for (link, to) in [(anonymous, Some("amqp:/_edge/edge-a/$management")), (direct, None)] {
        let routers = query(&mut far, link, to, "router").await;
        assert_eq!(routers.len(), 1);
        assert_eq!(member(&routers[0], "id"), &text("edge-a"));
        assert_eq!(member(&routers[0], "metadata"), &text(r#"{"id":"site","version":"1.8.1"}"#));
        assert_eq!(query(&mut far, link, to, "tcpConnector").await.len(), 1);
        assert_eq!(query(&mut far, link, to, "httpListener").await.len(), 0);
    }
    // And from an edge to its hub.
    let to_hub = here.sender(Some("_topo/0/hub/$management")).await;
    assert_eq!(member(&query(&mut here, to_hub, None, "router").await[0], "id"), &text("hub"));
    let nodes = here.ask(to_hub, None, &[("operation", "GET-MGMT-NODES")], Value::Null).await;
    assert_eq!(nodes.body, Value::List(vec![text("amqp:/_topo/0/hub/$management")]));
}

#[tokio::test]
async fn services_come_and_go_and_no_connection_is_cut() {
    let network = Network::new();
    let mut config = network.edge_config("edge-a");
    let port = with_clients(&mut config);
    let server = echo_server().await;
    config.tcp_connectors.push(bridge("echo", server.port(), "echo:7"));
    let edge = run(&config);
    let mut client = Client::connect(port).await;
    let link = client.sender(Some("$management")).await;

    let local = free_port();
    let listener = |name: &str, port: &str| {
        let (name, host) = (text(name), text("127.0.0.1"));
        map([("name", name), ("host", host), ("port", text(port)), ("address", text("echo:7"))])
    };
    let created = create(&mut client, link, "tcpListener", listener("local", &local.to_string())).await;
    assert_eq!((created.status, created.description.as_str()), (Value::Int(201), "Created"));
    assert_eq!(member(&created.body, "identity"), &text(&format!("tcpListener/127.0.0.1:{local}:local")));
    until(&edge, |status| status.listeners.iter().any(|l| l.state == ListenerState::Listening)).await;
    let mut open = dial(local).await;
    open.write_all(b"before").await.unwrap();
    let mut answer = [0; 6];
    open.read_exact(&mut answer).await.unwrap();

    let twice = create(&mut client, link, "tcpListener", listener("local", &free_port().to_string())).await;
    assert_eq!(twice.status, Value::Int(400));
    assert_eq!(twice.description, "there is a tcpListener local already");
    let occupied = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = occupied.local_addr().unwrap().port();
    let refused = create(&mut client, link, "tcpListener", listener("other", &taken.to_string())).await;
    assert_eq!(refused.status, Value::Int(400));
    assert!(refused.description.contains("in use"), "{}", refused.description);
    assert_eq!(query(&mut client, link, None, "tcpListener").await.len(), 1);

    let rows = query(&mut client, link, None, "tcpListener").await;
    let seen =
        ["operStatus", "connectionsOpened", "connectionsClosed", "bytesIn", "bytesOut"].map(|a| member(&rows[0], a));
    assert_eq!(seen, [&text("up"), &Value::Int(1), &Value::Int(0), &Value::Int(6), &Value::Int(6)]);
    assert_eq!(query(&mut client, link, None, "tcpConnection").await.len(), 2);

    assert_eq!(delete(&mut client, link, "tcpListener", "local").await.status, Value::Int(204));
    assert_eq!(delete(&mut client, link, "tcpConnector", "echo").await.status, Value::Int(204));
    let gone = delete(&mut client, link, "tcpConnector", "echo").await;
    assert_eq!((gone.status, gone.description.as_str()), (Value::Int(404), "No entity with name=echo"));
    until(&edge, |status| status.listeners.is_empty() && status.connectors.is_empty()).await;
    // What is open goes on.
    assert_eq!(exchange(open, b"after".to_vec()).await, b"after");
    let status = until(&edge, |status| status.totals.open_flows == 0).await;
    assert_eq!(status.totals.flows, 2);
}

#[tokio::test]
async fn http_services_come_and_go_and_their_requests_are_shown() {
    let network = Network::new();
    let mut config = network.edge_config("edge-a");
    let port = with_clients(&mut config);
    let profile = config.ssl_profiles[0].name.clone();
    let edge = run(&config);
    let mut client = Client::connect(port).await;
    let link = client.sender(Some("$management")).await;
    let server = crate::http_sockets::mirror("one").await.port();
    let local = free_port();
    let bridge = |name: &str, port: u16, more: &[(&str, &str)]| {
        let own = [("name", name), ("host", "127.0.0.1"), ("address", "web:80"), ("siteId", "site-a")];
        let pairs = own.iter().chain(more).map(|(key, value)| (*key, text(value)));
        map(pairs.chain([("port", text(&port.to_string()))]))
    };
    let created = create(&mut client, link, "httpConnector", bridge("server", server, &[])).await;
    assert_eq!(created.status, Value::Int(201), "{}", created.description);
    let created = create(&mut client, link, "httpListener", bridge("local", local, &[])).await;
    assert_eq!((created.status, created.description.as_str()), (Value::Int(201), "Created"));
    assert_eq!(member(&created.body, "identity"), &text(&format!("httpListener/127.0.0.1:{local}:local")));
    until(&edge, |status| status.http_listeners.iter().any(|l| l.state == Some(ListenerState::Listening))).await;

    // What cannot be is refused, with the cause.
    let occupied = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = occupied.local_addr().unwrap().port();
    for (kind, attributes, cause) in [
        ("httpListener", bridge("local", free_port(), &[]), "there is a httpListener local already"),
        ("httpConnector", bridge("server", server, &[]), "there is a httpConnector server already"),
        ("httpListener", bridge("other", taken, &[]), "in use"),
        ("httpConnector", bridge("other", server, &[("sslProfile", "none")]), "none"),
        ("httpListener", bridge("other", free_port(), &[("protocolVersion", "HTTP9")]), "HTTP9"),
    ] {
        let refused = create(&mut client, link, kind, attributes).await;
        assert_eq!(refused.status, Value::Int(400), "{kind}: {cause}");
        assert!(refused.description.contains(cause), "{}", refused.description);
    }
    let second = bridge("second", free_port(), &[("sslProfile", &profile), ("protocolVersion", "HTTP2")]);
    assert_eq!(create(&mut client, link, "httpListener", second).await.status, Value::Int(201));
    assert_eq!(delete(&mut client, link, "sslProfile", &profile).await.status, Value::Int(400), "it is in use");

    let mut web = Wire::dial(local).await;
    for _ in 0..2 {
        let (head, _) = web.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        assert_eq!(crate::http_sockets::status(&head), "200");
    }
    until(&edge, |status| status.http_connectors[0].open_requests == 0).await;
    let listeners = query(&mut client, link, None, "httpListener").await;
    let shown = ["name", "protocolVersion", "operStatus"];
    let seen: Vec<_> =
        listeners.iter().map(|row| shown.map(|attribute| member(row, attribute).as_str().unwrap())).collect();
    assert_eq!(seen, [["local", "HTTP1", "up"], ["second", "HTTP2", "up"]]);
    assert_eq!(query(&mut client, link, None, "httpConnector").await.len(), 1);
    let connections = query(&mut client, link, None, "connection").await;
    let mut http: Vec<_> = connections.iter().filter(|row| member(row, "protocol") == &text("http/1.x")).collect();
    http.sort_by_key(|row| member(row, "dir").as_str().unwrap().to_owned());
    assert_eq!(http.iter().map(|row| member(row, "dir")).collect::<Vec<_>>(), [&text("in"), &text("out")]);
    assert_eq!(member(http[1], "host"), &text(&format!("127.0.0.1:{server}")));
    let metrics = query(&mut client, link, None, "routerMetrics").await;
    assert_eq!(member(member(&metrics[0], "connectionCounters"), "http1"), &Value::Ulong(2));
    let infos = query(&mut client, link, None, "httpRequestInfo").await;
    for (key, direction) in [("o_127.0.0.1_web:80@site-a", "out"), ("i_127.0.0.1_web:80@site-a", "in")] {
        let info = infos.iter().find(|info| member(info, "name") == &text(key)).unwrap_or_else(|| panic!("{infos:?}"));
        assert_eq!((member(info, "direction"), member(info, "requests")), (&text(direction), &Value::Uint(2)));
        assert_eq!(member(info, "details"), &map([("GET:200", Value::Int(2))]));
    }

    assert_eq!(delete(&mut client, link, "httpListener", "local").await.status, Value::Int(204));
    assert_eq!(delete(&mut client, link, "httpConnector", "server").await.status, Value::Int(204));
    let gone = delete(&mut client, link, "httpConnector", "server").await;
    assert_eq!((gone.status, gone.description.as_str()), (Value::Int(404), "No entity with name=server"));
    until(&edge, |status| {
        status.http_connectors.is_empty()
            && status.http_listeners.iter().all(|listener| listener.state == Some(ListenerState::Waiting))
    })
    .await;
    let left = query(&mut client, link, None, "httpListener").await;
    let left: Vec<_> = left.iter().map(|row| ["name", "operStatus"].map(|attribute| member(row, attribute))).collect();
    assert_eq!(left, [[&text("second"), &text("down")]]);
    assert_eq!(query(&mut client, link, None, "httpRequestInfo").await.len(), 2, "what was is still known");
}

#[tokio::test]
async fn ports_for_clients_and_profiles_come_and_go() {
    let network = Network::new();
    let mut config = network.edge_config("edge-a");
    let port = with_clients(&mut config);
    let profile = config.ssl_profiles[0].clone();
    let _edge = run(&config);
    let mut client = Client::connect(port).await;
    let link = client.sender(Some("$management")).await;

    let second = free_port();
    let listener = map([("host", text("127.0.0.1")), ("port", Value::Int(second.into())), ("name", text("second"))]);
    assert_eq!(create(&mut client, link, "listener", listener.clone()).await.status, Value::Int(201));
    assert_eq!(create(&mut client, link, "listener", listener).await.status, Value::Int(400));
    let mut other = Client::connect(second).await;
    let from_other = other.sender(Some("$management")).await;
    assert_eq!(query(&mut other, from_other, None, "listener").await.len(), 2);
    assert_eq!(delete(&mut client, link, "listener", "second").await.status, Value::Int(204));
    // Who came through it stays.
    assert_eq!(query(&mut other, from_other, None, "listener").await.len(), 1);

    let files = map([
        ("name", text("copy")),
        ("caCertFile", text(profile.ca_cert_file.as_deref().unwrap())),
        ("certFile", text(profile.cert_file.as_deref().unwrap())),
        ("privateKeyFile", text(profile.private_key_file.as_deref().unwrap())),
    ]);
    assert_eq!(create(&mut client, link, "sslProfile", files).await.status, Value::Int(201));
    let bad =
        create(&mut client, link, "sslProfile", map([("name", text("bad")), ("caCertFile", text("/none"))])).await;
    assert_eq!(bad.status, Value::Int(400));
    assert!(bad.description.contains("/none"), "{}", bad.description);
    assert_eq!(delete(&mut client, link, "sslProfile", "copy").await.status, Value::Int(204));
    let used = delete(&mut client, link, "sslProfile", "edge-a").await;
    assert_eq!(used.status, Value::Int(400));
    assert!(used.description.contains("in use by connector uplink"), "{}", used.description);
}

#[tokio::test]
async fn nothing_that_is_asked_breaks_the_node() {
    let network = Network::new();
    let mut config = network.edge_config("edge-a");
    let port = with_clients(&mut config);
    let _edge = run(&config);
    let mut client = Client::connect(port).await;
    let link = client.sender(Some("$management")).await;
    for garbage in [&b""[..], b"garbage", &[0x00, 0x53, 0x73, 0x45], &[0x00, 0x53, 0x77, 0xd0, 0xff]] {
        client.send(link, garbage).await;
    }
    // More than any request has.
    let long = map([("x", Value::Binary(vec![0; 300_000]))]);
    let long = client.request(None, &[("operation", "QUERY")], &long);
    assert_eq!(client.send(link, &long).await, Some(DeliveryState::Rejected(None)));
    let body = client.ask(link, None, &[("operation", "QUERY")], Value::Int(1)).await;
    assert_eq!(body.status, Value::Int(400));
    assert_eq!(query(&mut client, link, None, "router").await.len(), 1);
}

#[derive(Default)]
struct Kept(Mutex<Vec<(String, String)>>);

impl LogControl for Kept {
    fn set_level(&self, module: &str, level: &str) -> Result<(), String> {
        if level == "loud" {
            return Err("no such level".to_owned());
        }
        self.0.lock().unwrap().push((module.to_owned(), level.to_owned()));
        Ok(())
    }

    fn recent(&self, limit: usize) -> Vec<LogLine> {
        let line = LogLine { module: "m".to_owned(), level: "info", text: limit.to_string(), time: 1 };
        vec![line]
    }
}

#[tokio::test]
async fn the_log_is_shown_and_its_levels_are_set() {
    let network = Network::new();
    let mut config = network.edge_config("edge-a");
    let port = with_clients(&mut config);
    let log = Arc::new(Kept::default());
    let options = StartOptions { log: Some(Arc::clone(&log) as Arc<dyn LogControl>), ..StartOptions::default() };
    let _edge = start(&config, options).unwrap();
    let mut client = Client::connect(port).await;
    let link = client.sender(Some("$management")).await;
    let update = [("operation", "UPDATE"), ("type", "log"), ("name", "log/DEFAULT")];
    let answer = client.ask(link, None, &update, map([("enable", text("debug+"))])).await;
    assert_eq!((answer.status, member(&answer.body, "enable")), (Value::Int(200), &text("debug+")));
    assert_eq!(*log.0.lock().unwrap(), [("DEFAULT".to_owned(), "debug+".to_owned())]);
    let refused = client.ask(link, None, &update, map([("enable", text("loud"))])).await;
    assert_eq!((refused.status, refused.description.as_str()), (Value::Int(400), "no such level"));
    let levels = query(&mut client, link, None, "log").await;
    assert_eq!(member(&levels[0], "enable"), &text("debug+"));
    let lines = client.ask(link, None, &[("operation", "GET-LOG")], Value::Null).await;
    let Value::List(lines) = lines.body else { panic!() };
    assert_eq!(lines.len(), 1);
}
