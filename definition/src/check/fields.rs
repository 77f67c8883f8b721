//! Reading the fields of a mapping: types, keys that occur twice, keys that nobody knows.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::{Checker, keys};
use crate::problem::{Severity, quote};
use crate::yaml::{Entry, Node, Resolved, Scalar, Value};

/// What a mapping may hold.
pub(super) struct Shape {
    pub(super) keys: &'static [&'static str],
    /// Keys of a mapping beside this one, and what to say when one of them stands here.
    pub(super) elsewhere: &'static [&'static str],
    pub(super) where_else: &'static str,
}

/// A value that was read, and where.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) at: Range<usize>,
}

/// The known fields of one mapping.
pub(super) struct Fields<'n> {
    /// Path of the mapping; empty at the top.
    pub(super) path: String,
    /// Where to point when a key is missing.
    pub(super) head: Range<usize>,
    known: HashMap<&'static str, &'n Node>,
}

impl<'n> Fields<'n> {
    /// The path of a key of this mapping.
    pub(super) fn path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The value of a key; null is the same as no key.
    pub(super) fn node(&self, key: &'static str) -> Option<&'n Node> {
        self.known.get(key).copied().filter(|node| !node.is_null())
    }
}

impl Checker<'_> {
    /// The fields of a mapping; `None`, with a problem, when the node is something else.
    pub(super) fn fields<'n>(&mut self, node: &'n Node, path: &str, shape: &Shape) -> Option<Fields<'n>> {
        let Value::Map(entries) = &node.value else {
            let message = format!("expected a mapping, found {}", node.description());
            self.error("type", path, &node.at, message);
            return None;
        };
        let mut fields = Fields { path: path.to_owned(), head: node.head(), known: HashMap::new() };
        let mut aliases = Vec::new();
        for entry in self.without_duplicates(entries, path) {
            match shape.keys.iter().find(|key| **key == entry.key) {
                Some(key) => {
                    fields.known.insert(*key, &entry.value);
                }
                None => aliases.push(entry),
            }
        }
        for entry in aliases {
            let alias = keys::alias(&entry.key, shape.keys);
            self.unknown_key(entry, &fields.path(&entry.key), shape, alias);
            if let Some(key) = alias {
                // Skupper drops it.
                if !self.options.compat_1_8 {
                    fields.known.entry(key).or_insert(&entry.value);
                }
            }
        }
        Some(fields)
    }

    fn unknown_key(&mut self, entry: &Entry, path: &str, shape: &Shape, alias: Option<&'static str>) {
        let severity = if self.options.strict { Severity::Error } else { Severity::Warning };
        let name = quote(&entry.key);
        let meant = alias.or_else(|| {
            let here_or_there = !shape.elsewhere.contains(&entry.key.as_str());
            here_or_there.then(|| keys::nearest(&entry.key, shape.keys)).flatten()
        });
        let message = match meant {
            Some(key) => format!("unknown key {name}; did you mean {key:?}?"),
            None => format!("unknown key {name}"),
        };
        let help = if let Some(key) = alias {
            Some(if self.options.compat_1_8 || self.options.strict {
                format!("write {key:?}")
            } else {
                format!("read as {key:?} here, ignored by Skupper")
            })
        } else if meant.is_none() && keys::alias(&entry.key, shape.elsewhere).is_some() {
            Some(shape.where_else.to_owned())
        } else if meant.is_none() {
            Some(format!("known here: {}", shape.keys.join(", ")))
        } else {
            None
        };
        self.report(severity, "unknown-key", path, &entry.key_at, message).help = help;
    }

    fn without_duplicates<'n>(&mut self, entries: &'n [Entry], path: &str) -> Vec<&'n Entry> {
        let mut first: HashMap<&str, &Entry> = HashMap::new();
        let mut kept = Vec::new();
        for entry in entries {
            let Some(earlier) = first.get(entry.key.as_str()) else {
                first.insert(&entry.key, entry);
                kept.push(entry);
                continue;
            };
            let key = quote(&entry.key);
            let line = self.source.line(earlier.key_at.start);
            let path = if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
            let related = (self.source.span(&earlier.key_at), "first defined here".to_owned());
            let message = format!("mapping key {key} already defined at line {line}");
            self.error("duplicate-key", &path, &entry.key_at, message).related.push(related);
        }
        kept
    }

    /// The items of a list; none, with a problem, when the node is something else.
    pub(super) fn items<'n>(&mut self, fields: &Fields<'n>, key: &'static str) -> &'n [Node] {
        let Some(node) = fields.node(key) else {
            return &[];
        };
        if let Value::List(items) = &node.value {
            return items;
        }
        let message = format!("expected a list, found {}", node.description());
        self.error("type", &fields.path(key), &node.at, message);
        &[]
    }

    /// A scalar of a type. A missing value and one of the wrong type are both `None`; the latter is reported.
    fn scalar<T>(
        &mut self,
        fields: &Fields<'_>,
        key: &'static str,
        expected: &str,
        convert: impl FnOnce(&Scalar) -> Option<T>,
    ) -> Option<At<T>> {
        let node = fields.node(key)?;
        let value = match &node.value {
            Value::Scalar(scalar) => convert(scalar),
            Value::List(_) | Value::Map(_) => None,
        };
        if value.is_none() {
            let message = format!("expected {expected}, found {}", node.description());
            self.error("type", &fields.path(key), &node.at, message);
        }
        Some(At { value: value?, at: node.at.clone() })
    }

    /// A string that is not empty. Numbers and booleans are taken as they were written, as yaml.v3 does.
    pub(super) fn string(&mut self, fields: &Fields<'_>, key: &'static str) -> Option<At<String>> {
        let text = self.scalar(fields, key, "a string", |scalar| Some(scalar.text.clone()))?;
        (!text.value.is_empty()).then_some(text)
    }

    pub(super) fn boolean(&mut self, fields: &Fields<'_>, key: &'static str) -> Option<bool> {
        self.scalar(fields, key, "true or false", Scalar::as_bool).map(|found| found.value)
    }

    pub(super) fn integer(&mut self, fields: &Fields<'_>, key: &'static str) -> Option<At<i128>> {
        self.scalar(fields, key, "integer", Scalar::as_integer)
    }

    /// An integer from 0 to 2147483647.
    pub(super) fn count(&mut self, fields: &Fields<'_>, key: &'static str) -> Option<u32> {
        let found = self.integer(fields, key)?;
        let count = i32::try_from(found.value).ok().and_then(|number| u32::try_from(number).ok());
        if count.is_none() {
            self.error("range", &fields.path(key), &found.at, "expected an integer from 0 to 2147483647");
        }
        count
    }

    /// A string that a type accepts.
    pub(super) fn parsed<T>(&mut self, fields: &Fields<'_>, key: &'static str, code: &'static str) -> Option<At<T>>
    where
        T: std::str::FromStr<Err = crate::definition::InvalidName>,
    {
        let text = self.string(fields, key)?;
        match text.value.parse() {
            Ok(value) => Some(At { value, at: text.at }),
            Err(invalid) => {
                self.error(code, &fields.path(key), &text.at, invalid.to_string());
                None
            }
        }
    }

    pub(super) fn required(&mut self, fields: &Fields<'_>, key: &'static str, wanted: &str) {
        // Something of the wrong type was reported already.
        let at = match fields.node(key) {
            Some(node) if !matches!(&node.value, Value::Scalar(scalar) if scalar.text.is_empty()) => {
                return;
            }
            Some(node) => node.at.clone(),
            None => fields.known.get(key).map_or(fields.head.clone(), |null| null.at.clone()),
        };
        let at = if at.is_empty() { fields.head.clone() } else { at };
        self.error("required", &fields.path(key), &at, format!("required{wanted}"));
    }

    /// A mapping from words to words.
    pub(super) fn words(&mut self, fields: &Fields<'_>, key: &'static str) -> BTreeMap<String, String> {
        let Some(node) = fields.node(key) else {
            return BTreeMap::new();
        };
        let path = fields.path(key);
        let Value::Map(entries) = &node.value else {
            self.error("type", &path, &node.at, format!("expected a mapping, found {}", node.description()));
            return BTreeMap::new();
        };
        let mut words = BTreeMap::new();
        for entry in self.without_duplicates(entries, &path) {
            if let Value::Scalar(scalar) = &entry.value.value {
                let text = if entry.value.is_null() { String::new() } else { scalar.text.clone() };
                words.insert(entry.key.clone(), text);
            } else {
                let message = format!("expected a string, found {}", entry.value.description());
                self.error("type", &format!("{path}.{}", entry.key), &entry.value.at, message);
            }
        }
        words
    }
}

/// A value that no gateway reads, kept as JSON.
pub(super) fn kept(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::List(items) => items.iter().map(kept).collect(),
        Value::Map(entries) => entries.iter().map(|entry| (entry.key.clone(), kept(&entry.value))).collect(),
        Value::Scalar(scalar) => match scalar.resolve() {
            Resolved::Null => serde_json::Value::Null,
            Resolved::Bool(value) => value.into(),
            Resolved::Int(value) => i64::try_from(value).map_or_else(|_| scalar.text.clone().into(), Into::into),
            Resolved::Float(value) => value.into(),
            Resolved::Text => scalar.text.clone().into(),
        },
    }
}
