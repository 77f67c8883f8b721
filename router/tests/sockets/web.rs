//! Health, metrics and status over HTTP: at a listener, and at a socket of the file system.

use std::fmt::Debug;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use crate::network::{Network, bridge, dial, echo_server, free_port, run, until};
use moorline_definition::router_config::{HttpBridge, HttpVersion, Listener, RouterConfig};
use moorline_router::io::{RouterHandle, StartError, StartOptions, start};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

/// Status line and body of one GET.
async fn get(mut stream: impl AsyncRead + AsyncWrite + Unpin, path: &str) -> (String, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: router\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

async fn get_at(port: u16, path: &str) -> (String, String) {
    get(TcpStream::connect(("127.0.0.1", port)).await.unwrap(), path).await
}

fn with_web(config: &mut RouterConfig) -> u16 {
    let port = free_port();
    config.listeners.push(Listener {
        name: "health".to_owned(),
        host: Some("127.0.0.1".to_owned()),
        port,
        http: Some(true),
        ..Listener::default()
    });
    port
}

/// The value of the series that begins so.
fn value(metrics: &str, series: &str) -> u64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in\n{metrics}")).parse().unwrap()
}

fn run_with(config: &RouterConfig, options: StartOptions) -> RouterHandle {
    start(config, options).unwrap()
}

