//! The entity types, and how facts become records of them.

pub mod address;
pub mod amqp;
mod base;
pub mod connection;
pub mod http;
pub mod link;
pub mod log;
pub mod policy;
pub mod router;
pub mod tcp;

pub use base::management;
pub(super) use base::{CONFIGURATION, ENTITY, MANAGEMENT_NODE, OPERATIONAL};

use super::record::Record;
use super::schema::{Attribute, EntityType, Kind};

/// Every type; those that others extend come first.
pub(super) static ALL: &[&EntityType] = &[
    &base::ENTITY,
    &base::MANAGEMENT_NODE,
    &base::MANAGEMENT,
    &base::CONFIGURATION,
    &base::OPERATIONAL,
    &router::ROUTER,
    &router::METRICS,
    &router::NETWORK,
    &amqp::SSL_PROFILE,
    &amqp::LISTENER,
    &amqp::CONNECTOR,
    &http::LISTENER,
    &http::CONNECTOR,
    &http::REQUEST_INFO,
    &tcp::LISTENER,
    &tcp::CONNECTOR,
    &log::LOG,
    &log::STATS,
    &address::CONFIG,
    &address::AUTO_LINK,
    &link::LINK,
    &address::ADDRESS,
    &router::NODE,
    &connection::CONNECTION,
    &tcp::CONNECTION,
    &policy::ALLOCATOR,
    &policy::POLICY,
    &policy::VHOST,
    &policy::VHOST_USER_GROUP,
    &policy::VHOST_STATS,
];

/// A type of things that a configuration has.
const fn configuration(
    name: &'static str,
    kind: Kind,
    own_operations: &'static [&'static str],
    attributes: &'static [Attribute],
) -> EntityType {
    EntityType { name, kind: Some(kind), base: Some(&CONFIGURATION), attributes, own_operations }
}

/// A type of things that come and go by themselves.
const fn operational(name: &'static str, kind: Kind, attributes: &'static [Attribute]) -> EntityType {
    EntityType { name, kind: Some(kind), base: Some(&OPERATIONAL), attributes, own_operations: &[] }
}

/// The identity of what has a host, a port and a name.
fn placed(record: Record) -> Record {
    let part = |attribute| record.get(attribute).as_str().unwrap_or_default().to_owned();
    let identity = format!("{}/{}:{}:{}", record.entity().name, part("host"), part("port"), part("name"));
    record.set("identity", identity)
}
