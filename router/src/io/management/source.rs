//! What the driver knows, as entities.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Instant;

use moorline_definition::router_config::{RouterMode, TcpBridge};

use crate::core::{ConnRole, ConnectionFacts, FlowId};
use crate::io::driver::{ConnectionEntry, Driver, FlowEntry, Owner, Service};
use crate::io::http::{Encapsulation, HttpConnection};
use crate::io::process;
use crate::io::resolve::host_port;
use crate::io::start::LogControl;
use crate::io::status::UplinkState;
use crate::management::types::{address, amqp, connection, http, link, log, management, policy, router, tcp};
use crate::management::{Kind, LogLine, Record, Source};

/// The entities of one moment.
pub(super) struct Facts<'d> {
    driver: &'d Rc<Driver>,
    log: Option<&'d dyn LogControl>,
    now: Instant,
}

impl<'d> Facts<'d> {
    pub(super) fn new(driver: &'d Rc<Driver>, log: Option<&'d dyn LogControl>) -> Facts<'d> {
        Facts { driver, log, now: Instant::now() }
    }

    fn seconds_since(&self, moment: Instant) -> u32 {
        u32::try_from(self.now.saturating_duration_since(moment).as_secs()).unwrap_or(u32::MAX)
    }

    fn metrics(&self) -> router::Metrics {
        let driver = self.driver;
        let memory = process::memory();
        let (flows, connections) = (driver.flows.borrow().len(), driver.connections.borrow());
        let web = driver.http_connections.borrow();
        let speak = |encapsulation| {
            web.values().filter(|connection| connection.bridge.encapsulation == encapsulation).count() as u64
        };
        let clients = connections.values().filter(|entry| matches!(entry.owner, Owner::Client(_))).count();
        let (tally, passages, addresses, links) =
            driver.inspect(|router| (router.tally(), router.passages(), router.address_count(), router.link_count()));
        router::Metrics {
            addresses: addresses as u64,
            links: links as u64,
            // An edge knows no other routers, and a hub there are none.
            nodes: 0,
            connections: (flows + web.len() + connections.len()) as u64,
            presettled: tally.presettled,
            accepted: tally.accepted,
            rejected: tally.rejected,
            released: tally.released,
            modified: tally.modified,
            ingress: passages.ingress,
            egress: passages.egress,
            transit: passages.transit,
            uptime_seconds: self.seconds_since(driver.started),
            memory: memory.address_space,
            resident: memory.resident,
            services: router::Services {
                tcp: flows as u64,
                amqp: clients as u64,
                http1: speak(Encapsulation::Http1),
                http2: speak(Encapsulation::Http2),
            },
        }
    }

    fn router(&self) -> Vec<Record> {
        let config = self.driver.configured.borrow();
        vec![router::router(&config.router, &self.driver.host_name, &self.driver.version, &self.metrics())]
    }

    fn router_metrics(&self) -> Vec<Record> {
        let config = self.driver.configured.borrow();
        vec![router::metrics(&config.router.id, &self.driver.version, &self.metrics())]
    }

    fn nodes(&self) -> Vec<Record> {
        let config = self.driver.configured.borrow();
        match config.router.mode {
            RouterMode::Edge => Vec::new(),
            RouterMode::Interior => {
                let up = i64::from(self.seconds_since(self.driver.started));
                vec![router::node(&config.router.id, crate::io::Timestamp::now().unix() - up)]
            }
        }
    }

    fn connectors(&self) -> Vec<Record> {
        let uplinks = self.driver.uplinks.status();
        let config = self.driver.configured.borrow();
        let record = |entity: &_| {
            let entity: &moorline_definition::router_config::Connector = entity;
            let Some(uplink) = uplinks.iter().find(|uplink| uplink.name == entity.name) else {
                return amqp::connector(entity, amqp::ConnectorState::Failed, "this router does not serve it");
            };
            let (state, message) = match uplink.state {
                UplinkState::Connecting => (amqp::ConnectorState::Connecting, uplink.last_error.clone()),
                // It had no turn yet.
                UplinkState::Down if uplink.last_error.is_none() => (amqp::ConnectorState::Connecting, None),
                UplinkState::Down => (amqp::ConnectorState::Failed, uplink.last_error.clone()),
                UplinkState::Standby => (amqp::ConnectorState::Connecting, Some("stands by".to_owned())),
                UplinkState::Up => (
                    amqp::ConnectorState::Connected,
                    uplink.peer.as_ref().map(|peer| format!("linked to {}", peer.container)),
                ),
            };
            amqp::connector(entity, state, &message.unwrap_or_default())
        };
        config.connectors.iter().map(record).collect()
    }

    /// All, or the one that is called so.
    fn tcp_listeners(&self, only: Option<&str>) -> Vec<Record> {
        let config = self.driver.configured.borrow();
        let listeners = self.driver.listeners.borrow();
        let open = self.driver.open_traffic();
        let by_name: HashMap<&str, _> = listeners.iter().map(|entry| (entry.1.name.as_str(), entry)).collect();
        let record = |entity: &TcpBridge| {
            let (id, listening) = *by_name.get(entity.name.as_str())?;
            let traffic = open.with_past(Service::Listener(id), &listening.tally);
            let encapsulation = self.driver.inspect(|router| router.listener_encapsulation(id))?;
            Some(tcp::listener(entity, &traffic, encapsulation, listening.is_open(), listening.trouble().as_deref()))
        };
        config.tcp_listeners.iter().filter(called(only)).filter_map(record).collect()
    }

    /// The same.
    fn tcp_connectors(&self, only: Option<&str>) -> Vec<Record> {
        let config = self.driver.configured.borrow();
        let connectors = self.driver.connectors.borrow();
        let open = self.driver.open_traffic();
        let by_name: HashMap<&str, _> = connectors.iter().map(|entry| (entry.1.name.as_str(), entry)).collect();
        let record = |entity: &TcpBridge| {
            let (id, entry) = *by_name.get(entity.name.as_str())?;
            Some(tcp::connector(entity, &open.with_past(Service::Connector(id), &entry.tally)))
        };
        config.tcp_connectors.iter().filter(called(only)).filter_map(record).collect()
    }

    fn http_listeners(&self) -> Vec<Record> {
        let config = self.driver.configured.borrow();
        let listeners = self.driver.http_listeners.borrow();
        let record = |entity: &moorline_definition::router_config::HttpBridge| {
            let listening = listeners.iter().find(|listening| listening.bridge.name == entity.name)?;
            Some(http::listener(entity, listening.port.is_open()))
        };
        config.http_listeners.iter().filter_map(record).collect()
    }

    fn connections(&self) -> Vec<Record> {
        let connections = self.driver.connections.borrow();
        let amqp = connections.iter().filter_map(|(id, entry)| {
            let facts = self.driver.inspect(|router| router.connection_facts(id))?;
            Some((entry.number, self.amqp_connection(entry, facts)))
        });
        let flows = self.driver.flows.borrow();
        let tcp = flows.iter().filter_map(|(id, entry)| Some((entry.number, self.tcp_connection(id, entry)?.0)));
        let web = self.driver.http_connections.borrow();
        let http = web.values().map(|connection| (connection.number, self.http_connection(connection)));
        let mut all: Vec<(u64, Record)> = amqp.chain(tcp).chain(http).collect();
        all.sort_by_key(|(number, _)| *number);
        all.into_iter().map(|(_, record)| record).collect()
    }

    fn amqp_connection(&self, entry: &ConnectionEntry, facts: ConnectionFacts) -> Record {
        let host = match &entry.owner {
            Owner::Uplink(uplink) => host_port(&uplink.plan.target.host, uplink.plan.target.port),
            Owner::Edge(address) | Owner::Client(address) => address.clone(),
        };
        connection::connection(connection::Connection {
            id: entry.number,
            host,
            local: None,
            role: if facts.role == ConnRole::Client { "normal" } else { "edge" },
            protocol: "amqp",
            incoming: facts.role != ConnRole::Uplink,
            container: facts.container,
            mechanism: facts.mechanism.to_owned(),
            authenticated: facts.opened && !facts.mechanism.is_empty(),
            user: facts.user,
            tls: entry.tls.clone(),
            properties: facts.properties,
            opened: facts.opened,
            active: facts.active,
            uptime_seconds: self.seconds_since(entry.began),
            last_delivery_seconds: facts.last_delivery.map(|moment| self.seconds_since(moment)),
            mesh_id: facts.mesh_id,
        })
    }

    /// A flow as `connection` and as `tcpConnection`.
    fn tcp_connection(&self, id: FlowId, entry: &FlowEntry) -> Option<(Record, Record)> {
        let site_id = self.site_id(entry.service);
        self.driver.inspect(|router| {
            let flow = router.flow(id)?;
            let (incoming, uptime_seconds) = (flow.listener, self.seconds_since(flow.started));
            let as_connection = connection::connection(connection::Connection {
                id: entry.number,
                host: flow.peer.to_owned(),
                role: "normal",
                protocol: "tcp",
                incoming,
                container: "TcpAdaptor".to_owned(),
                properties: vec![("qd.adaptor".into(), "tcp".into())],
                opened: true,
                active: true,
                uptime_seconds,
                ..connection::Connection::default()
            });
            let as_flow = tcp::connection(tcp::Connection {
                id: entry.number,
                address: flow.address.to_owned(),
                host: flow.peer.to_owned(),
                site_id,
                incoming,
                bytes_in: flow.bytes_in,
                bytes_out: flow.bytes_out,
                uptime_seconds,
            });
            Some((as_connection, as_flow))
        })
    }

    fn http_connection(&self, facts: &HttpConnection) -> Record {
        let bridge = &facts.bridge;
        let (protocol, container) = match (bridge.encapsulation, bridge.listener) {
            (Encapsulation::Http1, _) => ("http/1.x", "HTTP/1.x Adaptor"),
            (Encapsulation::Http2, true) => ("http2", "HttpAdaptor"),
            (Encapsulation::Http2, false) => ("http2", "httpAdaptor"),
        };
        connection::connection(connection::Connection {
            id: facts.number,
            host: if bridge.listener { facts.peer.clone() } else { format!("{}:{}", bridge.host, bridge.port) },
            role: "normal",
            protocol,
            incoming: bridge.listener,
            container: container.to_owned(),
            tls: facts.tls.clone(),
            opened: true,
            active: true,
            uptime_seconds: self.seconds_since(facts.began),
            ..connection::Connection::default()
        })
    }

    fn site_id(&self, service: Service) -> String {
        let name = match service {
            Service::Listener(id) => self.driver.listeners.borrow().get(id).map(|listening| listening.name.clone()),
            Service::Connector(id) => self.driver.connectors.borrow().get(id).map(|entry| entry.name.clone()),
        };
        let config = self.driver.configured.borrow();
        let bridges = match service {
            Service::Listener(_) => &config.tcp_listeners,
            Service::Connector(_) => &config.tcp_connectors,
        };
        let bridge = name.and_then(|name| bridges.iter().find(|bridge| bridge.name == name));
        bridge.and_then(|bridge| bridge.site_id.clone()).unwrap_or_default()
    }

    fn tcp_connections(&self) -> Vec<Record> {
        let flows = self.driver.flows.borrow();
        flows.iter().filter_map(|(id, entry)| Some(self.tcp_connection(id, entry)?.1)).collect()
    }

    fn links(&self) -> Vec<Record> {
        let connections = self.driver.connections.borrow();
        let mut numbered: Vec<_> = connections.iter().map(|(id, entry)| (entry.number, id)).collect();
        numbered.sort_by_key(|(number, _)| *number);
        numbered
            .into_iter()
            .flat_map(|(number, id)| {
                let links = self.driver.inspect(|router| router.link_facts(id));
                links.into_iter().map(move |facts| link::link(number, facts))
            })
            .collect()
    }
}

