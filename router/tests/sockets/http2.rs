//! HTTP/2 services, and what lives on them: gRPC.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;

use crate::http_sockets::{LIMIT, Place, http_bridge, web, web_with};
use crate::http2_sockets::{all_kinds_of_calls, ask, client, get, grpc_server, mirror, receive, send, server, whole};
use crate::network::{Network, bridge, free_port, logged, run, until};
use bytes::Bytes;
use http::{Response, StatusCode};
use moorline_definition::router_config::HttpVersion::Http2;
use moorline_router::io::{ListenerState, RouterHandle};
use tokio::sync::Notify;

const PLACES: [Place; 2] = [Place::Same, Place::Apart];

#[tokio::test]
async fn requests_and_answers_arrive_as_they_were() {
    for place in PLACES {
        let web = web(place, Http2, &[mirror("one").await]).await;
        let mut client = client(web.port).await;
        let mut request = get("/a%20b?c=d&e");
        for cookie in ["a=1", "b=2"] {
            request.headers_mut().append("cookie", cookie.parse().unwrap());
        }
        let (parts, body, _) = ask(&mut client, request, Bytes::new()).await;
        assert_eq!((parts.status, &parts.headers["x-server"]), (StatusCode::OK, &"one".parse().unwrap()));
        assert_eq!(parts.headers.get_all("set-cookie").iter().collect::<Vec<_>>(), ["a=1", "b=2"]);
        let seen = String::from_utf8(body).unwrap();
        assert_eq!(seen.lines().next(), Some("GET http://example.org/a%20b?c=d&e"), "{seen}");
        assert_eq!(seen.matches("cookie: ").count(), 2, "{seen}");

        let long = Bytes::from(vec![5; 3_000_000]);
        let mut request = get("/long");
        *request.method_mut() = http::Method::PUT;
        let (_, body, _) = ask(&mut client, request, long.clone()).await;
        assert!(body.ends_with(&long) && body.starts_with(b"PUT http://example.org/long\n"));

        let many = (0..60).map(|n| {
            let mut client = client.clone();
            tokio::spawn(async move { ask(&mut client, get(&format!("/{n}")), Bytes::new()).await.1 })
        });
        for (n, body) in many.collect::<Vec<_>>().into_iter().enumerate() {
            assert!(body.await.unwrap().starts_with(format!("GET http://example.org/{n}\n").as_bytes()));
        }
        let status = until(&web.near_server, |s| s.http_connectors[0].open_requests == 0).await;
        assert_eq!((status.http_connectors[0].requests, status.http_connectors[0].open_connections), (62, 1));
        logged(&["access", "side=\"listener\"", "method=PUT", "status=200", "bytes_in=3000000", "error=\"\""]).await;
        drop(client);
        web.near_client.drain(std::time::Duration::from_secs(5)).await.unwrap();
    }
}

#[tokio::test]
async fn requests_of_one_connection_go_to_all_servers() {
    let servers = [mirror("one").await, mirror("two").await, mirror("three").await];
    for place in PLACES {
        let web = web(place, Http2, &servers).await;
        until(&web.near_server, |s| s.http_connectors.iter().all(|c| c.open_connections == 1)).await;
        let mut client = client(web.port).await;
        let mut names = BTreeSet::new();
        while names.len() < 3 {
            let (parts, _, _) = ask(&mut client, get("/"), Bytes::new()).await;
            names.insert(parts.headers["x-server"].clone().to_str().unwrap().to_owned());
        }
    }
}

#[tokio::test]
async fn grpc_calls_of_all_kinds() {
    for place in PLACES {
        let web = web(place, Http2, &[grpc_server().await]).await;
        all_kinds_of_calls(web.port).await;
        logged(&["access", "side=\"connector\"", "method=POST", "status=200", "error=\"\""]).await;
    }
}

#[tokio::test]
async fn grpc_goes_through_tcp_services_too() {
    let (_edges, port) = tcp_service(grpc_server().await).await;
    all_kinds_of_calls(port).await;
}

#[tokio::test]
async fn a_server_that_breaks_off_is_told_of() {
    for place in PLACES {
        let upstream = server(|request, mut respond| async move {
            if request.uri().path() == "/before" {
                respond.send_reset(h2::Reason::REFUSED_STREAM);
                return;
            }
            let mut stream = respond.send_response(Response::new(()), false).unwrap();
            send(&mut stream, Bytes::from_static(b"beginning")).await;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            stream.send_reset(h2::Reason::INTERNAL_ERROR);
        })
        .await;
        let web = web(place, Http2, &[upstream]).await;
        let mut client = client(web.port).await;
        let (parts, _, _) = ask(&mut client, get("/before"), Bytes::new()).await;
        assert_eq!(parts.status, StatusCode::SERVICE_UNAVAILABLE);
        let (response, _) = client.send_request(get("/amid"), true).unwrap();
        let mut body = response.await.unwrap().into_body();
        let mut all = Vec::new();
        let error = loop {
            match receive(&mut body).await {
                Some(Ok(piece)) => all.extend_from_slice(&piece),
                Some(Err(error)) => break error,
                None => panic!("the answer is taken for whole"),
            }
        };
        assert_eq!((all.as_slice(), error.is_reset()), (&b"beginning"[..], true));
        // The connection lives.
        let (parts, _, _) = ask(&mut client, get("/before"), Bytes::new()).await;
        assert_eq!(parts.status, StatusCode::SERVICE_UNAVAILABLE);
        until(&web.near_client, |s| s.http_listeners[0].open_requests == 0).await;
        until(&web.near_server, |s| s.http_connectors[0].open_requests == 0).await;
    }
}

