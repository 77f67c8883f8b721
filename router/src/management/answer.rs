//! From a request to its response, or to the change that must come first.

use super::change::{self, Change};
use super::record::Record;
use super::request::Request;
use super::response::{Response, Status};
use super::schema::{self, EntityType, Kind};
use super::types::{ALL, ENTITY, MANAGEMENT_NODE, OPERATIONAL};
use moorline_amqp::Value;

/// Where the entities are.
pub trait Source {
    /// All of a kind, in an order that does not change from request to request.
    fn records(&self, kind: Kind) -> Vec<Record>;

    /// The first of a kind that is called so.
    fn named(&self, kind: Kind, name: &str) -> Option<Record> {
        self.records(kind).into_iter().find(|record| record.get("name").as_str() == Some(name))
    }

    /// The last lines of the log, at most so many, oldest first.
    fn log(&self, limit: usize) -> Vec<LogLine>;
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct LogLine {
    /// Which part of the program.
    pub module: String,
    /// `debug`, `info`, `warning`, `error` or `critical`.
    pub level: &'static str,
    /// The text.
    pub text: String,
    /// Seconds since the Unix epoch.
    pub time: i64,
}

/// Lines of the log when the request does not say how many.
const LOG_LINES: usize = 1000;

/// What to do with a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Answer this.
    Answer(Response),
    /// Carry this out, then answer how it went.
    Change(Change),
}

/// Decides about a request.
pub fn answer(request: &Request, source: &dyn Source) -> Verdict {
    let target = match &request.target {
        Some(name) => match named(name) {
            Ok(entity) => Some(entity),
            Err(response) => return Verdict::Answer(response),
        },
        None => None,
    };
    let verdict = if request.operation == "CREATE" {
        change::create(request, target).map(Verdict::Change)
    } else if is_node(request, target) {
        node(request, source).map(Verdict::Answer)
    } else {
        entity(request, target, source)
    };
    verdict.unwrap_or_else(Verdict::Answer)
}

/// A type by name; unknown is a bad request.
pub(super) fn named(name: &str) -> Result<&'static EntityType, Response> {
    EntityType::named(name).ok_or_else(|| Response::failed(Status::BadRequest, format!("No such entity type '{name}'")))
}

/// An operation that a type does not have. Nobody makes or takes what comes and goes by itself.
pub(super) fn not_implemented(request: &Request, entity: &EntityType) -> Response {
    let (operation, name) = (&request.operation, entity.full_name());
    let is_change = matches!(operation.as_str(), "CREATE" | "UPDATE" | "DELETE");
    if is_change && entity.kind.is_some() && entity.is_a(&OPERATIONAL) {
        let why =
            format!("Operation '{operation}' is not allowed for '{name}', whose entities come and go by themselves");
        return Response::failed(Status::Forbidden, why);
    }
    Response::failed(Status::NotImplemented, format!("Operation '{operation}' not implemented for '{name}'"))
}

/// Whether the request is to the management node itself and not to one of its entities.
fn is_node(request: &Request, target: Option<&'static EntityType>) -> bool {
    match target {
        Some(target) if target.is_a(&MANAGEMENT_NODE) => true,
        // Some name the type that a query is about here.
        Some(_) => request.operation == "QUERY",
        None => (request.name.is_none() && request.identity.is_none()) || request.name.as_deref() == Some("self"),
    }
}

/// An operation of the management node.
fn node(request: &Request, source: &dyn Source) -> Result<Response, Response> {
    let about = || request.entity_type.as_deref().map(named).transpose();
    Ok(Response::ok(match request.operation.as_str() {
        "QUERY" => query(request, source)?,
        "GET-TYPES" => {
            let about = about()?;
            listing(
                |entity| about.is_none_or(|about| entity.is_a(about)),
                |entity| Value::List(entity.bases().map(|base| base.full_name().into()).collect()),
            )
        }
        "GET-ATTRIBUTES" => {
            let about = about()?;
            listing(
                |entity| about.is_none_or(|about| entity == about),
                |entity| Value::List(entity.attributes.iter().map(|attribute| attribute.name.into()).collect()),
            )
        }
        "GET-OPERATIONS" => {
            let about = about()?;
            listing(
                |entity| about.is_none_or(|about| entity == about),
                |entity| Value::List(entity.operations().map(Value::from).collect()),
            )
        }
        "GET-ANNOTATIONS" => Value::Map(Vec::new()),
        "GET-MGMT-NODES" => {
            let nodes = source.records(Kind::Node);
            let addresses = nodes.iter().filter_map(|node| node.get("address").as_str());
            Value::List(addresses.map(|address| format!("{address}/$management").into()).collect())
        }
        "GET-SCHEMA" => schema::dump(),
        "GET-LOG" => Value::List(source.log(request.limit.unwrap_or(LOG_LINES)).into_iter().map(log_line).collect()),
        "READ" => return read(request, EntityType::of(Kind::Management), source),
        _ => return Err(not_implemented(request, EntityType::of(Kind::Management))),
    }))
}

fn listing(wanted: impl Fn(&EntityType) -> bool, say: impl Fn(&EntityType) -> Value) -> Value {
    let wanted = ALL.iter().filter(|entity| wanted(entity));
    Value::Map(wanted.map(|entity| (entity.full_name().into(), say(entity))).collect())
}

