//! Whole routers on real sockets: a hub, edges, clients and servers.

use std::time::{Duration, Instant};

use crate::network::{Network, bridge, dial, echo_server, exchange, free_port, is_up, logged, run, until};
use crate::pki::{Ca, VALID, dns};
use moorline_router::io::{Ending, Event, ListenerState, ServiceError, StartError, StartOptions, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n.wrapping_mul(31) ^ (n >> 9)) as u8).collect()
}

#[tokio::test]
async fn bytes_go_from_edge_to_edge_through_the_hub() {
    let network = Network::new();
    let hub = run(&network.hub_config());
    let server = echo_server().await;
    let mut config = network.edge_config("server-side");
    config.tcp_connectors.push(bridge("echo", server.port(), "echo:7"));
    let near_server = run(&config);
    let mut config = network.edge_config("client-side");
    let port = free_port();
    config.tcp_listeners.push(bridge("echo", port, "echo:7"));
    let near_client = run(&config);

    let status = until(&near_client, |s| s.listeners[0].state == ListenerState::Listening).await;
    assert!(is_up(&status));
    assert_eq!(status.uplinks[0].peer.as_ref().unwrap().container, "hub");
    let days = (status.uplinks[0].certificate_not_after.unwrap().unix() - status.uplinks[0].since.unix()) / 86_400;
    assert!((29..=30).contains(&days));

    for length in [0, 1, 1_000, 3_000_000] {
        let bytes = pattern(length);
        let answer = exchange(dial(port).await, bytes.clone()).await;
        assert!(answer == bytes, "{length}: {} bytes came back", answer.len());
    }
    let many = (0..50).map(|n| async move { exchange(dial(port).await, pattern(n * 997)).await.len() });
    let mut tasks = tokio::task::JoinSet::new();
    many.for_each(|one| drop(tasks.spawn(one)));
    let total: usize = tasks.join_all().await.into_iter().sum();
    assert_eq!(total, (0..50).map(|n| n * 997).sum::<usize>());

    let status = until(&near_client, |s| s.totals.open_flows == 0).await;
    assert_eq!(status.totals.flows, 54);
    assert_eq!(status.totals.bytes_in, status.totals.bytes_out);
    until(&near_server, |s| s.totals.open_flows == 0 && s.connectors[0].last_error.is_none()).await;
    let edges = hub.status().await.unwrap().edges;
    assert_eq!(edges.len(), 2);
    logged(&["access", "echo:7", "bytes_in=3000000", "bytes_out=3000000", "side=\"listener\""]).await;

    for handle in [near_client, near_server, hub] {
        let drained = handle.drain(Duration::from_secs(5)).await.unwrap();
        assert_eq!(drained.cut, 0);
        assert_eq!(handle.ended().await, Ending::Drained);
        assert!(matches!(handle.status().await, Err(ServiceError::Stopped)));
    }
}

#[tokio::test]
async fn a_lost_hub_closes_ports_and_comes_back_within_a_quarter_second() {
    let network = Network::new();
    let hub = run(&network.hub_config());
    let server = echo_server().await;
    let mut config = network.edge_config("edge-a");
    config.tcp_connectors.push(bridge("echo", server.port(), "echo:7"));
    let near_server = run(&config);
    let mut config = network.edge_config("edge-b");
    let port = free_port();
    config.tcp_listeners.push(bridge("echo", port, "echo:7"));
    let near_client = run(&config);
    let mut open = dial(port).await;
    open.write_all(b"hello").await.unwrap();
    let mut five = [0; 5];
    open.read_exact(&mut five).await.unwrap();

    let mut events = near_client.events();
    let drained = hub.drain(Duration::ZERO).await.unwrap();
    assert!(drained.cut > 0, "the hub carries the connection");
    // The open connection is cut, the port closes.
    assert!(!matches!(open.read(&mut five).await, Ok(n) if n > 0));
    until(&near_client, |s| s.listeners[0].state == ListenerState::Waiting && s.uplinks[0].attempts > 3).await;
    let status = near_client.status().await.unwrap();
    let cause = status.uplinks[0].last_error.clone().unwrap();
    assert!(cause.contains("connection refused by 127.0.0.1:"), "{cause}");

    let hub = run(&network.hub_config());
    let back = Instant::now();
    until(&near_client, is_up).await;
    assert!(back.elapsed() < Duration::from_millis(400), "{:?}", back.elapsed());
    let answer = exchange(dial(port).await, pattern(100_000)).await;
    assert_eq!(answer.len(), 100_000);

    let mut seen = Vec::new();
    while let Ok(event) = events.try_recv() {
        seen.push(event);
    }
    // The loss, the refusal (once, however often), the link, the port.
    let failures = seen.iter().filter(|event| matches!(event, Event::LinkFailed { .. })).count();
    assert_eq!(failures, 2, "{seen:#?}");
    assert!(seen.iter().any(|event| matches!(event, Event::NotListening { .. })));
    assert!(seen.iter().any(|event| matches!(event, Event::Linked { peer, .. } if peer.container == "hub")));
    assert!(matches!(seen.last(), Some(Event::Listening { sockets, .. }) if sockets[0].port() == port));
    drop((near_server, near_client, hub));
}

