//! One entity as management shows it.

use std::collections::BTreeMap;

use super::schema::{EntityType, Preset};
use moorline_amqp::Value;

/// The attributes of one entity, in the order of its type.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    entity: &'static EntityType,
    values: Vec<Value>,
}

impl PartialEq for EntityType {
    fn eq(&self, other: &EntityType) -> bool {
        self.name == other.name
    }
}

impl Record {
    /// One with the defaults of its type.
    pub fn new(entity: &'static EntityType) -> Record {
        let values = entity.attributes.iter().map(|attribute| attribute.default.value()).collect();
        Record { entity, values }.set("type", entity.full_name())
    }

    /// One of a configuration: its attributes, and the defaults for what they do not say.
    pub fn configured(entity: &'static EntityType, attributes: &BTreeMap<String, serde_json::Value>) -> Record {
        let mut record = Record::new(entity);
        for (attribute, value) in entity.attributes.iter().zip(&mut record.values) {
            if let Some(set) = attributes.get(attribute.name).filter(|_| !attribute.secret) {
                *value = from_json(attribute.form, set);
            }
        }
        record
    }

    /// Sets an attribute that the type has.
    pub fn set(mut self, attribute: &str, value: impl Into<Value>) -> Record {
        let place = self.entity.attributes.iter().position(|a| a.name == attribute);
        debug_assert!(place.is_some(), "{} has no attribute {attribute}", self.entity.name);
        if let Some(slot) = place.and_then(|place| self.values.get_mut(place)) {
            *slot = value.into();
        }
        self
    }

    /// The same for several of one type.
    pub fn set_all<T: Into<Value>>(self, attributes: impl IntoIterator<Item = (&'static str, T)>) -> Record {
        attributes.into_iter().fold(self, |record, (attribute, value)| record.set(attribute, value))
    }

    /// Sets name and identity.
    pub fn called(self, name: impl Into<Value>, identity: impl Into<Value>) -> Record {
        self.set("name", name).set("identity", identity)
    }

    /// What it is.
    pub fn entity(&self) -> &'static EntityType {
        self.entity
    }

    /// The value of an attribute; null when the type has none of the name.
    pub fn get(&self, attribute: &str) -> &Value {
        let place = self.entity.attributes.iter().position(|a| a.name == attribute);
        place.and_then(|place| self.values.get(place)).unwrap_or(&Value::Null)
    }

    /// The attributes that are set, as the map that READ answers.
    pub fn to_map(&self) -> Value {
        let pairs = self.entity.attributes.iter().zip(&self.values).filter(|(_, value)| **value != Value::Null);
        Value::Map(pairs.map(|(attribute, value)| (attribute.name.into(), value.clone())).collect())
    }
}

/// An attribute of a file as the schema wants it; what does not fit its type is shown as it is written.
fn from_json(form: &str, value: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    let number = |number: i64| i32::try_from(number).map_or(Value::Long(number), Value::Int);
    match (form, value) {
        (_, Json::Null) => Preset::None.value(),
        ("integer", Json::String(text)) => text.parse().map_or_else(|_| text.as_str().into(), number),
        ("boolean", Json::String(text)) => match text.to_ascii_lowercase().as_str() {
            "yes" | "true" | "on" => true.into(),
            "no" | "false" | "off" => false.into(),
            _ => text.as_str().into(),
        },
        ("string", Json::Number(number)) => number.to_string().into(),
        (_, Json::String(text)) => text.as_str().into(),
        (_, Json::Bool(value)) => (*value).into(),
        (_, Json::Number(whole)) => match whole.as_i64() {
            Some(whole) => number(whole),
            None => Value::Double(whole.as_f64().unwrap_or_default()),
        },
        (_, Json::Array(items)) => Value::List(items.iter().map(|item| from_json("", item)).collect()),
        (_, Json::Object(pairs)) => {
            Value::Map(pairs.iter().map(|(key, value)| (key.as_str().into(), from_json("", value))).collect())
        }
    }
}
