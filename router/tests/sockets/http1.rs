//! HTTP/1 services: real sockets at both ends.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::Arc;

use crate::http_sockets::{Place, Wire, field, fields, http_bridge, mirror, server, status, web, web_with};
use crate::network::{free_port, logged, until};
use moorline_definition::router_config::{Aggregation, HttpVersion::Http1};
use moorline_router::io::{ListenerState, StartOptions, start};
use tokio::sync::Notify;

const PLACES: [Place; 2] = [Place::Same, Place::Apart];

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n.wrapping_mul(31) ^ (n >> 9)) as u8).collect()
}

#[tokio::test]
async fn requests_and_answers_arrive_as_they_were() {
    for place in PLACES {
        let web = web(place, Http1, &[mirror("one").await]).await;
        let mut client = Wire::dial(web.port).await;
        let (head, body) = client
            .ask(
                "GET /a%20b?c=d&e HTTP/1.1\r\nHost: example.org\r\nCookie: a=1\r\nCookie: b=2\r\nX-Octets: caf\u{e9}\r\n\
                 Connection: X-Private, keep-alive\r\nX-Private: 1\r\nKeep-Alive: timeout=9\r\n\r\n",
            )
            .await;
        assert_eq!(head.lines().next(), Some("HTTP/1.1 200 Fine"));
        assert_eq!(field(&head, "x-server"), Some("one"));
        let seen = String::from_utf8(body).unwrap();
        assert_eq!(seen.lines().next(), Some("GET /a%20b?c=d&e HTTP/1.1"));
        assert_eq!(fields(&seen, "cookie"), ["a=1", "b=2"]);
        assert_eq!((field(&seen, "host"), field(&seen, "x-octets")), (Some("example.org"), Some("caf\u{e9}")));
        assert_eq!((field(&seen, "x-private"), field(&seen, "keep-alive")), (None, None));

        // The same connection: another method with a body, then no body at all, then two requests at once.
        let long = pattern(300_000);
        let request = [&b"PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n"[..], &long].concat();
        let (head, body) = client.ask(request).await;
        assert_eq!(status(&head), "200");
        assert!(body.ends_with(&long) && body.starts_with(b"PUT /x HTTP/1.1\r\n"));
        client.send("HEAD /h HTTP/1.1\r\nHost: h\r\n\r\n").await;
        let head = client.head().await.unwrap();
        assert!(field(&head, "content-length").unwrap().parse::<usize>().unwrap() > 10, "{head}");
        client.send("GET /first HTTP/1.1\r\nHost: h\r\n\r\nDELETE /second HTTP/1.1\r\nHost: h\r\n\r\n").await;
        for line in ["GET /first HTTP/1.1", "DELETE /second HTTP/1.1"] {
            let head = client.head().await.unwrap();
            let body = String::from_utf8(client.body(&head).await).unwrap();
            assert_eq!(body.lines().next(), Some(line));
        }
        let (head, _) = client.ask("GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").await;
        assert_eq!(status(&head), "200");
        assert!(client.is_closed().await);

        let status = until(&web.near_client, |s| s.http_listeners[0].open_connections == 0).await;
        let listener = &status.http_listeners[0];
        assert_eq!((listener.requests, listener.open_requests, listener.version), (6, 0, "http1"));
        assert!(listener.bytes_in > 300_000 && listener.bytes_out > 300_000);
        let served =
            until(&web.near_server, |s| s.http_connectors[0].requests == 6 && s.http_connectors[0].open_requests == 0)
                .await;
        for (finished, is_from_client) in [(&listener.finished, true), (&served.http_connectors[0].finished, false)] {
            assert_eq!(finished.methods, BTreeMap::from([("DELETE", 1), ("GET", 3), ("HEAD", 1), ("PUT", 1)]));
            assert_eq!((&finished.results, finished.faults.len()), (&BTreeMap::from([(200, 6)]), 0));
            let (request, answer) = match is_from_client {
                true => (finished.body_in, finished.body_out),
                false => (finished.body_out, finished.body_in),
            };
            assert!(request == 300_000 && answer > 300_000, "{finished:?}");
            let latency = &finished.latency;
            assert_eq!((latency.count, latency.buckets.iter().sum()), (6, 6));
            assert!(latency.sum_micros > 0);
        }
        logged(&["access", "web:80", "side=\"listener\"", "method=PUT", "status=200", "bytes_in=300000", "error=\"\""])
            .await;
        logged(&["access", "web:80", "side=\"connector\"", "method=HEAD", "status=200", "error=\"\""]).await;
        web.near_client.drain(std::time::Duration::from_secs(5)).await.unwrap();
    }
}

