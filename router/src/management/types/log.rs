//! `log`: levels by module, and how much was logged.

use super::{configuration, operational};
use crate::management::record::Record;
use crate::management::schema::{EntityType, IDENTITY, Kind, NAME, TYPE, boolean, integer, text};
use moorline_amqp::Value;
use moorline_definition::router_config::LogEntity;

pub(super) static LOG: EntityType = configuration(
    "log",
    Kind::Log,
    &["UPDATE"],
    &[
        text("module").required(),
        text("enable").update(),
        boolean("includeTimestamp"),
        boolean("includeSource"),
        text("outputFile"),
        NAME,
        IDENTITY,
        TYPE,
    ],
);

pub(super) static STATS: EntityType = operational(
    "logStats",
    Kind::LogStats,
    &[
        integer("debugCount"),
        integer("infoCount"),
        integer("noticeCount"),
        integer("warningCount"),
        integer("errorCount"),
        integer("criticalCount"),
        NAME,
        IDENTITY,
        TYPE,
    ],
);

/// The modules whose levels can be set. `DEFAULT` is for all that have none of their own.
pub const MODULES: [&str; 20] = [
    "DEFAULT",
    "ADDRESS_WATCH",
    "AGENT",
    "CONN_MGR",
    "CONTAINER",
    "ERROR",
    "FLOW_LOG",
    "HTTP",
    "HTTP_ADAPTOR",
    "MESSAGE",
    "POLICY",
    "PROTOCOL",
    "PYTHON",
    "ROUTER",
    "ROUTER_CORE",
    "ROUTER_HELLO",
    "ROUTER_LS",
    "ROUTER_MA",
    "SERVER",
    "TCP_ADAPTOR",
];

/// The `log` entities: every module, with the level that is set.
pub fn logs(set: &[LogEntity]) -> Vec<Record> {
    let plain = |module: &&str| LogEntity { module: (*module).to_owned(), ..LogEntity::default() };
    MODULES
        .iter()
        .map(|module| match set.iter().find(|entity| entity.module == *module) {
            Some(entity) => log(entity),
            None => log(&plain(module)).set("enable", Value::Null),
        })
        .collect()
}

/// The `log` entity.
pub fn log(entity: &LogEntity) -> Record {
    let name = format!("log/{}", entity.module);
    Record::configured(&LOG, &entity.attributes()).called(name.as_str(), name.as_str())
}
