//! `router.link`: the links of AMQP connections.

use super::operational;
use crate::core::LinkFacts;
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

/// The `router.link` entity. `connection`: the identity of its connection.
pub fn link(connection: u64, facts: LinkFacts) -> Record {
    Record::new(&LINK)
        .called(facts.name.as_str(), format!("{connection}.{}", facts.number))
        .set("linkName", facts.name.as_str())
        .set("linkDir", if facts.incoming { "in" } else { "out" })
        .set("owningAddr", facts.address)
        .set("capacity", facts.capacity)
        .set("connectionId", connection.to_string())
        .set_all([
            ("undeliveredCount", facts.undelivered),
            ("unsettledCount", facts.unsettled),
            ("deliveryCount", facts.tally.deliveries),
            ("presettledCount", facts.tally.presettled),
            ("acceptedCount", facts.tally.accepted),
            ("rejectedCount", facts.tally.rejected),
            ("releasedCount", facts.tally.released),
            ("modifiedCount", facts.tally.modified),
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
        .set("priority", PRIORITY)
}
