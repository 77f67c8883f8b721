//! Taking one entity's attributes out of a JSON map, collecting every problem.

use serde_json::{Map, Value};

use super::{ConfigProblem, Place};

/// The attributes of one entity that have not been taken yet.
pub(super) struct Attributes<'a> {
    pub(super) line: usize,
    pub(super) entity: &'static str,
    pub(super) name: String,
    rest: Map<String, Value>,
    problems: &'a mut Vec<ConfigProblem>,
}

impl<'a> Attributes<'a> {
    /// `key` is the attribute that names entities of this kind.
    pub(super) fn new(
        line: usize,
        entity: &'static str,
        key: &str,
        rest: Map<String, Value>,
        problems: &'a mut Vec<ConfigProblem>,
    ) -> Self {
        let name = rest.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self { line, entity, name, rest, problems }
    }

    fn place(&self, attribute: &'static str) -> Place {
        Place { line: self.line, entity: self.entity.to_owned(), name: self.name.clone(), attribute }
    }

    fn wrong(&mut self, attribute: &'static str, expected: &'static str, found: &Value) {
        let place = self.place(attribute);
        self.problems.push(ConfigProblem::Value { place, expected, found: found.to_string() });
    }

    fn take<T>(
        &mut self,
        attribute: &'static str,
        expected: &'static str,
        convert: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.rest.remove(attribute).filter(|value| !value.is_null())?;
        let converted = convert(&value);
        if converted.is_none() {
            self.wrong(attribute, expected, &value);
        }
        converted
    }

    /// A string; a number is taken as its text, as the router does.
    pub(super) fn string(&mut self, attribute: &'static str) -> Option<String> {
        self.take(attribute, "a string", |value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
    }

    pub(super) fn required(&mut self, attribute: &'static str) -> String {
        if self.rest.get(attribute).is_none_or(|value| value.is_null() || value.as_str() == Some("")) {
            self.rest.remove(attribute);
            let place = self.place(attribute);
            self.problems.push(ConfigProblem::Missing { place });
            return String::new();
        }
        self.string(attribute).unwrap_or_default()
    }

    /// Reports an attribute that is neither there nor already reported as wrong.
    pub(super) fn require_present(&mut self, attribute: &'static str) {
        let place = self.place(attribute);
        let reported = self
            .problems
            .iter()
            .any(|problem| matches!(problem, ConfigProblem::Value { place: other, .. } if *other == place));
        if !reported {
            self.problems.push(ConfigProblem::Missing { place });
        }
    }

    /// The router also takes booleans written as words.
    pub(super) fn boolean(&mut self, attribute: &'static str) -> Option<bool> {
        self.take(attribute, "true or false", |value| match value {
            Value::Bool(value) => Some(*value),
            Value::String(word) => match word.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Some(true),
                "false" | "no" | "off" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        })
    }

    /// An integer, or a string that is one.
    pub(super) fn integer(&mut self, attribute: &'static str) -> Option<i64> {
        self.take(attribute, "an integer", as_integer)
    }

    /// An integer from 0, or a string that is one.
    pub(super) fn unsigned(&mut self, attribute: &'static str) -> Option<u32> {
        self.take(attribute, "an integer from 0 to 4294967295", |value| {
            as_integer(value).and_then(|n| u32::try_from(n).ok())
        })
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(
        &mut self,
        attribute: &'static str,
        expected: &'static str,
        words: &[(&str, T)],
    ) -> Option<T> {
        self.take(attribute, expected, |value| {
            let text = value.as_str()?;
            words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning)
        })
    }

    /// A text that may not be there.
    pub(super) fn none(&mut self, attribute: &'static str, expected: &'static str) -> String {
        self.take(attribute, expected, |value| (value.as_str() == Some("")).then(String::new)).unwrap_or_default()
    }

    /// The port of a listener; 0 lets the system choose. Absent means AMQP's own port.
    pub(super) fn listening_port(&mut self) -> u16 {
        self.take("port", "a port from 0 to 65535", |value| as_integer(value).and_then(|n| u16::try_from(n).ok()))
            .unwrap_or(5672)
    }

    /// A port kept as text, `lowest` to 65535.
    pub(super) fn port_text(&mut self, lowest: u16) -> String {
        if self.rest.get("port").is_none_or(|value| value.is_null() || value.as_str() == Some("")) {
            return self.required("port");
        }
        let expected = if lowest == 0 { "a port from 0 to 65535" } else { "a port from 1 to 65535" };
        self.take("port", expected, |value| {
            as_integer(value).and_then(|n| u16::try_from(n).ok()).filter(|port| *port >= lowest)
        })
        .map(|port| port.to_string())
        .unwrap_or_default()
    }

    /// Everything that was not taken.
    pub(super) fn extra(self) -> Map<String, Value> {
        self.rest
    }
}

fn as_integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}
