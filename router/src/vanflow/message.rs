//! The messages: what a source announces, and the lists of records that it sends.

use super::attribute::{Attribute, Datum, Kind};
use moorline_amqp::Value;
use moorline_amqp::message::{self, Properties};

/// Where every source announces itself.
pub const BEACONS: &str = "mc/sfe.all";
/// Longest text of a record, bytes; what comes from others is cut there.
const MAX_TEXT: usize = 1000;
/// Records that one message of another router may hold.
const MAX_ADDITIONS: usize = 1000;

/// A source of records: this router.
#[derive(Debug, Clone)]
pub struct Source {
    /// Identity of its own record.
    pub id: String,
    /// Multicast address of all records but those of flows.
    pub events: String,
    /// Multicast address of the records of flows.
    pub flows: String,
    /// Where collectors ask it for everything.
    pub direct: String,
    /// Where routers with a connector add to its records.
    pub additions: String,
    sent: u64,
}

/// One record on its way: what it is of, and what is said now.
#[derive(Debug, Clone)]
pub struct Statement<'a> {
    /// What it describes.
    pub kind: Kind,
    /// Unique in the network.
    pub identity: &'a str,
    /// Everything, or what has changed.
    pub says: Vec<(Attribute, Datum<'a>)>,
}

/// What another router adds to one of our records.
#[derive(Debug, PartialEq, Eq)]
pub struct Addition {
    /// Which record.
    pub number: u64,
    /// What it says.
    pub says: Vec<(Attribute, Said)>,
}

/// A [`Datum`] that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// A reference or words.
    Text(Box<str>),
    /// A time or a counter.
    Number(u64),
}

impl Said {
    /// The value.
    pub fn datum(&self) -> Datum<'_> {
        match self {
            Said::Text(text) => Datum::Text(text),
            Said::Number(number) => Datum::Number(*number),
        }
    }
}

impl From<Datum<'_>> for Said {
    fn from(datum: Datum<'_>) -> Said {
        match datum {
            Datum::Text(text) => Said::Text(text.into()),
            Datum::Number(number) => Said::Number(number),
        }
    }
}

impl Source {
    /// The source whose records begin with `prefix`, five characters.
    pub fn new(prefix: &str) -> Source {
        let id = format!("{prefix}:0");
        Source {
            events: format!("mc/sfe.{id}"),
            flows: format!("mc/sfe.{id}.flows"),
            direct: format!("sfe.{id}"),
            additions: additions_address(&id),
            id,
            sent: 0,
        }
    }

    /// "I am here, and this is where to listen."
    pub fn beacon(&mut self) -> Vec<u8> {
        let text = |text: &str| Value::String(text.to_owned());
        let says = [
            ("v", Value::Uint(1)),
            ("sourceType", text("ROUTER")),
            ("id", text(&self.id)),
            ("address", text(&self.events)),
            ("direct", text(&self.direct)),
        ];
        self.announcement(BEACONS, "BEACON", says)
    }

    /// "I am still here."
    pub fn heartbeat(&mut self, now: u64) -> Vec<u8> {
        let says = [("v", Value::Uint(1)), ("now", Value::Ulong(now)), ("id", Value::String(self.id.clone()))];
        let to = self.events.clone();
        self.announcement(&to, "HEARTBEAT", says)
    }

    /// A list of records for `to`.
    pub fn records(&mut self, to: &str, statements: &[Statement<'_>]) -> Vec<u8> {
        let mut bytes = self.properties(to, "RECORD");
        let records = statements.iter().map(Statement::value).collect();
        message::encode_section(message::VALUE as u8, &Value::List(records), &mut bytes);
        bytes
    }

    fn announcement<const N: usize>(&mut self, to: &str, subject: &str, says: [(&str, Value); N]) -> Vec<u8> {
        let mut bytes = self.properties(to, subject);
        let says = says.into_iter().map(|(key, value)| (Value::Symbol(key.to_owned()), value)).collect();
        message::encode_section(message::APPLICATION_PROPERTIES as u8, &Value::Map(says), &mut bytes);
        message::encode_section(message::VALUE as u8, &Value::Null, &mut bytes);
        bytes
    }

    fn properties(&mut self, to: &str, subject: &str) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256);
        let properties = Properties {
            message_id: Some(Value::Long(self.sent as i64)),
            to: Some(to.to_owned()),
            subject: Some(subject.to_owned()),
            ..Properties::default()
        };
        self.sent += 1;
        properties.encode(&mut bytes);
        bytes
    }
}

impl Statement<'_> {
    /// Keys are AMQP uints: a collector takes nothing else, and one of them falls over it.
    fn value(&self) -> Value {
        let head = [
            (Attribute::Kind, Value::Uint(self.kind as u32)),
            (Attribute::Identity, Value::String(self.identity.to_owned())),
        ];
        let says = self.says.iter().map(|(attribute, datum)| {
            let value = match datum {
                Datum::Text(text) => Value::String((*text).to_owned()),
                Datum::Number(number) => Value::Ulong(*number),
            };
            (*attribute, value)
        });
        Value::Map(head.into_iter().chain(says).map(|(key, value)| (Value::Uint(key as u32), value)).collect())
    }
}

/// Where the source of the record `identity` takes additions to it; none when that is no identity.
pub fn additions_to(identity: &str) -> Option<String> {
    let (source, number) = identity.split_once(':')?;
    let good = source.len() == 5 && source.is_ascii() && number.parse::<u64>().is_ok();
    good.then(|| additions_address(&format!("{source}:0")))
}

fn additions_address(source: &str) -> String {
    format!("vfcr.{source}")
}

/// Whether this is a collector's wish to be sent all records.
pub fn asks_for_everything(bytes: &[u8]) -> bool {
    message::sections(bytes)
        .filter(|section| section.descriptor == message::PROPERTIES)
        .filter_map(|section| Properties::decode(section.value).ok())
        .any(|properties| properties.subject.as_deref() == Some("FLUSH"))
}

/// What another router adds to the records of the source with this prefix. What cannot be read is left out.
pub fn additions(bytes: &[u8], prefix: &str) -> Vec<Addition> {
    let body = message::sections(bytes).find(|section| section.descriptor == message::VALUE);
    let Some(Ok(Value::List(records))) = body.map(|section| Value::decode(&mut { section.value })) else {
        return Vec::new();
    };
    records.iter().take(MAX_ADDITIONS).filter_map(|record| addition(record, prefix)).collect()
}

fn addition(record: &Value, prefix: &str) -> Option<Addition> {
    let Value::Map(pairs) = record else { return None };
    let find =
        |wanted: Attribute| pairs.iter().find(|(key, _)| *key == Value::Uint(wanted as u32)).map(|(_, value)| value);
    if find(Attribute::Kind) != Some(&Value::Uint(Kind::Connection as u32)) {
        return None;
    }
    let (source, number) = find(Attribute::Identity)?.as_str()?.split_once(':')?;
    let says = pairs.iter().filter_map(|(key, value)| {
        let Value::Uint(key) = key else { return None };
        let value = match value {
            Value::String(text) => Datum::Text(text),
            Value::Ulong(number) => Datum::Number(*number),
            _ => return None,
        };
        let attribute = Attribute::added(*key)?;
        let is_number = matches!(value, Datum::Number(_));
        (is_number == (attribute == Attribute::ServerLatency)).then(|| (attribute, value.into()))
    });
    (source == prefix).then_some(Addition { number: number.parse().ok()?, says: says.collect() })
}

/// As much of a text as a record holds.
pub(super) fn cut(text: &str) -> &str {
    let end = (0..=MAX_TEXT.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..end]
}
