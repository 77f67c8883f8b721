//! A network that swallows everything without a word.

use std::time::Duration;

use crate::network::{Network, bridge, dial, free_port, is_up, run, until};
use moorline_router::io::ListenerState;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes bytes on to `port` until told to stop; the sockets stay open then, unread.
async fn relay(port: u16, stop: watch::Receiver<bool>) -> u16 {
    let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = door.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut near, _) = door.accept().await.unwrap();
        // Whoever comes later is not answered either.
        let mut far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let mut stopped = stop.clone();
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
            _ = stopped.wait_for(|stop| *stop) => {}
        }
        std::future::pending::<()>().await;
        drop((near, far, door));
    });
    own
}

#[tokio::test]
async fn an_uplink_that_falls_silent_with_a_full_wire_is_given_up() {
    let network = Network::new();
    let _hub = run(&network.hub_config());
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = network.edge_config("server-side");
    config.tcp_connectors.push(bridge("server", server.local_addr().unwrap().port(), "service:1"));
    let near_server = run(&config);
    until(&near_server, is_up).await;

    let (stop, stopped) = watch::channel(false);
    let mut config = network.edge_config("client-side");
    config.connectors[0].port = relay(network.port, stopped).await.to_string();
    config.connectors[0].idle_timeout_seconds = Some(2);
    let port = free_port();
    config.tcp_listeners.push(bridge("service", port, "service:1"));
    let near_client = run(&config);
    until(&near_client, |s| s.listeners[0].state == ListenerState::Listening).await;

    let mut clients = Vec::new();
    for _ in 0..16 {
        let mut client = dial(port).await;
        client.write_all(b"first").await.unwrap();
        clients.push((client, server.accept().await.unwrap().0));
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    stop.send(true).unwrap();
    for (client, _) in &mut clients {
        let block = vec![7; 4 << 20];
        // The window ends it.
        let _ = tokio::time::timeout(Duration::from_millis(100), client.write_all(&block)).await;
    }
    until(&near_client, |s| !is_up(s) && s.totals.open_flows == 0).await;
    drop(near_server);
}
