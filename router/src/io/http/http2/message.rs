//! HTTP/2 heads as skupper-router's adaptor writes them.
//!
//! All fields, the pseudo ones too, are application properties with string keys; `subject` repeats method or status.
//! An answer belongs to the request whose reply address it has. Trailers are the footer.

use http::header::{self, HeaderMap};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Request, Response, StatusCode, Uri, Version, request, response};
use moorline_amqp::message::{self, Properties};

use crate::io::http::fields::{Field, headers, pseudo, put_section};
use crate::io::http::sections::{Head, put_header};
use crate::io::http::{Envelope, FLOW_ID, Malformed};

const METHOD: &str = ":method";
const PATH: &str = ":path";
const SCHEME: &str = ":scheme";
const AUTHORITY: &str = ":authority";
const STATUS: &str = ":status";

/// Appends the head of a request.
pub(in crate::io::http) fn put_request(parts: &request::Parts, envelope: &Envelope<'_>, out: &mut Vec<u8>) {
    put_head(parts.method.as_str(), envelope, out);
    put_section(message::APPLICATION_PROPERTIES, out, |map| {
        map.symbol(FLOW_ID.as_bytes(), envelope.flow_id.as_bytes());
        map.string(METHOD.as_bytes(), parts.method.as_str().as_bytes());
        let path = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        map.string(PATH.as_bytes(), path.as_bytes());
        map.string(SCHEME.as_bytes(), parts.uri.scheme_str().unwrap_or("http").as_bytes());
        let host = parts.headers.get(header::HOST).map(http::HeaderValue::as_bytes);
        if let Some(authority) = parts.uri.authority().map(|a| a.as_str().as_bytes()).or(host) {
            map.string(AUTHORITY.as_bytes(), authority);
        }
        for (name, value) in parts.headers.iter().filter(|(name, _)| *name != header::HOST) {
            map.string(name.as_str().as_bytes(), value.as_bytes());
        }
    });
}

/// Appends the head of a response.
pub(in crate::io::http) fn put_response(parts: &response::Parts, envelope: &Envelope<'_>, out: &mut Vec<u8>) {
    put_head(parts.status.as_str(), envelope, out);
    put_section(message::APPLICATION_PROPERTIES, out, |map| {
        // skupper-router reserves room for all properties but this one, so it must be there.
        map.symbol(FLOW_ID.as_bytes(), envelope.flow_id.as_bytes());
        map.string(STATUS.as_bytes(), parts.status.as_str().as_bytes());
        for (name, value) in &parts.headers {
            map.string(name.as_str().as_bytes(), value.as_bytes());
        }
    });
}

fn put_head(subject: &str, envelope: &Envelope<'_>, out: &mut Vec<u8>) {
    put_header(out);
    Properties {
        to: Some(envelope.to.to_owned()),
        subject: Some(subject.to_owned()),
        reply_to: envelope.reply_to.map(str::to_owned),
        group_id: Some(envelope.site_id.to_owned()),
        ..Properties::default()
    }
    .encode(out);
}

/// Appends trailers.
pub(in crate::io::http) fn put_trailers(trailers: &HeaderMap, out: &mut Vec<u8>) {
    put_section(message::FOOTER, out, |map| {
        for (name, value) in trailers {
            map.string(name.as_str().as_bytes(), value.as_bytes());
        }
    });
}

/// The request in a message. `server` stands for an authority that the client did not name.
pub(in crate::io::http) fn read_request(head: &Head, server: &str) -> Result<Request<()>, Malformed> {
    let method = pseudo(&head.fields, METHOD).or(head.properties.subject.as_deref().map(str::as_bytes));
    let method = method.and_then(|method| Method::from_bytes(method).ok());
    let received = received(&head.fields)?;
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(pseudo(&head.fields, SCHEME).and_then(|s| Scheme::try_from(s).ok()).unwrap_or(Scheme::HTTP));
    let host = received.get(header::HOST).map(http::HeaderValue::as_bytes);
    let authority = pseudo(&head.fields, AUTHORITY).or(host).unwrap_or(server.as_bytes());
    parts.authority = Some(Authority::try_from(authority).map_err(|_| Malformed("no valid authority"))?);
    let path = pseudo(&head.fields, PATH).and_then(|path| PathAndQuery::try_from(path).ok());
    parts.path_and_query = Some(path.ok_or(Malformed("no valid path"))?);
    let mut request = Request::new(());
    *request.method_mut() = method.ok_or(Malformed("no valid method"))?;
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| Malformed("no valid target"))?;
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = received;
    Ok(request)
}

/// The response in a message.
pub(in crate::io::http) fn read_response(head: &Head) -> Result<Response<()>, Malformed> {
    let status = pseudo(&head.fields, STATUS).or(head.properties.subject.as_deref().map(str::as_bytes));
    let status = status.and_then(|status| StatusCode::from_bytes(status).ok());
    let mut response = Response::new(());
    *response.status_mut() = status.ok_or(Malformed("no valid status"))?;
    *response.version_mut() = Version::HTTP_2;
    *response.headers_mut() = received(&head.fields)?;
    Ok(response)
}

/// Fields that HTTP/2 knows no more would make the whole request malformed.
fn received(fields: &[Field]) -> Result<HeaderMap, Malformed> {
    let mut received = headers(fields)?;
    for name in ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"] {
        received.remove(name);
    }
    Ok(received)
}
