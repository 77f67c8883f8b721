//! Where a message goes, and what it looks like to the next hop.

use super::address::{self, Address};
use super::conn::{Conn, LinkUse};
use super::head::{self, Annotations, Head, STREAMING};
use super::hub::may_serve;
use super::table::Dest;
use super::types::{ConnId, EndpointId, FlowId, Mode};
use super::{Local, Router};
use std::sync::Arc;

/// Where something comes from that looks for a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A TCP socket of ours.
    Socket,
    /// An endpoint of ours.
    Endpoint(EndpointId),
    Conn(ConnId),
}

/// What an address means now.
pub(super) enum Target<'a> {
    /// The answer to a flow's stream.
    Answer(FlowId),
    /// Every consumer of this address.
    Everyone(&'a str),
    Server {
        dest: Dest,
        address: Arc<str>,
        /// One of several, to be counted.
        counted: bool,
    },
    Nowhere,
}

impl Router {
    pub(super) fn target<'a>(&mut self, to: &'a str, origin: Origin) -> Target<'a> {
        let own_id = self.settings.id.clone();
        let found = match address::parse(to, &own_id, self.settings.mode == Mode::Edge) {
            Address::Local(name) => match self.locals.get(name) {
                Some(Local::Flow(flow)) => return Target::Answer(*flow),
                Some(Local::Endpoint(id, address)) => Some((Dest::Endpoint(*id), address.clone(), false)),
                Some(Local::Link(conn, link)) => {
                    Some((Dest::Remote { conn: *conn, link: Some(*link) }, to.into(), false))
                }
                None => None,
            },
            Address::Mobile(name) if self.is_multicast(name) => return Target::Everyone(name),
            Address::Mobile(name) => match self.choose(name, origin) {
                Some(dest) => {
                    let address: Arc<str> = name.into();
                    Some((self.on_address_link(dest, &address), address, true))
                }
                // Who is attached to no address sends to any; the network may know it.
                None => self.to_uplink(origin).map(|dest| (dest, name.into(), false)),
            },
            Address::Edge(id) if self.settings.mode == Mode::Hub => {
                let edge = self.edges.get(id).and_then(|known| known.last().copied());
                let edge = edge.filter(|edge| origin != Origin::Conn(*edge));
                edge.map(|conn| (Dest::Remote { conn, link: None }, to.into(), false))
            }
            Address::Edge(_) | Address::Interior(_) => self.to_uplink(origin).map(|dest| (dest, to.into(), false)),
        };
        match found {
            Some((dest, address, counted)) => Target::Server { dest, address, counted },
            None => Target::Nowhere,
        }
    }

    /// The server for a new stream or message.
    pub(super) fn choose(&mut self, address: &str, origin: Origin) -> Option<Dest> {
        let conns = &self.conns;
        let chosen = self.table.choose(address, |dest| {
            if !may_serve(conns, dest, origin) {
                return None;
            }
            match dest {
                Dest::Local(_) => (!matches!(origin, Origin::Endpoint(_))).then_some(0),
                Dest::Endpoint(_) => (origin != Origin::Socket).then_some(0),
                Dest::Remote { conn, link } => {
                    let conn = conns.get(conn)?;
                    // A client that has no credit to spare is asked when the others are no better.
                    let busy = |conn: &Conn| link.is_some_and(|link| !conn.is_router() && !conn.amqp.can_start(link));
                    Some(if conn.superseded { 2 } else { u8::from(busy(conn)) })
                }
            }
        })?;
        self.count_passage(address, origin, chosen);
        Some(chosen)
    }

    /// The uplink as a way out of an edge for what comes from here.
    pub(super) fn uplink_for(&self, origin: Origin) -> Option<ConnId> {
        self.uplink().filter(|uplink| origin != Origin::Conn(*uplink))
    }

    fn to_uplink(&self, origin: Origin) -> Option<Dest> {
        let conn = self.uplink_for(origin)?;
        let link = self.conns.get(conn)?.base;
        Some(Dest::Remote { conn, link })
    }

    /// Whole messages for an address of which we have told the network go on that link: its credit is the address's.
    pub(super) fn on_address_link(&self, dest: Dest, address: &str) -> Dest {
        let Dest::Remote { conn, link: None } = dest else { return dest };
        let told = self.conns.get(conn).and_then(|conn| conn.announced.get(&LinkUse::Producer(address.into())));
        Dest::Remote { conn, link: told.copied() }
    }

    /// How the message looks to the next hop. Clients and endpoints see no annotations.
    pub(super) fn outgoing_form(
        &self,
        (head, bytes): (&Head, &[u8]),
        origin: Origin,
        (dest, address): (Dest, &str),
        streams: bool,
    ) -> Vec<u8> {
        let rest = bytes.get(head.annotations_len..).unwrap_or_default();
        let to_router = match dest {
            Dest::Remote { conn, .. } => self.conns.get(conn).is_some_and(Conn::is_router),
            Dest::Local(_) | Dest::Endpoint(_) => false,
        };
        if !to_router {
            return rest.to_vec();
        }
        let from_router = match origin {
            Origin::Conn(conn) => self.conns.get(conn).is_some_and(Conn::is_router),
            Origin::Socket | Origin::Endpoint(_) => false,
        };
        let mut annotations = match &head.annotations {
            // What a client writes there is its own invention.
            Some(annotations) if from_router => annotations.clone(),
            _ => Annotations { mesh: self.mesh_id.clone(), ..Annotations::default() },
        };
        if head.properties.to.as_deref() != Some(address) {
            // Only the link said it, and the next hop may get it on another.
            annotations.to_override = Some(address.to_owned());
        }
        if streams {
            annotations.flags |= STREAMING;
        }
        let mut out = Vec::with_capacity(bytes.len() + 64);
        if self.settings.mode == Mode::Hub {
            head::pass_by(&mut annotations, &self.node_id());
        }
        annotations.encode(&mut out);
        out.extend_from_slice(rest);
        out
    }
}
