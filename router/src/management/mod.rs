//! AMQP management: what a request asks, and what is answered. Pure: facts in, records out.
//!
//! A request is a message to `$management` ([`Received::read`]). [`answer`] gives the response at once, from the
//! [`Record`]s of a [`Source`], or the [`Change`] that the driver must carry out first. Entity types are
//! those of skupper-router 2.x, with what the tools of 3.x ask for; attributes have its names, order and number types.

mod answer;
mod change;
mod record;
mod request;
mod response;
mod schema;
pub mod types;

pub use answer::{LogLine, Source, Verdict, answer};
pub use change::Change;
pub use record::Record;
pub use request::{Received, ReplyTo, Request};
pub use response::{Response, Status};
pub use schema::{Attribute, EntityType, Kind, PREFIX, Preset};