#[tokio::test]
async fn a_client_that_resets_frees_the_server() {
    for place in PLACES {
        let gone = Arc::new(Notify::new());
        let told = Arc::clone(&gone);
        let upstream = server(move |request, mut respond| {
            let told = Arc::clone(&told);
            async move {
                let mut stream = respond.send_response(Response::new(()), false).unwrap();
                send(&mut stream, Bytes::from_static(b"x")).await;
                let _ = poll_fn(|context| stream.poll_reset(context)).await;
                drop(request);
                told.notify_one();
            }
        })
        .await;
        let web = web(place, Http2, &[upstream]).await;
        let mut client = client(web.port).await;
        let (response, mut stream) = client.send_request(get("/"), false).unwrap();
        let mut body = response.await.unwrap().into_body();
        receive(&mut body).await.unwrap().unwrap();
        stream.send_reset(h2::Reason::CANCEL);
        tokio::time::timeout(LIMIT, gone.notified()).await.unwrap();
        until(&web.near_server, |s| s.http_connectors[0].open_requests == 0).await;
        until(&web.near_client, |s| s.http_listeners[0].open_requests == 0).await;
    }
}

#[tokio::test]
async fn one_reader_that_waits_holds_nobody_else_up() {
    const LENGTH: usize = 60_000_000;
    for place in PLACES {
        let upstream = server(|request, mut respond| async move {
            let mut stream = respond.send_response(Response::new(()), false).unwrap();
            let length = if request.uri().path() == "/long" { LENGTH } else { 10 };
            for _ in 0..length.div_ceil(100_000) {
                if !send(&mut stream, Bytes::from(vec![7; length.min(100_000)])).await {
                    return;
                }
            }
            let _ = stream.send_data(Bytes::new(), true);
        })
        .await;
        let web = web(place, Http2, &[upstream]).await;
        let mut client = client(web.port).await;
        let (response, _) = client.send_request(get("/long"), true).unwrap();
        let body = response.await.unwrap().into_body();
        for _ in 0..20 {
            assert_eq!(ask(&mut client, get("/short"), Bytes::new()).await.1.len(), 10);
        }
        let (all, _) = whole(body).await;
        assert_eq!(all.len(), LENGTH);
    }
}

#[tokio::test]
async fn curl_is_served() {
    let version = Command::new("curl").arg("--version").output();
    if !version.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("HTTP2")) {
        eprintln!("skipped: there is no curl that speaks HTTP/2");
        return;
    }
    let web =
        web_with(Place::Apart, &[mirror("one").await], |name, port| http_bridge(name, port, "web:80", Http2)).await;
    let url = format!("http://127.0.0.1:{}/a", web.port);
    let args = ["-sS", "--http2-prior-knowledge", "-m", "30", "-F", "file=@Cargo.toml", "-F", "b=c"];
    let curl = tokio::task::spawn_blocking(move || Command::new("curl").args(args).arg(&url).output());
    let output = curl.await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.matches("POST http://127.0.0.1").count(), 1, "{text}");
    assert_eq!(text.matches("name = \"moorline-router\"").count(), 1, "{text}");
}

#[tokio::test]
async fn python_calls_and_is_called() {
    let Some(python) = crate::grpc::Python::start() else { return };
    for place in PLACES {
        python.call(web(place, Http2, &[python.server]).await.port).await;
    }
    let (_edges, port) = tcp_service(python.server).await;
    python.call(port).await;
}

/// HTTP of any version goes through a `tcp` service as it is.
#[tokio::test]
async fn curl_is_served_through_tcp() {
    for (version, server) in [("--http1.1", crate::http_sockets::mirror("one").await), (KNOWN, mirror("two").await)] {
        if Command::new("curl").args([version, "--version"]).output().is_ok_and(|output| output.status.success()) {
            let (_edges, port) = tcp_service(server).await;
            let url = format!("http://127.0.0.1:{port}/a");
            let args = ["-sS", version, "-m", "30", "-d", "hello"];
            let curl = tokio::task::spawn_blocking(move || Command::new("curl").args(args).arg(&url).output());
            let output = curl.await.unwrap().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(text.starts_with("POST ") && text.ends_with("hello"), "{text}");
        } else {
            eprintln!("skipped: there is no curl that knows {version}");
        }
    }
}

const KNOWN: &str = "--http2-prior-knowledge";

/// Two edges that carry a TCP service, and its port.
async fn tcp_service(server: SocketAddr) -> ((Network, [RouterHandle; 3]), u16) {
    let (network, port) = (Network::new(), free_port());
    let hub = run(&network.hub_config());
    let mut config = network.edge_config("near-server");
    config.tcp_connectors.push(bridge("server", server.port(), "web:80"));
    let near_server = run(&config);
    let mut config = network.edge_config("near-client");
    config.tcp_listeners.push(bridge("port", port, "web:80"));
    let near_client = run(&config);
    until(&near_client, |s| s.listeners[0].state == ListenerState::Listening).await;
    ((network, [hub, near_server, near_client]), port)
}