/// Both directions of one exchange at once, octets that no buffer holds.
#[tokio::test]
async fn bodies_stream_both_ways() {
    const PIECES: usize = 400;
    for place in PLACES {
        let upstream = server(|mut wire| async move {
            let head = wire.head().await.unwrap();
            assert!(field(&head, "transfer-encoding").is_some(), "{head}");
            wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Digest\r\n\r\n").await;
            loop {
                let size = usize::from_str_radix(&wire.line().await, 16).unwrap();
                let piece = wire.exactly(size + 2).await;
                if size == 0 {
                    break;
                }
                wire.send(format!("{size:x}\r\n")).await;
                wire.send(&piece).await;
            }
            wire.send("0\r\nDigest: abc\r\n\r\n").await;
        })
        .await;
        let web = web(place, Http1, &[upstream]).await;
        let mut client = Wire::dial(web.port).await;
        client.send("POST /echo HTTP/1.1\r\nHost: h\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        let head = client.head().await.unwrap();
        assert_eq!((status(&head), field(&head, "transfer-encoding")), ("200", Some("chunked")));
        let piece = pattern(40_000);
        for _ in 0..PIECES {
            client.send(format!("{:x}\r\n", piece.len())).await;
            client.send(&piece).await;
            client.send("\r\n").await;
            let mut back = Vec::new();
            while back.len() < piece.len() {
                let size = usize::from_str_radix(&client.line().await, 16).unwrap();
                back.extend(client.exactly(size).await);
                assert_eq!(client.line().await, "");
            }
            assert!(back == piece);
        }
        client.send("0\r\n\r\n").await;
        assert_eq!(client.chunks().await, (Vec::new(), vec!["Digest: abc".to_owned()]));
    }
}

#[tokio::test]
async fn a_reader_that_waits_holds_the_server_up() {
    const LENGTH: usize = 200_000_000;
    for place in PLACES {
        let sent = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = Arc::clone(&sent);
        let upstream = server(move |mut wire| {
            let counted = Arc::clone(&counted);
            async move {
                wire.head().await;
                wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n")).await;
                let piece = vec![7; 100_000];
                for _ in 0..LENGTH / piece.len() {
                    wire.send(&piece).await;
                    counted.fetch_add(piece.len(), std::sync::atomic::Ordering::Relaxed);
                }
            }
        })
        .await;
        let web = web(place, Http1, &[upstream]).await;
        let mut client = Wire::dial(web.port).await;
        client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        client.head().await.unwrap();
        // Until it stands still.
        let mut before = usize::MAX;
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            let now = sent.load(std::sync::atomic::Ordering::Relaxed);
            if now == before {
                break;
            }
            before = now;
        }
        assert!(before < 40_000_000, "{before} octets wait somewhere");
        let mut left = LENGTH;
        while left > 0 {
            let some = client.some(left).await;
            assert!(!some.is_empty(), "{left} octets are missing");
            left -= some.len();
        }
    }
}

