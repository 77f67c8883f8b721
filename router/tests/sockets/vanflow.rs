//! What collectors hear of a hub, its edges and the connections through them.

use crate::collector::{Collector, Record};
use crate::http_sockets::http_bridge;
use crate::network::{Network, bridge, dial, echo_server, exchange, free_port, is_up, run, until};
use moorline_amqp::Value;
use moorline_definition::router_config::{HttpVersion, Listener, Role, RouterConfig};
use moorline_router::io::{ListenerState, RouterHandle, StartOptions, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const ROUTER: u32 = 1;
const LINK: u32 = 2;
const LISTENER: u32 = 4;
const CONNECTOR: u32 = 5;
const FLOW: u32 = 6;

fn of_site(config: &RouterConfig, site: &str) -> RouterHandle {
    let options =
        StartOptions { site: Some(site.to_owned()), host_name: Some("host".to_owned()), ..StartOptions::default() };
    start(config, options).unwrap_or_else(|error| panic!("{error}"))
}

fn hub_with_clients(network: &Network) -> (RouterHandle, u16) {
    let mut config = network.hub_config();
    let port = free_port();
    config.listeners.push(Listener {
        name: "clients".to_owned(),
        role: Role::Normal,
        host: Some("127.0.0.1".to_owned()),
        port,
        authenticate_peer: Some(false),
        ..Listener::default()
    });
    (run(&config), port)
}

fn text(record: &Record, key: u32) -> &str {
    record.get(&key).and_then(Value::as_str).unwrap_or_else(|| panic!("no {key}: {record:?}"))
}

fn number(record: &Record, key: u32) -> u64 {
    match record.get(&key) {
        Some(Value::Ulong(number)) => *number,
        other => panic!("{key}: {other:?} in {record:?}"),
    }
}

#[tokio::test]
async fn a_gateway_its_services_and_its_traffic_are_told() {
    let network = Network::new();
    let (hub, clients) = hub_with_clients(&network);
    let server = echo_server().await;
    let mut config = network.edge_config("west");
    config.tcp_connectors.push(bridge("echo-server", server.port(), "echo:7"));
    let west = of_site(&config, "gateway_west_1");
    let mut config = network.edge_config("east");
    let port = free_port();
    config.tcp_listeners.push(bridge("echo-port", port, "echo:7"));
    let east = of_site(&config, "gateway_east_2");
    until(&east, |s| s.listeners[0].state == ListenerState::Listening).await;
    // Nobody listened to this one.
    assert_eq!(exchange(dial(port).await, b"unseen".to_vec()).await, b"unseen");
    until(&west, |s| s.totals.open_flows == 0).await;
    until(&east, |s| s.totals.open_flows == 0).await;

    let mut collector = Collector::connect(clients).await;
    collector.until(|c| c.find(ROUTER, &[]).len() == 3 && c.find(LINK, &[]).len() == 2).await;
    let router = |c: &Collector, name: &str| c.find(ROUTER, &[(30, name)]).remove(0);
    let (at_hub, at_west, at_east) =
        (router(&collector, "0/hub"), router(&collector, "0/west"), router(&collector, "0/east"));
    assert_eq!((text(&at_hub, 13), at_hub.get(&2)), ("interior", None));
    assert_eq!((text(&at_west, 13), text(&at_west, 2), text(&at_west, 22)), ("edge", "gateway_west_1", "host"));
    assert_eq!(text(&at_east, 2), "gateway_east_2");
    for edge in [&at_west, &at_east] {
        let link = collector.find(LINK, &[(2, text(edge, 1))]).remove(0);
        assert_eq!((text(&link, 30), text(&link, 34), text(&link, 13)), ("hub", "outgoing", "edge"));
    }
    collector.until(|c| !c.find(LISTENER, &[]).is_empty() && !c.find(CONNECTOR, &[]).is_empty()).await;
    let listener = collector.find(LISTENER, &[(2, text(&at_east, 1)), (19, "echo:7")]).remove(0);
    let connector = collector.find(CONNECTOR, &[(2, text(&at_west, 1)), (19, "echo:7")]).remove(0);
    assert_eq!((text(&listener, 30), text(&listener, 18)), ("echo-port", &*port.to_string()));
    assert_eq!((text(&connector, 15), text(&connector, 18)), ("127.0.0.1", &*server.port().to_string()));
    assert_eq!((number(&listener, 40), number(&connector, 40)), (1, 1));
    assert!(collector.find(FLOW, &[]).is_empty(), "what is over is not told");

    // One that is over before anyone looks, and one that is seen to grow.
    assert_eq!(exchange(dial(port).await, b"short".to_vec()).await, b"short");
    collector.until(|c| c.find(FLOW, &[]).iter().filter(|flow| flow.contains_key(&4)).count() == 2).await;
    let (client, pair) = pair_of(&collector, &listener, &connector, 0);
    assert!(number(&client, 3) <= number(&client, 4) && client.contains_key(&24));
    assert_eq!((number(&client, 23), number(&pair, 23)), (5, 5));
    assert_eq!((text(&client, 14), text(&pair, 14), text(&pair, 31)), ("127.0.0.1", "127.0.0.1", "0/hub"));

    let mut long = dial(port).await;
    let mut answer = [0; 3];
    for round in 1..=2 {
        long.write_all(b"abc").await.unwrap();
        long.read_exact(&mut answer).await.unwrap();
        collector.until(|c| c.find(FLOW, &[]).iter().filter(|flow| number(flow, 23) == 3 * round).count() == 2).await;
    }
    let open: Vec<Record> = collector.find(FLOW, &[]).into_iter().filter(|flow| !flow.contains_key(&4)).collect();
    assert_eq!(open.len(), 2);
    let id = text(&open[0], 1).to_owned();
    let updates: Vec<&Record> = collector.said.iter().map(|(_, said)| said).filter(|s| text(s, 1) == id).collect();
    assert!(updates.len() >= 2 && !updates[1].contains_key(&2), "an update says what has changed: {updates:?}");
    drop(long);
    collector.until(|c| c.find(FLOW, &[]).iter().all(|flow| flow.contains_key(&4))).await;

    west.remove_tcp_connector("echo-server").await.unwrap();
    collector.until(|c| c.find(CONNECTOR, &[]).iter().all(|record| record.contains_key(&4))).await;
    assert!(collector.heartbeats.contains(&text(&at_west, 1).to_owned()));
    drop((hub, west, east));
}

/// Both ends of the n-th connection.
fn pair_of(collector: &Collector, listener: &Record, connector: &Record, at: usize) -> (Record, Record) {
    let client = collector.find(FLOW, &[(2, text(listener, 1))]).remove(at);
    let pair = collector.find(FLOW, &[(2, text(connector, 1)), (5, text(&client, 1))]).remove(0);
    (client, pair)
}

#[tokio::test]
async fn a_lost_hub_is_no_end_of_the_books() {
    let network = Network::new();
    let (hub, clients) = hub_with_clients(&network);
    let mut config = network.edge_config("west");
    config.tcp_connectors.push(bridge("server", 1, "echo:7"));
    let west = of_site(&config, "gateway_west_1");
    until(&west, is_up).await;
    let mut collector = Collector::connect(clients).await;
    collector.until(|c| c.find(CONNECTOR, &[]).len() == 1).await;
    let before = collector.find(CONNECTOR, &[]).remove(0);
    drop(collector);
    hub.drain(std::time::Duration::ZERO).await.unwrap();
    let (_hub, clients) = hub_with_clients(&network);
    until(&west, is_up).await;
    let mut collector = Collector::connect(clients).await;
    collector.until(|c| c.find(CONNECTOR, &[]).len() == 1 && c.find(LINK, &[]).len() == 1).await;
    assert_eq!(collector.find(CONNECTOR, &[]).remove(0), before, "a new collector is told all that there is");
}

/// A request is a record of its own, in that of its connection.
#[tokio::test]
async fn requests_are_told_at_both_ends() {
    let network = Network::new();
    let (hub, clients) = hub_with_clients(&network);
    for (version, protocol) in [(HttpVersion::Http1, "http1"), (HttpVersion::Http2, "http2")] {
        let server = match version {
            HttpVersion::Http1 => crate::http_sockets::mirror("one").await,
            HttpVersion::Http2 => crate::http2_sockets::mirror("one").await,
        };
        let address = format!("{protocol}:80");
        let mut config = network.edge_config(&format!("west-{protocol}"));
        config.http_connectors.push(http_bridge("server", server.port(), &address, version));
        let west = of_site(&config, "gateway_west_1");
        let mut config = network.edge_config(&format!("east-{protocol}"));
        let port = free_port();
        config.http_listeners.push(http_bridge("port", port, &address, version));
        let east = of_site(&config, "gateway_east_2");
        until(&east, |s| s.http_listeners[0].state == Some(ListenerState::Listening)).await;
        let mut collector = Collector::connect(clients).await;
        collector
            .until(|c| {
                c.find(CONNECTOR, &[(19, &address)]).len() == 1 && c.find(LISTENER, &[(19, &address)]).len() == 1
            })
            .await;
        let listener = collector.find(LISTENER, &[(19, &address)]).remove(0);
        let connector = collector.find(CONNECTOR, &[(19, &address)]).remove(0);
        assert_eq!([text(&listener, 16), text(&connector, 16)], [protocol; 2]);

        match version {
            HttpVersion::Http1 => {
                let mut client = crate::http_sockets::Wire::dial(port).await;
                let (head, _) = client.ask("PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello").await;
                assert_eq!(crate::http_sockets::status(&head), "200");
            }
            HttpVersion::Http2 => {
                let mut client = crate::http2_sockets::client(port).await;
                let mut request = crate::http2_sockets::get("/x");
                *request.method_mut() = http::Method::PUT;
                let (parts, _, _) =
                    crate::http2_sockets::ask(&mut client, request, bytes::Bytes::from_static(b"hello")).await;
                assert_eq!(parts.status, 200);
            }
        }
        let of = |c: &Collector, parent: &Record| c.find(FLOW, &[(2, text(parent, 1))]);
        let request = |c: &Collector, service: &Record| {
            let connections = of(c, service);
            connections.iter().flat_map(|connection| of(c, connection)).next()
        };
        collector.until(|c| request(c, &listener).is_some() && request(c, &connector).is_some()).await;
        let (asked, served) = (request(&collector, &listener).unwrap(), request(&collector, &connector).unwrap());
        assert_eq!((text(&asked, 27), number(&asked, 23)), ("PUT", 5));
        assert_eq!(asked.contains_key(&5), version == HttpVersion::Http2, "{asked:?}");
        assert_eq!((text(&served, 5), text(&served, 31), served.get(&27)), (text(&asked, 1), "0/hub", None));
        assert!(number(&served, 23) > 5, "the answer: {served:?}");
        // The end whose records have it in skupper-router tells the result: collectors count each that they see.
        let (told, silent) = match version {
            HttpVersion::Http1 => (&asked, &served),
            HttpVersion::Http2 => (&served, &asked),
        };
        assert_eq!((text(told, 28), silent.get(&28)), ("200", None));
        for record in [&asked, &served] {
            assert!(number(record, 3) <= number(record, 4) && number(record, 24) > 0, "{record:?}");
        }
        let client = of(&collector, &listener).remove(0);
        assert_eq!(text(&client, 14), "127.0.0.1");
        collector.until(|c| of(c, &listener).iter().all(|connection| connection.contains_key(&4))).await;
        drop((west, east));
    }
    drop(hub);
}
