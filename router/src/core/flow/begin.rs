//! How flows begin: an accepted client, a stream for a connector, the first transfer.

use super::{Answer, FailedState, Flow, Intro, Net, RecordFacts, Remote, Side, Socket};
use crate::core::conn::{Owner, Waiter};
use crate::core::head::{Head, StreamHead};
use crate::core::legacy::MAX_FLOW_ID;
use crate::core::route::Origin;
use crate::core::table::Dest;
use crate::core::types::{Action, ConnId, ConnectorId, Encapsulation, FlowId, ListenerId, Mode};
use crate::core::{Local, Router};
use moorline_amqp::{End, Incoming, LinkId, Value};
use std::sync::Arc;
use std::time::Instant;

/// What a stream's head says of the other end, for the records.
struct FarEnd {
    /// The record of the flow at the listener's end; in legacy it comes with the body.
    counterflow: Option<String>,
    trace: Vec<String>,
    /// What the listener's client speaks in TLS.
    alpn: Option<Arc<str>>,
}

impl FarEnd {
    fn of(head: &Head) -> FarEnd {
        let counterflow = head.properties.correlation_id.as_ref().and_then(Value::as_str);
        FarEnd {
            counterflow: counterflow.filter(|id| id.len() <= MAX_FLOW_ID).map(str::to_owned),
            trace: head.annotations.as_ref().map(|annotations| annotations.trace.clone()).unwrap_or_default(),
            alpn: None,
        }
    }
}

impl Router {
    pub(in crate::core) fn begin_listener_flow(
        &mut self,
        listener: ListenerId,
        peer: String,
        alpn: Option<&str>,
        now: Instant,
    ) -> Option<FlowId> {
        let entry = self.listeners.get(listener)?;
        let (address, entity, site) = (entry.address.clone(), entry.entity.clone(), entry.site_id.clone());
        let (wanted, parent) = (entry.encapsulation, entry.tally.record);
        let dest = self.choose(&address, Origin::Socket)?;
        let record = RecordFacts::new(self.new_record(), parent);
        let counterflow = self.record_id(record.number);
        let mut flow = Flow::new(Side::Listener(listener), entity, address.clone(), peer, record, now);
        if let Some(entry) = self.listeners.get_mut(listener) {
            entry.tally.opened += 1;
        }
        self.table.count(&address, dest, 1);
        flow.dest = Some(dest);
        flow.alpn = alpn.map(Arc::from);
        match dest {
            Dest::Local(connector) => {
                let far_end = FarEnd { counterflow: Some(counterflow), trace: Vec::new(), alpn: flow.alpn.clone() };
                let other = self.connector_flow(connector, far_end, now)?;
                let other = self.flows.insert(Box::new(other));
                flow.net = Net::Local(other);
                let id = self.flows.insert(Box::new(flow));
                self.flows[other].net = Net::Local(id);
                self.actions.push_back(Action::Connect { flow: other, connector });
                Some(id)
            }
            // Never chosen for a socket.
            Dest::Endpoint(_) => None,
            Dest::Remote { conn, link } => {
                let encapsulation = wanted.unwrap_or_else(|| self.network_encapsulation(conn));
                let (temp, reply_to) = self.new_temporary();
                let intro = Intro {
                    to: address.to_string(),
                    subject: format!("{}@{site}", flow.peer),
                    reply_to: Some(reply_to),
                };
                let mut remote = Remote::new(conn, encapsulation);
                remote.intro = Some(intro);
                remote.throttled = encapsulation == Encapsulation::Lite && self.is_before_windows(conn);
                remote.temp = Some(temp.clone());
                flow.net = Net::Remote(Box::new(remote));
                let id = self.flows.insert(Box::new(flow));
                self.locals.insert(temp, Local::Flow(id));
                self.request_link(conn, Waiter::Flow(id), link);
                Some(id)
            }
        }
    }

    /// A stream for one of our connectors has arrived: connect.
    pub(in crate::core) fn begin_connector_flow(
        &mut self,
        connector: ConnectorId,
        (conn, delivery): (ConnId, Incoming),
        (head, bytes): (&Head, &[u8]),
        (reply_to, alpn): (String, Option<String>),
        now: Instant,
    ) -> Option<FlowId> {
        let encapsulation = head.encapsulation();
        let subject = head.properties.subject.clone().unwrap_or_default();
        let far_end = FarEnd { alpn: alpn.map(Arc::from), ..FarEnd::of(head) };
        let mut flow = self.connector_flow(connector, far_end, now)?;
        let dest = Dest::Local(connector);
        self.table.count(&flow.address, dest, 1);
        flow.dest = Some(dest);
        let mut remote = Remote::new(conn, encapsulation);
        remote.throttled = head.is_throttled(bytes) && self.can_throttle(conn);
        remote.window.limit(!remote.throttled);
        remote.intro = Some(Intro { to: reply_to, subject, reply_to: None });
        remote.incoming = Some(delivery);
        remote.answered = true;
        flow.net = Net::Remote(Box::new(remote));
        let id = self.flows.insert(Box::new(flow));
        self.actions.push_back(Action::Connect { flow: id, connector });
        Some(id)
    }

