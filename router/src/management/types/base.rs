//! The abstract types, and the management node itself.

use crate::management::record::Record;
use crate::management::schema::{Attribute, EntityType, IDENTITY, Kind, NAME, TYPE};

static COMMON: &[Attribute] = &[NAME, IDENTITY, TYPE];

pub(in crate::management) static ENTITY: EntityType =
    EntityType { name: "entity", kind: None, base: None, attributes: COMMON, own_operations: &[] };

pub(in crate::management) static CONFIGURATION: EntityType = EntityType {
    name: "configurationEntity",
    kind: None,
    base: Some(&ENTITY),
    attributes: COMMON,
    own_operations: &["READ"],
};

pub(in crate::management) static OPERATIONAL: EntityType = EntityType {
    name: "operationalEntity",
    kind: None,
    base: Some(&ENTITY),
    attributes: COMMON,
    own_operations: &["READ"],
};

pub(in crate::management) static MANAGEMENT_NODE: EntityType = EntityType {
    name: "org.amqp.management",
    kind: None,
    base: Some(&OPERATIONAL),
    attributes: COMMON,
    own_operations: &["QUERY", "GET-TYPES", "GET-ANNOTATIONS", "GET-OPERATIONS", "GET-ATTRIBUTES", "GET-MGMT-NODES"],
};

pub(super) static MANAGEMENT: EntityType = EntityType {
    name: "management",
    kind: Some(Kind::Management),
    base: Some(&MANAGEMENT_NODE),
    attributes: COMMON,
    own_operations: &["GET-SCHEMA", "GET-LOG"],
};

/// The management node.
pub fn management() -> Record {
    Record::new(&MANAGEMENT).called("self", "self")
}
