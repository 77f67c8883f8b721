//! An edge with two uplinks to the network's own routers.

use std::time::Duration;

use crate::network::{Network, bridge, dial, echo_server, free_port, run, until};
use crate::real_router::RealRouter;
use moorline_definition::router_config::{Connector, Role, RouterConfig};
use moorline_router::io::{RouterStatus, UplinkState};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn linked_to(status: &RouterStatus, name: &str) -> bool {
    let up = status.uplinks.iter().find(|uplink| uplink.state == UplinkState::Up);
    up.and_then(|uplink| uplink.peer.as_ref()).is_some_and(|peer| peer.container == name)
}

/// The interiors need their time to tell each other who serves what.
async fn echoes(port: u16) {
    let mut last = None;
    for _ in 0..100 {
        let mut client = dial(port).await;
        let mut answer = [0; 5];
        let asked = async {
            client.write_all(b"hello").await?;
            client.read_exact(&mut answer).await
        };
        match tokio::time::timeout(Duration::from_secs(10), asked).await.unwrap() {
            Ok(_) => return assert_eq!(&answer, b"hello"),
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the service never answers: {last:?}");
}

#[tokio::test]
async fn one_interior_takes_over_from_another() {
    let Some(program) = crate::real_router::program() else { return };
    let network = Network::new();
    let folder = network.folder.path();
    let (first, second, between) = (free_port(), free_port(), free_port());
    let edges = |port: u16| json!(["listener", {"name": "edges", "role": "edge", "host": "127.0.0.1", "port": port}]);
    // The second interior serves the service; the first reaches it, while it is there.
    let echo = echo_server().await;
    let mut service =
        json!({"name": "echo", "address": "echo:7", "host": "127.0.0.1", "port": echo.port().to_string()});
    if crate::real_router::has_encapsulations(&program) {
        service["encapsulation"] = "legacy".into();
    }
    let behind = RealRouter::run(
        &program,
        folder,
        "second",
        "interior",
        vec![
            edges(second),
            json!(["listener", {"name": "routers", "role": "inter-router", "host": "127.0.0.1", "port": between}]),
            json!(["tcpConnector", service]),
        ],
    );
    let before = RealRouter::run(
        &program,
        folder,
        "first",
        "interior",
        vec![
            edges(first),
            json!(["connector", {"name": "routers", "role": "inter-router", "host": "127.0.0.1", "port": between.to_string()}]),
        ],
    );
    let mut config = RouterConfig::default();
    config.router.id = "edge".to_owned();
    for (name, port, cost) in [("to-second", second, 2), ("to-first", first, 1)] {
        config.connectors.push(Connector {
            name: name.to_owned(),
            role: Role::Edge,
            host: "127.0.0.1".to_owned(),
            port: port.to_string(),
            cost: Some(cost),
            ..Connector::default()
        });
    }
    let port = free_port();
    config.tcp_listeners.push(bridge("echo", port, "echo:7"));
    let edge = run(&config);
    // Whichever was there first: the cheaper serves once the other is gone and back, or from the start.
    let status = until(&edge, |s| linked_to(s, "first") || linked_to(s, "second")).await;
    echoes(port).await;
    if linked_to(&status, "first") {
        drop(before);
        until(&edge, |s| linked_to(s, "second")).await;
        echoes(port).await;
    } else {
        drop(behind);
        until(&edge, |s| linked_to(s, "first")).await;
    }
}
