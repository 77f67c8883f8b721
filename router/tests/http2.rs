//! HTTP/2 services, and what lives on them: gRPC.
#![allow(missing_docs, clippy::unwrap_used)]

mod http_sockets;
mod io_network;
mod io_pki;

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response, StatusCode};
use http_sockets::{LIMIT, Place, http_bridge, web, web_with};
use io_network::{bridge, dial, free_port, logged, run, until};
use moorline_definition::router_config::{HttpVersion::Http2, RouterConfig};
use moorline_router::io::ListenerState;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

const PLACES: [Place; 2] = [Place::Same, Place::Apart];

type Client = h2::client::SendRequest<Bytes>;

async fn client(port: u16) -> Client {
    let stream = dial(port).await;
    stream.set_nodelay(true).unwrap();
    // A reader that waits fills the window of its stream, not that of the connection.
    let mut builder = h2::client::Builder::new();
    let (client, connection) =
        builder.initial_connection_window_size(16 * 1024 * 1024).handshake(stream).await.unwrap();
    tokio::spawn(connection);
    client.ready().await.unwrap()
}

/// Runs `serve` for each request of each client.
async fn server<F, S>(serve: S) -> SocketAddr
where
    S: Fn(Request<RecvStream>, h2::server::SendResponse<Bytes>) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let serve = Arc::clone(&serve);
            tokio::spawn(serve_client(stream, serve));
        }
    });
    address
}

async fn serve_client<F, S>(stream: TcpStream, serve: Arc<S>)
where
    S: Fn(Request<RecvStream>, h2::server::SendResponse<Bytes>) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    stream.set_nodelay(true).unwrap();
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, respond))) = connection.accept().await {
        tokio::spawn(serve(request, respond));
    }
}

/// Sends as the window lets; false: the other end wants no more.
async fn send(stream: &mut SendStream<Bytes>, mut data: Bytes) -> bool {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let Some(Ok(room)) = poll_fn(|context| stream.poll_capacity(context)).await else { return false };
        if stream.send_data(data.split_to(room.min(data.len())), false).is_err() {
            return false;
        }
    }
    true
}

async fn receive(body: &mut RecvStream) -> Option<Result<Bytes, h2::Error>> {
    let piece = tokio::time::timeout(LIMIT, body.data()).await.expect("in time")?;
    if let Ok(piece) = &piece {
        body.flow_control().release_capacity(piece.len()).unwrap();
    }
    Some(piece)
}

async fn whole(mut body: RecvStream) -> (Vec<u8>, Option<HeaderMap>) {
    let mut all = Vec::new();
    while let Some(piece) = receive(&mut body).await {
        all.extend_from_slice(&piece.unwrap());
    }
    (all, body.trailers().await.unwrap())
}

async fn ask(
    client: &mut Client,
    request: Request<()>,
    body: Bytes,
) -> (http::response::Parts, Vec<u8>, Option<HeaderMap>) {
    tokio::time::timeout(LIMIT, async {
        let (response, mut stream) = client.send_request(request, body.is_empty()).unwrap();
        if !body.is_empty() {
            send(&mut stream, body).await;
            stream.send_data(Bytes::new(), true).unwrap();
        }
        let (parts, body) = response.await.unwrap().into_parts();
        let (body, trailers) = whole(body).await;
        (parts, body, trailers)
    })
    .await
    .unwrap()
}

fn get(path: &str) -> Request<()> {
    Request::builder().uri(format!("http://example.org{path}")).body(()).unwrap()
}

/// Answers with what it saw, and its name.
async fn mirror(name: &'static str) -> SocketAddr {
    server(move |request, mut respond| async move {
        let (parts, body) = request.into_parts();
        let (body, trailers) = whole(body).await;
        let mut seen = format!("{} {}\n", parts.method, parts.uri).into_bytes();
        for (name, value) in &parts.headers {
            seen.extend_from_slice(format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())).as_bytes());
        }
        seen.extend_from_slice(format!("trailers: {}\n\n", trailers.is_some()).as_bytes());
        seen.extend_from_slice(&body);
        let response =
            Response::builder().header("x-server", name).header("set-cookie", "a=1").header("set-cookie", "b=2");
        let mut stream = respond.send_response(response.body(()).unwrap(), false).unwrap();
        send(&mut stream, seen.into()).await;
        let _ = stream.send_data(Bytes::new(), true);
    })
    .await
}

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

/// One gRPC message: not compressed, its length, itself.
fn grpc(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message].concat().into()
}

/// Reads gRPC messages.
struct Messages {
    body: RecvStream,
    buffer: Vec<u8>,
}

impl Messages {
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if let [_, a, b, c, d, rest @ ..] = self.buffer.as_slice() {
                let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
                if rest.len() >= length {
                    return Some(self.buffer.drain(..5 + length).skip(5).collect());
                }
            }
            let piece = receive(&mut self.body).await?;
            self.buffer.extend_from_slice(&piece.unwrap());
        }
    }
}

