//! `router.link`: the links of AMQP connections.

use moorline_amqp::Value;

use super::operational;
use crate::management::record::Record;
use crate::management::schema::{EntityType, IDENTITY, Kind, NAME, TYPE, integer, list, text};

pub(super) static LINK: EntityType = operational(
    "router.link",
    Kind::Link,
    &[
        NAME,
        IDENTITY,
        TYPE,
        text("linkName"),
        text("linkType").or_text("endpoint"),
        text("linkDir"),
        text("owningAddr"),
        integer("capacity"),
        text("peer"),
        integer("undeliveredCount"),
        integer("unsettledCount"),
        integer("deliveryCount"),
        text("connectionId"),
        text("adminStatus").or_text("enabled"),
        text("operStatus").or_text("up"),
        integer("presettledCount"),
        integer("droppedPresettledCount"),
        integer("acceptedCount"),
        integer("rejectedCount"),
        integer("releasedCount"),
        integer("modifiedCount"),
        integer("deliveriesDelayed1Sec"),
        integer("deliveriesDelayed10Sec"),
        integer("deliveriesStuck"),
        integer("openMovedStreams"),
        list("ingressHistogram"),
        integer("priority"),
        integer("settleRate"),
        integer("creditAvailable"),
        integer("zeroCreditSeconds"),
    ],
);

/// Messages without a priority of their own have this one.
const PRIORITY: u32 = 4;

/// One link.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct Link {
    /// Unique for the life of the router.
    pub id: u64,
    pub name: String,
    /// Deliveries arrive on it.
    pub incoming: bool,
    /// The id of its connection.
    pub connection: u64,
    /// Its address with the letter of its class, such as `Mdatabase:5432`; none: deliveries say where they go.
    pub address: Option<String>,
    /// Credit that is given at most.
    pub capacity: u32,
    pub undelivered: u64,
    pub unsettled: u64,
    /// Credit that is left.
    pub credit: u32,
    pub counts: Counts,
}

/// Deliveries of one link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Counts {
    pub deliveries: u64,
    pub presettled: u64,
    pub accepted: u64,
    pub rejected: u64,
    pub released: u64,
    pub modified: u64,
}

/// The `router.link` entity.
pub fn link(facts: Link) -> Record {
    Record::new(&LINK)
        .called(facts.name.as_str(), facts.id.to_string())
        .set("linkName", facts.name.as_str())
        .set("linkDir", if facts.incoming { "in" } else { "out" })
        .set("owningAddr", facts.address)
        .set("capacity", facts.capacity)
        .set("connectionId", facts.connection.to_string())
        .set_all([
            ("undeliveredCount", facts.undelivered),
            ("unsettledCount", facts.unsettled),
            ("deliveryCount", facts.counts.deliveries),
            ("presettledCount", facts.counts.presettled),
            ("acceptedCount", facts.counts.accepted),
            ("rejectedCount", facts.counts.rejected),
            ("releasedCount", facts.counts.released),
            ("modifiedCount", facts.counts.modified),
        ])
        // Nothing is dropped, timed or moved.
        .set_all(
            [
                "droppedPresettledCount",
                "deliveriesDelayed1Sec",
                "deliveriesDelayed10Sec",
                "deliveriesStuck",
                "openMovedStreams",
            ]
            .map(|name| (name, 0_u64)),
        )
        .set_all([("settleRate", 0_u32), ("zeroCreditSeconds", 0), ("creditAvailable", facts.credit)])
        .set("priority", Value::Uint(PRIORITY))
}
