//! A request: what a message to `$management` asks.

use super::response::{Response, Status};
use moorline_amqp::Value;
use moorline_amqp::message::{APPLICATION_PROPERTIES, PROPERTIES, Properties, VALUE, section};

/// A message to `$management`.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    /// Where the response goes.
    pub reply_to: ReplyTo,
    /// What is asked; or, when that cannot be read, the response.
    pub request: Result<Request, Response>,
}

/// Where a response goes.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplyTo {
    /// The address.
    pub address: String,
    /// Given back as it came, in its own AMQP type: clients tell their requests apart by it.
    pub correlation_id: Option<Value>,
}

/// What is asked. Names are as they came, not checked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Request {
    /// Such as `QUERY`, in capitals.
    pub operation: String,
    /// The type that a QUERY or a GET-* operation is about.
    pub entity_type: Option<String>,
    /// The type of the entity that the request is to.
    pub target: Option<String>,
    /// That entity's name.
    pub name: Option<String>,
    /// That entity's identity.
    pub identity: Option<String>,
    /// At most so many results.
    pub count: Option<usize>,
    /// Without so many of the first.
    pub offset: usize,
    /// At most so many lines of the log.
    pub limit: Option<usize>,
    /// The body: a map, unless it is null.
    pub body: Vec<(Value, Value)>,
}

impl Received {
    /// Reads a whole message, its sections from header or properties on.
    ///
    /// # Errors
    /// Why it cannot be answered at all.
    pub fn read(message: &[u8]) -> Result<Received, &'static str> {
        let mut sections = Sections::default();
        let whole = sections.read(message);
        let properties = sections.properties.ok_or("it has no properties")?;
        let address = properties.reply_to.filter(|address| !address.is_empty()).ok_or("it has no reply-to")?;
        // Clients that send no correlation-id are answered with their message-id, as AMQP management has it.
        let correlation_id = properties.correlation_id.or(properties.message_id);
        let request = whole.and_then(|()| Request::new(sections.application, sections.body));
        Ok(Received {
            reply_to: ReplyTo { address, correlation_id },
            request: request.map_err(|what| Response::failed(Status::BadRequest, what)),
        })
    }
}

#[derive(Default)]
struct Sections {
    properties: Option<Properties>,
    application: Value,
    body: Value,
}

impl Sections {
    fn read(&mut self, mut message: &[u8]) -> Result<(), String> {
        const MALFORMED: &str = "the request is not a well-formed message";
        while !message.is_empty() {
            let Ok(Some(section)) = section(message) else { return Err(MALFORMED.to_owned()) };
            let mut value = section.value;
            let decoded = match section.descriptor {
                PROPERTIES => Properties::decode(value).map(|properties| self.properties = Some(properties)),
                APPLICATION_PROPERTIES => Value::decode(&mut value).map(|map| self.application = map),
                VALUE => Value::decode(&mut value).map(|body| self.body = body),
                _ => Ok(()),
            };
            decoded.map_err(|error| format!("{MALFORMED}: {error}"))?;
            message = message.get(section.len..).unwrap_or_default();
        }
        Ok(())
    }
}

impl Request {
    fn new(application: Value, body: Value) -> Result<Request, String> {
        let Value::Map(application) = application else { return Err("No 'operation' property".to_owned()) };
        let property = |name: &str| {
            let found = application.iter().find(|(key, _)| key.as_str() == Some(name));
            found.map(|(_, value)| value)
        };
        let text = |name: &str| property(name).and_then(Value::as_str).map(str::to_owned);
        let size = |name: &str| property(name).and_then(size);
        Ok(Request {
            operation: text("operation").ok_or("No 'operation' property")?.to_ascii_uppercase(),
            entity_type: text("entityType"),
            target: text("type"),
            name: text("name"),
            identity: text("identity"),
            // No limit is written as none, as zero, or as a negative number.
            count: size("count").filter(|count| *count > 0),
            offset: size("offset").unwrap_or_default(),
            limit: size("limit").filter(|limit| *limit > 0),
            body: match body {
                Value::Map(pairs) => pairs,
                Value::Null => Vec::new(),
                _ => return Err("The body must be a map".to_owned()),
            },
        })
    }

    /// A member of the body.
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.body.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)
    }
}

/// A whole number of any AMQP type that is not negative.
fn size(value: &Value) -> Option<usize> {
    match *value {
        Value::Ubyte(n) => Some(n.into()),
        Value::Ushort(n) => Some(n.into()),
        Value::Uint(n) => n.try_into().ok(),
        Value::Ulong(n) => n.try_into().ok(),
        Value::Byte(n) => n.try_into().ok(),
        Value::Short(n) => n.try_into().ok(),
        Value::Int(n) => n.try_into().ok(),
        Value::Long(n) => n.try_into().ok(),
        _ => None,
    }
}