/// A gRPC server with four methods, one of each kind: `Echo`, `Count` (answers in a stream), `Sum` (asks in a stream)
/// and `Chat` (both); and `Fail`, which answers with nothing but trailers.
async fn grpc_server() -> SocketAddr {
    server(|request, mut respond| async move {
        assert_eq!(request.headers()["te"], "trailers");
        let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
        let (parts, body) = request.into_parts();
        if parts.uri.path().ends_with("/Fail") {
            let (mut parts, ()) = head.into_parts();
            parts.headers.insert("grpc-status", "5".parse().unwrap());
            respond.send_response(Response::from_parts(parts, ()), true).unwrap();
            return;
        }
        let mut asked = Messages { body, buffer: Vec::new() };
        let mut stream = respond.send_response(head, false).unwrap();
        let mut sum = 0;
        while let Some(message) = asked.next().await {
            match parts.uri.path().rsplit('/').next().unwrap() {
                "Echo" | "Chat" => {
                    send(&mut stream, grpc(&message)).await;
                }
                "Count" => {
                    for n in 0..message[0] {
                        send(&mut stream, grpc(&[n])).await;
                    }
                }
                _ => sum += message.len(),
            }
        }
        if sum > 0 {
            send(&mut stream, grpc(sum.to_string().as_bytes())).await;
        }
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        trailers.insert("grpc-message", "well".parse().unwrap());
        stream.send_trailers(trailers).unwrap();
    })
    .await
}

async fn call(client: &mut Client, method: &str) -> (SendStream<Bytes>, h2::client::ResponseFuture) {
    let request = Request::post(format!("http://grpc.example/test.Service/{method}"))
        .header("te", "trailers")
        .header("content-type", "application/grpc");
    let (response, stream) = client.send_request(request.body(()).unwrap(), false).unwrap();
    (stream, response)
}

async fn answers(response: h2::client::ResponseFuture) -> Messages {
    let response = tokio::time::timeout(LIMIT, response).await.unwrap().unwrap();
    assert_eq!(response.headers()["content-type"], "application/grpc");
    Messages { body: response.into_body(), buffer: Vec::new() }
}

async fn ended_well(mut messages: Messages) {
    assert_eq!(messages.next().await, None);
    let trailers = messages.body.trailers().await.unwrap().unwrap();
    assert_eq!(
        (&trailers["grpc-status"], &trailers["grpc-message"]),
        (&"0".parse().unwrap(), &"well".parse().unwrap())
    );
}

async fn all_kinds_of_calls(port: u16) {
    let mut client = client(port).await;
    let (mut stream, response) = call(&mut client, "Echo").await;
    send(&mut stream, grpc(b"hello")).await;
    stream.send_data(Bytes::new(), true).unwrap();
    let mut messages = answers(response).await;
    assert_eq!(messages.next().await.unwrap(), b"hello");
    ended_well(messages).await;

    let (mut stream, response) = call(&mut client, "Count").await;
    send(&mut stream, grpc(&[50])).await;
    stream.send_data(Bytes::new(), true).unwrap();
    let mut messages = answers(response).await;
    for n in 0..50 {
        assert_eq!(messages.next().await.unwrap(), [n]);
    }
    ended_well(messages).await;

    let (mut stream, response) = call(&mut client, "Sum").await;
    for _ in 0..100 {
        assert!(send(&mut stream, grpc(&[1; 30_000])).await);
    }
    stream.send_data(Bytes::new(), true).unwrap();
    let mut messages = answers(response).await;
    assert_eq!(messages.next().await.unwrap(), b"3000000");
    ended_well(messages).await;

    // Word for word, while both directions stay open.
    let (mut stream, response) = call(&mut client, "Chat").await;
    send(&mut stream, grpc(b"first")).await;
    let mut messages = answers(response).await;
    assert_eq!(messages.next().await.unwrap(), b"first");
    for n in 0..200_u32 {
        send(&mut stream, grpc(&n.to_be_bytes())).await;
        assert_eq!(messages.next().await.unwrap(), n.to_be_bytes());
    }
    stream.send_data(Bytes::new(), true).unwrap();
    ended_well(messages).await;

    let (mut stream, response) = call(&mut client, "Fail").await;
    stream.send_data(Bytes::new(), true).unwrap();
    let response = tokio::time::timeout(LIMIT, response).await.unwrap().unwrap();
    assert_eq!(response.headers()["grpc-status"], "5");
    assert!(response.body().is_end_stream(), "the status comes with the head alone");
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
    let (server, port) = (grpc_server().await, free_port());
    let mut config = RouterConfig::default();
    config.router.id = "alone".to_owned();
    config.tcp_connectors.push(bridge("grpc", server.port(), "grpc:80"));
    config.tcp_listeners.push(bridge("grpc", port, "grpc:80"));
    let router = run(&config);
    until(&router, |s| s.listeners[0].state == ListenerState::Listening).await;
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
