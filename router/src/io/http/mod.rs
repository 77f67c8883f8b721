//! `httpListener` and `httpConnector`: HTTP in the encapsulations of skupper-router 2.x.
//!
//! A request is one message to the service's address, its answer one or more to the reply address. What stands in them
//! is pure: [`encapsulation`] with `http1`, `http2`, [`sections`] and [`fields`].

mod connection;
mod connector;
mod counts;
mod encapsulation;
mod fields;
mod http1;
mod http2;
mod incoming;
mod listener;
mod outgoing;
mod pool;
mod post;
mod record;
mod request_book;
mod sections;
mod services;
mod socket;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::HeaderValue;
use moorline_amqp::codec::DecodeError;
use moorline_definition::router_config::HttpBridge;
use rustls::ServerConfig;

use super::listen::BindTarget;
use super::target::Target;
use super::tls::Live;

pub(super) use connection::HttpConnection;
pub(super) use connector::HttpConnecting;
pub use counts::HttpRequestsStatus;
pub(super) use encapsulation::Encapsulation;
pub(super) use http1::aggregate::Aggregation;
pub(super) use listener::HttpListening;
pub(super) use record::{Bridge, RequestRecord};
pub(super) use request_book::RequestBook;

/// An `httpListener` or `httpConnector`, checked.
#[derive(Debug, Clone)]
pub(super) struct HttpPlan {
    pub(super) name: String,
    pub(super) address: String,
    /// Bind address, where empty is every interface; or the server's.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) encapsulation: Encapsulation,
    /// `siteId`, goes into the group id.
    pub(super) site_id: String,
    pub(super) aggregation: Option<Aggregation>,
    pub(super) event_channel: bool,
    /// HTTP/1: the `Host` that the server gets in place of the client's.
    pub(super) host_override: Option<HeaderValue>,
}

/// An `httpListener`, checked.
pub(super) struct HttpListenerPlan {
    pub(super) plan: HttpPlan,
    pub(super) target: BindTarget,
    pub(super) tls: Option<Arc<Live<ServerConfig>>>,
    /// As it was configured.
    pub(super) entity: HttpBridge,
}

/// An `httpConnector`, checked.
pub(super) struct HttpConnectorPlan {
    pub(super) plan: HttpPlan,
    pub(super) target: Target,
    /// As it was configured.
    pub(super) entity: HttpBridge,
}

/// Whether a request goes to all servers of its address: such a message is sent whole.
fn is_multicast(address: &str) -> bool {
    address.starts_with("mc/")
}

/// The application property with the identity of the sender's flow record.
const FLOW_ID: &str = ":flowid";

/// A message that is not HTTP, or not HTTP that may be passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Malformed(pub(super) &'static str);

impl From<DecodeError> for Malformed {
    fn from(error: DecodeError) -> Malformed {
        Malformed(error.0)
    }
}

/// What a message says around the HTTP in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Envelope<'a> {
    /// Where it goes: the service's address, or a reply address.
    pub(super) to: &'a str,
    /// Requests: where answers go; none for an event.
    pub(super) reply_to: Option<&'a str>,
    /// Number of the request (HTTP/1).
    pub(super) id: u64,
    /// Identity of the sender's flow record.
    pub(super) flow_id: &'a str,
    /// `siteId` of the bridge.
    pub(super) site_id: &'a str,
}