#[tokio::test]
async fn an_edge_with_strange_certificates_is_refused_and_both_ends_say_why() {
    let network = Network::new();
    let _hub = run(&network.hub_config());
    let stranger = Ca::new("another-ca").issue("stranger", &[dns("")], VALID);
    let edge = run(&network.edge_config_with("stranger", &network.ca, &stranger));
    let status = until(&edge, |s| s.uplinks[0].last_error.is_some()).await;
    let cause = status.uplinks[0].last_error.clone().unwrap();
    assert!(cause.starts_with("the other end refuses our certificate"), "{cause}");
    let line = logged(&["refused a client", "signed by another CA"]).await;
    assert!(line.contains("WARN") && line.contains("peer=127.0.0.1:"), "{line}");

    let expired = network.ca.issue("expired", &[dns("")], (-9, -2));
    let edge = run(&network.edge_config_with("expired", &network.ca, &expired));
    until(&edge, |s| s.uplinks[0].last_error.is_some()).await;
    logged(&["refused a client", "the client's certificate has expired since 20"]).await;

    let elsewhere = Ca::new("another-ca");
    let leaf = elsewhere.issue("edge", &[dns("")], VALID);
    let edge = run(&network.edge_config_with("distrusts", &elsewhere, &leaf));
    let status = until(&edge, |s| s.uplinks[0].last_error.is_some()).await;
    let cause = status.uplinks[0].last_error.clone().unwrap();
    assert_eq!(cause, "the server's certificate is signed by another CA");
}

#[tokio::test]
async fn services_come_and_go_while_others_run() {
    let network = Network::new();
    let hub = run(&network.hub_config());
    let edge = run(&network.edge_config("edge"));
    let server = echo_server().await;
    let port = free_port();
    edge.add_tcp_connector(&bridge("echo", server.port(), "echo:7")).await.unwrap();
    edge.add_tcp_listener(&bridge("echo", port, "echo:7")).await.unwrap();
    let mut open = dial(port).await;
    open.write_all(b"12345").await.unwrap();
    let mut five = [0; 5];
    open.read_exact(&mut five).await.unwrap();

    let twice = edge.add_tcp_listener(&bridge("echo", free_port(), "echo:7")).await;
    assert_eq!(twice.unwrap_err().to_string(), "there is a tcpListener echo already");
    let taken = edge.add_tcp_listener(&bridge("taken", port, "other:7")).await.unwrap_err().to_string();
    assert!(taken.starts_with(&format!("tcpListener taken: 127.0.0.1:{port} is in use by ")), "{taken}");
    let unknown = edge.remove_tcp_connector("nothing").await.unwrap_err();
    assert_eq!(unknown.to_string(), "there is no tcpConnector nothing");

    edge.remove_tcp_listener("echo").await.unwrap();
    edge.remove_tcp_connector("echo").await.unwrap();
    let status = edge.status().await.unwrap();
    assert!(status.listeners.is_empty() && status.connectors.is_empty());
    let deadline = Instant::now() + Duration::from_secs(2);
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
        assert!(Instant::now() < deadline);
    }
    // What was open goes on.
    open.write_all(b"67890").await.unwrap();
    open.read_exact(&mut five).await.unwrap();
    assert_eq!(&five, b"67890");
    let json = serde_json::to_value(edge.status().await.unwrap()).unwrap();
    assert_eq!(json["mode"], "edge");
    drop(hub);
}

#[tokio::test]
async fn a_drain_waits_for_open_connections_up_to_its_limit() {
    let network = Network::new();
    let server = echo_server().await;
    let port = free_port();
    let mut config = network.edge_config("edge");
    config.connectors.clear();
    config.tcp_connectors.push(bridge("echo", server.port(), "echo:7"));
    config.tcp_listeners.push(bridge("echo", port, "echo:7"));

    let router = run(&config);
    let open = dial(port).await;
    let draining = tokio::spawn({
        let router = router.clone();
        async move { router.drain(Duration::from_secs(20)).await.unwrap() }
    });
    until(&router, |s| s.draining && s.listeners[0].state == ListenerState::Waiting).await;
    assert!(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err());
    let refused = router.add_tcp_connector(&bridge("late", 1, "late:1")).await;
    assert!(matches!(refused, Err(ServiceError::Stopped)));
    assert_eq!(exchange(open, pattern(5_000)).await.len(), 5_000);
    assert_eq!(draining.await.unwrap().cut, 0);

    let router = run(&config);
    let mut open = dial(port).await;
    until(&router, |s| s.totals.open_flows == 2).await;
    let begun = Instant::now();
    let drained = router.drain(Duration::from_millis(300)).await.unwrap();
    assert!(drained.cut > 0);
    assert!(begun.elapsed() >= Duration::from_millis(300) && begun.elapsed() < Duration::from_secs(3));
    let mut byte = [0];
    assert!(!matches!(open.read(&mut byte).await, Ok(n) if n > 0));
}

