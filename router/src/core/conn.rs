//! One AMQP connection as the router sees it: what its links and deliveries are for.

use super::link_queue::LinkQueues;
use super::pool::Pool;
use super::types::{ConnRole, ConnectionSpec, FlowId, MessageId};
use moorline_amqp::connection::{Closed, SaslServer};
use moorline_amqp::{Config, Connection, DeliveryState, Incoming, LinkId, Outgoing, Sasl, SessionId, Value};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

/// Credit on links that carry streams and messages, as the routers give.
pub(super) const LINK_CREDIT: u32 = 250;
/// The property of an open that names the record of a port.
const ACCESS_ID: &str = "qd.access-id";
/// The capability that lets a peer open a link for each stream.
const STREAMING_LINKS: &str = "qd.streaming-links";
/// Output of one connection that may wait before flows must: some milliseconds at full speed.
const OUTPUT_LIMIT: usize = 256 * 1024;

pub(super) struct Conn {
    pub(super) amqp: Connection,
    pub(super) spec: ConnectionSpec,
    pub(super) opened: bool,
    pub(super) closed: Option<Closed>,
    pub(super) container: String,
    pub(super) version: Option<String>,
    /// What it calls the record of its port that we are linked to.
    pub(super) access: Option<String>,
    /// Bytes received and sent.
    pub(super) traffic: (u64, u64),
    /// The same edge has connected again: this one is asked last, for it may only look alive.
    pub(super) superseded: bool,
    /// The peer takes streams on links of their own.
    pub(super) streaming: bool,
    /// Mesh id that an edge told us (hub).
    pub(super) mesh: Option<String>,
    pub(super) links: FxHashMap<LinkId, LinkUse>,
    /// Uplink: what we have told the network of our addresses, by the links that say it.
    pub(super) announced: FxHashMap<LinkUse, LinkId>,
    /// Messages that came on a link and wait for their way out: they count against its credit.
    pub(super) held: FxHashMap<LinkId, usize>,
    pub(super) incoming: FxHashMap<Incoming, Inbound>,
    pub(super) outgoing: FxHashMap<Outgoing, Outbound>,
    pub(super) endpoint_session: Option<SessionId>,
    pub(super) stream_session: Option<SessionId>,
    /// The anonymous sender (uplink), or the downlink's sender (hub): for peers without streaming links.
    pub(super) base: Option<LinkId>,
    pub(super) tracking: Option<LinkId>,
    /// Addresses of which the peer could not be told yet: no tracking link, no credit or no room.
    pub(super) untold: FxHashSet<Arc<str>>,
    pub(super) pool: Pool,
    pub(super) queues: LinkQueues,
    /// Who waits until output or session window have room again.
    pub(super) blocked: VecDeque<Waiter>,
    /// A flow that sends a little at a time has sent, and when.
    pub(super) heard: Option<(FlowId, Instant)>,
    /// A wake-up is in the action queue already.
    pub(super) woken: bool,
}

/// Who waits for a link or for room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiter {
    Flow(FlowId),
    Splice(MessageId),
    /// A delivery whose owner is gone still needs its final transfer.
    Finish(Outgoing),
}

/// What a link is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum LinkUse {
    /// Deliveries arrive to be routed: by `to`, else by the link's own address.
    In(Option<Arc<str>>),
    /// Hub: an edge tells its mesh id.
    MeshIn,
    /// Edge: we tell ours.
    MeshOut,
    /// Edge: the network says which addresses it can reach.
    TrackingIn,
    /// Hub: we say it.
    TrackingOut,
    /// Edge: we have listeners for this address.
    Producer(Arc<str>),
    /// An edge or client consumes this address; or, without one, an edge's downlink.
    Out(Option<Arc<str>>),
    /// A client consumes a temporary address of ours.
    OutTemporary(Arc<str>),
    /// Anonymous sender of the uplink.
    Base,
    /// One of the pool.
    Stream,
}

/// What becomes of a delivery that arrives.
pub(super) enum Inbound {
    /// Its head is not complete yet.
    Head(Vec<u8>),
    /// A small message for the router itself.
    Control(Vec<u8>),
    Flow(FlowId),
    Splice(MessageId),
    Multicast(Vec<u8>),
    /// Nobody wants the rest any more: swallowed, and settled so when it ends.
    Decided(DeliveryState),
}

