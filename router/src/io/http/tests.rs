//! Messages as skupper-router 2.7.6 sent them, router annotations left out, and what becomes of ours.

use http::header::{HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};
use moorline_amqp::Value;

use super::encapsulation::{BodyReader, Encapsulation, Part};
use super::http1::message::number;
use super::sections::Head;
use super::{Envelope, Malformed};

const GET1: &[u8] = b"\x00Sp\xd0\x00\x00\x00\x06\x00\x00\x00\x02B@\x00Ss\xd0\x00\x00\x00J\x00\x00\x00\x0bS\x01@\xa1\x04web1\xa1\x03GET\xa1/amqp:/_topo/0/interior-2.7/temp.CKpdfmmq9fZhCiJ@@@@@\xa1\x00\x00St\xd1\x00\x00\x00v\x00\x00\x00\x0c\xa3\x07:flowid\xa1\x07A6bRY:4\xa1\x08:version\xa1\x031.1\xa1\x05:path\xa1\x0b/index.html\xa3\x04Host\xa1\x0f127.0.0.1:19311\xa3\x0aUser-Agent\xa1\x0bcurl/7.88.1\xa3\x06Accept\xa1\x03*/*";
const OK1: &[u8] = b"\x00Sp\xd0\x00\x00\x00\x06\x00\x00\x00\x02B@\x00Ss\xd0\x00\x00\x00E\x00\x00\x00\x0b@@\xa1/amqp:/_topo/0/interior-2.7/temp.CKpdfmmq9fZhCiJ\xa1\x03200@S\x01@@@@\xa1\x00\x00St\xd1\x00\x00\x00\xda\x00\x00\x00\x10\xa1\x08:version\xa1\x031.0\xa1\x07:reason\xa1\x02OK\xa1\x05:path\xa1\x0b/index.html\xa3\x06Server\xa1\x1cSimpleHTTP/0.6 Python/3.11.7\xa3\x04Date\xa1\x1dSat, 21 Nov 2026 23:10:38 GMT\xa3\x0cContent-type\xa1\x09text/html\xa3\x0eContent-Length\xa1\x0210\xa3\x0dLast-Modified\xa1\x1dSat, 21 Nov 2026 23:09:48 GMT\x00Su\xa0\x0ahello-web\x0a";
const POST1: &[u8] = b"\x00Sp\xd0\x00\x00\x00\x06\x00\x00\x00\x02B@\x00Ss\xd0\x00\x00\x00K\x00\x00\x00\x0bS\x01@\xa1\x04web1\xa1\x04POST\xa1/amqp:/_topo/0/interior-2.7/temp.5w0socb6UWLlNZU@@@@@\xa1\x00\x00St\xd1\x00\x00\x00\xb4\x00\x00\x00\x10\xa3\x07:flowid\xa1\x07A6bRY:6\xa1\x08:version\xa1\x031.1\xa1\x05:path\xa1\x05/nope\xa3\x04Host\xa1\x0f127.0.0.1:19311\xa3\x0aUser-Agent\xa1\x0bcurl/7.88.1\xa3\x06Accept\xa1\x03*/*\xa3\x0eContent-Length\xa1\x015\xa3\x0cContent-Type\xa1!application/x-www-form-urlencoded\x00Su\xa0\x05abc=1";
const GET2: &[u8] = b"\x00Sp\xd0\x00\x00\x00\x06\x00\x00\x00\x02B@\x00Ss\xd0\x00\x00\x00H\x00\x00\x00\x0b@@\xa1\x04web2\xa1\x03GET\xa1/amqp:/_topo/0/interior-2.7/temp.nyx+GbSVIHUuoyl@@@@@@\x00St\xd1\x00\x00\x00\x8a\x00\x00\x00\x0e\xa3\x07:flowid\xa1\x07A6bRY:8\xa1\x07:method\xa1\x03GET\xa1\x05:path\xa1\x0b/index.html\xa1\x07:scheme\xa1\x04http\xa1\x0a:authority\xa1\x0f127.0.0.1:19312\xa1\x0auser-agent\xa1\x0bcurl/7.88.1\xa1\x06accept\xa1\x03*/*\x00Su\xa0\x00";
const OK2: &[u8] = b"\x00Sp\xd0\x00\x00\x00\x06\x00\x00\x00\x02B@\x00Ss\xd0\x00\x00\x00C\x00\x00\x00\x0b@@\xa1/amqp:/_topo/0/interior-2.7/temp.nyx+GbSVIHUuoyl\xa1\x03200@@@@@@@\x00St\xd1\x00\x00\x00\xe1\x00\x00\x00\x10\xa3\x07:flowid\xa1\x07WXiuq:8\xa1\x07:status\xa1\x03200\xa1\x06server\xa1\x16nghttpd nghttp2/1.52.0\xa1\x0dcache-control\xa1\x0cmax-age=3600\xa1\x04date\xa1\x1dSat, 21 Nov 2026 23:10:38 GMT\xa1\x0econtent-length\xa1\x0210\xa1\x0dlast-modified\xa1\x1dSat, 21 Nov 2026 23:09:48 GMT\xa1\x0ccontent-type\xa1\x09text/html\x00Su\xa0\x0ahello-web\x0a";

