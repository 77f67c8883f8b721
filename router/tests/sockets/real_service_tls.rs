//! TLS between routers and their clients and servers, with the network's own router at the other end of the service.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;

use crate::network::{Network, bridge, free_port, run};
use crate::pki::{Ca, VALID, dns};
use crate::real_router::RealRouter;
use crate::tls_peers::{TlsServer, client_config, connect, echoed, exchange, identity};
use moorline_definition::router_config::{Connector, Encapsulation, Role, RouterConfig};
use moorline_router::io::tls::Clients;
use serde_json::{Value, json};

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n.wrapping_mul(31) ^ (n >> 9)) as u8).collect()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// Both directions of a TLS service at once: `to-real` has our listener and its connector, `to-ours` the reverse.
struct Ground {
    ca: Ca,
    server: Arc<TlsServer>,
    to_real: u16,
    to_ours: u16,
    their_legacy: bool,
    _routers: (RealRouter, moorline_router::io::RouterHandle),
    _network: Network,
}

fn ground(program: &std::path::Path, encapsulation: Option<Encapsulation>) -> Ground {
    let network = Network::new();
    let ca = Ca::new("skupper-service-ca");
    let leaf = ca.issue("service", &[dns("localhost")], VALID);
    let server = TlsServer::new(&identity(&ca, Some(&leaf)), Clients::Anonymous, &["h2", "http/1.1"]);
    let profile = network.profile("service", &ca, &leaf);
    let (uplink, to_real, to_ours) = (free_port(), free_port(), free_port());
    let word = encapsulation.map(|encapsulation| match encapsulation {
        Encapsulation::Legacy => "legacy",
        Encapsulation::Lite => "lite",
    });
    let their_bridge = |kind: &str, address: &str, port: u16| -> Value {
        let mut bridge = json!({"name": address, "address": address, "host": "localhost", "port": port.to_string(),
            "sslProfile": "service"});
        if let Some(word) = word {
            bridge["encapsulation"] = word.into();
        }
        json!([kind, bridge])
    };
    let entities = vec![
        json!(["listener", {"name": "edges", "role": "edge", "host": "127.0.0.1", "port": uplink}]),
        json!(["sslProfile", {"name": "service", "caCertFile": profile.ca_cert_file, "certFile": profile.cert_file,
            "privateKeyFile": profile.private_key_file}]),
        their_bridge("tcpConnector", "to-real:1", server.address.port()),
        their_bridge("tcpListener", "to-ours:1", to_ours),
    ];
    let real = RealRouter::run(program, network.folder.path(), "interior", "interior", entities);

    let mut config = RouterConfig::default();
    config.router.id = "edge".to_owned();
    config.ssl_profiles.push(profile);
    config.connectors.push(Connector {
        name: "uplink".to_owned(),
        role: Role::Edge,
        host: "127.0.0.1".to_owned(),
        port: uplink.to_string(),
        ..Connector::default()
    });
    let mut listener = bridge("to-real", to_real, "to-real:1");
    listener.ssl_profile = Some("service".to_owned());
    listener.encapsulation = encapsulation;
    config.tcp_listeners.push(listener);
    let mut connector = bridge("to-ours", server.address.port(), "to-ours:1");
    connector.host = Some("localhost".to_owned());
    connector.ssl_profile = Some("service".to_owned());
    config.tcp_connectors.push(connector);
    let ours = run(&config);
    Ground {
        ca,
        server: Arc::new(server),
        to_real,
        to_ours,
        their_legacy: word == Some("legacy"),
        _routers: (real, ours),
        _network: network,
    }
}

/// Through `port` until it works: routes and links need their time.
async fn through(ground: &Ground, port: u16, alpn: &'static [&'static str], length: usize) -> Vec<u8> {
    let config = client_config(&ground.ca, None, alpn);
    let knows_ends = !ground.their_legacy || port == ground.to_real;
    blocking(move || {
        let mut last = None;
        for _ in 0..20 {
            let mut client = connect(port, Arc::clone(&config));
            // The legacy adaptor of 2.x does not pass on `close_notify`, and sends none.
            let outcome =
                if knows_ends { exchange(client, pattern(length)) } else { echoed(&mut client, pattern(length)) };
            match outcome {
                Ok(answer) => return answer,
                Err(error) => last = Some(error),
            }
            std::thread::sleep(std::time::Duration::from_millis(300));
        }
        panic!("port {port} never answers {length} bytes: {last:?}");
    })
    .await
}

async fn both_directions(encapsulation: Option<Encapsulation>) {
    let Some(program) = crate::real_router::program() else { return };
    let encapsulation = encapsulation.filter(|_| crate::real_router::has_encapsulations(&program));
    let ground = ground(&program, encapsulation);
    for port in [ground.to_real, ground.to_ours] {
        assert!(through(&ground, port, &[], 1).await == pattern(1));
        for length in [0, 20_000, 2_000_000] {
            assert!(through(&ground, port, &[], length).await == pattern(length), "{length}");
        }
        for (offers, agreed) in [(&["h2"][..], "h2"), (&["h2", "http/1.1"][..], "http/1.1")] {
            ground.server.seen.lock().unwrap().clear();
            through(&ground, port, offers, 10).await;
            let server = Arc::clone(&ground.server);
            assert_eq!(blocking(move || server.saw(|_| true)).await.alpn.as_deref(), Some(agreed));
        }
    }
}

#[tokio::test]
async fn legacy() {
    both_directions(Some(Encapsulation::Legacy)).await;
}

#[tokio::test]
async fn lite() {
    both_directions(Some(Encapsulation::Lite)).await;
}

#[tokio::test]
async fn a_client_that_breaks_off_here_is_no_good_end_there() {
    let Some(program) = crate::real_router::program() else { return };
    let lite = Some(Encapsulation::Lite).filter(|_| crate::real_router::has_encapsulations(&program));
    let ground = ground(&program, lite);
    through(&ground, ground.to_real, &[], 1).await;
    ground.server.seen.lock().unwrap().clear();
    let (config, port) = (client_config(&ground.ca, None, &[]), ground.to_real);
    blocking(move || {
        let mut client = connect(port, config);
        client.write_all(b"half").unwrap();
        client.read_exact(&mut [0; 4]).unwrap();
        client.sock.shutdown(Shutdown::Both).unwrap();
    })
    .await;
    let server = Arc::clone(&ground.server);
    blocking(move || {
        server.saw(|seen| matches!(seen.end, Some(ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof)))
    })
    .await;
}
