//! What the router knows of its connections, links and addresses, for people. Nothing here changes anything.

use super::conn::{Conn, LinkUse};
use super::route::Origin;
use super::table::{Dest, Entry};
use super::types::{ConnId, ConnRole, Mode};
use super::{Local, Router};
use moorline_amqp::{Role, Tally, Value};
use std::ops::AddAssign;
use std::time::Instant;

/// An AMQP connection.
#[derive(Debug, Clone)]
pub struct ConnectionFacts {
    /// What the other end is to us.
    pub role: ConnRole,
    /// Its container id; empty before its open.
    pub container: String,
    /// What it says of itself.
    pub properties: Vec<(Value, Value)>,
    /// AMQP is up.
    pub opened: bool,
    /// It is used: an uplink that stands by is not.
    pub active: bool,
    /// SASL mechanism; empty: none was used.
    pub mechanism: &'static str,
    /// Who the other end is, as far as SASL tells.
    pub user: Option<String>,
    /// Mesh id of an edge.
    pub mesh_id: Option<String>,
    /// When the last delivery began to arrive.
    pub last_delivery: Option<Instant>,
}

/// A link of an AMQP connection.
#[derive(Debug, Clone, Default)]
pub struct LinkFacts {
    /// Counts up with the links of the connection.
    pub number: u64,
    /// Its name.
    pub name: String,
    /// Deliveries arrive on it.
    pub incoming: bool,
    /// Its address with the letter of its class, such as `Mdatabase:5432`; none: deliveries say where they go.
    pub address: Option<String>,
    /// Credit that is given at most.
    pub capacity: u32,
    /// Credit that is left.
    pub credit: u32,
    /// Messages that wait for it.
    pub undelivered: u64,
    /// Deliveries that are unfinished or unsettled.
    pub unsettled: u64,
    /// What became of its deliveries.
    pub tally: Tally,
}

/// An address that the router knows.
#[derive(Debug, Clone, Default)]
pub struct AddressFacts {
    /// The letter of its class (`M` mobile, `L` local, `H` edge) and the address.
    pub key: String,
    /// Its messages go to every consumer, not to one.
    pub multicast: bool,
    /// Consumers inside the router.
    pub in_process: u32,
    /// Consumers on links, and servers that connectors reach.
    pub subscribers: u32,
    /// Someone inside the router wants to know whether it can be reached.
    pub watched: bool,
    /// What went through it.
    pub passages: Passages,
}

/// Messages and streams by where they came from and went to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passages {
    /// From clients.
    pub ingress: u64,
    /// To clients and servers.
    pub egress: u64,
    /// From router to router.
    pub transit: u64,
    /// To consumers inside the router.
    pub to_inside: u64,
    /// From inside the router.
    pub from_inside: u64,
}

impl AddAssign for Passages {
    fn add_assign(&mut self, other: Passages) {
        self.ingress += other.ingress;
        self.egress += other.egress;
        self.transit += other.transit;
        self.to_inside += other.to_inside;
        self.from_inside += other.from_inside;
    }
}

impl Router {
    /// An AMQP connection.
    pub fn connection_facts(&self, id: ConnId) -> Option<ConnectionFacts> {
        let conn = self.conns.get(id)?;
        let user = conn.amqp.sasl_user();
        let mechanism = match (conn.spec.role, user) {
            (ConnRole::Edge | ConnRole::Client, None) => "",
            _ if conn.spec.external => "EXTERNAL",
            _ => "ANONYMOUS",
        };
        let properties = conn.amqp.remote().map(|remote| remote.properties.as_slice()).unwrap_or_default();
        Some(ConnectionFacts {
            role: conn.spec.role,
            container: conn.container.clone(),
            // Keys are symbols between routers and strings for people.
            properties: properties
                .iter()
                .map(|(key, value)| (key.as_str().map_or_else(|| key.clone(), Value::from), value.clone()))
                .collect(),
            opened: conn.opened,
            active: conn.spec.role != ConnRole::Uplink || self.uplink == Some(id),
            mechanism,
            user: user.filter(|user| *user != "EXTERNAL").map(str::to_owned),
            mesh_id: conn.mesh.clone(),
            last_delivery: conn.amqp.last_delivery(),
        })
    }

    /// The links of a connection, in the order of their age.
    pub fn link_facts(&self, id: ConnId) -> Vec<LinkFacts> {
        let Some(conn) = self.conns.get(id) else { return Vec::new() };
        let mut links: Vec<LinkFacts> = conn
            .amqp
            .links()
            .into_iter()
            .map(|link| LinkFacts {
                number: link.number,
                name: link.name.to_owned(),
                incoming: link.role == Role::Receiver,
                address: conn.links.get(&link.id).and_then(|used_for| self.owning_address(conn, used_for)),
                capacity: link.capacity,
                credit: link.credit,
                undelivered: conn.queues.waiting(link.id) as u64,
                unsettled: link.unsettled,
                tally: link.tally,
            })
            .collect();
        links.sort_by_key(|link| link.number);
        links
    }

