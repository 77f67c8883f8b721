//! Edges that tell each other of their services, through a hub.

use moorline_definition::router_config::{HttpBridge, RouterConfig, TcpBridge};
use moorline_router::io::{RouterHandle, RouterStatus, StartOptions, start};

use crate::network::{Network, bridge, is_up, run, until};

const SITE: &str = "gateway_west_1";

/// A router of a site.
fn site(config: &RouterConfig, site: Option<&str>) -> RouterHandle {
    let site = site.map(str::to_owned);
    let options = StartOptions { site, skupper_version: "1.8.7".to_owned(), ..StartOptions::default() };
    start(config, options).unwrap_or_else(|error| panic!("{error}"))
}

fn heard(status: &RouterStatus) -> Vec<String> {
    let services = status.services.iter();
    services.map(|heard| format!("{} {} {:?}", heard.origin, heard.service.address, heard.service.ports)).collect()
}

fn db() -> TcpBridge {
    TcpBridge { announce: Some(true), ..bridge("db", 5432, "db:5432") }
}

fn log(port: u16) -> HttpBridge {
    HttpBridge {
        name: format!("log-{port}"),
        host: Some("127.0.0.1".to_owned()),
        port: port.to_string(),
        address: format!("log:{port}"),
        event_channel: Some(true),
        announce: Some(true),
        ..HttpBridge::default()
    }
}

#[tokio::test]
async fn edges_hear_what_another_announces_and_when_it_is_over() {
    let network = Network::new();
    let hub = run(&network.hub_config());
    let west = site(&network.edge_config("west"), Some(SITE));
    let east = run(&network.edge_config("east"));
    for edge in [&west, &east] {
        until(edge, is_up).await;
    }
    assert!(west.status().await.unwrap().announced.is_empty());
    west.add_tcp_connector(&bridge("quiet", 1, "quiet:1")).await.unwrap();

    west.add_tcp_connector(&db()).await.unwrap();
    for other in [&east, &hub] {
        let status = until(other, |status| !status.services.is_empty()).await;
        assert_eq!(heard(&status), ["gateway_west_1 db [5432]"]);
        assert_eq!(status.services[0].service.protocol, "tcp");
    }
    let status = west.status().await.unwrap();
    assert_eq!((status.announced.len(), heard(&status)), (1, Vec::new()), "its own are not heard of");

    west.add_http_connector(&log(81)).await.unwrap();
    west.add_http_connector(&log(80)).await.unwrap();
    let all = ["gateway_west_1 db [5432]", "gateway_west_1 log [80, 81]"];
    let status = until(&east, |status| heard(status) == all).await;
    assert!(status.services[1].service.eventchannel);

    // Who comes later hears it too.
    let late = run(&network.edge_config("late"));
    until(&late, |status| heard(status) == all).await;

    west.remove_tcp_connector("db").await.unwrap();
    until(&late, |status| heard(status) == all[1..]).await;
    for name in ["log-80", "log-81"] {
        west.remove_http_connector(name).await.unwrap();
    }
    for other in [&east, &late, &hub] {
        until(other, |status| status.services.is_empty()).await;
    }
    assert!(west.status().await.unwrap().announced.is_empty());
}

#[tokio::test]
async fn a_new_uplink_hears_it_at_once() {
    let network = Network::new();
    let config = RouterConfig { tcp_connectors: vec![db()], ..network.edge_config("west") };
    let west = site(&config, Some(SITE));
    until(&west, |status| status.announced.len() == 1).await;
    for _ in 0..2 {
        let hub = run(&network.hub_config());
        until(&hub, |status| heard(status) == ["gateway_west_1 db [5432]"]).await;
        hub.drain(std::time::Duration::ZERO).await.unwrap();
        until(&west, |status| !is_up(status)).await;
    }
}

#[tokio::test]
async fn a_router_of_no_site_announces_nothing() {
    let network = Network::new();
    let hub = run(&network.hub_config());
    let config = |name: &str| RouterConfig { tcp_connectors: vec![db()], ..network.edge_config(name) };
    let west = site(&config("west"), None);
    let east = site(&config("east"), Some("gateway_east_2"));
    until(&west, is_up).await;
    until(&east, |status| status.announced.len() == 1).await;
    let status = until(&west, |status| !status.services.is_empty()).await;
    assert_eq!((heard(&status), status.announced), (vec!["gateway_east_2 db [5432]".to_owned()], Vec::new()));
    until(&hub, |status| heard(status) == ["gateway_east_2 db [5432]"]).await;
}
