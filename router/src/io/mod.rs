//! The driver: sockets, TLS and timers around [`crate::core`].
//!
//! One thread owns the core and every socket; each socket is one small task there. [`start`] checks a whole
//! configuration, then runs it; a [`RouterHandle`] asks that thread for status, changes and its end.

mod access;
mod addresses;
mod amqp_task;
mod backoff;
mod connect;
mod doors;
mod drain;
mod driver;
mod event;
mod flow;
mod handle;
mod http;
mod hyper_stream;
mod listen;
mod local;
mod management;
mod memory;
mod pipe;
mod plan;
mod problem;
mod process;
mod proxy;
mod renewal;
mod resolve;
mod service_sync;
mod services;
mod signal;
mod socket;
mod start;
mod status;
mod stream;
mod tally;
mod target;
mod thread;
mod timestamp;
pub mod tls;
mod transport;
mod trial;
mod turns;
mod uplink;
mod uplinks;
mod vanflow;
mod web;

pub use drain::Drained;
pub use event::Event;
pub use handle::{Ending, RouterHandle};
pub use http::HttpRequestsStatus;
pub use listen::{BindError, PortOwner};
pub use problem::{ServiceError, StartError, StartProblem};
pub use process::MemoryStatus;
pub use start::{LogControl, StartOptions, start};
pub use status::{
    CertificateStatus, ConnectorStatus, EdgeStatus, HeardService, HttpBridgeStatus, ListenerState, ListenerStatus,
    PeerIdentity, RouterStatus, TotalsStatus, UplinkState, UplinkStatus,
};
pub use tally::{Cause, FailureCount, LATENCY_BOUNDS, LatencyStatus, ServiceCounts};
pub use timestamp::Timestamp;
pub use trial::{TrialFailure, TrialStage, dial, try_link, try_name, try_port, try_server};
pub use web::{Page, Pages, WebPort};