    fn owning_address(&self, conn: &Conn, used_for: &LinkUse) -> Option<String> {
        Some(match used_for {
            LinkUse::In(Some(address)) | LinkUse::Out(Some(address)) | LinkUse::Producer(address) => {
                format!("M{address}")
            }
            LinkUse::OutTemporary(name) => format!("L{name}"),
            LinkUse::Out(None) => format!("H{}", conn.container),
            LinkUse::In(None) if conn.spec.role == ConnRole::Uplink => return None,
            LinkUse::MeshIn | LinkUse::MeshOut => "M_$qd.mesh_discovery".to_owned(),
            LinkUse::TrackingIn | LinkUse::TrackingOut => "M_$qd.edge_addr_tracking".to_owned(),
            LinkUse::Base if self.settings.mode == Mode::Edge => "L_edge".to_owned(),
            LinkUse::In(None) | LinkUse::Base | LinkUse::Stream => return None,
        })
    }

    /// All addresses, in the order of their keys.
    pub fn addresses(&self) -> Vec<AddressFacts> {
        let mobile = self.table.iter().map(|(address, entry)| self.mobile(address, entry));
        let local = self.locals.iter().filter_map(|(name, local)| {
            let (in_process, subscribers) = match local {
                Local::Endpoint(..) => (1, 0),
                Local::Link(..) => (0, 1),
                // As many as there are clients; they are shown as connections.
                Local::Flow(_) => return None,
            };
            Some(AddressFacts { key: format!("L{name}"), in_process, subscribers, ..AddressFacts::default() })
        });
        let edges = self.edges.iter().map(|(id, conns)| AddressFacts {
            key: format!("H{id}"),
            subscribers: conns.len() as u32,
            ..AddressFacts::default()
        });
        let mut all: Vec<AddressFacts> = mobile.chain(local).chain(edges).collect();
        all.sort_by(|a, b| a.key.cmp(&b.key));
        all
    }

    fn mobile(&self, address: &str, entry: &Entry) -> AddressFacts {
        let inside = entry.servers.iter().filter(|server| matches!(server.dest, Dest::Endpoint(_))).count();
        AddressFacts {
            key: format!("M{address}"),
            multicast: self.is_multicast(address),
            in_process: inside as u32,
            subscribers: (entry.servers.len() - inside) as u32,
            watched: !(entry.listeners.is_empty() && entry.endpoints.is_empty()),
            passages: entry.passages,
        }
    }

    /// How many addresses there are.
    pub fn address_count(&self) -> usize {
        let locals = self.locals.values().filter(|local| !matches!(local, Local::Flow(_))).count();
        self.table.iter().count() + locals + self.edges.len()
    }

    /// All deliveries since the start, on links that are there and that were.
    pub fn tally(&self) -> Tally {
        self.conns.values().fold(self.gone, |mut sum, conn| {
            sum += conn.amqp.tally();
            sum
        })
    }

    /// All messages and streams since the start that were sent to a mobile address.
    pub fn passages(&self) -> Passages {
        self.passages
    }

    /// Links of all connections.
    pub fn link_count(&self) -> usize {
        self.conns.values().map(|conn| conn.links.len()).sum()
    }

    /// Counts a message or a stream that is on its way.
    pub(super) fn count_passage(&mut self, address: &str, origin: Origin, dest: Dest) {
        #[derive(PartialEq)]
        enum End {
            Client,
            Router,
            Inside,
        }
        let of = |conn: ConnId| {
            if self.conns.get(conn).is_some_and(Conn::is_router) { End::Router } else { End::Client }
        };
        let from = match origin {
            Origin::Socket => End::Client,
            Origin::Endpoint(_) => End::Inside,
            Origin::Conn(conn) => of(conn),
        };
        let to = match dest {
            Dest::Local(_) => End::Client,
            Dest::Endpoint(_) => End::Inside,
            Dest::Remote { conn, .. } => of(conn),
        };
        let passage = Passages {
            ingress: u64::from(from == End::Client),
            egress: u64::from(to == End::Client),
            transit: u64::from(from == End::Router && to == End::Router),
            to_inside: u64::from(to == End::Inside),
            from_inside: u64::from(from == End::Inside),
        };
        self.passages += passage;
        self.table.passed(address, passage);
    }
}
