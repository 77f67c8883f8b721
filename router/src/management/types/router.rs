//! `router` and what belongs to it.

use moorline_amqp::Value;
use moorline_definition::router_config::RouterEntity;

use super::{configuration, operational};
use crate::management::record::Record;
use crate::management::schema::{EntityType, IDENTITY, Kind, NAME, TYPE, boolean, integer, list, map, text};

/// A router of 2.x shows its counters here, one of 3.x its configuration: this one shows both, in that order.
pub(super) static ROUTER: EntityType = configuration(
    "router",
    Kind::Router,
    &[],
    &[
        NAME,
        IDENTITY,
        text("id"),
        TYPE,
        text("mode"),
        text("area").or_text("0"),
        text("vanId"),
        text("version"),
        text("metadata"),
        integer("addrCount"),
        integer("linkCount"),
        integer("nodeCount"),
        integer("autoLinkCount"),
        integer("connectionCount"),
        integer("presettledDeliveries"),
        integer("droppedPresettledDeliveries"),
        integer("acceptedDeliveries"),
        integer("rejectedDeliveries"),
        integer("releasedDeliveries"),
        integer("modifiedDeliveries"),
        integer("deliveriesDelayed1Sec"),
        integer("deliveriesDelayed10Sec"),
        integer("deliveriesStuck"),
        integer("deliveriesIngress"),
        integer("deliveriesEgress"),
        integer("deliveriesTransit"),
        integer("deliveriesIngressRouteContainer"),
        integer("deliveriesEgressRouteContainer"),
        integer("deliveriesRedirectedToFallback"),
        integer("linksBlocked"),
        integer("uptimeSeconds"),
        integer("memoryUsage"),
        integer("workerThreads"),
        integer("residentMemoryUsage"),
        map("connectionCounters"),
        text("hostName"),
        integer("helloIntervalSeconds").or_integer(1),
        integer("helloMaxAgeSeconds").or_integer(3),
        integer("raIntervalSeconds").or_integer(30),
        integer("raIntervalFluxSeconds").or_integer(4),
        integer("remoteLsMaxAgeSeconds").or_integer(60),
        text("debugDumpFile"),
        text("saslConfigDir"),
        text("saslConfigName"),
        boolean("timestampsInUTC"),
        text("timestampFormat"),
        text("defaultDistribution").or_text("balanced"),
        text("dataConnectionCount").or_text("auto"),
    ],
);

/// The counters of 3.x.
pub(super) static METRICS: EntityType = operational(
    "routerMetrics",
    Kind::RouterMetrics,
    &[
        IDENTITY,
        TYPE,
        text("id"),
        integer("addrCount"),
        integer("linkCount"),
        integer("nodeCount"),
        integer("autoLinkCount"),
        integer("connectionCount"),
        integer("presettledDeliveries"),
        integer("droppedPresettledDeliveries"),
        integer("acceptedDeliveries"),
        integer("rejectedDeliveries"),
        integer("releasedDeliveries"),
        integer("modifiedDeliveries"),
        integer("deliveriesDelayed1Sec"),
        integer("deliveriesDelayed10Sec"),
        integer("deliveriesStuck"),
        integer("deliveriesIngress"),
        integer("deliveriesEgress"),
        integer("deliveriesTransit"),
        integer("deliveriesIngressRouteContainer"),
        integer("deliveriesEgressRouteContainer"),
        integer("deliveriesIngressInterNetwork"),
        integer("deliveriesEgressInterNetwork"),
        integer("deliveriesRedirectedToFallback"),
        integer("linksBlocked"),
        integer("uptimeSeconds"),
        integer("memoryUsage"),
        integer("residentMemoryUsage"),
        map("connectionCounters"),
        text("version"),
        NAME,
    ],
);

/// Networks of networks are of 3.x; its tools ask for this one before they show anything.
pub(super) static NETWORK: EntityType =
    configuration("network", Kind::Network, &[], &[text("networkId"), text("tenantId"), NAME, IDENTITY, TYPE]);

pub(super) static NODE: EntityType = operational(
    "router.node",
    Kind::Node,
    &[
        text("id"),
        integer("protocolVersion").or_integer(1),
        integer("instance"),
        list("linkState"),
        text("nextHop"),
        list("validOrigins"),
        text("address"),
        text("routerLink"),
        integer("cost"),
        integer("lastTopoChange").or_integer(0),
        integer("index").or_integer(0),
        NAME,
        IDENTITY,
        TYPE,
    ],
);

