//! How a connection is set up.

use crate::Value;
use std::time::Duration;

/// How this side of the connection behaves and what it advertises.
#[derive(Clone, Debug)]
pub struct Config {
    /// `container-id`.
    pub container_id: String,
    /// `hostname` of our open; none for a server.
    pub hostname: Option<String>,
    /// Largest frame that we take, bytes; at least 512.
    pub max_frame_size: u32,
    /// Highest channel number that the peer may use.
    pub channel_max: u16,
    /// Highest link handle in a session that the peer may use.
    pub handle_max: u32,
    /// The connection is dead when nothing arrives for this long. Half of it is advertised. Zero: never.
    pub idle_timeout: Duration,
    /// Frames per session that we take before the peer needs a new window.
    pub incoming_window: u32,
    /// Bound on bytes waiting in the output before [`Connection::room`](super::Connection::room) says 0. Answers to the peer may go beyond it;
    /// at four times as much, input is no longer taken.
    pub output_limit: usize,
    /// Unsettled incoming deliveries of all links together; more is a protocol error.
    pub max_unsettled: usize,
    /// `offered-capabilities`, also sent as desired.
    pub capabilities: Vec<String>,
    /// Open properties.
    pub properties: Vec<(String, Value)>,
    /// SASL layer.
    pub sasl: Sasl,
}

/// SASL, from one side or the other. A variant of the other side means no SASL layer.
#[derive(Clone)]
pub enum Sasl {
    /// No SASL layer: the AMQP header comes first.
    None,
    /// Client: identity comes from the TLS certificate; the initial response is empty, not absent.
    External,
    /// Client: no identity.
    Anonymous {
        /// Trace information, for instance `anonymous@host`.
        trace: String,
    },
    /// Client: user and password.
    Plain {
        /// User.
        user: String,
        /// Password.
        password: String,
    },
    /// Server: which mechanisms are offered.
    Server(SaslServer),
}

impl std::fmt::Debug for Sasl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sasl(..)")
    }
}

/// Checks user and password of SASL PLAIN.
pub type PlainCheck = std::sync::Arc<dyn Fn(&str, &str) -> bool + Send + Sync>;

/// What a server offers.
#[derive(Clone, Default)]
pub struct SaslServer {
    /// EXTERNAL, for a peer that TLS has authenticated.
    pub external: bool,
    /// ANONYMOUS.
    pub anonymous: bool,
    /// PLAIN.
    pub plain: Option<PlainCheck>,
    /// A peer may leave SASL out and begin with the AMQP header (only sensible with ANONYMOUS).
    pub optional: bool,
}