#[tokio::test]
async fn an_expected_continue_is_the_servers() {
    for place in PLACES {
        let upstream = server(|mut wire| async move {
            while let Some(head) = wire.head().await {
                assert_eq!(field(&head, "expect"), Some("100-continue"));
                if head.starts_with("PUT /refused") {
                    wire.send("HTTP/1.1 417 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
                    return;
                }
                wire.send("HTTP/1.1 100 Continue\r\n\r\n").await;
                let body = wire.body(&head).await;
                wire.send(format!("HTTP/1.1 201 Made\r\nContent-Length: {}\r\n\r\n", body.len())).await;
                wire.send(body).await;
            }
        })
        .await;
        let web = web(place, Http1, &[upstream]).await;
        let mut client = Wire::dial(web.port).await;
        let expecting = "HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
        client.send(format!("PUT /wanted {expecting}")).await;
        assert_eq!(status(&client.head().await.unwrap()), "100");
        let (head, body) = client.ask("hello").await;
        assert_eq!((status(&head), &body[..]), ("201", &b"hello"[..]));
        client.send(format!("PUT /refused {expecting}")).await;
        assert_eq!(status(&client.head().await.unwrap()), "417");
    }
}

#[tokio::test]
async fn answers_without_a_body_have_none() {
    let upstream = server(|mut wire| async move {
        while let Some(head) = wire.head().await {
            let answer = match head.split(' ').nth(1).unwrap() {
                "/204" => "HTTP/1.1 204 None\r\nX-A: 1\r\n\r\n",
                "/304" => "HTTP/1.1 304 Same\r\nETag: x\r\nContent-Length: 10\r\n\r\n",
                "/empty" => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                "/none" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                "/chunked" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                _ => "HTTP/1.0 200 OK\r\n\r\nuntil the end",
            };
            wire.send(answer).await;
            if answer.starts_with("HTTP/1.0") {
                return;
            }
        }
    })
    .await;
    let web = web(Place::Apart, Http1, &[upstream]).await;
    let mut client = Wire::dial(web.port).await;
    for (request, expected) in
        [("GET /204", "204"), ("GET /304", "304"), ("GET /empty", "200"), ("HEAD /chunked", "200")]
    {
        client.send(format!("{request} HTTP/1.1\r\nHost: h\r\n\r\n")).await;
        assert_eq!(status(&client.head().await.unwrap()), expected, "{request}");
    }
    let (_, body) = client.ask("GET /none HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(body, b"");
    let (head, body) =
        client.ask("POST /none HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").await;
    assert_eq!((status(&head), &body[..]), ("200", &b""[..]));
    // An answer that ends with its connection is chunked for a client that can take that, and ends one that cannot.
    let (_, body) = client.ask("GET /until HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(body, b"until the end");
    let mut old = Wire::dial(web.port).await;
    old.send("GET /until HTTP/1.0\r\n\r\n").await;
    let head = old.head().await.unwrap();
    assert_eq!((status(&head), field(&head, "transfer-encoding")), ("200", None));
    assert_eq!(old.exactly(13).await, b"until the end");
    assert!(old.is_closed().await);
}

#[tokio::test]
async fn requests_of_one_client_go_to_all_servers() {
    for place in PLACES {
        let servers = [mirror("one").await, mirror("two").await, mirror("three").await];
        let web = web(place, Http1, &servers).await;
        until(&web.near_server, |s| s.http_connectors.iter().all(|c| c.open_connections == 1)).await;
        let held: Vec<Wire> = futures_of(6, || Wire::dial(web.port)).await;
        let mut names = BTreeSet::new();
        for mut client in held {
            for _ in 0..6 {
                let (head, _) = client.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
                names.insert(field(&head, "x-server").unwrap().to_owned());
            }
        }
        assert_eq!(names.len(), 3, "{names:?}");
    }
}

async fn futures_of<T, F: Future<Output = T>>(count: usize, make: impl Fn() -> F) -> Vec<T> {
    let mut made = Vec::new();
    for _ in 0..count {
        made.push(make().await);
    }
    made
}

#[tokio::test]
async fn a_server_that_goes_away_is_told_of() {
    for place in PLACES {
        let upstream = server(|mut wire| async move {
            let head = wire.head().await.unwrap();
            match head.split(' ').nth(1).unwrap() {
                "/before" => {}
                _ => {
                    wire.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly the beginning").await;
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            }
        })
        .await;
        let web = web(place, Http1, &[upstream]).await;
        let mut client = Wire::dial(web.port).await;
        let (head, _) = client.ask("POST /before HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi").await;
        assert_eq!(status(&head), "503");
        let mut client = Wire::dial(web.port).await;
        client.send("GET /amid HTTP/1.1\r\nHost: h\r\n\r\n").await;
        assert_eq!(status(&client.head().await.unwrap()), "200");
        assert_eq!(client.exactly(18).await, b"only the beginning");
        assert!(client.is_closed().await, "the answer is not taken for whole");
        logged(&["access", "side=\"connector\"", "status=200", "method=GET", "bytes_in=18"]).await;
        let asked = until(&web.near_client, |s| s.http_listeners[0].open_requests == 0).await;
        let served = until(&web.near_server, |s| s.http_connectors[0].open_requests == 0).await;
        let (asked, served) = (&asked.http_listeners[0].finished, &served.http_connectors[0].finished);
        assert_eq!(
            (&asked.results, &served.results),
            (&BTreeMap::from([(200, 1), (503, 1)]), &BTreeMap::from([(200, 1)]))
        );
        assert_eq!(served.faults, BTreeMap::from([("server", 2)]));
        assert_eq!(asked.faults, BTreeMap::from([("far_end", 1), ("server", 1)]));
    }
}

#[tokio::test]
async fn a_client_that_goes_away_frees_the_server() {
    for place in PLACES {
        let gone = Arc::new(Notify::new());
        let told = Arc::clone(&gone);
        let upstream = server(move |mut wire| {
            let told = Arc::clone(&told);
            async move {
                let Some(head) = wire.head().await else { return };
                if head.starts_with("GET") {
                    wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n").await;
                }
                while !wire.some(1000).await.is_empty() {}
                told.notify_one();
            }
        })
        .await;
        let web = web(place, Http1, &[upstream]).await;
        let mut amid_answer = Wire::dial(web.port).await;
        amid_answer.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        amid_answer.head().await.unwrap();
        drop(amid_answer);
        tokio::time::timeout(crate::http_sockets::LIMIT, gone.notified()).await.unwrap();
        let mut amid_request = Wire::dial(web.port).await;
        amid_request.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nno").await;
        until(&web.near_server, |s| s.http_connectors[0].open_requests == 1).await;
        drop(amid_request);
        until(&web.near_server, |s| s.http_connectors[0].open_requests == 0).await;
        let status = until(&web.near_client, |s| s.http_listeners[0].open_requests == 0).await;
        let finished = &status.http_listeners[0].finished;
        assert_eq!((finished.faults.get("client"), finished.results.get(&200)), (Some(&2), Some(&1)));
        logged(&["access", "side=\"listener\"", "method=POST", "status=0"]).await;
    }
}

#[tokio::test]
async fn the_port_is_open_while_a_server_can_be_reached() {
    let dead = free_port();
    let upstream = mirror("one").await;
    let web = web_with(Place::Apart, &[upstream], |name, port| http_bridge(name, port, "web:80", Http1)).await;
    web.near_server.remove_http_connector("server0").await.unwrap();
    until(&web.near_client, |s| s.http_listeners[0].state == Some(ListenerState::Waiting)).await;
    // A connector whose server is not there is not offered, and is as soon as it comes.
    web.near_server.add_http_connector(&http_bridge("late", dead, "web:80", Http1)).await.unwrap();
    until(&web.near_server, |s| s.http_connectors[0].last_error.is_some()).await;
    assert_eq!(web.near_client.status().await.unwrap().http_listeners[0].state, Some(ListenerState::Waiting));
    let listener = std::net::TcpListener::bind(("127.0.0.1", dead)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let serving = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            open.push(stream);
        }
    });
    until(&web.near_client, |s| s.http_listeners[0].state == Some(ListenerState::Listening)).await;
    serving.abort();
    // Its server is gone: one request finds out, then the port closes.
    let _ = serving.await;
    let mut client = Wire::dial(web.port).await;
    let (head, _) = client.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(status(&head), "503");
    until(&web.near_client, |s| s.http_listeners[0].state == Some(ListenerState::Waiting)).await;
}

#[tokio::test]
async fn what_is_not_http_is_refused() {
    let web = web(Place::Same, Http1, &[mirror("one").await]).await;
    for wrong in ["hello\r\n\r\n", "GET / HTTP/1.1\r\nno field\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"] {
        let mut client = Wire::dial(web.port).await;
        client.send(wrong).await;
        assert_eq!(client.head().await.as_deref().map(status), Some("400"), "{wrong:?}");
        assert!(client.is_closed().await);
    }
    let mut client = Wire::dial(web.port).await;
    let (head, _) = client.ask("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n").await;
    assert_eq!(status(&head), "501");
}

#[tokio::test]
async fn the_host_can_be_overridden() {
    let web = web_with(Place::Apart, &[mirror("one").await], |name, port| {
        let mut bridge = http_bridge(name, port, "web:80", Http1);
        bridge.host_override = Some("inside.example:81".to_owned());
        bridge
    })
    .await;
    let (_, body) = Wire::dial(web.port).await.ask("GET / HTTP/1.1\r\nHost: outside\r\n\r\n").await;
    assert_eq!(fields(&String::from_utf8(body).unwrap(), "host"), ["inside.example:81"]);
}

#[tokio::test]
async fn answers_are_put_together() {
    for place in PLACES {
        for aggregation in [Aggregation::Json, Aggregation::Multipart] {
            let servers = [mirror("one").await, mirror("two").await, mirror("three").await];
            let web = web_with(place, &servers, |name, port| {
                let mut bridge = http_bridge(name, port, "mc/web:80", Http1);
                bridge.aggregation = Some(aggregation);
                bridge
            })
            .await;
            until(&web.near_server, |s| s.http_connectors.iter().all(|c| c.open_connections == 1)).await;
            let mut client = Wire::dial(web.port).await;
            let request = "POST /all HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
            let mut answer = client.ask(request).await;
            // The network hears of each server in its own time.
            while ["one", "two", "three"].iter().any(|name| !String::from_utf8_lossy(&answer.1).contains(name)) {
                answer = client.ask(request).await;
            }
            let (head, body) = answer;
            assert_eq!(status(&head), "200");
            let body = String::from_utf8(body).unwrap();
            if aggregation == Aggregation::Json {
                let answers: Vec<serde_json::Value> = serde_json::from_str(&body).unwrap();
                assert_eq!(answers.len(), 3);
                for answer in answers {
                    assert_eq!(answer[":path"], "/all");
                    assert!(answer["body"].as_str().unwrap().ends_with("\r\n\r\nhello"), "{answer}");
                }
            } else {
                let boundary =
                    field(&head, "content-type").unwrap().strip_prefix("multipart/mixed; boundary=").unwrap();
                assert_eq!(body.matches(&format!("--{boundary}\r\n")).count(), 3, "{body}");
                assert_eq!(body.matches("\r\n\r\nhello\r\n--").count(), 3, "{body}");
            }
        }
    }
}

#[tokio::test]
async fn an_event_reaches_every_server_and_is_answered_for_them() {
    for place in PLACES {
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let mut servers = Vec::new();
        for n in 0..3 {
            let tell = tell.clone();
            let serve = move |mut wire: Wire| {
                let tell = tell.clone();
                async move {
                    while let Some(head) = wire.head().await {
                        let body = wire.body(&head).await;
                        tell.send((n, body)).unwrap();
                        wire.send("HTTP/1.1 500 Ignored\r\nContent-Length: 3\r\n\r\nbad").await;
                    }
                }
            };
            servers.push(server(serve).await);
        }
        let web = web_with(place, &servers, |name, port| {
            let mut bridge = http_bridge(name, port, "mc/events:80", Http1);
            bridge.event_channel = Some(true);
            bridge
        })
        .await;
        until(&web.near_server, |s| s.http_connectors.iter().all(|c| c.open_connections == 1)).await;
        let mut client = Wire::dial(web.port).await;
        let mut reached = BTreeSet::new();
        while reached.len() < 3 {
            client.send("POST /event HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello").await;
            assert_eq!(status(&client.head().await.unwrap()), "204");
            while let Ok((n, body)) = told.try_recv() {
                assert_eq!(body, b"hello");
                reached.insert(n);
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let (head, body) = client.ask("GET /event HTTP/1.1\r\nHost: h\r\n\r\n").await;
        assert_eq!(status(&head), "405", "{}", String::from_utf8_lossy(&body));
    }
}

#[tokio::test]
async fn curl_is_served() {
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("skipped: there is no curl");
        return;
    }
    let web = web(Place::Apart, Http1, &[mirror("one").await]).await;
    let url = format!("http://127.0.0.1:{}/a", web.port);
    let args = ["-sS", "--http1.1", "-m", "30", "-H", "Expect: 100-continue", "-F", "file=@Cargo.toml", "-F", "b=c"];
    let curl = tokio::task::spawn_blocking(move || Command::new("curl").args(args).arg(&url).arg(&url).output());
    let output = curl.await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.matches("POST /a HTTP/1.1").count(), 2);
    assert_eq!(text.matches("name = \"moorline-router\"").count(), 2, "{text}");
}

#[tokio::test]
async fn a_network_that_carries_no_http_is_named() {
    let network = crate::network::Network::new();
    let options = StartOptions { version: "3.5.1".to_owned(), ..StartOptions::default() };
    let _hub = start(&network.hub_config(), options).unwrap();
    let mut config = network.edge_config("edge");
    config.http_listeners.push(http_bridge("in-vain", free_port(), "in-vain:80", Http1));
    let edge = crate::network::run(&config);
    logged(&["WARN", "router 3.5.1 carries no http and http2 services", "in-vain:80", "use tcp"]).await;
    edge.add_http_connector(&http_bridge("too-late", free_port(), "too-late:80", Http1)).await.unwrap();
    logged(&["WARN", "router 3.5.1 carries no http and http2 services", "too-late:80", "use tcp"]).await;
}