fn envelope() -> Envelope<'static> {
    Envelope { to: "web", reply_to: Some("amqp:/_edge/e/temp.1"), id: 7, flow_id: "abcde:3", site_id: "" }
}

fn body(mut reader: BodyReader, bytes: &[u8]) -> Result<(Vec<u8>, Option<HeaderMap>), Malformed> {
    let (mut at, mut data, mut trailers) = (0, Vec::new(), None);
    loop {
        let (used, part) = reader.next(&bytes[at..], true)?;
        at += used;
        match part {
            Part::More => panic!("a whole message needs no more"),
            Part::Data(payload) => data.extend_from_slice(payload),
            Part::Trailers(fields) => trailers = Some(fields),
            Part::End => return Ok((data, trailers)),
        }
    }
}

/// The message without the sections before the application properties, whose lists we write shorter.
fn from_fields(message: &[u8]) -> &[u8] {
    let at = message.windows(3).position(|w| w == b"\x00St").unwrap();
    &message[at..]
}

fn renumbered(message: &[u8], flow_id: &[u8]) -> Vec<u8> {
    let at = message.windows(7).position(|w| w == b":flowid").unwrap() + 9;
    let mut message = message.to_vec();
    message[at..at + 7].copy_from_slice(flow_id);
    message
}

#[test]
fn an_http1_request_is_read_and_written_as_a_router_does() {
    for (message, method, path, payload) in [(GET1, "GET", "/index.html", &b""[..]), (POST1, "POST", "/nope", b"abc=1")]
    {
        let (head, at) = Head::parse(message, true).unwrap().unwrap();
        assert_eq!(number(head.properties.message_id.as_ref()), Some(1));
        assert_eq!(head.properties.to.as_deref(), Some("web1"));
        assert!(head.properties.reply_to.as_deref().unwrap().starts_with("amqp:/_topo/0/interior-2.7/temp."));
        let request = Encapsulation::Http1.read_request(&head, "").unwrap();
        assert_eq!((request.method().as_str(), request.uri().path()), (method, path));
        assert_eq!(request.version(), Version::HTTP_11);
        assert_eq!(request.headers()["host"], "127.0.0.1:19311");
        let reader = Encapsulation::Http1.reader(request.headers());
        assert_eq!(body(reader, &message[at..]).unwrap(), (payload.to_vec(), None));

        let (parts, ()) = request.into_parts();
        let envelope = Envelope { flow_id: "A6bRY:X", ..envelope() };
        let mut ours = Encapsulation::Http1.request(&parts, &envelope);
        Encapsulation::Http1.writer(&parts.headers).data(payload, &mut ours);
        assert_eq!(from_fields(&ours), from_fields(&renumbered(message, b"A6bRY:X")), "{method}");
    }
}

#[test]
fn an_http1_response_is_read_and_written_as_a_router_does() {
    let (head, at) = Head::parse(OK1, true).unwrap().unwrap();
    assert_eq!(number(head.properties.correlation_id.as_ref()), Some(1));
    let response = Encapsulation::Http1.read_response(&head).unwrap();
    assert_eq!((response.status(), response.version()), (StatusCode::OK, Version::HTTP_10));
    let reader = Encapsulation::Http1.reader(response.headers());
    assert_eq!(body(reader, &OK1[at..]).unwrap(), (b"hello-web\n".to_vec(), None));
    let (parts, ()) = response.into_parts();
    let mut ours = Encapsulation::Http1.response(&parts, "/index.html", &envelope());
    Encapsulation::Http1.writer(&parts.headers).data(b"hello-web\n", &mut ours);
    // The one difference: Python wrote "Content-type".
    let theirs = String::from_utf8_lossy(from_fields(OK1)).replace("Content-type", "Content-Type");
    assert_eq!(String::from_utf8_lossy(from_fields(&ours)), theirs);
    let (again, _) = Head::parse(&ours, true).unwrap().unwrap();
    assert_eq!(again.properties.correlation_id, Some(Value::Ulong(7)));
    assert_eq!(again.properties.subject.as_deref(), Some("200"));
    assert_eq!(again.properties.message_id, None);
}

