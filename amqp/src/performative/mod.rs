//! What the performatives of part 2 carry, as far as a user of the engine sees it.

pub(crate) mod attach;
pub(crate) mod disposition;
pub(crate) mod ending;
pub(crate) mod flow;
pub(crate) mod open;
pub(crate) mod sasl;
mod state;
mod terminus;
#[cfg(test)]
mod tests;
pub(crate) mod transfer;

use crate::Value;

/// Which end of a link we are, or whose deliveries a disposition speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// We send deliveries on this link.
    Sender,
    /// We receive deliveries on this link.
    Receiver,
}

/// An AMQP error: condition and description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// For instance `amqp:not-found`.
    pub condition: String,
    /// A sentence for people.
    pub description: Option<String>,
}

impl Condition {
    /// A condition with a description.
    pub fn new(condition: &str, description: impl Into<String>) -> Condition {
        Condition { condition: condition.to_owned(), description: Some(description.into()) }
    }
}

/// The state of a delivery (part 3.4).
#[derive(Debug, Clone, PartialEq)]
pub enum DeliveryState {
    /// Progress of the receiver; not terminal.
    Received {
        /// Section.
        section_number: u32,
        /// Offset in the section, bytes.
        section_offset: u64,
    },
    /// Terminal: accepted.
    Accepted,
    /// Terminal: invalid, with the reason.
    Rejected(Option<Condition>),
    /// Terminal: not, and will not be, acted upon.
    Released,
    /// Terminal: modified.
    Modified {
        /// Counts as a failed attempt.
        delivery_failed: bool,
        /// Do not try the same receiver again.
        undeliverable_here: bool,
    },
}

impl DeliveryState {
    /// All states but `received` end a delivery.
    pub fn is_terminal(&self) -> bool {
        !matches!(self, DeliveryState::Received { .. })
    }
}

/// One terminus (source or target) of a link.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Terminus {
    /// The address; none for an anonymous terminus.
    pub address: Option<String>,
    /// Ask the peer to make an address.
    pub dynamic: bool,
    /// Capabilities: a single symbol and an array are read alike; one is written as a single symbol.
    pub capabilities: Vec<String>,
    /// `terminus-expiry-policy`; ours by default `link-detach`.
    pub expiry_policy: Option<String>,
    /// Target of a transaction coordinator: not supported, to be refused.
    pub coordinator: bool,
}

impl Terminus {
    /// An anonymous terminus.
    pub fn anonymous() -> Terminus {
        Terminus::default()
    }

    /// A terminus with an address.
    pub fn at(address: impl Into<String>) -> Terminus {
        Terminus { address: Some(address.into()), ..Terminus::default() }
    }
}

/// An attach, ours or the peer's. A missing terminus on the wire is `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct Attach {
    /// Link name, unique per direction between two containers.
    pub name: String,
    /// Our role (for a peer's attach: already turned round, so still *our* role).
    pub role: Role,
    /// Source.
    pub source: Option<Terminus>,
    /// Target.
    pub target: Option<Terminus>,
    /// `snd-settle-mode`: 0 unsettled, 1 settled, 2 mixed.
    pub snd_settle_mode: u8,
    /// `rcv-settle-mode`: 0 first, 1 second.
    pub rcv_settle_mode: u8,
    /// Properties.
    pub properties: Vec<(Value, Value)>,
}

/// What the peer's open said.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteOpen {
    /// `container-id`.
    pub container_id: String,
    /// `hostname`.
    pub hostname: Option<String>,
    /// `max-frame-size`, bytes.
    pub max_frame_size: u32,
    /// `idle-time-out`, milliseconds as advertised; 0 when absent.
    pub idle_timeout_ms: u32,
    /// `offered-capabilities`.
    pub offered_capabilities: Vec<String>,
    /// Properties.
    pub properties: Vec<(Value, Value)>,
}