    fn connector_flow(&mut self, connector: ConnectorId, far_end: FarEnd, now: Instant) -> Option<Flow> {
        let number = self.new_record();
        let entry = self.connectors.get_mut(connector)?;
        entry.tally.opened += 1;
        let trace = if far_end.trace.is_empty() { "Local".to_owned() } else { far_end.trace.join("|") };
        let mut record = RecordFacts::new(number, entry.tally.record);
        record.counterflow = far_end.counterflow.map(String::into_boxed_str);
        record.trace = Some(trace.into_boxed_str());
        let (entity, address) = (entry.entity.clone(), entry.address.clone());
        let mut flow = Flow::new(Side::Connector(connector), entity, address, String::new(), record, now);
        flow.alpn = far_end.alpn;
        Some(flow)
    }

    /// The answer to one of our listeners' streams has begun.
    pub(in crate::core) fn flow_answered(
        &mut self,
        id: FlowId,
        delivery: Incoming,
        (head, bytes): (&Head, &[u8]),
    ) -> Answer {
        let Some(remote) = self.flows.get_mut(id).and_then(|flow| flow.remote()) else { return Answer::Unwanted };
        if remote.answered {
            return Answer::Unwanted;
        }
        if remote.encapsulation != head.encapsulation() {
            return Answer::Mismatch;
        }
        remote.incoming = Some(delivery);
        remote.answered = true;
        remote.window.limit(!(remote.throttled && head.is_throttled(bytes)));
        self.wake_flow(id);
        Answer::Taken
    }

    pub(in crate::core) fn flow_connected(&mut self, id: FlowId, peer: String, local: String) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        flow.peer = peer;
        flow.record.local = local;
        flow.socket = Socket::Open;
        match &flow.net {
            Net::Remote(remote) => {
                let conn = remote.conn;
                let fallback = self.conns.get(conn).and_then(|c| c.base);
                self.request_link(conn, Waiter::Flow(id), fallback);
            }
            Net::Local(other) => {
                let other = *other;
                self.wake_flow(other);
            }
            Net::Cut => {}
        }
        self.wake_flow(id);
    }

    pub(in crate::core) fn flow_connect_failed(&mut self, id: FlowId, cause: String, now: Instant) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let state = match flow.remote().map(|remote| remote.encapsulation) {
            Some(Encapsulation::Lite) => FailedState::Modified,
            _ => FailedState::Released,
        };
        self.fail_flow(id, cause, state);
        self.end_flow(id, now);
    }

    /// A link for this flow's stream: begins it. False: the flow does not need it any more.
    pub(in crate::core) fn start_flow_stream(&mut self, id: FlowId, link: LinkId) -> bool {
        let mut bytes = Vec::with_capacity(256);
        let mesh = self.mesh_id.as_deref().filter(|_| self.settings.mode == Mode::Edge);
        let ingress = (self.settings.mode == Mode::Hub).then(|| self.node_id());
        let Some(number) = self.flows.get(id).map(|flow| flow.record.number) else { return false };
        let flow_id = self.record_id(number);
        let Some(flow) = self.flows.get_mut(id) else { return false };
        let alpn = flow.alpn.clone().filter(|_| matches!(flow.side, Side::Listener(_)));
        let Some(remote) = flow.remote() else { return false };
        let Some(intro) = remote.intro.take() else { return false };
        let head = StreamHead {
            to: &intro.to,
            reply_to: intro.reply_to.as_deref(),
            subject: &intro.subject,
            flow_id: &flow_id,
            alpn: alpn.as_deref(),
            mesh,
            ingress,
            throttled: remote.throttled,
        };
        head.encode(remote.encapsulation, &mut bytes);
        let conn_id = remote.conn;
        let Some(conn) = self.conns.get_mut(conn_id) else { return false };
        let Some((out, pushed)) = conn.amqp.start(link, &bytes, End::More) else {
            remote.intro = Some(intro);
            conn.pool.waiting.push_front(Waiter::Flow(id));
            return false;
        };
        conn.own(out, Owner::Flow(id), link);
        remote.out = Some(out);
        remote.backlog.extend_from_slice(bytes.get(pushed.bytes..).unwrap_or_default());
        self.wake_conn(conn_id);
        self.flush_flow(id);
        self.wake_flow(id);
        true
    }
}
