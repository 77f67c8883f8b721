//! What happens to a running router, for a command that shows it.

use std::net::SocketAddr;

use super::status::PeerIdentity;

/// Something that a person who watches the router wants to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An uplink is up.
    Linked {
        /// Connector name.
        uplink: String,
        /// The router at the other end.
        peer: PeerIdentity,
    },
    /// An uplink is lost, or could not be made. Said once for each cause.
    LinkFailed {
        /// Connector name.
        uplink: String,
        /// Cause.
        cause: String,
    },
    /// An edge linked to us.
    EdgeLinked {
        /// Its socket address.
        address: String,
        /// What it says of itself.
        peer: PeerIdentity,
    },
    /// An edge is gone.
    EdgeGone {
        /// Its socket address.
        address: String,
        /// Cause.
        cause: String,
    },
    /// A service can be reached on this host.
    Listening {
        /// Listener name.
        listener: String,
        /// Service address.
        address: String,
        /// Where.
        sockets: Vec<SocketAddr>,
    },
    /// A service has no server on the network any more: its port is closed.
    NotListening {
        /// Listener name.
        listener: String,
    },
    /// A port could not be opened; it is tried again.
    ListenFailed {
        /// Listener name.
        listener: String,
        /// Cause.
        cause: String,
    },
    /// Something a person should know.
    Warning {
        /// The words.
        text: String,
    },
}