#[tokio::test]
async fn a_scraper_sees_what_services_carry_and_why_they_fail() {
    let network = Network::new();
    let _hub = run(&network.hub_config());
    let mut config = network.edge_config("edge-a");
    let target = echo_server().await.port();
    let listener = free_port();
    config.tcp_connectors.push(bridge("server", target, "echo:7"));
    config.tcp_connectors.push(bridge("nobody", free_port(), "lost\"\\:7"));
    config.tcp_listeners.push(bridge("clients", listener, "echo:7"));
    let lost = free_port();
    config.tcp_listeners.push(bridge("losers", lost, "lost\"\\:7"));
    let web = with_web(&mut config);
    let edge = run(&config);
    until(&edge, crate::network::is_up).await;

    let mut client = dial(listener).await;
    client.write_all(b"12345").await.unwrap();
    client.read_exact(&mut [0; 5]).await.unwrap();
    let mut loser = dial(lost).await;
    let _ = loser.read(&mut [0; 1]).await;
    until(&edge, |status| status.connectors.iter().any(|connector| !connector.counts.failures.is_empty())).await;

    let (status, metrics) = get_at(web, "/metrics").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    let echo = |direction, service| {
        format!(r#"{{address="echo:7",protocol="tcp",direction="{direction}",service="{service}"}}"#)
    };
    for (metric, direction, service, expected) in [
        ("flows_total", "incoming", "clients", 1),
        ("flows_total", "outgoing", "server", 1),
        ("active_flows", "incoming", "clients", 1),
        ("active_flows", "outgoing", "server", 1),
        ("octets_total", "incoming", "clients", 5),
        ("octets_total", "outgoing", "clients", 5),
        ("octets_total", "incoming", "server", 5),
        ("octets_total", "outgoing", "server", 5),
    ] {
        assert_eq!(value(&metrics, &format!("{metric}{}", echo(direction, service))), expected, "{metric} {service}");
    }
    let refused = r#"connection_errors_total{address="lost\"\\:7",protocol="tcp",direction="outgoing",service="nobody",cause="refused"}"#;
    assert!(value(&metrics, refused) > 0);
    let broken = r#"connection_errors_total{address="lost\"\\:7",protocol="tcp",direction="incoming",service="losers",cause="network"}"#;
    until(&edge, |status| status.listeners.iter().any(|listener| !listener.counts.failures.is_empty())).await;
    let (_, metrics) = get_at(web, "/metrics").await;
    assert!(value(&metrics, broken) > 0);
    assert_eq!(value(&metrics, r#"active_links{direction="outgoing"}"#), 1);
    assert_eq!(value(&metrics, r#"uplink_up{uplink="uplink"}"#), 1);
    assert_eq!(value(&metrics, r#"uplink_reconnects_total{uplink="uplink"}"#), 0);
    assert!(metrics.contains(r#"certificate_expiry_timestamp_seconds{profile="#), "{metrics}");
    assert!(value(&metrics, "process_resident_memory_bytes") > 0);
    assert!(metrics.ends_with("# EOF\n"));

    drop(client);
    until(&edge, |status| status.totals.open_flows == 0).await;
    let (_, metrics) = get_at(web, "/metrics").await;
    let latency = format!("flow_latency_microseconds_count{}", echo("incoming", "clients"));
    assert_eq!(value(&metrics, &latency), 1);
    assert_eq!(value(&metrics, &format!("octets_total{}", echo("incoming", "clients"))), 5);
}

#[tokio::test]
async fn a_request_whose_head_does_not_end_is_refused() {
    let network = Network::new();
    let mut config = network.hub_config();
    let web = with_web(&mut config);
    let _hub = run(&config);
    let mut client = TcpStream::connect(("127.0.0.1", web)).await.unwrap();
    let line = format!("X-More: {}\r\n", "x".repeat(1000));
    // It may have closed before all was sent.
    let _ = client.write_all(format!("GET /metrics HTTP/1.1\r\n{}", line.repeat(20)).as_bytes()).await;
    let mut head = [0; 12];
    client.read_exact(&mut head).await.unwrap();
    assert_eq!(std::str::from_utf8(&head).unwrap(), "HTTP/1.1 431");
    assert_eq!(get_at(web, "/healthz").await.0, "HTTP/1.1 200 OK");
}

#[tokio::test]
async fn requests_are_counted_by_method_and_code() {
    let network = Network::new();
    let mut config = network.hub_config();
    let web = with_web(&mut config);
    let http = |name: &str, port: u16| HttpBridge {
        name: name.to_owned(),
        host: Some("127.0.0.1".to_owned()),
        port: port.to_string(),
        address: "site:80".to_owned(),
        protocol_version: Some(HttpVersion::Http1),
        ..HttpBridge::default()
    };
    let listener = free_port();
    // The router's own answers are as good as another server's.
    config.http_connectors.push(http("server", web));
    config.http_listeners.push(http("clients", listener));
    let _hub = run(&config);
    assert_eq!(get(dial(listener).await, "/healthz").await.0, "HTTP/1.1 200 OK");
    assert_eq!(get(dial(listener).await, "/nothing").await.0, "HTTP/1.1 404 Not Found");
    let (_, metrics) = get_at(web, "/metrics").await;
    for (direction, service) in [("incoming", "clients"), ("outgoing", "server")] {
        let of = format!(r#"address="site:80",protocol="http1",direction="{direction}",service="{service}""#);
        assert_eq!(value(&metrics, &format!("flows_total{{{of}}}")), 2);
        assert_eq!(value(&metrics, &format!(r#"http_requests_method_total{{{of},method="GET"}}"#)), 2);
        assert_eq!(value(&metrics, &format!(r#"http_requests_result_total{{{of},code="404"}}"#)), 1);
        assert_eq!(value(&metrics, &format!(r#"http_requests_result_total{{{of},code="200"}}"#)), 1);
    }
}

#[tokio::test]
async fn readiness_follows_the_uplink() {
    let network = Network::new();
    let mut config = network.edge_config("edge-a");
    let web = with_web(&mut config);
    let edge = run(&config);
    assert_eq!(get_at(web, "/healthz").await, ("HTTP/1.1 200 OK".to_owned(), "ok\n".to_owned()));
    until(&edge, |status| status.uplinks[0].last_error.is_some()).await;
    let (status, why) = get_at(web, "/readyz").await;
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    assert!(why.contains("not linked to") && why.contains("connection refused"), "{why}");

    let hub = run(&network.hub_config());
    until(&edge, crate::network::is_up).await;
    assert_eq!(get_at(web, "/readyz").await, ("HTTP/1.1 200 OK".to_owned(), "ready\n".to_owned()));
    drop(hub);
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let network = Network::new();
    let mut config = network.hub_config();
    let web = with_web(&mut config);
    config.listeners.last_mut().unwrap().metrics = Some(false);
    let _hub = run(&config);
    let (status, body) = get_at(web, "/metrics").await;
    assert_eq!((status.as_str(), body.as_str()), ("HTTP/1.1 404 Not Found", "there are /healthz, /readyz\n"));
    // The whole state names hosts, so it is not told to everybody who reaches the port.
    assert_eq!(get_at(web, "/status").await.0, "HTTP/1.1 404 Not Found");
    let mut post = TcpStream::connect(("127.0.0.1", web)).await.unwrap();
    post.write_all(b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    post.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
}

struct SocketPlace {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

fn socket_place() -> SocketPlace {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("status.sock");
    SocketPlace { _dir: dir, path }
}

fn options(place: &SocketPlace) -> StartOptions {
    StartOptions { status_socket: Some(place.path.clone()), ..StartOptions::default() }
}

fn refusal(outcome: Result<impl Debug, StartError>) -> String {
    outcome.unwrap_err().to_string()
}

#[tokio::test]
async fn the_status_socket_tells_its_owner_everything() {
    let network = Network::new();
    let place = socket_place();
    let config = network.hub_config();
    let hub = run_with(&config, options(&place));
    assert_eq!(fs::metadata(&place.path).unwrap().permissions().mode() & 0o777, 0o600);
    let (status, body) = get(UnixStream::connect(&place.path).await.unwrap(), "/status").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    let told: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((told["mode"].as_str(), told["id"].as_str()), (Some("hub"), Some("hub")));

    // A second router must not take it over.
    let second = start(&network.edge_config("edge-a"), options(&place));
    assert!(refusal(second.map(drop)).contains("another process serves it"));
    hub.drain(Duration::ZERO).await.unwrap();
    for _ in 0..200 {
        if !place.path.exists() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!place.path.exists(), "the socket is still there");
}

#[tokio::test]
async fn a_socket_that_a_crash_left_is_replaced_and_a_file_is_not() {
    let network = Network::new();
    let place = socket_place();
    drop(std::os::unix::net::UnixListener::bind(&place.path).unwrap());
    assert!(place.path.exists());
    let config = network.edge_config("edge-a");
    let edge = run_with(&config, options(&place));
    assert_eq!(get(UnixStream::connect(&place.path).await.unwrap(), "/healthz").await.0, "HTTP/1.1 200 OK");
    drop(edge);

    let other = socket_place();
    fs::write(&other.path, "precious").unwrap();
    assert!(refusal(start(&config, options(&other)).map(drop)).contains("no socket is there"));
    assert_eq!(fs::read_to_string(&other.path).unwrap(), "precious");
}
