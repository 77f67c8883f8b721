//! TLS between the router and its clients and servers.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;

use crate::network::{Network, bridge, dial, echo_server, free_port, logged, run, until};
use crate::pki::{Ca, Leaf, VALID, dns, ip};
use crate::tls_peers::{ClientStream, TlsServer, client_config, connect, exchange, identity};
use moorline_definition::router_config::{Encapsulation, RouterConfig};
use moorline_router::io::tls::Clients;
use moorline_router::io::{ListenerState, RouterHandle};
use tokio::io::AsyncReadExt;

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n.wrapping_mul(31) ^ (n >> 9)) as u8).collect()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// A router without a network that has a profile `service` for `localhost`, and the authority of both.
struct Services {
    network: Network,
    ca: Ca,
    config: RouterConfig,
}

impl Services {
    fn new() -> Services {
        let network = Network::new();
        let ca = Ca::new("skupper-service-ca");
        let mut config = network.edge_config("edge");
        config.connectors.clear();
        config.ssl_profiles.push(network.profile("service", &ca, &server_leaf(&ca)));
        Services { network, ca, config }
    }

    /// A TLS listener in front of an address; answers its port.
    fn listener(&mut self, address: &str) -> u16 {
        let port = free_port();
        let mut listener = bridge(address, port, address);
        listener.ssl_profile = Some("service".to_owned());
        self.config.tcp_listeners.push(listener);
        port
    }

    /// A connector that speaks TLS to a server; answers its place in the configuration.
    fn connector(&mut self, address: &str, server: u16) -> usize {
        let mut connector = bridge(address, server, address);
        connector.host = Some("localhost".to_owned());
        connector.ssl_profile = Some("service".to_owned());
        self.config.tcp_connectors.push(connector);
        self.config.tcp_connectors.len() - 1
    }
}

fn server_leaf(ca: &Ca) -> Leaf {
    ca.issue("service", &[dns("localhost")], VALID)
}

async fn listening(router: &RouterHandle) {
    until(router, |s| s.listeners.iter().all(|l| l.state == ListenerState::Listening)).await;
}

/// Fails in the handshake, or with the first bytes.
fn refused(mut stream: ClientStream) -> bool {
    let mut byte = [0];
    stream.write_all(b"hello").is_err() || stream.flush().is_err() || !matches!(stream.read(&mut byte), Ok(1))
}

#[tokio::test]
async fn both_ends_of_a_service_speak_tls_through_a_hub() {
    let mut services = Services::new();
    let network = &services.network;
    let _hub = run(&network.hub_config());
    let server = TlsServer::new(&identity(&services.ca, Some(&server_leaf(&services.ca))), Clients::Anonymous, &[]);
    let mut near_server = network.edge_config("near-server");
    near_server.ssl_profiles.push(services.config.ssl_profiles[1].clone());
    let port = services.listener("secure:1");
    services.connector("secure:1", server.address.port());
    near_server.tcp_connectors = std::mem::take(&mut services.config.tcp_connectors);
    let mut near_client = services.network.edge_config("near-client");
    near_client.ssl_profiles.push(services.config.ssl_profiles[1].clone());
    near_client.tcp_listeners = std::mem::take(&mut services.config.tcp_listeners);
    let _near_server = run(&near_server);
    let near_client = run(&near_client);
    listening(&near_client).await;

    let trust = client_config(&services.ca, None, &[]);
    for length in [0, 1, 16_384, 70_000, 3_000_000] {
        let trust = trust.clone();
        let bytes = pattern(length);
        let expected = bytes.clone();
        let answer = blocking(move || exchange(connect(port, trust), bytes)).await.unwrap();
        assert!(answer == expected, "{length}: {} bytes came back", answer.len());
    }
    let mut tasks = tokio::task::JoinSet::new();
    for n in 1..=20 {
        let trust = trust.clone();
        tasks.spawn_blocking(move || exchange(connect(port, trust), pattern(n * 9_973)).unwrap().len() == n * 9_973);
    }
    assert!(tasks.join_all().await.into_iter().all(|good| good));
    let status = until(&near_client, |s| s.totals.open_flows == 0).await;
    // What is counted is the clear text.
    assert_eq!(status.totals.bytes_in, status.totals.bytes_out);
    let line = logged(&["access", "secure:1", "bytes_in=3000000", "bytes_out=3000000", "side=\"listener\""]).await;
    assert!(line.contains("error=\"\""), "{line}");
}

