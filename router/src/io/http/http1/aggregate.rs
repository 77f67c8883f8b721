//! Several answers as one: `aggregation`.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use serde_json::{Map, Value};

/// How they become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::io) enum Aggregation {
    /// A JSON array: an object for each answer, with its pseudo fields, fields and `body`.
    Json,
    /// `multipart/mixed`: a part for each answer, with its fields.
    Multipart,
}

/// One answer, whole.
#[derive(Debug)]
pub(in crate::io) struct Answer {
    /// Names and values as they stood in the message, the pseudo fields too.
    pub(in crate::io) fields: Vec<super::super::fields::Field>,
    /// The decoded body.
    pub(in crate::io) body: Vec<u8>,
}

impl Aggregation {
    /// The answer for the client: 204 when there are none.
    pub(in crate::io) fn join(self, answers: &[Answer], boundary: &str) -> Response<Bytes> {
        if answers.is_empty() {
            let mut none = Response::new(Bytes::new());
            *none.status_mut() = StatusCode::NO_CONTENT;
            return none;
        }
        let (body, content_type) = match self {
            Aggregation::Json => (json(answers), "application/json".to_owned()),
            Aggregation::Multipart => (multipart(answers, boundary), format!("multipart/mixed; boundary={boundary}")),
        };
        let mut response = Response::new(Bytes::from(body));
        let mut headers = HeaderMap::new();
        // A boundary is made of letters and digits.
        if let Ok(content_type) = HeaderValue::from_str(&content_type) {
            headers.insert(header::CONTENT_TYPE, content_type);
        }
        *response.headers_mut() = headers;
        response
    }
}

fn json(answers: &[Answer]) -> Vec<u8> {
    let text = |bytes: &[u8]| Value::String(String::from_utf8_lossy(bytes).into_owned());
    let objects = answers.iter().map(|answer| {
        let fields =
            answer.fields.iter().map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), text(value)));
        let mut object: Map<String, Value> = fields.collect();
        if !answer.body.is_empty() {
            object.insert("body".to_owned(), text(&answer.body));
        }
        Value::Object(object)
    });
    format!("{:#}", Value::Array(objects.collect())).into_bytes()
}

fn multipart(answers: &[Answer], boundary: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for answer in answers {
        out.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
        for (name, value) in &answer.fields {
            let about_the_message = name.starts_with(b":")
                || name.eq_ignore_ascii_case(b"content-length")
                || name.eq_ignore_ascii_case(b"transfer-encoding");
            if !about_the_message {
                out.extend_from_slice(name);
                out.extend_from_slice(b": ");
                out.extend_from_slice(value);
                out.extend_from_slice(b"\r\n");
            }
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&answer.body);
    }
    out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers() -> Vec<Answer> {
        let fields = |path: &[u8]| {
            vec![
                (b":path".to_vec(), path.to_vec()),
                (b"Content-Type".to_vec(), b"text/plain".to_vec()),
                (b"Content-Length".to_vec(), b"3".to_vec()),
            ]
        };
        vec![
            Answer { fields: fields(b"/a"), body: b"one".to_vec() },
            Answer { fields: fields(b"/b"), body: Vec::new() },
        ]
    }

    #[test]
    fn json_is_an_array_of_objects() {
        let response = Aggregation::Json.join(&answers(), "x");
        assert_eq!(response.headers()["content-type"], "application/json");
        let parsed: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(
            parsed,
            serde_json::json!([
                {":path": "/a", "Content-Type": "text/plain", "Content-Length": "3", "body": "one"},
                {":path": "/b", "Content-Type": "text/plain", "Content-Length": "3"},
            ])
        );
    }

    #[test]
    fn multipart_has_a_part_for_each() {
        let response = Aggregation::Multipart.join(&answers(), "cut");
        assert_eq!(response.headers()["content-type"], "multipart/mixed; boundary=cut");
        let text = String::from_utf8(response.body().to_vec()).unwrap();
        assert_eq!(
            text,
            "\r\n--cut\r\nContent-Type: text/plain\r\n\r\none\r\n--cut\r\nContent-Type: text/plain\r\n\r\n\r\n--cut--\r\n"
        );
    }

    #[test]
    fn no_answer_is_no_content() {
        assert_eq!(Aggregation::Json.join(&[], "x").status(), StatusCode::NO_CONTENT);
    }
}