/// A delivery of ours.
pub(super) struct Outbound {
    pub(super) owner: Owner,
    /// The link to give back when the last transfer is out.
    pub(super) link: LinkId,
    /// The last transfer is out.
    pub(super) ended: bool,
    /// The receiver has settled it.
    pub(super) settled: bool,
}

/// On whose behalf we send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Flow(FlowId),
    Splice(MessageId),
    /// Gone; the delivery only has to end.
    Nobody,
}

impl Conn {
    pub(super) fn new(router_id: &str, version: &str, spec: ConnectionSpec, now: Instant) -> Conn {
        let sasl = match spec.role {
            ConnRole::Uplink if spec.external => Sasl::External,
            ConnRole::Uplink => Sasl::Anonymous { trace: format!("anonymous@{router_id}") },
            ConnRole::Edge | ConnRole::Client => Sasl::Server(SaslServer {
                external: spec.external,
                anonymous: !spec.external,
                // Simple clients do without, where nobody has to say who he is.
                optional: spec.role == ConnRole::Client && !spec.external,
                ..SaslServer::default()
            }),
        };
        let config = Config {
            container_id: router_id.to_owned(),
            hostname: spec.hostname.clone(),
            max_frame_size: spec.max_frame_size,
            channel_max: 63,
            handle_max: 0xffff,
            idle_timeout: spec.idle_timeout,
            incoming_window: spec.max_session_frames,
            output_limit: OUTPUT_LIMIT,
            max_unsettled: 200_000,
            capabilities: vec!["ANONYMOUS-RELAY".to_owned(), STREAMING_LINKS.to_owned()],
            properties: vec![
                ("product".to_owned(), Value::String("moorline".to_owned())),
                ("version".to_owned(), Value::String(version.to_owned())),
                ("qd.annotations-version".to_owned(), Value::Int(2)),
            ],
            sasl,
        };
        let amqp = match spec.role {
            ConnRole::Uplink => Connection::client(config, now),
            ConnRole::Edge | ConnRole::Client => Connection::server(config, now),
        };
        Conn {
            amqp,
            spec,
            opened: false,
            closed: None,
            container: String::new(),
            version: None,
            access: None,
            traffic: (0, 0),
            superseded: false,
            streaming: false,
            mesh: None,
            links: FxHashMap::default(),
            announced: FxHashMap::default(),
            held: FxHashMap::default(),
            incoming: FxHashMap::default(),
            outgoing: FxHashMap::default(),
            endpoint_session: None,
            stream_session: None,
            base: None,
            tracking: None,
            untold: FxHashSet::default(),
            pool: Pool::default(),
            queues: LinkQueues::default(),
            blocked: VecDeque::new(),
            heard: None,
            woken: false,
        }
    }

    /// Remembers what the peer's open said.
    pub(super) fn opened(&mut self, open: &moorline_amqp::RemoteOpen) {
        self.opened = true;
        self.container = open.container_id.clone();
        // A client's links are its own affair.
        self.streaming = self.is_router() && open.offered_capabilities.iter().any(|c| c == STREAMING_LINKS);
        let property = |name: &str| {
            let found = open.properties.iter().find(|(key, _)| key.as_str() == Some(name));
            found.and_then(|(_, value)| value.as_str()).map(str::to_owned)
        };
        self.version = property("version");
        self.access = property(ACCESS_ID);
    }

    /// Gives back room that is held for more than there is now.
    pub(super) fn shrink(&mut self) {
        self.amqp.shrink();
        self.links.shrink_to_fit();
        self.held.shrink_to_fit();
        self.incoming.shrink_to_fit();
        self.outgoing.shrink_to_fit();
        self.blocked.shrink_to_fit();
        self.pool.shrink();
    }

    /// Forgets one who waits for a link, and has died.
    pub(super) fn forget_waiter(&mut self, waiter: Waiter) {
        self.pool.forget(waiter);
        self.queues.forget(waiter);
    }

    /// The peer is a router: what it sends is never sent back to it.
    pub(super) fn is_router(&self) -> bool {
        self.spec.role != ConnRole::Client
    }

    /// Room for payload behind what already waits, on the session of this delivery.
    pub(super) fn room(&self, out: Outgoing) -> usize {
        self.amqp.room(out.session())
    }
}
