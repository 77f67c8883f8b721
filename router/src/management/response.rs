//! A response.

use super::record::Record;
use super::request::ReplyTo;
use moorline_amqp::Value;
use moorline_amqp::message::{APPLICATION_PROPERTIES, HEADER, Properties, VALUE, encode_section};

/// How a request went, by the numbers of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Status {
    Ok = 200,
    Created = 201,
    NoContent = 204,
    BadRequest = 400,
    Forbidden = 403,
    NotFound = 404,
    NotImplemented = 501,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// How it went.
    pub status: Status,
    /// The same in words.
    pub description: String,
    /// The answer; an empty map when there is none.
    pub body: Value,
}

impl Response {
    /// All is well.
    pub fn ok(body: Value) -> Response {
        Response { status: Status::Ok, description: "OK".to_owned(), body }
    }

    /// An entity was created.
    pub fn created(record: &Record) -> Response {
        Response { status: Status::Created, description: "Created".to_owned(), body: record.to_map() }
    }

    /// An entity was deleted.
    pub fn deleted() -> Response {
        Response { status: Status::NoContent, description: "No Content".to_owned(), body: Value::Map(Vec::new()) }
    }

    /// It did not go.
    pub fn failed(status: Status, why: impl Into<String>) -> Response {
        Response { status, description: why.into(), body: Value::Map(Vec::new()) }
    }

    /// The whole message, from its header on.
    pub fn encode(&self, to: &ReplyTo) -> Vec<u8> {
        let mut out = Vec::new();
        // Not durable.
        encode_section(HEADER as u8, &Value::List(vec![Value::Bool(false)]), &mut out);
        let properties = Properties {
            to: Some(to.address.clone()),
            correlation_id: to.correlation_id.clone(),
            ..Properties::default()
        };
        properties.encode(&mut out);
        let application = Value::Map(vec![
            ("statusCode".into(), Value::Int(self.status as i32)),
            ("statusDescription".into(), self.description.as_str().into()),
        ]);
        encode_section(APPLICATION_PROPERTIES as u8, &application, &mut out);
        encode_section(VALUE as u8, &self.body, &mut out);
        out
    }
}