#[test]
fn http2_is_read_and_written_as_a_router_does() {
    let (head, at) = Head::parse(GET2, true).unwrap().unwrap();
    let request = Encapsulation::Http2.read_request(&head, "server:80").unwrap();
    assert_eq!(request.uri(), "http://127.0.0.1:19312/index.html");
    assert_eq!(body(Encapsulation::Http2.reader(request.headers()), &GET2[at..]).unwrap(), (Vec::new(), None));
    let (parts, ()) = request.into_parts();
    let mut ours = Encapsulation::Http2.request(&parts, &Envelope { flow_id: "A6bRY:8", ..envelope() });
    Encapsulation::Http2.writer(&parts.headers).end(None, &mut ours);
    assert_eq!(from_fields(&ours), from_fields(GET2));

    let (head, at) = Head::parse(OK2, true).unwrap().unwrap();
    let response = Encapsulation::Http2.read_response(&head).unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let reader = Encapsulation::Http2.reader(response.headers());
    assert_eq!(body(reader, &OK2[at..]).unwrap(), (b"hello-web\n".to_vec(), None));
    let (parts, ()) = response.into_parts();
    let mut ours = Encapsulation::Http2.response(&parts, "", &Envelope { flow_id: "WXiuq:8", ..envelope() });
    let mut writer = Encapsulation::Http2.writer(&parts.headers);
    writer.data(b"hello-web\n", &mut ours);
    writer.end(None, &mut ours);
    assert_eq!(from_fields(&ours), from_fields(OK2));
}

#[test]
fn trailers_and_repeated_fields_arrive() {
    for encapsulation in [Encapsulation::Http1, Encapsulation::Http2] {
        let mut builder = Response::builder().status(200).header("set-cookie", "a=1").header("set-cookie", "b=2");
        if encapsulation == Encapsulation::Http1 {
            builder = builder.header("transfer-encoding", "gzip, chunked").header("content-length", "3");
        }
        let (parts, ()) = builder.body(()).unwrap().into_parts();
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        let mut message = encapsulation.response(&parts, "/", &envelope());
        let mut writer = encapsulation.writer(&parts.headers);
        writer.data(b"one", &mut message);
        writer.data(&[9; 700], &mut message);
        writer.end(Some(&trailers), &mut message);
        let (head, at) = Head::parse(&message, true).unwrap().unwrap();
        let response = encapsulation.read_response(&head).unwrap();
        let cookies: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a=1", "b=2"]);
        assert_eq!(response.headers().get("content-length"), None);
        let reader = encapsulation.reader(response.headers());
        assert_eq!(body(reader, &message[at..]).unwrap(), ([&b"one"[..], &[9; 700]].concat(), Some(trailers)));
    }
}

#[test]
fn a_chunked_body_without_its_last_chunk_is_not_whole() {
    let (parts, ()) = Response::builder().header("transfer-encoding", "chunked").body(()).unwrap().into_parts();
    let mut message = Encapsulation::Http1.response(&parts, "/", &envelope());
    let (_, at) = Head::parse(&message, true).unwrap().unwrap();
    let reader = || Encapsulation::Http1.reader(&parts.headers);
    assert_eq!(body(reader(), &message[at..]).unwrap(), (Vec::new(), None), "the answer to HEAD");
    Encapsulation::Http1.writer(&parts.headers).data(b"one", &mut message);
    assert!(body(reader(), &message[at..]).is_err());
}

#[test]
fn fields_of_a_connection_end_at_it() {
    let request = Request::builder()
        .method(Method::GET)
        .uri("/x?y=1")
        .header("connection", "close, X-Private")
        .header("connection", "te")
        .header("x-private", "1")
        .header("keep-alive", "timeout=5")
        .header("upgrade", "websocket")
        .header("te", "trailers")
        .header("transfer-encoding", "chunked")
        .header("x-kept", "1");
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let message = Encapsulation::Http1.request(&parts, &envelope());
    let (head, _) = Head::parse(&message, true).unwrap().unwrap();
    let names: Vec<_> = head.fields.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect();
    assert_eq!(names, [":flowid", ":version", ":path", "Te", "Transfer-Encoding", "X-Kept"]);
}

#[test]
fn hostile_messages_never_panic() {
    let mut random = fastrand::Rng::with_seed(14);
    for round in 0..40_000 {
        let original = [GET1, OK1, POST1, GET2, OK2][round % 5];
        let mut message = original.to_vec();
        for _ in 0..random.usize(1..8) {
            let at = random.usize(..message.len());
            message[at] = random.u8(..);
        }
        message.truncate(random.usize(..=message.len()));
        let Ok(Some((head, at))) = Head::parse(&message, random.bool()) else { continue };
        for encapsulation in [Encapsulation::Http1, Encapsulation::Http2] {
            let request = encapsulation.read_request(&head, "server:80").map(|request| request.into_parts().0.headers);
            let response = encapsulation.read_response(&head).map(|response| response.into_parts().0.headers);
            for headers in [request, response].into_iter().flatten() {
                let _ = body(encapsulation.reader(&headers), &message[at..]);
            }
        }
    }
}
