//! CREATE, UPDATE and DELETE: checked here, carried out by the driver.

use moorline_definition::router_config::Entity;
use serde_json::{Map, Value as Json};

use super::answer::{Verdict, named, not_implemented};
use super::record::Record;
use super::request::Request;
use super::response::{Response, Status};
use super::schema::{EntityType, Kind};
use moorline_amqp::Value;

/// What the driver shall do.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Add an entity; its name may be taken.
    Create(Entity),
    /// An entity that exists shall be this.
    Update(Entity),
    /// Remove an entity that exists.
    Delete {
        /// Of this kind.
        kind: Kind,
        /// Of this name.
        name: String,
    },
    /// Close the connection of this identity.
    Close(String),
}

fn bad(why: impl Into<String>) -> Response {
    Response::failed(Status::BadRequest, why)
}

/// A new entity. Name and type may be given in the properties, in the body, or in both alike.
pub(super) fn create(request: &Request, target: Option<&'static EntityType>) -> Result<Change, Response> {
    let mut attributes = members(request)?;
    let agreed = |name: &str, property: &Option<String>, member: Option<Json>| match (property, member) {
        (Some(property), Some(member)) if member.as_str() != Some(property) => {
            Err(bad(format!("Conflicting values for '{name}'")))
        }
        (Some(property), _) => Ok(Some(Json::from(property.as_str()))),
        (None, member) => Ok(member),
    };
    let of = agreed("type", &request.target, attributes.remove("type"))?;
    let entity = match (target, &of) {
        (Some(target), _) => target,
        (None, Some(Json::String(name))) => named(name)?,
        _ => return Err(bad("No 'type' attribute")),
    };
    if !entity.operations().any(|operation| operation == request.operation) {
        return Err(not_implemented(request, entity));
    }
    if let Some(name) = agreed("name", &request.name, attributes.remove("name"))? {
        attributes.insert("name".to_owned(), name);
    }
    for name in attributes.keys() {
        if !attribute(entity, name)?.create {
            return Err(bad(format!("Cannot set attribute '{name}' in CREATE")));
        }
    }
    decode(entity, attributes).map(Change::Create)
}

/// Other attributes for an entity. One that may not change can be given as it is.
pub(super) fn update(request: &Request, record: &Record) -> Result<Verdict, Response> {
    let entity = record.entity();
    if !entity.operations().any(|operation| operation == request.operation) {
        return Err(not_implemented(request, entity));
    }
    if entity.kind == Some(Kind::Connection) {
        return update_connection(request, record);
    }
    for (name, value) in &request.body {
        let Some(name) = name.as_str() else { return Err(bad("The body must be a map of names")) };
        if !attribute(entity, name)?.update && record.get(name) != value {
            return Err(bad(format!("Cannot update attribute '{name}' in UPDATE")));
        }
    }
    let settable = entity.attributes.iter().filter(|attribute| attribute.create || attribute.update);
    let mut attributes = Map::new();
    for attribute in settable.filter(|attribute| !matches!(attribute.name, "name" | "type")) {
        let value = request.member(attribute.name).unwrap_or_else(|| record.get(attribute.name));
        attributes.insert(attribute.name.to_owned(), to_json(value)?);
    }
    decode(entity, attributes).map(|entity| Verdict::Change(Change::Update(entity)))
}

/// A connection can be closed and is else as it is; what is told of it beside that is not looked at.
fn update_connection(request: &Request, record: &Record) -> Result<Verdict, Response> {
    for (name, _) in &request.body {
        attribute(record.entity(), name.as_str().ok_or_else(|| bad("The body must be a map of names"))?)?;
    }
    let given = |name: &str| request.member(name).filter(|value| **value != Value::Null);
    let (status, trace) = (given("adminStatus"), given("enableProtocolTrace"));
    if trace.is_some_and(|trace| trace != record.get("enableProtocolTrace")) {
        return Err(bad("This router writes no protocol trace"));
    }
    match status.map(Value::as_str) {
        None if trace.is_none() => Err(bad("Only adminStatus can be updated")),
        None | Some(Some("enabled")) => Ok(Verdict::Answer(Response::ok(record.to_map()))),
        Some(Some("deleted")) if matches!(record.get("role").as_str(), Some("edge" | "inter-router")) => {
            let why = "You are not allowed to close a connection between routers; the connector of one can be deleted";
            Err(Response::failed(Status::Forbidden, why))
        }
        Some(Some("deleted")) => {
            let identity = record.get("identity").as_str().unwrap_or_default();
            Ok(Verdict::Change(Change::Close(identity.to_owned())))
        }
        Some(_) => Err(bad("adminStatus must be enabled or deleted")),
    }
}

pub(super) fn delete(request: &Request, record: &Record) -> Result<Change, Response> {
    let entity = record.entity();
    match (entity.kind, record.get("name").as_str()) {
        (Some(kind), Some(name)) if entity.operations().any(|operation| operation == request.operation) => {
            Ok(Change::Delete { kind, name: name.to_owned() })
        }
        _ => Err(not_implemented(request, entity)),
    }
}

fn attribute(entity: &EntityType, name: &str) -> Result<&'static super::Attribute, Response> {
    entity.attribute(name).ok_or_else(|| bad(format!("Unknown attribute '{name}' for '{}'", entity.full_name())))
}

/// The same words as for an entity in a file.
fn decode(entity: &EntityType, attributes: Map<String, Json>) -> Result<Entity, Response> {
    // A file names this kind by one word.
    let kind = if entity.kind == Some(Kind::ConfigAddress) { "address" } else { entity.name };
    Entity::decode(kind, attributes).map_err(|error| bad(error.to_string()))
}

/// The body as attributes; what is null is not set.
fn members(request: &Request) -> Result<Map<String, Json>, Response> {
    let mut attributes = Map::new();
    for (name, value) in request.body.iter().filter(|(_, value)| *value != Value::Null) {
        let Some(name) = name.as_str() else { return Err(bad("The body must be a map of names")) };
        attributes.insert(name.to_owned(), to_json(value)?);
    }
    Ok(attributes)
}

fn to_json(value: &Value) -> Result<Json, Response> {
    Ok(match value {
        Value::Null => Json::Null,
        Value::Bool(value) => (*value).into(),
        Value::Ubyte(n) => (*n).into(),
        Value::Ushort(n) => (*n).into(),
        Value::Uint(n) => (*n).into(),
        Value::Ulong(n) => (*n).into(),
        Value::Byte(n) => (*n).into(),
        Value::Short(n) => (*n).into(),
        Value::Int(n) => (*n).into(),
        Value::Long(n) => (*n).into(),
        Value::Float(n) => (*n).into(),
        Value::Double(n) => (*n).into(),
        Value::String(text) | Value::Symbol(text) => text.as_str().into(),
        Value::List(items) | Value::Array(items) => Json::Array(items.iter().map(to_json).collect::<Result<_, _>>()?),
        Value::Map(pairs) => {
            let mut map = Map::new();
            for (key, value) in pairs {
                let key = key.as_str().ok_or_else(|| bad("The keys of a map must be strings"))?;
                map.insert(key.to_owned(), to_json(value)?);
            }
            Json::Object(map)
        }
        _ => return Err(bad("A value has a type that no attribute can have")),
    })
}
