//! `log`: levels by module, and how much was logged.

use super::{configuration, operational};
use crate::management::record::Record;
use crate::management::schema::{EntityType, IDENTITY, Kind, NAME, TYPE, boolean, integer, text};
use moorline_definition::router_config::LogEntity;

pub(super) static LOG: EntityType = configuration(
    "log",
    Kind::Log,
    &["UPDATE"],
    &[
        text("module").required(),
        text("enable").update(),
        boolean("includeTimestamp").update(),
        boolean("includeSource").update(),
        text("outputFile").update(),
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

/// The `log` entity.
pub fn log(entity: &LogEntity) -> Record {
    let name = format!("log/{}", entity.module);
    Record::configured(&LOG, &entity.attributes()).called(name.as_str(), name.as_str())
}