#[tokio::test]
async fn resets_and_refusals_reach_the_other_side() {
    let network = Network::new();
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, nowhere) = (free_port(), free_port());
    let mut config = network.edge_config("edge");
    config.connectors.clear();
    config.tcp_connectors.push(bridge("server", server.local_addr().unwrap().port(), "service:1"));
    config.tcp_listeners.push(bridge("service", port, "service:1"));
    config.tcp_connectors.push(bridge("nowhere", nowhere, "nowhere:1"));
    let to_nowhere = free_port();
    config.tcp_listeners.push(bridge("to-nowhere", to_nowhere, "nowhere:1"));
    let router = run(&config);

    // A client that resets while nothing is read or written is noticed.
    let client = dial(port).await;
    let (mut served, _) = server.accept().await.unwrap();
    socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    let mut byte = [0];
    let noticed = tokio::time::timeout(Duration::from_secs(5), served.read(&mut byte)).await.unwrap();
    assert!(!matches!(noticed, Ok(n) if n > 0));
    logged(&["access", "service:1", "connection reset by peer"]).await;

    let mut refused = dial(to_nowhere).await;
    assert!(!matches!(refused.read(&mut byte).await, Ok(n) if n > 0));
    let status = until(&router, |s| s.connectors.iter().any(|c| c.last_error.is_some())).await;
    let connector = status.connectors.iter().find(|c| c.name == "nowhere").unwrap();
    assert_eq!(connector.last_error, Some(format!("connection refused by 127.0.0.1:{nowhere}")));
    until(&router, |s| s.totals.open_flows == 0).await;
}

#[test]
fn all_problems_are_found_before_anything_listens() {
    let network = Network::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken_port = taken.local_addr().unwrap().port();
    let free = free_port();
    let mut config = network.edge_config("edge");
    config.ssl_profiles[0].cert_file = Some("/nowhere/tls.crt".to_owned());
    config.tcp_listeners.push(bridge("one", taken_port, "a:1"));
    config.tcp_listeners.push(bridge("two", free, "b:1"));
    config.tcp_listeners.push(bridge("three", free, "c:1"));
    let mut bad = bridge("four", 1, "d:1");
    bad.port = "seventy".to_owned();
    config.tcp_connectors.push(bad);
    let mut secret = bridge("five", 1, "e:1");
    secret.ssl_profile = Some("nothing".to_owned());
    config.tcp_connectors.push(secret);
    let mut secret = bridge("six", free_port(), "f:1");
    secret.ssl_profile = Some("edge".to_owned());
    config.tcp_listeners.push(secret);
    let mut proof = bridge("seven", free_port(), "g:1");
    proof.authenticate_peer = Some(true);
    config.tcp_listeners.push(proof);
    let Err(error) = start(&config, StartOptions::default()) else { panic!("it started") };
    let StartError::Problems(problems) = &error else { panic!("{error}") };
    assert_eq!(problems.len(), 6, "{error}");
    let text = error.to_string();
    for words in [
        "sslProfile edge: cannot read certificate /nowhere/tls.crt".to_owned(),
        format!("tcpListener one: 127.0.0.1:{taken_port} is in use by "),
        format!("(pid {})", std::process::id()),
        format!("tcpListener three: 127.0.0.1:{free} is the port of tcpListener two too"),
        "tcpConnector four: `seventy` is not a port".to_owned(),
        "tcpConnector five: there is no sslProfile nothing".to_owned(),
        "tcpListener seven: clients can prove who they are only with certificates".to_owned(),
    ] {
        assert!(text.contains(&words), "{words}\nis not in\n{text}");
    }
    // Nothing stays open.
    std::net::TcpListener::bind(("127.0.0.1", free)).unwrap();
}

#[tokio::test]
async fn what_is_not_served_is_said() {
    let network = Network::new();
    let mut config = network.edge_config("edge");
    config.listeners.push(moorline_definition::router_config::Listener {
        name: "routers".to_owned(),
        role: moorline_definition::router_config::Role::InterRouter,
        host: Some("localhost".to_owned()),
        ..Default::default()
    });
    let soon = network.ca.issue("soon", &[dns("")], (-9, 3));
    config.ssl_profiles = vec![network.profile("edge", &network.ca, &soon)];
    let _router = run(&config);
    logged(&["WARN", "the certificate of sslProfile edge expires at 20"]).await;
    logged(&["WARN", "listener routers is not opened", "its role is not served"]).await;
}
