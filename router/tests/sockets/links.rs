//! Uplinks: several of them, through proxies, over IPv6; and certificates that are renewed while all goes on.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::network::{Network, bridge, dial, echo_server, exchange, free_port, is_up, logged, run, until};
use crate::pki::{Ca, VALID, dns, ip};
use crate::tls_peers::{ClientStream, client_config, connect};
use moorline_definition::router_config::{Connector, ProxyProfile, RouterConfig};
use moorline_router::io::{ListenerState, RouterHandle, StartOptions, UplinkState, start};
use moorline_tests::proxy::Proxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn has_ipv6() -> bool {
    let has = std::net::TcpListener::bind("[::1]:0").is_ok();
    if !has {
        println!("skipped: this machine has no ::1");
    }
    has
}

fn peer_of(status: &moorline_router::io::RouterStatus) -> Option<String> {
    status.uplinks.iter().find(|u| u.state == UplinkState::Up)?.peer.as_ref().map(|peer| peer.container.clone())
}

#[tokio::test]
async fn the_cheapest_uplink_serves_and_another_takes_over_at_once() {
    let network = Network::new();
    let mut second_hub = network.hub_config();
    second_hub.router.id = "second".to_owned();
    second_hub.listeners[0].port = free_port();
    let mut config = network.edge_config("edge");
    config.connectors[0].cost = Some(5);
    let preferred = Connector {
        name: "preferred".to_owned(),
        cost: Some(2),
        port: second_hub.listeners[0].port.to_string(),
        ..config.connectors[0].clone()
    };
    config.connectors.push(preferred);
    let server = echo_server().await;
    let port = free_port();
    config.tcp_connectors.push(bridge("echo", server.port(), "echo:7"));
    config.tcp_listeners.push(bridge("echo", port, "echo:7"));
    let first = run(&network.hub_config());
    let second = run(&second_hub);
    let edge = run(&config);

    let status = until(&edge, is_up).await;
    assert_eq!(peer_of(&status).as_deref(), Some("second"));
    let states: Vec<UplinkState> = status.uplinks.iter().map(|uplink| uplink.state).collect();
    assert_eq!(states, [UplinkState::Up, UplinkState::Standby]);

    second.drain(Duration::ZERO).await.unwrap();
    until(&edge, |s| peer_of(s).as_deref() == Some("hub")).await;
    assert_eq!(exchange(dial(port).await, vec![7; 10_000]).await.len(), 10_000);
    // The preferred one is back; what works stays.
    let second = run(&second_hub);
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(peer_of(&edge.status().await.unwrap()).as_deref(), Some("hub"));
    assert!(second.status().await.unwrap().edges.is_empty());
    first.drain(Duration::ZERO).await.unwrap();
    until(&edge, |s| peer_of(s).as_deref() == Some("second")).await;
}

fn through(config: &mut RouterConfig, port: u16, user: Option<(&str, &Path)>) {
    config.proxy_profiles = vec![ProxyProfile {
        name: "proxy".to_owned(),
        host: "localhost".to_owned(),
        port: port.to_string(),
        username: user.map(|(name, _)| name.to_owned()),
        password: user.map(|(_, file)| format!("file:{}", file.display())),
        ..ProxyProfile::default()
    }];
    config.connectors[0].proxy_profile = Some("proxy".to_owned());
}

#[tokio::test]
async fn an_uplink_goes_through_a_proxy() {
    let network = Network::new();
    let _hub = run(&network.hub_config());
    let open = Proxy::start(None);
    let mut config = network.edge_config("edge");
    through(&mut config, open.port(), None);
    let edge = run(&config);
    until(&edge, is_up).await;
    assert_eq!(open.tunnels(), 1);

    // With credentials, which a file holds and which may be put right while the router runs.
    let file = network.folder.path().join("password");
    std::fs::write(&file, "wrong\n").unwrap();
    let asks = Proxy::start(Some("Proxy-Authorization: Basic bWU6c2VjcmV0\r\n"));
    let mut config = network.edge_config("other");
    through(&mut config, asks.port(), Some(("me", &file)));
    let edge = run(&config);
    let status = until(&edge, |s| s.uplinks[0].last_error.is_some()).await;
    let cause = status.uplinks[0].last_error.clone().unwrap();
    assert_eq!(cause, format!("the proxy localhost:{} asks for other credentials (407)", asks.port()));
    std::fs::write(&file, "secret\n").unwrap();
    until(&edge, is_up).await;

    let mut config = network.edge_config("nowhere");
    through(&mut config, open.port(), None);
    config.connectors[0].port = free_port().to_string();
    let edge = run(&config);
    let status = until(&edge, |s| s.uplinks[0].last_error.is_some()).await;
    assert!(status.uplinks[0].last_error.clone().unwrap().contains("cannot reach the other end: 502"));
}

