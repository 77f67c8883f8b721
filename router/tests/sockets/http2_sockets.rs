//! HTTP/2 on sockets, by the library itself, and gRPC on that.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use tokio::net::{TcpListener, TcpStream};

use crate::http_sockets::LIMIT;
use crate::network::dial;

pub type Client = h2::client::SendRequest<Bytes>;

pub async fn client(port: u16) -> Client {
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
pub async fn server<F, S>(serve: S) -> SocketAddr
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
pub async fn send(stream: &mut SendStream<Bytes>, mut data: Bytes) -> bool {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let Some(Ok(room)) = poll_fn(|context| stream.poll_capacity(context)).await else { return false };
        if stream.send_data(data.split_to(room.min(data.len())), false).is_err() {
            return false;
        }
    }
    true
}

pub async fn receive(body: &mut RecvStream) -> Option<Result<Bytes, h2::Error>> {
    let piece = tokio::time::timeout(LIMIT, body.data()).await.expect("in time")?;
    if let Ok(piece) = &piece {
        body.flow_control().release_capacity(piece.len()).unwrap();
    }
    Some(piece)
}

pub async fn whole(mut body: RecvStream) -> (Vec<u8>, Option<HeaderMap>) {
    let mut all = Vec::new();
    while let Some(piece) = receive(&mut body).await {
        all.extend_from_slice(&piece.unwrap());
    }
    (all, body.trailers().await.unwrap())
}

pub async fn ask(
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

pub fn get(path: &str) -> Request<()> {
    Request::builder().uri(format!("http://example.org{path}")).body(()).unwrap()
}

/// Answers with what it saw, and its name.
pub async fn mirror(name: &'static str) -> SocketAddr {
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

/// One gRPC message: not compressed, its length, itself.
pub fn grpc(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message].concat().into()
}

/// Reads gRPC messages.
pub struct Messages {
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
pub async fn grpc_server() -> SocketAddr {
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

pub async fn call(client: &mut Client, method: &str) -> (SendStream<Bytes>, h2::client::ResponseFuture) {
    let request = Request::post(format!("http://grpc.example/test.Service/{method}"))
        .header("te", "trailers")
        .header("content-type", "application/grpc");
    let (response, stream) = client.send_request(request.body(()).unwrap(), false).unwrap();
    (stream, response)
}

pub async fn answers(response: h2::client::ResponseFuture) -> Messages {
    let response = tokio::time::timeout(LIMIT, response).await.unwrap().unwrap();
    assert_eq!(response.headers()["content-type"], "application/grpc");
    Messages { body: response.into_body(), buffer: Vec::new() }
}

pub async fn ended_well(mut messages: Messages) {
    assert_eq!(messages.next().await, None);
    let trailers = messages.body.trailers().await.unwrap().unwrap();
    assert_eq!(
        (&trailers["grpc-status"], &trailers["grpc-message"]),
        (&"0".parse().unwrap(), &"well".parse().unwrap())
    );
}

pub async fn all_kinds_of_calls(port: u16) {
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
