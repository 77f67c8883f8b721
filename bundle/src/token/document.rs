//! YAML from strangers, read into a small tree of texts.
//!
//! A token comes from somewhere else, so reading it is bounded in memory and time (aliases can make a
//! few bytes of YAML stand for gigabytes) and no message repeats a value (it may be the key).

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroize;

use super::fault::shown;
use super::{Place, TokenFault};

/// The most values that a document may have once aliases are followed. A token has about 30, one
/// that `kubectl get -o yaml` printed with its bookkeeping about 150.
const MOST_VALUES: usize = 4096;
/// The most bytes of text that they may have.
const MOST_TEXT: usize = 2 * super::LARGEST;

/// The most characters that open a flow collection or a directive. The YAML scanner's time grows with
/// the square of either: a file of opening brackets alone would keep it busy for a minute.
const MOST_OPENERS: usize = 2048;

const TOO_MUCH: &str = "it has far more content than a token";

/// A value of the document.
pub(super) enum Node {
    /// `null`, or nothing after the colon.
    Null,
    /// A scalar of any type, as text.
    Text(String),
    /// A mapping, in the order of the file.
    Map(Vec<(String, Node)>),
    /// A list; nothing in a token that we read is one.
    List,
}

impl Node {
    /// Reads one YAML document.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, TokenFault> {
        let openers = bytes.iter().filter(|byte| matches!(byte, b'[' | b'{' | b'%'));
        if openers.count() > MOST_OPENERS {
            return Err(TokenFault::NotYaml { place: None, detail: TOO_MUCH.to_owned() });
        }
        let budget = Budget { values: Cell::new(MOST_VALUES), text: Cell::new(MOST_TEXT) };
        NodeSeed(&budget).deserialize(serde_yaml::Deserializer::from_slice(bytes)).map_err(|error| {
            TokenFault::NotYaml {
                place: error.location().map(|found| Place { line: found.line(), column: found.column() }),
                detail: reason(&error),
            }
        })
    }

    /// The value under `key`; `None` for what is no mapping, lacks the key, or has null there.
    pub(super) fn field(&self, key: &str) -> Option<&Node> {
        let Self::Map(entries) = self else {
            return None;
        };
        entries.iter().find(|(name, value)| name == key && !matches!(value, Node::Null)).map(|(_, value)| value)
    }

    /// The entries of a mapping that are texts.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        let entries = if let Self::Map(entries) = self { entries.as_slice() } else { &[] };
        entries.iter().filter_map(|(name, value)| match value {
            Self::Text(text) => Some((name.as_str(), text.as_str())),
            _ => None,
        })
    }
}

/// The private key is among the texts.
impl Drop for Node {
    fn drop(&mut self) {
        if let Self::Text(text) = self {
            text.zeroize();
        }
    }
}

/// The parser's reason, less the place, which is told apart.
fn reason(error: &serde_yaml::Error) -> String {
    let text = error.to_string();
    let place = error.location().map(|found| format!(" at line {} column {}", found.line(), found.column()));
    match place {
        Some(place) => text.replacen(&place, "", 1),
        None => text,
    }
}

struct Budget {
    values: Cell<usize>,
    text: Cell<usize>,
}

impl Budget {
    fn spend<E: Error>(&self, text: usize) -> Result<(), E> {
        match (self.values.get().checked_sub(1), self.text.get().checked_sub(text)) {
            (Some(values), Some(text)) => {
                self.values.set(values);
                self.text.set(text);
                Ok(())
            }
            _ => Err(E::custom(TOO_MUCH)),
        }
    }
}

#[derive(Clone, Copy)]
struct NodeSeed<'b>(&'b Budget);

impl NodeSeed<'_> {
    fn text<E: Error>(self, text: &str) -> Result<Node, E> {
        self.0.spend(text.len())?;
        Ok(Node::Text(text.to_owned()))
    }

    fn null<E: Error>(self) -> Result<Node, E> {
        self.0.spend(0)?;
        Ok(Node::Null)
    }
}

impl<'de> DeserializeSeed<'de> for NodeSeed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NodeSeed<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("plain YAML without custom tags")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        self.text(&value.to_string())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        self.text(&value.to_string())
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Node, E> {
        self.text(&value.to_string())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        self.text(&value.to_string())
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Node, E> {
        self.text(&value.to_string())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        self.text(&value.to_string())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        self.text(value)
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        self.null()
    }

    fn visit_none<E: Error>(self) -> Result<Node, E> {
        self.null()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        self.0.spend(0)?;
        while list.next_element::<IgnoredAny>()?.is_some() {
            self.0.spend(0)?;
        }
        Ok(Node::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        self.0.spend(0)?;
        let mut entries: Vec<(String, Node)> = Vec::new();
        while let Some(key) = map.next_key_seed(self)? {
            let value = map.next_value_seed(self)?;
            // Keys that are no text are nobody's that we know.
            let Node::Text(name) = &key else {
                continue;
            };
            if entries.iter().any(|(earlier, _)| earlier == name) {
                return Err(A::Error::custom(format_args!("the key {:?} appears twice", shown(name))));
            }
            entries.push((name.clone(), value));
        }
        Ok(Node::Map(entries))
    }
}
