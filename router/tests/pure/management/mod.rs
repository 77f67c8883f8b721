//! Management requests and their answers, as bytes.

mod entities;
mod exchange;

use std::collections::HashMap;

use moorline_amqp::Value;
use moorline_amqp::message::{APPLICATION_PROPERTIES, PROPERTIES, Properties, VALUE, encode_section, section};
use moorline_router::management::{Kind, LogLine, Received, Record, Response, Source, Verdict, answer};

/// Entities by kind.
#[derive(Default)]
pub struct Fixed(pub HashMap<Kind, Vec<Record>>);

impl Source for Fixed {
    fn records(&self, kind: Kind) -> Vec<Record> {
        self.0.get(&kind).cloned().unwrap_or_default()
    }

    fn log(&self, limit: usize) -> Vec<LogLine> {
        let line = |text: &str| LogLine {
            module: "router".to_owned(),
            level: "info",
            text: text.to_owned(),
            time: 1_700_000_000,
        };
        let lines = [line("first"), line("second")];
        lines[lines.len().saturating_sub(limit)..].to_vec()
    }
}

/// A map with these members.
pub fn map<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Map(members.map(|(name, value)| (name.into(), value)).to_vec())
}

/// A list of strings.
pub fn names<const N: usize>(names: [&str; N]) -> Value {
    Value::List(names.map(Value::from).to_vec())
}

pub const REPLY_TO: &str = "amqp:/_topo/0/interior-2.7/temp.JS047hGAviBE97j";

/// A request as Skupper's controllers send it, with its correlation id.
pub fn request(correlation_id: Value, properties: Value, body: Value) -> Vec<u8> {
    // An empty header, as the clients write it.
    let mut message = vec![0x00, 0x53, 0x70, 0x45];
    let head = Properties {
        reply_to: Some(REPLY_TO.to_owned()),
        correlation_id: Some(correlation_id),
        ..Properties::default()
    };
    head.encode(&mut message);
    encode_section(APPLICATION_PROPERTIES as u8, &properties, &mut message);
    encode_section(VALUE as u8, &body, &mut message);
    message
}

/// What an answer says.
#[derive(Debug)]
pub struct Said {
    pub properties: Properties,
    pub status: Value,
    pub description: String,
    pub body: Value,
}

/// Reads an answer back.
pub fn read(mut message: &[u8]) -> Said {
    let mut said =
        Said { properties: Properties::default(), status: Value::Null, description: String::new(), body: Value::Null };
    while !message.is_empty() {
        let section = section(message).unwrap().unwrap();
        let mut value = section.value;
        match section.descriptor {
            PROPERTIES => said.properties = Properties::decode(value).unwrap(),
            APPLICATION_PROPERTIES => {
                let application = Value::decode(&mut value).unwrap();
                said.status = member(&application, "statusCode").clone();
                said.description = member(&application, "statusDescription").as_str().unwrap().to_owned();
            }
            VALUE => said.body = Value::decode(&mut value).unwrap(),
            _ => {}
        }
        message = &message[section.len..];
    }
    said
}

/// A member of a map; null when there is none.
pub fn member<'v>(map: &'v Value, name: &str) -> &'v Value {
    let Value::Map(pairs) = map else { panic!("not a map: {map:?}") };
    pairs.iter().find(|(key, _)| key.as_str() == Some(name)).map_or(&Value::Null, |(_, value)| value)
}

/// Asks, and reads the answer; changes are not answered here.
pub fn ask(source: &Fixed, properties: Value, body: Value) -> Said {
    let received = Received::read(&request(Value::Ulong(7), properties, body)).unwrap();
    let response = match received.request {
        Ok(request) => match answer(&request, source) {
            Verdict::Answer(response) => response,
            Verdict::Change(change) => panic!("a change: {change:?}"),
        },
        Err(response) => response,
    };
    read(&response.encode(&received.reply_to))
}

/// The verdict on a request.
pub fn verdict(source: &Fixed, properties: Value, body: Value) -> Verdict {
    let received = Received::read(&request(Value::Ulong(7), properties, body)).unwrap();
    match received.request {
        Ok(request) => answer(&request, source),
        Err(response) => Verdict::Answer(response),
    }
}

/// The refusal of a request.
pub fn refused(source: &Fixed, properties: Value, body: Value) -> Response {
    match verdict(source, properties, body) {
        Verdict::Answer(response) => response,
        Verdict::Change(change) => panic!("not refused: {change:?}"),
    }
}
