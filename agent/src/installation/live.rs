//! The running router of an installed gateway: its state, its services, and what of them differs from what is wanted.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use moorline_definition::router_config::{Entity, RouterConfig};
use serde_json::{Map, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::management::{Attributes, Management};

/// A router that answers takes far less.
const PATIENCE: Duration = Duration::from_secs(5);
const LARGEST_STATUS: u64 = 64 * 1024 * 1024;
const PROFILE: &str = "sslProfile";
/// Kinds that a running router adds and takes, in the order to add them: who names another comes after it.
const KINDS: [&str; 6] = [PROFILE, "listener", "tcpConnector", "tcpListener", "httpConnector", "httpListener"];

/// The state of a router, as its status socket tells it: `RouterStatus` as JSON.
pub(crate) async fn status(socket: &Path) -> anyhow::Result<Value> {
    let asked = page(socket, "/status", PATIENCE).await.and_then(|body| Ok(serde_json::from_str(&body)?));
    asked.with_context(|| format!("the router does not tell its state at {}", socket.display()))
}

/// All metrics of a router, as its status socket tells them: OpenMetrics.
pub(crate) async fn metrics(socket: &Path) -> anyhow::Result<String> {
    page(socket, "/metrics", PATIENCE).await
}

/// What a socket in the file system serves over HTTP at `path`.
pub(crate) async fn page(socket: &Path, path: &str, patience: Duration) -> anyhow::Result<String> {
    let ask = async {
        let mut stream = UnixStream::connect(socket).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: router\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.take(LARGEST_STATUS).read_to_string(&mut answer).await?;
        let (head, body) = answer.split_once("\r\n\r\n").context("the answer is not HTTP")?;
        if !head.starts_with("HTTP/1.1 200 ") {
            bail!("the answer is {}: {}", head.lines().next().unwrap_or_default(), body.trim_end());
        }
        Ok(body.to_owned())
    };
    timeout(patience, ask).await.unwrap_or_else(|_| bail!("no answer within {} s", patience.as_secs()))
}

/// What a running router has of what can be added and taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Services(Vec<(&'static str, Attributes)>);

impl Services {
    pub(crate) async fn of(router: &mut Management) -> anyhow::Result<Services> {
        let mut all = Vec::new();
        for kind in KINDS {
            // Some releases of skrouterd have no HTTP in them.
            let rows = match kind.starts_with("http") {
                true => router.query_if_known(kind).await?,
                false => router.query(kind).await?,
            };
            all.extend(rows.into_iter().map(|attributes| (kind, attributes)));
        }
        Ok(Services(all))
    }

    /// What was configured of the services of some kinds, so that it can be added again.
    pub(crate) fn configured(&self, kinds: &[&str]) -> Vec<Entity> {
        let of = self.0.iter().filter(|(kind, _)| kinds.contains(kind));
        of.filter_map(|(kind, attributes)| configured(kind, attributes)).collect()
    }

    fn find(&self, kind: &str, name: &str) -> Option<&Attributes> {
        let found = self.0.iter().find(|(known, attributes)| *known == kind && named(attributes) == Some(name));
        found.map(|(_, attributes)| attributes)
    }
}

fn named(attributes: &Attributes) -> Option<&str> {
    attributes.get("name")?.as_str()
}

/// What must be taken, then added, to make what runs what is wanted. A changed service is taken and added.
pub(crate) struct Difference {
    pub(crate) take: Vec<Entity>,
    pub(crate) add: Vec<Entity>,
}

impl Difference {
    pub(crate) fn between(running: &Services, wanted: &RouterConfig) -> Difference {
        let wanted = entities(wanted);
        let same = |entity: &Entity| {
            let (kind, name) = entity.place();
            running.find(kind, name).is_some_and(|attributes| fits(entity, attributes))
        };
        // What names a profile cannot stay while the profile changes.
        let changed: Vec<&str> = wanted
            .iter()
            .filter(|entity| entity.place().0 == PROFILE && !same(entity))
            .map(|profile| profile.place().1)
            .collect();
        let serves = |entity: &Entity| {
            let attributes = entity.attributes();
            let profile = attributes.get(PROFILE).and_then(Value::as_str);
            same(entity) && !profile.is_some_and(|profile| changed.contains(&profile))
        };
        let add: Vec<Entity> = wanted.iter().filter(|entity| !serves(entity)).cloned().collect();
        let unwanted = |kind: &str, attributes: &Attributes| {
            let name = named(attributes).unwrap_or_default();
            !wanted.iter().any(|entity| entity.place() == (kind, name) && serves(entity))
        };
        let take = running.0.iter().rev().filter(|(kind, attributes)| unwanted(kind, attributes));
        let take = take.filter_map(|(kind, attributes)| configured(kind, attributes)).collect();
        Difference { take, add }
    }
}

/// What of a configuration can be added and taken, in the order to add it.
fn entities(config: &RouterConfig) -> Vec<Entity> {
    let mut all = config.entities();
    all.retain(|entity| KINDS.contains(&entity.place().0));
    all
}

/// Whether the router serves the entity as it is wanted: it may say more than was configured.
fn fits(entity: &Entity, running: &Attributes) -> bool {
    entity.attributes().iter().all(|(name, value)| running.get(name).is_some_and(|found| plain(found) == plain(value)))
}

/// Numbers and texts are the same to routers.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What was configured of a running entity, so that it can be added again.
fn configured(kind: &str, attributes: &Attributes) -> Option<Entity> {
    let told: Map<String, Value> = attributes.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let mut entity = Entity::decode(kind, told).ok()?;
    // What is told and cannot be configured is of no kind's own.
    match &mut entity {
        Entity::SslProfile(profile) => profile.extra.clear(),
        Entity::Listener(listener) => listener.extra.clear(),
        Entity::TcpConnector(bridge) | Entity::TcpListener(bridge) => bridge.extra.clear(),
        Entity::HttpConnector(bridge) | Entity::HttpListener(bridge) => bridge.extra.clear(),
        _ => {}
    }
    Some(entity)
}

#[cfg(test)]
mod tests {
    use moorline_definition::router_config::{TcpBridge, parse};
    use serde_json::json;

    use super::*;

    fn bridge(name: &str, port: &str) -> TcpBridge {
        TcpBridge {
            name: name.to_owned(),
            host: Some("db".to_owned()),
            port: port.to_owned(),
            address: "db:5432".to_owned(),
            ..TcpBridge::default()
        }
    }

    fn running(name: &str, port: &str) -> Attributes {
        let row = json!({"name": name, "host": "db", "port": port, "address": "db:5432", "bytesIn": 7, "encapsulation": "legacy"});
        serde_json::from_value(row).unwrap()
    }

    fn names(entities: &[Entity]) -> Vec<&str> {
        entities.iter().map(|entity| entity.place().1).collect()
    }

    #[test]
    fn what_runs_as_wanted_is_left_alone() {
        let services = Services(vec![
            ("tcpConnector", running("same", "1")),
            ("tcpConnector", running("changed", "2")),
            ("tcpConnector", running("old", "3")),
        ]);
        let wanted = RouterConfig {
            tcp_connectors: vec![bridge("same", "1"), bridge("changed", "20"), bridge("new", "4")],
            ..RouterConfig::default()
        };
        let difference = Difference::between(&services, &wanted);
        assert_eq!(names(&difference.take), ["old", "changed"]);
        assert!(!difference.take[0].attributes().contains_key("bytesIn"), "it could not be added again");
        assert_eq!(names(&difference.add), ["changed", "new"]);
    }

    /// Routers know a listener for containers by its role alone, however it was written.
    #[test]
    fn a_listener_for_containers_is_told_by_its_role() {
        let text = r#"[["router", {"id": "g", "mode": "edge"}], ["listener", {"name": "c", "port": 5671, "routeContainer": true}]]"#;
        let wanted = parse(text, &|_| None).unwrap();
        let row = |role: &str| {
            let row = json!({"name": "c", "host": "", "port": "5671", "role": role, "cost": 1});
            Services(vec![("listener", serde_json::from_value(row).unwrap())])
        };
        let same = Difference::between(&row("route-container"), &wanted);
        assert_eq!((same.take, same.add), (Vec::new(), Vec::new()));
        let other = Difference::between(&row("normal"), &wanted);
        assert_eq!((names(&other.take), names(&other.add)), (vec!["c"], vec!["c"]));
    }
}