/// As the tools read it: module, level, text, file, line, seconds.
fn log_line(line: LogLine) -> Value {
    let time = i32::try_from(line.time).map_or(Value::Long(line.time), Value::Int);
    Value::List(vec![line.module.into(), line.level.into(), line.text.into(), Value::Null, Value::Null, time])
}

/// All entities of a type, as columns and rows.
fn query(request: &Request, source: &dyn Source) -> Result<Value, Response> {
    let named_target = request.target.as_deref().map(named).transpose()?;
    let about = match &request.entity_type {
        Some(name) => Some(named(name)?),
        None => named_target.filter(|target| !target.is_a(&MANAGEMENT_NODE)),
    };
    let names = columns(request, about)?;
    let matching = ALL.iter().filter(|entity| entity.is_a(about.unwrap_or(&ENTITY)));
    let records = matching.filter_map(|entity| entity.kind).flat_map(|kind| source.records(kind));
    // Among entities of many types those that have none of the attributes asked for are of no interest.
    let mixed = about.is_none_or(|about| about.kind.is_none());
    let rows = records
        .map(|record| names.iter().map(|name| record.get(name).clone()).collect::<Vec<Value>>())
        .filter(|row| !mixed || row.iter().any(|value| *value != Value::Null))
        .skip(request.offset)
        .take(request.count.unwrap_or(usize::MAX));
    Ok(Value::Map(vec![
        ("attributeNames".into(), Value::List(names.iter().map(|name| (*name).into()).collect())),
        ("results".into(), Value::List(rows.map(Value::List).collect())),
    ]))
}

/// The attributes that a query asks for; all of the type when it names none.
fn columns<'r>(request: &'r Request, about: Option<&'static EntityType>) -> Result<Vec<&'r str>, Response> {
    let bad = |what: &str| Response::failed(Status::BadRequest, what);
    let asked = match request.member("attributeNames") {
        None | Some(Value::Null) => &[][..],
        Some(Value::List(names) | Value::Array(names)) => names,
        Some(_) => return Err(bad("attributeNames must be a list")),
    };
    if asked.is_empty() {
        return Ok(match about {
            Some(about) => about.attributes.iter().map(|attribute| attribute.name).collect(),
            None => all_attributes(),
        });
    }
    let names: Option<Vec<&str>> = asked.iter().map(Value::as_str).collect();
    let names = names.ok_or_else(|| bad("attributeNames must be a list of strings"))?;
    let known = |name: &&str| match about {
        Some(about) => about.attribute(name).is_some(),
        None => ALL.iter().any(|entity| entity.attribute(name).is_some()),
    };
    let unknown: Vec<String> = names.iter().filter(|name| !known(name)).map(|name| format!("'{name}'")).collect();
    if unknown.is_empty() {
        return Ok(names);
    }
    let of = about.map(|about| format!(" for type {}", about.full_name())).unwrap_or_default();
    Err(Response::failed(Status::NotFound, format!("Unknown attributes [{}]{of}.", unknown.join(", "))))
}

fn all_attributes() -> Vec<&'static str> {
    let mut names: Vec<&'static str> = Vec::new();
    for attribute in ALL.iter().flat_map(|entity| entity.attributes) {
        if !names.contains(&attribute.name) {
            names.push(attribute.name);
        }
    }
    names
}

/// An operation on one entity.
fn entity(request: &Request, target: Option<&'static EntityType>, source: &dyn Source) -> Result<Verdict, Response> {
    let of = target.unwrap_or(&ENTITY);
    // Of a type that is named the operations are known before the entity is looked for.
    if target.is_some_and(|of| of.kind.is_some() && !of.operations().any(|operation| operation == request.operation)) {
        return Err(not_implemented(request, of));
    }
    match request.operation.as_str() {
        "READ" => read(request, of, source).map(Verdict::Answer),
        "UPDATE" => change::update(request, &find(request, of, source)?),
        "DELETE" => change::delete(request, &find(request, of, source)?).map(Verdict::Change),
        _ => Err(not_implemented(request, of)),
    }
}

fn read(request: &Request, of: &'static EntityType, source: &dyn Source) -> Result<Response, Response> {
    if of.kind == Some(Kind::Management) {
        let itself = source.records(Kind::Management);
        return Ok(Response::ok(itself.first().map_or(Value::Map(Vec::new()), Record::to_map)));
    }
    find(request, of, source).map(|found| Response::ok(found.to_map()))
}

/// The entity that a request names.
fn find(request: &Request, of: &EntityType, source: &dyn Source) -> Result<Record, Response> {
    let keys: Vec<(&str, &str)> = [("name", &request.name), ("identity", &request.identity)]
        .into_iter()
        .filter_map(|(key, value)| Some((key, value.as_deref()?)))
        .collect();
    if keys.is_empty() {
        let why = format!("{}: No name or identity provided", of.full_name());
        return Err(Response::failed(Status::BadRequest, why));
    }
    let mut kinds = ALL.iter().filter(|entity| entity.is_a(of)).filter_map(|entity| entity.kind);
    let matches = |record: &Record| keys.iter().all(|(key, wanted)| record.get(key).as_str() == Some(wanted));
    let found = match keys[..] {
        [("name", name)] => kinds.find_map(|kind| source.named(kind, name)),
        _ => kinds.flat_map(|kind| source.records(kind)).find(matches),
    };
    found.ok_or_else(|| {
        let keys: Vec<String> = keys.iter().map(|(key, wanted)| format!("{key}={wanted}")).collect();
        Response::failed(Status::NotFound, format!("No entity with {}", keys.join(" ")))
    })
}