#[tokio::test]
async fn tls_may_end_or_begin_at_the_router() {
    let mut services = Services::new();
    let plain_server = echo_server().await;
    services.config.tcp_connectors.push(bridge("plain", plain_server.port(), "plain:1"));
    let tls_port = services.listener("plain:1");
    let tls_server = TlsServer::new(&identity(&services.ca, Some(&server_leaf(&services.ca))), Clients::Anonymous, &[]);
    services.connector("secure:1", tls_server.address.port());
    let plain_port = free_port();
    services.config.tcp_listeners.push(bridge("secure", plain_port, "secure:1"));
    let router = run(&services.config);
    listening(&router).await;

    let trust = client_config(&services.ca, None, &[]);
    let answer = blocking(move || exchange(connect(tls_port, trust), pattern(500_000))).await.unwrap();
    assert!(answer == pattern(500_000));
    let answer = crate::network::exchange(dial(plain_port).await, pattern(500_000)).await;
    assert!(answer == pattern(500_000), "{}", answer.len());
}

#[tokio::test]
async fn a_listener_that_authenticates_peers_refuses_the_others() {
    let mut services = Services::new();
    let server = echo_server().await;
    services.config.tcp_connectors.push(bridge("plain", server.port(), "plain:1"));
    let port = services.listener("plain:1");
    services.config.tcp_listeners[0].authenticate_peer = Some(true);
    let router = run(&services.config);
    listening(&router).await;

    let known = services.ca.issue("client", &[dns("")], VALID);
    let config = client_config(&services.ca, Some(&known), &[]);
    let answer = blocking(move || exchange(connect(port, config), pattern(5_000))).await.unwrap();
    assert!(answer == pattern(5_000));
    let nobody = client_config(&services.ca, None, &[]);
    assert!(blocking(move || refused(connect(port, nobody))).await);
    logged(&["refused a client", "plain:1", "the client presented no certificate"]).await;
    let stranger = Ca::new("another-ca").issue("stranger", &[dns("")], VALID);
    let stranger = client_config(&services.ca, Some(&stranger), &[]);
    assert!(blocking(move || refused(connect(port, stranger))).await);
    logged(&["refused a client", "plain:1", "signed by another CA"]).await;
    let status = until(&router, |s| s.totals.open_flows == 0).await;
    assert_eq!(status.totals.flows, 2, "who is refused reaches no server");
}

#[tokio::test]
async fn a_server_must_be_who_it_shall_be() {
    let mut services = Services::new();
    let ca = &services.ca;
    let other_name = ca.issue("elsewhere", &[dns("elsewhere.example")], VALID);
    let named_otherwise = TlsServer::new(&identity(ca, Some(&other_name)), Clients::Anonymous, &[]);
    let another = Ca::new("another-ca");
    let strange = TlsServer::new(&identity(&another, Some(&server_leaf(&another))), Clients::Anonymous, &[]);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let not_tls = silent.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in silent.incoming() {
            let _ = stream.unwrap().write_all(b"SSH-2.0-OpenSSH_9.2\r\n");
        }
    });
    let cases = [
        ("verified:1", named_otherwise.address.port(), None, "the server's certificate is for another host name"),
        ("free:1", named_otherwise.address.port(), Some(false), ""),
        ("strange:1", strange.address.port(), Some(false), "the server's certificate is signed by another CA"),
        ("plain:1", not_tls, None, "the other end does not speak TLS"),
    ];
    let mut ports = Vec::new();
    for (address, server, verify, _) in cases {
        let at = services.connector(address, server);
        services.config.tcp_connectors[at].verify_hostname = verify;
        let port = free_port();
        services.config.tcp_listeners.push(bridge(address, port, address));
        ports.push(port);
    }
    let router = run(&services.config);
    listening(&router).await;
    for ((address, _, _, words), port) in cases.into_iter().zip(ports) {
        let mut client = dial(port).await;
        if words.is_empty() {
            assert_eq!(crate::network::exchange(client, pattern(1_000)).await.len(), 1_000);
            continue;
        }
        let mut byte = [0];
        assert!(!matches!(client.read(&mut byte).await, Ok(n) if n > 0));
        let failed = |s: &moorline_router::io::RouterStatus| {
            s.connectors.iter().find(|c| c.name == address).unwrap().last_error.clone()
        };
        let status = until(&router, |s| failed(s).is_some()).await;
        let cause = failed(&status).unwrap();
        assert!(cause.contains(words) && cause.starts_with("no TLS with 127.0.0.1:"), "{cause}");
    }
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_gets_ours() {
    let mut services = Services::new();
    let leaf = server_leaf(&services.ca);
    let server = TlsServer::new(&identity(&services.ca, Some(&leaf)), Clients::Proven, &[]);
    services.connector("secure:1", server.address.port());
    let port = free_port();
    services.config.tcp_listeners.push(bridge("secure", port, "secure:1"));
    let router = run(&services.config);
    listening(&router).await;
    assert_eq!(crate::network::exchange(dial(port).await, pattern(1_000)).await.len(), 1_000);
    assert!(blocking(move || server.saw(|_| true)).await.has_certificate);
}

