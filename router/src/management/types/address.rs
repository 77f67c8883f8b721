//! `router.address`: who is reached by which address, and what a configuration says of addresses.

use moorline_definition::router_config::AddressEntity;

use super::{configuration, operational};
use crate::core::AddressFacts;
use crate::management::record::Record;
use crate::management::schema::{EntityType, IDENTITY, Kind, NAME, TYPE, boolean, integer, list, text};

pub(super) static ADDRESS: EntityType = operational(
    "router.address",
    Kind::Address,
    &[
        NAME,
        IDENTITY,
        TYPE,
        text("key"),
        text("distribution"),
        integer("inProcess"),
        integer("subscriberCount"),
        integer("remoteCount"),
        list("remoteHostRouters"),
        integer("deliveriesIngress"),
        integer("deliveriesEgress"),
        integer("deliveriesTransit"),
        integer("deliveriesToContainer"),
        integer("deliveriesFromContainer"),
        integer("deliveriesEgressRouteContainer"),
        integer("deliveriesIngressRouteContainer"),
        list("transitOutstanding"),
        integer("trackedDeliveries"),
        integer("priority").or_integer(-1),
        integer("deliveriesRedirectedToFallback"),
        boolean("watch"),
    ],
);

pub(super) static CONFIG: EntityType = configuration(
    "router.config.address",
    Kind::ConfigAddress,
    &["CREATE", "DELETE"],
    &[
        NAME,
        IDENTITY,
        TYPE,
        text("prefix").create(),
        text("distribution").create().or_text("balanced"),
        text("pattern").create(),
        integer("priority").create().or_integer(-1),
    ],
);

/// There are none; the tools ask for them.
pub(super) static AUTO_LINK: EntityType = configuration(
    "router.config.autoLink",
    Kind::ConfigAutoLink,
    &[],
    &[
        NAME,
        IDENTITY,
        TYPE,
        text("address"),
        text("addr"),
        text("direction"),
        text("dir"),
        text("connection"),
        text("containerId"),
        text("externalAddress"),
        text("externalAddr"),
        text("linkRef"),
        text("operStatus"),
        text("lastError"),
    ],
);

/// The `router.address` entity.
pub fn address(facts: &AddressFacts) -> Record {
    let local = facts.key.starts_with(['L', 'H']) || facts.key == "M$management";
    let distribution = match (facts.multicast, local) {
        (true, _) => "multicast",
        (false, true) => "closest",
        (false, false) => "balanced",
    };
    Record::new(&ADDRESS)
        .called(facts.key.as_str(), facts.key.as_str())
        .set("key", facts.key.as_str())
        .set("distribution", distribution)
        .set_all([("inProcess", facts.in_process), ("subscriberCount", facts.subscribers), ("remoteCount", 0)])
        .set("remoteHostRouters", Vec::new())
        .set_all([
            ("deliveriesIngress", facts.passages.ingress),
            ("deliveriesEgress", facts.passages.egress),
            ("deliveriesTransit", facts.passages.transit),
            ("deliveriesToContainer", facts.passages.to_inside),
            ("deliveriesFromContainer", facts.passages.from_inside),
            ("deliveriesEgressRouteContainer", 0),
            ("deliveriesIngressRouteContainer", 0),
            ("deliveriesRedirectedToFallback", 0),
        ])
        .set("trackedDeliveries", 0_i64)
        .set("watch", facts.watched)
}

/// The `router.config.address` entity. `number`: unique for the life of the router.
pub fn config(entity: &AddressEntity, number: u64) -> Record {
    Record::configured(&CONFIG, &entity.attributes()).set("identity", number.to_string())
}
