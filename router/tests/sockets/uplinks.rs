//! Connectors that come and go, and connections that are closed, on real sockets.

use std::io::ErrorKind;
use std::time::Duration;

use crate::amqp::{Client, create, delete, map, member, query, text};
use crate::http_sockets::{self, Wire};
use crate::network::{
    Network, bridge, dial, echo_server, exchange, free_port, is_up, logged, run, until, with_clients,
};
use moorline_amqp::{LinkId, Value};
use moorline_definition::router_config::{AddressEntity, Encapsulation, RouterConfig, TcpBridge};
use moorline_router::io::{ListenerState, RouterHandle, RouterStatus, StartOptions, UplinkState, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A connector of role edge to a port of this host.
fn connector(name: &str, port: u16, more: &[(&str, &str)]) -> Value {
    let port = port.to_string();
    let own = [("name", name), ("role", "edge"), ("host", "127.0.0.1"), ("port", &port)];
    map(own.iter().chain(more).map(|(key, value)| (*key, text(value))))
}

/// The same configuration without its uplink.
fn unlinked(mut config: RouterConfig) -> RouterConfig {
    config.connectors.clear();
    config
}

async fn asker(port: u16) -> (Client, LinkId) {
    let mut client = Client::connect(port).await;
    let link = client.sender(Some("$management")).await;
    (client, link)
}

fn names(status: &RouterStatus) -> Vec<&str> {
    status.uplinks.iter().map(|uplink| uplink.name.as_str()).collect()
}

/// A hub of the network, with the service `echo:7`.
async fn hub(network: &Network) -> RouterHandle {
    let mut config = network.hub_config();
    config.tcp_connectors.push(bridge("echo", echo_server().await.port(), "echo:7"));
    run(&config)
}

async fn ping(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).await.unwrap();
    let mut answer = vec![0; bytes.len()];
    timeout(Duration::from_secs(20), stream.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(answer, bytes);
}

#[tokio::test]
async fn a_created_connector_links_and_carries_flows_until_it_is_deleted() {
    let network = Network::new();
    let hub = hub(&network).await;
    let mut config = unlinked(network.edge_config("edge-a"));
    let port = with_clients(&mut config);
    let local = free_port();
    config.tcp_listeners.push(bridge("local", local, "echo:7"));
    let edge = run(&config);
    let (mut client, link) = asker(port).await;
    assert_eq!(query(&mut client, link, None, "connector").await.len(), 0);

    // Twice, as one that is gone leaves nothing behind.
    for _ in 0..2 {
        let wanted = connector("up", network.port, &[("sslProfile", "edge-a"), ("cost", "2")]);
        let created = create(&mut client, link, "connector", wanted).await;
        assert_eq!((created.status, created.description.as_str()), (Value::Int(201), "Created"));
        assert_eq!(member(&created.body, "identity"), &text(&format!("connector/127.0.0.1:{}:up", network.port)));
        assert_eq!(member(&created.body, "cost"), &Value::Int(2));
        assert_eq!(member(&created.body, "connectionStatus"), &text("CONNECTING"));
        until(&edge, is_up).await;
        let connectors = query(&mut client, link, None, "connector").await;
        let seen = ["connectionStatus", "connectionMsg"].map(|attribute| member(&connectors[0], attribute));
        assert_eq!(seen, [&text("SUCCESS"), &text("linked to hub")]);
        until(&edge, |status| status.listeners[0].state == ListenerState::Listening).await;
        assert_eq!(exchange(dial(local).await, b"through".to_vec()).await, b"through");

        let gone = delete(&mut client, link, "connector", "up").await;
        assert_eq!((gone.status, gone.description.as_str()), (Value::Int(204), "No Content"));
        assert_eq!(query(&mut client, link, None, "connector").await.len(), 0);
        until(&hub, |status| status.edges.is_empty()).await;
        let status = until(&edge, |status| status.listeners[0].state == ListenerState::Waiting).await;
        assert!(status.uplinks.is_empty());
    }
    logged(&["edge gone", "edge-a", "closed by the peer"]).await;
    assert_eq!(delete(&mut client, link, "sslProfile", "edge-a").await.status, Value::Int(204), "nobody uses it");
}

#[tokio::test]
async fn a_listener_shows_the_encapsulation_that_its_network_asks_for() {
    let network = Network::new();
    let newer = StartOptions { version: "3.4.0".to_owned(), ..StartOptions::default() };
    let _hub = start(&network.hub_config(), newer).unwrap();
    let mut config = network.edge_config("edge-a");
    config.connectors[0].name = "first".to_owned();
    let port = with_clients(&mut config);
    let fixed = TcpBridge { encapsulation: Some(Encapsulation::Legacy), ..bridge("fixed", free_port(), "echo:7") };
    config.tcp_listeners.extend([bridge("free", free_port(), "echo:7"), fixed]);
    let edge = run(&config);
    let (mut client, link) = asker(port).await;
    until(&edge, is_up).await;
    for wanted in [["lite", "legacy"], ["legacy", "legacy"]] {
        let rows = query(&mut client, link, None, "tcpListener").await;
        assert_eq!(rows.iter().map(|row| member(row, "encapsulation").as_str().unwrap()).collect::<Vec<_>>(), wanted);
        // Without a network it is as routers have it when nobody says more.
        delete(&mut client, link, "connector", "first").await;
        until(&edge, |status| status.uplinks.is_empty()).await;
        while query(&mut client, link, None, "connection").await.len() > 1 {}
    }
}

#[tokio::test]
async fn the_next_uplink_takes_over_from_a_deleted_one_and_nobody_else_notices() {
    let (first, second) = (Network::new(), Network::new());
    let (first_hub, second_hub) = (hub(&first).await, hub(&second).await);
    let mut config = first.edge_config("edge-a");
    config.ssl_profiles.extend(second.edge_config("spare").ssl_profiles);
    let port = with_clients(&mut config);
    let (here, far) = (free_port(), free_port());
    config.tcp_connectors.push(bridge("own", echo_server().await.port(), "own:7"));
    config.tcp_listeners.push(bridge("here", here, "own:7"));
    config.tcp_listeners.push(bridge("far", far, "echo:7"));
    let edge = run(&config);
    until(&edge, is_up).await;
    let (mut client, link) = asker(port).await;
    let mut open = dial(here).await;
    ping(&mut open, b"before").await;
    let mut cut = dial(far).await;
    ping(&mut cut, b"over the first").await;

    let spare = connector("spare", second.port, &[("sslProfile", "spare")]);
    let created = create(&mut client, link, "connector", spare.clone()).await;
    assert_eq!(member(&created.body, "connectionMsg"), &text("stands by"));
    let dear = connector("dear", free_port(), &[("cost", "9")]);
    assert_eq!(create(&mut client, link, "connector", dear).await.status, Value::Int(201));
    let cheap = connector("cheap", free_port(), &[("cost", "0")]);
    assert_eq!(create(&mut client, link, "connector", cheap).await.status, Value::Int(201));
    let status = edge.status().await.unwrap();
    assert_eq!(names(&status), ["cheap", "uplink", "spare", "dear"]);
    let states: Vec<UplinkState> = status.uplinks.iter().map(|uplink| uplink.state).collect();
    assert_eq!(states, [UplinkState::Standby, UplinkState::Up, UplinkState::Standby, UplinkState::Standby]);

    assert_eq!(delete(&mut client, link, "connector", "uplink").await.status, Value::Int(204));
    let status = until(&edge, is_up).await;
    assert_eq!(names(&status), ["cheap", "spare", "dear"]);
    assert_eq!(status.uplinks[1].state, UplinkState::Up);
    until(&first_hub, |status| status.edges.is_empty()).await;
    until(&second_hub, |status| status.edges.len() == 1).await;
    ping(&mut open, b"after").await;
    let mut rest = Vec::new();
    let ended = timeout(Duration::from_secs(20), cut.read_to_end(&mut rest)).await.unwrap();
    assert!(ended.is_err() && rest.is_empty(), "what went over the deleted one is reset");
    until(&edge, |status| status.listeners.iter().all(|listener| listener.state == ListenerState::Listening)).await;
    ping(&mut dial(far).await, b"over the second").await;
    // One that stands by goes without a word.
    assert_eq!(delete(&mut client, link, "connector", "dear").await.status, Value::Int(204));
    assert_eq!(names(&edge.status().await.unwrap()), ["cheap", "spare"]);
    ping(&mut open, b"still").await;
}

#[tokio::test]
async fn a_deleted_connector_is_left_in_the_middle_of_a_handshake_and_of_a_wait() {
    let network = Network::new();
    let _hub = hub(&network).await;
    let mut config = unlinked(network.edge_config("edge-a"));
    let port = with_clients(&mut config);
    let edge = run(&config);
    let (mut client, link) = asker(port).await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent_port = silent.local_addr().unwrap().port();
    // In TLS, then in AMQP.
    for more in [&[("sslProfile", "edge-a")][..], &[]] {
        let wanted = connector("silent", silent_port, more);
        assert_eq!(create(&mut client, link, "connector", wanted).await.status, Value::Int(201));
        let (mut accepted, _) = silent.accept().await.unwrap();
        let mut begun = [0; 8];
        accepted.read_exact(&mut begun).await.unwrap();
        assert_eq!(delete(&mut client, link, "connector", "silent").await.status, Value::Int(204));
        let mut rest = Vec::new();
        match timeout(Duration::from_secs(5), accepted.read_to_end(&mut rest)).await.expect("it is closed at once") {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
    // Nobody is there: it waits for its next attempt.
    let absent = free_port();
    assert_eq!(create(&mut client, link, "connector", connector("absent", absent, &[])).await.status, Value::Int(201));
    until(&edge, |status| status.uplinks[0].attempts > 1).await;
    let failed = query(&mut client, link, None, "connector").await;
    assert!(member(&failed[0], "connectionMsg").as_str().unwrap().contains("refused"), "{failed:?}");
    assert_eq!(delete(&mut client, link, "connector", "absent").await.status, Value::Int(204));
    let late = std::net::TcpListener::bind(("127.0.0.1", absent)).unwrap();
    late.set_nonblocking(true).unwrap();
    let good = connector("good", network.port, &[("sslProfile", "edge-a")]);
    assert_eq!(create(&mut client, link, "connector", good).await.status, Value::Int(201));
    until(&edge, is_up).await;
    assert_eq!(late.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "it is not tried any more");
    assert_eq!(names(&edge.status().await.unwrap()), ["good"]);
}

#[tokio::test]
async fn what_cannot_be_an_uplink_is_refused_with_the_cause() {
    let network = Network::new();
    let mut config = network.edge_config("edge-a");
    let port = with_clients(&mut config);
    let edge = run(&config);
    let mut hub_config = network.hub_config();
    let hub_port = with_clients(&mut hub_config);
    let hub = run(&hub_config);
    let (mut client, link) = asker(port).await;
    for (attributes, cause) in [
        (connector("uplink", 1, &[]), "there is a connector uplink already"),
        (connector("x", 1, &[("sslProfile", "none")]), "connector x: "),
        (connector("x", 1, &[("proxyProfile", "none")]), "there is no proxyProfile none"),
        (connector("x", 0, &[]), "expected a port"),
        (connector("x", 1, &[("cost", "much")]), "cost"),
        (map([("name", text("x")), ("port", text("1"))]), "connects edges to a network and nothing else"),
        (map([("port", text("1")), ("role", text("edge"))]), "name: required"),
    ] {
        let refused = create(&mut client, link, "connector", attributes).await;
        assert_eq!(refused.status, Value::Int(400), "{cause}");
        assert!(refused.description.contains(cause), "{cause}: {}", refused.description);
    }
    let unknown = delete(&mut client, link, "connector", "x").await;
    assert_eq!((unknown.status, unknown.description.as_str()), (Value::Int(404), "No entity with name=x"));
    assert_eq!(names(&edge.status().await.unwrap()), ["uplink"]);
    // A hub makes no connections, as one is left out of its file.
    let (mut client, link) = asker(hub_port).await;
    let refused = create(&mut client, link, "connector", connector("x", 1, &[])).await;
    assert_eq!(refused.status, Value::Int(400));
    assert!(refused.description.contains("connects edges to a network and nothing else"), "{}", refused.description);
    assert!(hub.status().await.unwrap().uplinks.is_empty());
}

/// Asks to close a connection.
async fn close(client: &mut Client, link: LinkId, identity: &Value) -> crate::amqp::Answer {
    let identity = identity.as_str().unwrap();
    let update = [("operation", "UPDATE"), ("type", "connection"), ("identity", identity)];
    client.ask(link, None, &update, map([("adminStatus", text("deleted"))])).await
}

/// The connection that has these.
async fn find(client: &mut Client, link: LinkId, wanted: &[(&str, &str)]) -> Value {
    let rows = query(client, link, None, "connection").await;
    let found = rows.iter().find(|row| wanted.iter().all(|(name, value)| member(row, name) == &text(value)));
    member(found.unwrap_or_else(|| panic!("{wanted:?} in {rows:?}")), "identity").clone()
}

#[tokio::test]
async fn connections_are_closed_when_that_is_asked_for() {
    let network = Network::new();
    let _hub = hub(&network).await;
    let mut config = network.edge_config("edge-a");
    let port = with_clients(&mut config);
    let (tcp, web) = (free_port(), free_port());
    config.tcp_connectors.push(bridge("own", echo_server().await.port(), "own:7"));
    config.tcp_listeners.push(bridge("local", tcp, "own:7"));
    let edge = run(&config);
    until(&edge, is_up).await;
    let (mut client, link) = asker(port).await;

    // The other client is told why.
    let own = find(&mut client, link, &[("container", "asker")]).await;
    let mut other = Client::connect(port).await;
    let rows = query(&mut client, link, None, "connection").await;
    let is_other = |row: &&Value| member(row, "container") == &text("asker") && member(row, "identity") != &own;
    let theirs = member(rows.iter().find(is_other).unwrap(), "identity").clone();
    let answer = close(&mut client, link, &theirs).await;
    assert_eq!((&answer.status, answer.description.as_str()), (&Value::Int(200), "OK"));
    let shown = ["identity", "adminStatus", "operStatus"].map(|attribute| member(&answer.body, attribute));
    assert_eq!(shown, [&theirs, &text("deleted"), &text("closing")]);
    let why = other.closed().await;
    assert!(why.contains("amqp:connection:forced"), "{why}");

    // A TCP connection, from either end of it.
    for direction in ["in", "out"] {
        let mut open = dial(tcp).await;
        ping(&mut open, b"open").await;
        let identity = find(&mut client, link, &[("protocol", "tcp"), ("dir", direction)]).await;
        assert_eq!(close(&mut client, link, &identity).await.status, Value::Int(200));
        let reset = timeout(Duration::from_secs(20), open.read(&mut [0])).await.unwrap();
        assert_eq!(reset.unwrap_err().kind(), ErrorKind::ConnectionReset);
        until(&edge, |status| status.totals.open_flows == 0).await;
    }

    // One of an HTTP service.
    let server = http_sockets::mirror("one").await.port();
    for (kind, name, port) in [("httpConnector", "server", server), ("httpListener", "web", web)] {
        let port = text(&port.to_string());
        let bridge = [("name", text(name)), ("host", text("127.0.0.1")), ("address", text("web:80")), ("port", port)];
        assert_eq!(create(&mut client, link, kind, map(bridge)).await.status, Value::Int(201));
    }
    let listening = |status: &RouterStatus| status.http_listeners[0].state == Some(ListenerState::Listening);
    until(&edge, listening).await;
    let mut browser = Wire::dial(web).await;
    let (head, _) = browser.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(http_sockets::status(&head), "200");
    for direction in ["in", "out"] {
        let identity = find(&mut client, link, &[("protocol", "http/1.x"), ("dir", direction)]).await;
        assert_eq!(close(&mut client, link, &identity).await.status, Value::Int(200));
    }
    until(&edge, |status| status.http_listeners[0].open_connections + status.http_connectors[0].open_connections == 0)
        .await;
    let (head, _) = Wire::dial(web).await.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(http_sockets::status(&head), "200", "the services go on");

    // An uplink is not anybody's to close, as with other routers.
    let uplink = find(&mut client, link, &[("role", "edge")]).await;
    let refused = close(&mut client, link, &uplink).await;
    assert_eq!(refused.status, Value::Int(403));
    assert!(refused.description.contains("not allowed"), "{}", refused.description);
    assert_eq!(edge.status().await.unwrap().uplinks[0].losses, 0);
    assert_eq!(close(&mut client, link, &text("999999")).await.status, Value::Int(404));

    // Whoever closes its own connection hears the answer first.
    assert_eq!(close(&mut client, link, &own).await.status, Value::Int(200));
    assert!(client.closed().await.contains("forced"));
}

#[tokio::test]
async fn addresses_are_distributed_as_is_configured_now() {
    let mut config = unlinked(Network::new().edge_config("edge-a"));
    let port = with_clients(&mut config);
    let mc = AddressEntity { prefix: "mc".to_owned(), distribution: "multicast".to_owned(), ..Default::default() };
    config.addresses.push(mc);
    let _edge = run(&config);
    let (mut client, link) = asker(port).await;
    let kind = "router.config.address";
    let rows = query(&mut client, link, None, kind).await;
    let seen = ["name", "identity", "prefix", "distribution"].map(|attribute| member(&rows[0], attribute));
    assert_eq!(seen, [&text("address/0"), &text("1"), &text("mc"), &text("multicast")]);

    let rule = |pairs: &[(&'static str, &str)]| map(pairs.iter().map(|(name, value)| (*name, text(value))));
    let news = rule(&[("name", "news"), ("prefix", "news"), ("distribution", "multicast")]);
    let (mut one, mut two) = (Client::connect(port).await, Client::connect(port).await);
    for receiver in [&mut one, &mut two] {
        receiver.receiver("news/today").await;
    }
    // One by one, to everyone, one by one again; the links stay.
    let sender = client.sender(Some("news/today")).await;
    for (round, copies) in [("first", 1), ("second", 2), ("third", 1)] {
        if copies == 2 {
            let created = create(&mut client, link, kind, news.clone()).await;
            assert_eq!((created.status, created.description.as_str()), (Value::Int(201), "Created"));
            let seen = ["name", "identity", "prefix", "distribution"].map(|attribute| member(&created.body, attribute));
            assert_eq!(seen, [&text("news"), &text("2"), &text("news"), &text("multicast")]);
        }
        let receive = async |receiver: &mut Client| {
            for _ in 0..copies {
                assert_eq!(receiver.text().await, round);
            }
        };
        let send = async {
            for _ in 0..2 {
                client.send_text(sender, round).await;
            }
        };
        tokio::join!(send, receive(&mut one), receive(&mut two));
        if copies == 2 {
            for (attributes, cause) in [
                (news.clone(), "address news already"),
                (rule(&[("prefix", "news")]), "one for the same addresses"),
                (rule(&[("pattern", "news/#")]), "one for the same addresses"),
            ] {
                let refused = create(&mut client, link, kind, attributes).await;
                assert_eq!(refused.status, Value::Int(400), "{cause}");
                assert!(refused.description.contains(cause), "{}", refused.description);
            }
            assert_eq!(delete(&mut client, link, kind, "news").await.status, Value::Int(204));
            let gone = delete(&mut client, link, kind, "news").await;
            assert_eq!((gone.status, gone.description.as_str()), (Value::Int(404), "No entity with name=news"));
        }
    }
    assert_eq!(delete(&mut client, link, kind, "address/0").await.status, Value::Int(204));
    let nameless = create(&mut client, link, kind, rule(&[("pattern", "a/*/b"), ("distribution", "closest")])).await;
    assert_eq!(member(&nameless.body, "name"), &text("address/2"));
    assert_eq!(query(&mut client, link, None, kind).await.len(), 1);
}