#[tokio::test]
async fn a_self_signed_server_is_trusted_by_its_own_certificate() {
    let mut services = Services::new();
    let own = Ca::self_signed("server", &[dns("localhost"), ip("127.0.0.1")]);
    let leaf = Leaf { certificate: own.pem(), key: own.key() };
    let server = TlsServer::new(&identity(&own, Some(&leaf)), Clients::Anonymous, &[]);
    let profile = services.network.profile("own", &own, &leaf);
    services.config.ssl_profiles.push(profile);
    let mut ports = Vec::new();
    for (address, host) in [("good:1", "127.0.0.1"), ("other:1", "localhost.localdomain")] {
        let at = services.connector(address, server.address.port());
        let connector = &mut services.config.tcp_connectors[at];
        connector.ssl_profile = Some("own".to_owned());
        connector.host = Some(host.to_owned());
        let port = free_port();
        services.config.tcp_listeners.push(bridge(address, port, address));
        ports.push(port);
    }
    let router = run(&services.config);
    listening(&router).await;
    assert_eq!(crate::network::exchange(dial(ports[0]).await, pattern(1_000)).await.len(), 1_000);
    let mut byte = [0];
    let mut client = dial(ports[1]).await;
    assert!(!matches!(client.read(&mut byte).await, Ok(n) if n > 0));
}

#[tokio::test]
async fn tls_that_breaks_off_is_a_reset_at_the_other_end_and_an_end_is_an_end() {
    let mut services = Services::new();
    let leaf = server_leaf(&services.ca);
    let server = TlsServer::new(&identity(&services.ca, Some(&leaf)), Clients::Anonymous, &[]);
    let port = services.listener("secure:1");
    services.connector("secure:1", server.address.port());
    let router = run(&services.config);
    listening(&router).await;
    let trust = client_config(&services.ca, None, &[]);

    let (broken, good) = (trust.clone(), trust);
    blocking(move || {
        let mut client = connect(port, broken);
        client.write_all(b"half of a messa").unwrap();
        client.read_exact(&mut [0; 15]).unwrap();
        client.sock.shutdown(Shutdown::Write).unwrap();
        // The router resets us too: what it sent may not have been all.
        assert!(client.read(&mut [0]).is_err());
    })
    .await;
    let server = std::sync::Arc::new(server);
    let end = std::sync::Arc::clone(&server);
    blocking(move || end.saw(|seen| matches!(seen.end, Some(ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof))))
        .await;
    logged(&["access", "secure:1", "side=\"listener\"", "the peer broke off without ending TLS"]).await;

    blocking(move || exchange(connect(port, good), pattern(10)).unwrap()).await;
    blocking(move || server.saw(|seen| seen.end.is_none())).await;
}

/// What the server agreed to speak for what clients of a listener offer.
async fn spoken(port: u16, services: &Services, server: &std::sync::Arc<TlsServer>, offers: &[&str]) -> Option<String> {
    let config = client_config(&services.ca, None, offers);
    server.seen.lock().unwrap().clear();
    blocking(move || exchange(connect(port, config), pattern(10)).unwrap()).await;
    let server = std::sync::Arc::clone(server);
    blocking(move || server.saw(|_| true)).await.alpn
}

#[tokio::test]
async fn the_server_is_asked_to_speak_what_the_client_speaks() {
    for encapsulation in [None, Some(Encapsulation::Legacy), Some(Encapsulation::Lite)] {
        let mut services = Services::new();
        let leaf = server_leaf(&services.ca);
        let server = TlsServer::new(&identity(&services.ca, Some(&leaf)), Clients::Anonymous, &["h2", "http/1.1"]);
        let server = std::sync::Arc::new(server);
        let port = services.listener("web:1");
        services.connector("web:1", server.address.port());
        // In one router, or with the hub between both.
        let mut routers = Vec::new();
        if let Some(encapsulation) = encapsulation {
            routers.push(run(&services.network.hub_config()));
            let mut near_server = services.network.edge_config("near-server");
            near_server.ssl_profiles.push(services.config.ssl_profiles[1].clone());
            near_server.tcp_connectors = std::mem::take(&mut services.config.tcp_connectors);
            routers.push(run(&near_server));
            services.config.tcp_listeners[0].encapsulation = Some(encapsulation);
            services.config.connectors = near_server.connectors;
            services.config.connectors[0].ssl_profile = Some("edge".to_owned());
        }
        let router = run(&services.config);
        listening(&router).await;
        assert_eq!(spoken(port, &services, &server, &["h2"]).await.as_deref(), Some("h2"));
        assert_eq!(spoken(port, &services, &server, &["h2", "http/1.1"]).await.as_deref(), Some("http/1.1"));
        assert_eq!(spoken(port, &services, &server, &[]).await, None);
        let unknown = client_config(&services.ca, None, &["smtp"]);
        assert!(blocking(move || refused(connect(port, unknown))).await);
        drop(routers);
    }
}