#[tokio::test]
async fn everything_goes_over_ipv6() {
    if !has_ipv6() {
        return;
    }
    let network = Network::new();
    let leaf = network.ca.issue("hub", &[ip("::1")], VALID);
    let mut hub = network.hub_config();
    hub.ssl_profiles = vec![network.profile("hub", &network.ca, &leaf)];
    hub.listeners[0].host = Some("::1".to_owned());
    let _hub = run(&hub);
    let server = TcpListener::bind("[::1]:0").await.unwrap();
    let mut config = network.edge_config("edge");
    config.connectors[0].host = "[::1]".to_owned();
    for (name, host) in [("address", "::1"), ("brackets", "[::1]"), ("name", "localhost")] {
        let mut connector = bridge(name, server.local_addr().unwrap().port(), &format!("{name}:1"));
        connector.host = Some(host.to_owned());
        config.tcp_connectors.push(connector);
        let mut listener = bridge(name, 0, &format!("{name}:1"));
        listener.host = Some(if name == "brackets" { "[::1]" } else { "::" }.to_owned());
        config.tcp_listeners.push(listener);
    }
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = server.accept().await {
            stream.write_all(b"six").await.unwrap();
        }
    });
    let edge = run(&config);
    let status = until(&edge, |s| is_up(s) && s.listeners.iter().all(|l| l.state == ListenerState::Listening)).await;
    for listener in status.listeners {
        let mut answer = String::new();
        let mut client = TcpStream::connect(("::1", listener.port)).await.unwrap();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "six", "{}", listener.name);
    }
    logged(&["AMQP listening", "[::1]:"]).await;
    logged(&["access", "peer=[::1]:"]).await;
}

