//! What the tools show of every router and this one does not have: limits by policy, and pools of memory.

use super::{configuration, operational};
use crate::management::record::Record;
use crate::management::schema::{EntityType, IDENTITY, Kind, NAME, TYPE, boolean, integer, map, text};
use moorline_amqp::Value;

pub(super) static POLICY: EntityType = configuration(
    "policy",
    Kind::Policy,
    &[],
    &[
        integer("maxConnections").or_integer(65535),
        integer("maxMessageSize").or_integer(0),
        boolean("enableVhostPolicy").or_bool(false),
        boolean("enableVhostNamePatterns").or_bool(false),
        text("policyDir").or_text(""),
        text("defaultVhost").or_text("$default"),
        integer("connectionsProcessed").or_integer(0),
        integer("connectionsDenied").or_integer(0),
        integer("connectionsCurrent").or_integer(0),
        integer("linksDenied").or_integer(0),
        integer("maxMessageSizeDenied").or_integer(0),
        integer("totalDenials").or_integer(0),
        NAME,
        IDENTITY,
        TYPE,
    ],
);

pub(super) static VHOST: EntityType = configuration(
    "vhost",
    Kind::Vhost,
    &[],
    &[
        text("hostname"),
        text("aliases"),
        integer("maxConnections"),
        integer("maxMessageSize"),
        integer("maxConnectionsPerUser"),
        integer("maxConnectionsPerHost"),
        boolean("allowUnknownUser"),
        map("groups"),
        NAME,
        IDENTITY,
        TYPE,
    ],
);

pub(super) static VHOST_USER_GROUP: EntityType = configuration(
    "vhostUserGroupSettings",
    Kind::VhostUserGroup,
    &[],
    &[
        text("users"),
        text("remoteHosts"),
        integer("maxConnectionsPerUser"),
        integer("maxConnectionsPerHost"),
        integer("maxMessageSize"),
        integer("maxFrameSize"),
        integer("maxSessionWindow"),
        integer("maxSessions"),
        integer("maxSenders"),
        integer("maxReceivers"),
        boolean("allowDynamicSource"),
        boolean("allowAnonymousSender"),
        boolean("allowUserIdProxy"),
        boolean("allowAdminStatusUpdate"),
        text("sources"),
        text("targets"),
        text("sourcePattern"),
        text("targetPattern"),
        NAME,
        IDENTITY,
        TYPE,
    ],
);

pub(super) static VHOST_STATS: EntityType = operational(
    "vhostStats",
    Kind::VhostStats,
    &[
        text("hostname"),
        integer("connectionsApproved"),
        integer("connectionsDenied"),
        integer("connectionsCurrent"),
        map("perUserState"),
        map("perHostState"),
        integer("sessionDenied"),
        integer("senderDenied"),
        integer("receiverDenied"),
        integer("maxMessageSizeDenied"),
        NAME,
        IDENTITY,
        TYPE,
    ],
);

pub(super) static ALLOCATOR: EntityType = operational(
    "allocator",
    Kind::Allocator,
    &[
        text("typeName"),
        integer("typeSize"),
        integer("transferBatchSize"),
        integer("localFreeListMax"),
        integer("globalFreeListMax"),
        integer("totalAllocFromHeap"),
        integer("totalFreeToHeap"),
        integer("heldByThreads"),
        integer("batchesRebalancedToThreads"),
        integer("batchesRebalancedToGlobal"),
        NAME,
        IDENTITY,
        TYPE,
    ],
);

/// The `policy` entity: nothing is limited. `current`: AMQP connections that others have opened.
pub fn policy(processed: u64, current: u64) -> Record {
    let whole = |n: u64| Value::Int(n.try_into().unwrap_or(i32::MAX));
    Record::new(&POLICY)
        .called("policy/default", "policy/default")
        .set_all([("connectionsProcessed", whole(processed)), ("connectionsCurrent", whole(current))])
}