fn called(name: Option<&str>) -> impl Fn(&&TcpBridge) -> bool {
    move |entity| name.is_none_or(|name| entity.name == name)
}

impl Source for Facts<'_> {
    fn records(&self, kind: Kind) -> Vec<Record> {
        let config = self.driver.configured.borrow();
        match kind {
            Kind::Management => vec![management()],
            Kind::Router => self.router(),
            Kind::RouterMetrics => self.router_metrics(),
            Kind::Network => vec![router::network()],
            Kind::Node => self.nodes(),
            Kind::SslProfile => config.ssl_profiles.iter().map(amqp::ssl_profile).collect(),
            Kind::Listener => config.listeners.iter().map(amqp::listener).collect(),
            Kind::Connector => self.connectors(),
            Kind::TcpListener => self.tcp_listeners(None),
            Kind::TcpConnector => self.tcp_connectors(None),
            Kind::TcpConnection => self.tcp_connections(),
            Kind::Connection => self.connections(),
            Kind::Link => self.links(),
            Kind::Address => {
                let addresses = self.driver.inspect(|router| router.addresses());
                addresses.iter().map(address::address).collect()
            }
            Kind::ConfigAddress => {
                let numbers = self.driver.address_numbers.borrow();
                let numbered = config.addresses.iter().zip(&*numbers);
                numbered.map(|(entity, number)| address::config(entity, *number)).collect()
            }
            Kind::Log => log::logs(&config.logs),
            Kind::Policy => {
                let connections = self.driver.connections.borrow();
                let incoming = connections.values().filter(|entry| !matches!(entry.owner, Owner::Uplink(_))).count();
                vec![policy::policy(self.driver.accepted.get(), incoming as u64)]
            }
            Kind::HttpListener => self.http_listeners(),
            Kind::HttpConnector => config.http_connectors.iter().map(http::connector).collect(),
            Kind::HttpRequestInfo => self.driver.http_requests.borrow().rows().map(http::request_info).collect(),
            Kind::LogStats
            | Kind::ConfigAutoLink
            | Kind::Allocator
            | Kind::Vhost
            | Kind::VhostUserGroup
            | Kind::VhostStats => Vec::new(),
        }
    }

    /// Of TCP services there may be thousands: no other is looked at.
    fn named(&self, kind: Kind, name: &str) -> Option<Record> {
        match kind {
            Kind::TcpListener => self.tcp_listeners(Some(name)).pop(),
            Kind::TcpConnector => self.tcp_connectors(Some(name)).pop(),
            _ => self.records(kind).into_iter().find(|record| record.get("name").as_str() == Some(name)),
        }
    }

    fn log(&self, limit: usize) -> Vec<LogLine> {
        self.log.map(|log| log.recent(limit)).unwrap_or_default()
    }
}
