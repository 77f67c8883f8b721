//! What the user wrote, checked, and the router configuration that it means.
//!
//! Everything here is pure: text in, values out. No file is opened, no clock is read, nothing is spawned.
//!
//! [`check`] reads a definition and reports every problem of it at once; [`render`] shows problems to people and
//! [`problems_json`] to machines; [`router_config::from_definition`] says what the router has to do; [`edit`] changes
//! the text of a definition and keeps the rest of it.

mod check;
mod definition;
pub mod edit;
mod problem;
mod report;
pub mod router_config;
mod schema;
mod source;
mod yaml;

pub use check::{CheckOptions, Checked, CredentialUse, LARGEST_FILE, check, check_bytes};
pub use definition::{
    ANNOUNCE, Aggregate, CredentialName, Definition, Endpoint, EntityName, GatewayName, Host, InvalidName, Port,
    Protocol, QdrListener, Section, Service, ServiceAddress,
};
pub use problem::{Problem, Severity};
pub use report::{problems_json, render};
pub use schema::json_schema;
pub use source::Span;
