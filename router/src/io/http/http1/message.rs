//! HTTP/1 heads as skupper-router's adaptor writes them.
//!
//! | HTTP | AMQP |
//! |---|---|
//! | method, status | `subject` |
//! | which request an answer is for | `message-id`, `correlation-id`, ulong |
//! | target, version, reason | application properties `:path`, `:version`, `:reason` |
//! | fields | application properties, symbol keys |

use http::header::{self, HeaderMap, HeaderName};
use http::{Method, Request, Response, StatusCode, Uri, Version, request, response};
use hyper::ext::ReasonPhrase;
use moorline_amqp::Value;
use moorline_amqp::message::{self, Properties};

use crate::io::http::fields::{headers, pseudo, put_section};
use crate::io::http::sections::{Head, put_header};
use crate::io::http::{Envelope, FLOW_ID, Malformed};

const VERSION: &str = ":version";
const REASON: &str = ":reason";
const PATH: &str = ":path";

/// Fields about one connection, which end at it.
const OF_A_CONNECTION: [&str; 4] = ["connection", "keep-alive", "proxy-connection", "upgrade"];

/// Appends the head of a request.
pub(in crate::io::http) fn put_request(parts: &request::Parts, envelope: &Envelope<'_>, out: &mut Vec<u8>) {
    put_header(out);
    Properties {
        message_id: Some(Value::Ulong(envelope.id)),
        to: Some(envelope.to.to_owned()),
        subject: Some(parts.method.to_string()),
        reply_to: envelope.reply_to.map(str::to_owned),
        group_id: Some(envelope.site_id.to_owned()),
        ..Properties::default()
    }
    .encode(out);
    put_section(message::APPLICATION_PROPERTIES, out, |map| {
        map.symbol(FLOW_ID.as_bytes(), envelope.flow_id.as_bytes());
        map.string(VERSION.as_bytes(), version_text(parts.version));
        map.string(PATH.as_bytes(), parts.uri.to_string().as_bytes());
        for (name, value) in end_to_end(&parts.headers) {
            map.symbol(&title_case(name), value.as_bytes());
        }
    });
}

/// Appends the head of a response to a request for `path`.
pub(in crate::io::http) fn put_response(
    parts: &response::Parts,
    path: &str,
    envelope: &Envelope<'_>,
    out: &mut Vec<u8>,
) {
    put_header(out);
    Properties {
        to: Some(envelope.to.to_owned()),
        subject: Some(parts.status.as_str().to_owned()),
        correlation_id: Some(Value::Ulong(envelope.id)),
        group_id: Some(envelope.site_id.to_owned()),
        ..Properties::default()
    }
    .encode(out);
    let reason = parts.extensions.get::<ReasonPhrase>().map(ReasonPhrase::as_bytes);
    let reason = reason.or(parts.status.canonical_reason().map(str::as_bytes));
    put_section(message::APPLICATION_PROPERTIES, out, |map| {
        map.string(VERSION.as_bytes(), version_text(parts.version));
        if let Some(reason) = reason {
            map.string(REASON.as_bytes(), reason);
        }
        map.string(PATH.as_bytes(), path.as_bytes());
        for (name, value) in end_to_end(&parts.headers) {
            map.symbol(&title_case(name), value.as_bytes());
        }
    });
}

/// The request in a message.
pub(in crate::io::http) fn read_request(head: &Head) -> Result<Request<()>, Malformed> {
    let method = head.properties.subject.as_deref().and_then(|method| Method::from_bytes(method.as_bytes()).ok());
    let path = pseudo(&head.fields, PATH).and_then(|path| Uri::try_from(path).ok());
    let mut request = Request::new(());
    *request.method_mut() = method.ok_or(Malformed("no valid method"))?;
    *request.uri_mut() = path.ok_or(Malformed("no valid path"))?;
    *request.version_mut() = version(head);
    *request.headers_mut() = received(head)?;
    Ok(request)
}

/// The response in a message.
pub(in crate::io::http) fn read_response(head: &Head) -> Result<Response<()>, Malformed> {
    let status = head.properties.subject.as_deref().and_then(|status| StatusCode::from_bytes(status.as_bytes()).ok());
    let mut response = Response::new(());
    *response.status_mut() = status.ok_or(Malformed("no valid status"))?;
    *response.version_mut() = version(head);
    *response.headers_mut() = received(head)?;
    let usual = response.status().canonical_reason().map(str::as_bytes);
    if let Some(reason) = pseudo(&head.fields, REASON).filter(|reason| Some(*reason) != usual)
        && let Ok(reason) = ReasonPhrase::try_from(reason)
    {
        response.extensions_mut().insert(reason);
    }
    Ok(response)
}

/// The number of the request, in its message or in its answer's.
pub(in crate::io::http) fn number(id: Option<&Value>) -> Option<u64> {
    match id? {
        Value::Ulong(id) => Some(*id),
        Value::Uint(id) => Some(u64::from(*id)),
        _ => None,
    }
}

/// Whether the body that goes with these fields is chunked.
pub(in crate::io::http) fn is_chunked(headers: &HeaderMap) -> bool {
    let last = headers.get_all(header::TRANSFER_ENCODING).iter().next_back().map(|value| value.as_bytes());
    let last = last.and_then(|value| value.rsplit(|b| *b == b',').next());
    last.is_some_and(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"chunked"))
}

fn received(head: &Head) -> Result<HeaderMap, Malformed> {
    let mut received = headers(&head.fields)?;
    let gone: Vec<HeaderName> = received.keys().filter(|name| !goes_on(&received, name)).cloned().collect();
    for name in gone {
        received.remove(name);
    }
    if received.contains_key(header::TRANSFER_ENCODING) {
        // The length of a chunked body is in its chunks; two lengths are how requests are smuggled.
        received.remove(header::CONTENT_LENGTH);
    }
    Ok(received)
}

fn end_to_end(headers: &HeaderMap) -> impl Iterator<Item = (&HeaderName, &http::HeaderValue)> {
    headers.iter().filter(|(name, _)| goes_on(headers, name))
}

/// Whether the field goes on beyond the connection that it came on.
fn goes_on(headers: &HeaderMap, name: &HeaderName) -> bool {
    // The body travels as it is framed, and trailers need the client's word.
    if name == header::TRANSFER_ENCODING || name == header::TE {
        return true;
    }
    let named = headers.get_all(header::CONNECTION).iter().flat_map(|value| value.as_bytes().split(|b| *b == b','));
    let mut named = named.map(<[u8]>::trim_ascii);
    !OF_A_CONNECTION.contains(&name.as_str())
        && !named.any(|other| other.eq_ignore_ascii_case(name.as_str().as_bytes()))
}

/// Names as they are usually written: skupper-router looks for `Host` and `Content-Length` in just this case.
pub(super) fn title_case(name: &HeaderName) -> Vec<u8> {
    let mut word_begins = true;
    let upper = |b: u8| {
        let cased = if word_begins { b.to_ascii_uppercase() } else { b };
        word_begins = b == b'-';
        cased
    };
    name.as_str().bytes().map(upper).collect()
}

fn version_text(version: Version) -> &'static [u8] {
    if version == Version::HTTP_10 { b"1.0" } else { b"1.1" }
}

fn version(head: &Head) -> Version {
    match pseudo(&head.fields, VERSION) {
        Some(b"1.0") => Version::HTTP_10,
        _ => Version::HTTP_11,
    }
}
