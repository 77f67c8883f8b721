//! A running router, asked and changed through AMQP management: either router answers it.

mod client;
mod door;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use moorline_amqp::Value;
use moorline_definition::router_config::Entity;
use serde_json::Value as Json;
use tokio::time::timeout;

use client::{Answer, Client};
pub(crate) use door::Door;
use door::Stream;

const ENTITY_PREFIX: &str = "io.skupper.router.";
/// A router that answers takes far less.
const PATIENCE: Duration = Duration::from_secs(10);
const CREATED: i32 = 201;
const OK: i32 = 200;
const DELETED: i32 = 204;
const BAD_REQUEST: i32 = 400;
const NOT_FOUND: i32 = 404;

/// The attributes of an entity, by name.
pub(crate) type Attributes = BTreeMap<String, Json>;

/// A router's management node.
pub(crate) struct Management(Client<Box<dyn Stream>>);

impl Management {
    /// Connects to a router of this host's user.
    pub(crate) async fn at(door: &Door) -> anyhow::Result<Management> {
        let connecting = async { Client::open(door.open().await?, door.sasl()).await };
        let client = timeout(PATIENCE, connecting).await.unwrap_or_else(|_| Err(late()));
        Ok(Management(client.with_context(|| format!("the router does not answer at {door}"))?))
    }

    /// All entities of a kind, such as `tcpListener`.
    pub(crate) async fn query(&mut self, kind: &str) -> anyhow::Result<Vec<Attributes>> {
        self.rows(kind, &[OK]).await
    }

    /// The same; a router that has no such kind has none of it.
    pub(crate) async fn query_if_known(&mut self, kind: &str) -> anyhow::Result<Vec<Attributes>> {
        self.rows(kind, &[OK, BAD_REQUEST, NOT_FOUND]).await
    }

    async fn rows(&mut self, kind: &str, good: &[i32]) -> anyhow::Result<Vec<Attributes>> {
        let kind = format!("{ENTITY_PREFIX}{kind}");
        let everything = Value::Map(vec![("attributeNames".into(), Value::List(Vec::new()))]);
        let answer = self.ask(&[("operation", "QUERY"), ("entityType", &kind)], everything, good).await?;
        if answer.status != OK {
            return Ok(Vec::new());
        }
        rows(&answer.body).ok_or_else(|| anyhow!("the router's answer to a query of {kind} cannot be read"))
    }

    /// Creates what a configuration file would name.
    pub(crate) async fn create(&mut self, entity: &Entity) -> anyhow::Result<()> {
        let (kind, name) = entity.place();
        let body = entity.attributes().iter().map(|(name, value)| (Value::from(name.as_str()), amqp(value))).collect();
        let asked = [("operation", "CREATE"), ("type", &format!("{ENTITY_PREFIX}{kind}") as &str), ("name", name)];
        self.ask(&asked, Value::Map(body), &[CREATED]).await.map(drop)
    }

    /// Deletes an entity by name.
    pub(crate) async fn delete(&mut self, kind: &str, name: &str) -> anyhow::Result<()> {
        let kind = format!("{ENTITY_PREFIX}{kind}");
        self.ask(&[("operation", "DELETE"), ("type", &kind), ("name", name)], Value::Null, &[DELETED]).await.map(drop)
    }

    async fn ask(&mut self, properties: &[(&str, &str)], body: Value, good: &[i32]) -> anyhow::Result<Answer> {
        let answer = timeout(PATIENCE, self.0.ask(properties, &body)).await.unwrap_or_else(|_| Err(late()))?;
        if !good.contains(&answer.status) {
            bail!("the router says: {} ({})", answer.description, answer.status);
        }
        Ok(answer)
    }
}

fn late() -> anyhow::Error {
    anyhow!("no answer within {} s", PATIENCE.as_secs())
}

/// The rows of a query's answer.
fn rows(body: &Value) -> Option<Vec<Attributes>> {
    let (Value::List(names), Value::List(rows)) = (member(body, "attributeNames")?, member(body, "results")?) else {
        return None;
    };
    let row = |row: &Value| {
        let Value::List(values) = row else { return None };
        let pairs = names.iter().zip(values);
        Some(pairs.filter_map(|(name, value)| Some((name.as_str()?.to_owned(), json(value)?))).collect())
    };
    rows.iter().map(row).collect()
}

fn member<'v>(map: &'v Value, name: &str) -> Option<&'v Value> {
    let Value::Map(pairs) = map else { return None };
    pairs.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)
}

/// None for what is absent.
fn json(value: &Value) -> Option<Json> {
    Some(match value {
        Value::Bool(value) => Json::from(*value),
        Value::Ubyte(value) => Json::from(*value),
        Value::Ushort(value) => Json::from(*value),
        Value::Uint(value) => Json::from(*value),
        Value::Ulong(value) => Json::from(*value),
        Value::Byte(value) => Json::from(*value),
        Value::Short(value) => Json::from(*value),
        Value::Int(value) => Json::from(*value),
        Value::Long(value) | Value::Timestamp(value) => Json::from(*value),
        Value::List(values) => values.iter().filter_map(json).collect(),
        other => Json::from(other.as_str()?),
    })
}

fn amqp(value: &Json) -> Value {
    match value {
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) if number.is_i64() => Value::Long(number.as_i64().unwrap_or_default()),
        Json::String(text) => Value::from(text.as_str()),
        Json::Null => Value::Null,
        other => Value::from(other.to_string().as_str()),
    }
}