/// The certificate that a server shows now, DER.
fn shown(port: u16, ca: &Ca) -> Vec<u8> {
    let mut client = connect(port, client_config(ca, None, &[]));
    client.conn.complete_io(&mut client.sock).unwrap();
    client.conn.peer_certificates().unwrap()[0].to_vec()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

fn still_works(client: &mut ClientStream) {
    client.write_all(b"alive").unwrap();
    let mut five = [0; 5];
    client.read_exact(&mut five).unwrap();
    assert_eq!(&five, b"alive");
}

/// Starts with a quick look at certificate files.
fn watchful(config: &RouterConfig) -> RouterHandle {
    let options = StartOptions { certificate_check: Duration::from_millis(50), ..StartOptions::default() };
    start(config, options).unwrap_or_else(|error| panic!("{error}"))
}

async fn renewals(router: &RouterHandle, profile: &str, count: u64) {
    until(router, |s| s.certificates.iter().any(|c| c.profile == profile && c.renewals == count)).await;
}

#[tokio::test]
async fn a_service_shows_a_renewed_certificate_and_cuts_nobody() {
    let network = Network::new();
    let ca = Arc::new(Ca::new("skupper-service-ca"));
    // As Kubernetes mounts a secret: files are links into a folder that is replaced as a whole.
    let mount = network.folder.path().join("service");
    let fill = |data: &str| {
        let leaf = ca.issue("service", &[dns("localhost")], VALID);
        crate::pki::write(&mount.join(data), &ca, &leaf);
        leaf
    };
    let swap = |data: &str| {
        let _ = std::fs::remove_file(mount.join("..new"));
        std::os::unix::fs::symlink(data, mount.join("..new")).unwrap();
        std::fs::rename(mount.join("..new"), mount.join("..data")).unwrap();
    };
    fill("..1");
    swap("..1");
    let mut config = network.edge_config("edge");
    config.connectors.clear();
    let file = |name: &str| {
        std::os::unix::fs::symlink(Path::new("..data").join(name), mount.join(name)).unwrap();
        Some(mount.join(name).display().to_string())
    };
    config.ssl_profiles.push(moorline_definition::router_config::SslProfile {
        name: "service".to_owned(),
        ca_cert_file: file("ca.crt"),
        cert_file: file("tls.crt"),
        private_key_file: file("tls.key"),
        ..Default::default()
    });
    let server = echo_server().await;
    let port = free_port();
    config.tcp_connectors.push(bridge("echo", server.port(), "echo:7"));
    let mut listener = bridge("echo", port, "echo:7");
    listener.ssl_profile = Some("service".to_owned());
    config.tcp_listeners.push(listener);
    let router = watchful(&config);

    let look = |ca: &Arc<Ca>| {
        let ca = Arc::clone(ca);
        blocking(move || shown(port, &ca))
    };
    let first = look(&ca).await;
    let trust = client_config(&ca, None, &[]);
    let mut open = blocking(move || {
        let mut client = connect(port, trust);
        still_works(&mut client);
        client
    })
    .await;

    fill("..2");
    swap("..2");
    renewals(&router, "service", 1).await;
    let second = look(&ca).await;
    assert_ne!(first, second);

    // Half a pair: a key that does not belong to the certificate.
    let next = ca.issue("service", &[dns("localhost")], VALID);
    std::fs::write(mount.join("..2/tls.key"), &next.key).unwrap();
    until(&router, |s| s.certificates.iter().any(|c| c.problem.is_some())).await;
    let line = logged(&["certificate files cannot be used", "does not belong to the certificate"]).await;
    assert!(line.contains("WARN") && line.contains("service"), "{line}");
    assert_eq!(look(&ca).await, second);
    std::fs::write(mount.join("..2/tls.crt"), &next.certificate).unwrap();
    renewals(&router, "service", 2).await;
    assert_ne!(look(&ca).await, second);
    assert!(router.status().await.unwrap().certificates.iter().all(|c| c.problem.is_none()));
    blocking(move || still_works(&mut open)).await;
}

#[tokio::test]
async fn a_hub_and_its_edges_move_to_another_authority_without_a_restart() {
    let network = Network::new();
    let hub = watchful(&network.hub_config());
    let mut config = network.edge_config("edge");
    let server = echo_server().await;
    config.tcp_connectors.push(bridge("echo", server.port(), "echo:7"));
    let edge = watchful(&config);
    until(&edge, is_up).await;
    let since = edge.status().await.unwrap().uplinks[0].since;

    let other = Ca::new("another-ca");
    let of_hub = other.issue("hub", &[dns("localhost"), ip("127.0.0.1")], VALID);
    crate::pki::write(&network.folder.path().join("hub"), &other, &of_hub);
    hub.renew_certificates().await.unwrap();
    renewals(&hub, "hub", 1).await;
    // Who is linked stays so; who comes new needs the new authority.
    let status = edge.status().await.unwrap();
    assert!(is_up(&status) && status.uplinks[0].since == since);
    let late = run(&network.edge_config("late"));
    let status = until(&late, |s| s.uplinks[0].last_error.is_some()).await;
    assert!(status.uplinks[0].last_error.clone().unwrap().contains("signed by another CA"));
    crate::pki::write(&network.folder.path().join("late"), &other, &other.issue("late", &[dns("")], VALID));
    until(&late, is_up).await;
}

#[tokio::test]
async fn the_end_of_a_certificate_is_told() {
    let network = Network::new();
    let expired = network.ca.issue("expired", &[dns("")], (-9, -2));
    let _edge = run(&network.edge_config_with("expired", &network.ca, &expired));
    let line = logged(&["the certificate of sslProfile expired has expired since 20"]).await;
    assert!(line.contains("ERROR"), "{line}");
    let soon = network.ca.issue("soon", &[dns("")], (-9, 5));
    let edge = run(&network.edge_config_with("soon", &network.ca, &soon));
    let line = logged(&["the certificate of sslProfile soon expires at 20"]).await;
    assert!(line.contains("WARN"), "{line}");
    let status = edge.status().await.unwrap();
    assert!(status.certificates[0].not_after < status.certificates[0].ca_not_after);
}