/// The router, in numbers.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct Metrics {
    pub addresses: u64,
    pub links: u64,
    pub nodes: u64,
    pub connections: u64,
    pub presettled: u64,
    pub accepted: u64,
    pub rejected: u64,
    pub released: u64,
    pub modified: u64,
    /// Deliveries from senders that are no routers.
    pub ingress: u64,
    /// Deliveries to receivers that are no routers.
    pub egress: u64,
    /// Deliveries from router to router.
    pub transit: u64,
    pub uptime_seconds: u32,
    /// Bytes of address space, where the system tells.
    pub memory: Option<u64>,
    /// Bytes of memory in use, where the system tells.
    pub resident: Option<u64>,
    /// Connections of clients and servers that are open, by protocol.
    pub services: Services,
}

/// Connections of clients and servers, by protocol.
#[derive(Debug, Clone, Copy, Default)]
#[allow(missing_docs)]
pub struct Services {
    pub tcp: u64,
    pub amqp: u64,
    pub http1: u64,
    pub http2: u64,
}

/// The `router` entity.
pub fn router(entity: &RouterEntity, host_name: &str, version: &str, metrics: &Metrics) -> Record {
    counted(Record::configured(&ROUTER, &entity.attributes()), version, metrics)
        .called(entity.id.as_str(), "1")
        .set("hostName", host_name)
        .set("workerThreads", 1_i32)
}

/// The `routerMetrics` entity.
pub fn metrics(id: &str, version: &str, metrics: &Metrics) -> Record {
    counted(Record::new(&METRICS), version, metrics)
        .called(id, "1")
        .set("id", id)
        .set_all(["deliveriesIngressInterNetwork", "deliveriesEgressInterNetwork"].map(|name| (name, 0_u64)))
}

/// The `network` entity: there is one network.
pub fn network() -> Record {
    Record::new(&NETWORK).called("network/0", "network/0")
}

/// The `router.node` of a hub: itself; an edge knows none.
pub fn node(id: &str, started: i64) -> Record {
    let name = format!("router.node/{id}");
    Record::new(&NODE)
        .called(name.as_str(), name.as_str())
        .set("id", id)
        .set("instance", i32::try_from(started).map_or(Value::Long(started), Value::Int))
        .set("linkState", Vec::new())
        .set("nextHop", "(self)")
        .set("validOrigins", Vec::new())
        .set("address", format!("amqp:/_topo/0/{id}"))
}

fn counted(record: Record, version: &str, m: &Metrics) -> Record {
    let services =
        [("tcp", m.services.tcp), ("amqp", m.services.amqp), ("http1", m.services.http1), ("http2", m.services.http2)];
    record
        .set("version", version)
        .set_all([
            ("addrCount", m.addresses),
            ("linkCount", m.links),
            ("nodeCount", m.nodes),
            ("connectionCount", m.connections),
            ("presettledDeliveries", m.presettled),
            ("acceptedDeliveries", m.accepted),
            ("rejectedDeliveries", m.rejected),
            ("releasedDeliveries", m.released),
            ("modifiedDeliveries", m.modified),
            ("deliveriesIngress", m.ingress),
            ("deliveriesEgress", m.egress),
            ("deliveriesTransit", m.transit),
        ])
        // There are no auto links, route containers or fallbacks, nothing is dropped, and nothing is timed.
        .set_all(
            [
                "autoLinkCount",
                "droppedPresettledDeliveries",
                "deliveriesDelayed1Sec",
                "deliveriesDelayed10Sec",
                "deliveriesStuck",
                "deliveriesIngressRouteContainer",
                "deliveriesEgressRouteContainer",
                "deliveriesRedirectedToFallback",
            ]
            .map(|name| (name, 0_u64)),
        )
        .set("linksBlocked", 0_u32)
        .set("uptimeSeconds", m.uptime_seconds)
        .set("memoryUsage", m.memory)
        .set("residentMemoryUsage", m.resident)
        .set("connectionCounters", Value::Map(services.map(|(name, count)| (name.into(), count.into())).to_vec()))
}
