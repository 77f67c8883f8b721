//! The AMQP 1.0 engine: bytes and time in, bytes, events and the next deadline out.
//!
//! Sans-IO: nothing here reads a clock, a socket or a file. A driver hands [`Connection::poll_event`] the
//! bytes that arrived and sends what [`Connection::output`] holds.

pub mod codec;
pub mod connection;
mod frame;
pub mod message;
pub mod performative;

pub use codec::Value;
pub use connection::{
    Config, Connection, End, Event, Incoming, LinkFacts, LinkId, Outgoing, Pushed, Sasl, SessionId, Tally,
};
pub use performative::{Attach, Condition, DeliveryState, RemoteOpen, Role, Terminus};
