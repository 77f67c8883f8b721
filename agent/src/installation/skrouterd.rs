//! The state of a skrouterd, in the words of this program's router.

use serde_json::{Value, json};

use crate::management::{Attributes, Management};

/// What can be learned from its management node, in the form of `RouterStatus`.
pub(super) async fn status(router: &mut Management) -> anyhow::Result<Value> {
    let own = router.query("router").await?;
    let own = own.first().cloned().unwrap_or_default();
    let connections = router.query("connection").await?;
    let mut uplinks = router.query("connector").await?;
    uplinks.retain(|connector| text(connector, "role") == "edge");
    let uplinks: Vec<Value> = uplinks.iter().map(|connector| uplink(connector, &connections)).collect();
    let connectors: Vec<Value> = router.query("tcpConnector").await?.iter().map(connector).collect();
    let listeners: Vec<Value> = router.query("tcpListener").await?.iter().map(listener).collect();
    let mut http = Vec::new();
    for kind in ["httpConnector", "httpListener"] {
        let bridges = router.query_if_known(kind).await?;
        http.push(bridges.iter().map(bridge).collect::<Vec<Value>>());
    }
    Ok(json!({
        "id": own.get("id"),
        "version": own.get("version"),
        "mode": own.get("mode"),
        "draining": false,
        "uplinks": uplinks,
        "connectors": connectors,
        "listeners": listeners,
        "http_connectors": http[0],
        "http_listeners": http[1],
    }))
}

fn uplink(connector: &Attributes, connections: &[Attributes]) -> Value {
    let up = text(connector, "connectionStatus") == "SUCCESS";
    let peer = connections.iter().find(|connection| {
        text(connection, "role") == "edge" && text(connection, "dir") == "out" && text(connection, "operStatus") == "up"
    });
    let mut uplink = json!({
        "host": connector.get("host"),
        "port": port(connector),
        "state": if up { "up" } else { "down" },
        "peer": { "container": peer.map(|peer| text(peer, "container")) },
    });
    // While it connects it tells of the last time.
    if !up {
        uplink["last_error"] = text(connector, "connectionMsg").into();
    }
    uplink
}

fn connector(row: &Attributes) -> Value {
    // But for the new encapsulation of 2.x it counts one of its own.
    traffic(row, u64::from(text(row, "encapsulation") != "lite"))
}

fn traffic(row: &Attributes, own: u64) -> Value {
    let mut value = place(row);
    let opened = number(row, "connectionsOpened").saturating_sub(own);
    let closed = number(row, "connectionsClosed");
    value["open_flows"] = opened.saturating_sub(closed).into();
    value["counts"] = json!({ "connections": opened });
    value
}

fn listener(row: &Attributes) -> Value {
    let mut value = traffic(row, 0);
    // It does not tell a port that it cannot open from one that it keeps closed.
    value["state"] = if text(row, "operStatus") == "up" { "listening" } else { "waiting" }.into();
    value
}

fn bridge(row: &Attributes) -> Value {
    let mut value = place(row);
    value["state"] = if text(row, "operStatus") == "down" { "waiting" } else { "listening" }.into();
    value
}

fn place(row: &Attributes) -> Value {
    json!({ "name": row.get("name"), "address": row.get("address"), "host": row.get("host"), "port": port(row) })
}

/// A number where it is one: routers tell it as a text.
fn port(row: &Attributes) -> Value {
    let told = row.get("port").cloned().unwrap_or_default();
    told.as_str().and_then(|text| text.parse::<u16>().ok()).map_or(told.clone(), Value::from)
}

fn text<'r>(row: &'r Attributes, name: &str) -> &'r str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn number(row: &Attributes, name: &str) -> u64 {
    row.get(name).and_then(Value::as_u64).unwrap_or_default()
}
