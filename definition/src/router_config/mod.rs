//! The typed model of `skrouterd.json`, the file that both routers read.
//!
//! The file is a JSON array of `["<entity>", {attributes}]` pairs. [`parse`] accepts the files that Skupper's
//! own tools wrote (comment lines, kebab-case names, `${VAR}`); [`RouterConfig::to_json`] writes what
//! Skupper's tools and `skrouterd` 2.x accept.

mod attributes;
mod decode;
mod entities;
mod entity;
mod error;
mod from_definition;
mod metadata;
mod read;
mod text;
mod to_definition;
mod validate;
mod write;

pub use entities::{
    AddressEntity, Aggregation, Connector, Encapsulation, HttpBridge, HttpVersion, Listener, LogEntity, ProxyProfile,
    Role, RouterConfig, RouterEntity, RouterMode, SslProfile, TcpBridge, UnknownEntity,
};
pub use entity::Entity;
pub use error::{ConfigProblem, Place, RouterConfigError};
pub use from_definition::{
    CERTIFICATES_FOLDER, GatewayOptions, ROUTER_ID_PREFIX, UPLINK_NAME, UPLINK_PROFILE, Uplink, announce,
    from_definition,
};
pub use metadata::Metadata;
pub use read::parse;
pub use to_definition::{Unsayable, to_definition};
