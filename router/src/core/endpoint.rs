//! Producers and consumers of messages inside this process: management, flow records, HTTP adaptors.

use super::head::Head;
use super::route::{Origin, Target};
use super::splice::{Passage, Sink, Source};
use super::table::Dest;
use super::types::{Action, EndpointEvent, EndpointId, MessageId};
use super::{Local, Router};
use moorline_amqp::{DeliveryState, End};
use std::collections::VecDeque;
use std::sync::Arc;

/// A message of an endpoint may be this far ahead of its next hop.
const AHEAD: usize = 128 * 1024;

#[derive(Default)]
pub(super) struct Endpoint {
    events: VecDeque<EndpointEvent>,
    woken: bool,
    consumes: Vec<Arc<str>>,
    produces: Vec<Arc<str>>,
    /// Names of this router alone.
    locals: Vec<String>,
    hurried: bool,
}

impl Endpoint {
    /// Whether it wants messages before their end, marked as streams or not.
    pub(super) fn is_hurried(&self) -> bool {
        self.hurried
    }
}

impl Router {
    /// A new producer and consumer, without addresses yet.
    pub fn add_endpoint(&mut self) -> EndpointId {
        self.endpoints.insert(Endpoint::default())
    }

    /// From now on messages arrive as soon as their head is there, also those that are not marked as streams: routers
    /// 2.x do not mark answers of HTTP/1.
    pub fn hurry_endpoint(&mut self, id: EndpointId) {
        if let Some(endpoint) = self.endpoints.get_mut(id) {
            endpoint.hurried = true;
        }
    }

    /// Ends its subscriptions; what it has not finished is released or aborted.
    pub fn remove_endpoint(&mut self, id: EndpointId) {
        let Some(endpoint) = self.endpoints.remove(id) else { return };
        for address in endpoint.consumes {
            self.table.remove_server(&address, Dest::Endpoint(id));
            self.address_changed(&address);
        }
        for address in endpoint.produces {
            self.table.remove_endpoint(&address, id);
            self.address_changed(&address);
        }
        for name in endpoint.locals {
            self.locals.remove(&name);
        }
        let theirs = self.splices.iter().filter_map(|(message, splice)| match (&splice.to, splice.from) {
            (Sink::Endpoint { endpoint, .. }, _) if *endpoint == id => Some((message, true)),
            (_, Source::Endpoint(endpoint)) if endpoint == id => Some((message, false)),
            _ => None,
        });
        for (message, arriving) in theirs.collect::<Vec<_>>() {
            if arriving {
                self.settle_message(message, DeliveryState::Released);
            } else {
                self.lose_splice_source(message);
            }
        }
    }

    /// Consumes a mobile address; the network is told.
    pub fn subscribe(&mut self, id: EndpointId, address: &str) {
        let address: Arc<str> = address.into();
        let Some(endpoint) = self.endpoints.get_mut(id) else { return };
        if !endpoint.consumes.contains(&address) {
            endpoint.consumes.push(address.clone());
            self.table.add_server(&address, Dest::Endpoint(id));
            self.address_changed(&address);
        }
    }

    /// Consumes it no more; messages that have arrived stay.
    pub fn unsubscribe(&mut self, id: EndpointId, address: &str) {
        let Some(endpoint) = self.endpoints.get_mut(id) else { return };
        endpoint.consumes.retain(|known| **known != *address);
        self.table.remove_server(address, Dest::Endpoint(id));
        self.address_changed(address);
    }

    /// Consumes a name of this router alone, such as `$management`.
    pub fn subscribe_local(&mut self, id: EndpointId, name: &str) {
        if let Some(endpoint) = self.endpoints.get_mut(id) {
            endpoint.locals.push(name.to_owned());
            self.locals.insert(name.to_owned(), Local::Endpoint(id, name.into()));
        }
    }

    /// A new address under which the whole network reaches this endpoint.
    pub fn temporary_address(&mut self, id: EndpointId) -> String {
        let (name, address) = self.new_temporary();
        if let Some(endpoint) = self.endpoints.get_mut(id) {
            endpoint.locals.push(name.clone());
            self.locals.insert(name, Local::Endpoint(id, address.as_str().into()));
        }
        address
    }

    /// Gives a temporary address up.
    pub fn drop_temporary(&mut self, address: &str) {
        let name = address.rsplit('/').next().unwrap_or(address);
        if let Some(Local::Endpoint(id, _)) = self.locals.remove(name)
            && let Some(endpoint) = self.endpoints.get_mut(id)
        {
            endpoint.locals.retain(|known| known != name);
        }
    }

    /// Wants to hear whether an address can be reached: [`EndpointEvent::Reachable`] follows when it can, and with
    /// each change. What it consumes itself does not count: its messages never come back to it.
    pub fn produce(&mut self, id: EndpointId, address: &str) {
        let address: Arc<str> = address.into();
        let Some(endpoint) = self.endpoints.get_mut(id) else { return };
        if !endpoint.produces.contains(&address) {
            endpoint.produces.push(address.clone());
            self.table.add_endpoint(&address, id);
            self.address_changed(&address);
        }
    }

    /// Wants to hear it no more.
    pub fn unproduce(&mut self, id: EndpointId, address: &str) {
        let Some(endpoint) = self.endpoints.get_mut(id) else { return };
        endpoint.produces.retain(|known| **known != *address);
        self.table.remove_endpoint(address, id);
        self.address_changed(address);
    }

    /// What has happened next.
    pub fn poll_endpoint(&mut self, id: EndpointId) -> Option<EndpointEvent> {
        let endpoint = self.endpoints.get_mut(id)?;
        endpoint.woken = false;
        endpoint.events.pop_front()
    }

    pub(super) fn tell_endpoint(&mut self, id: EndpointId, event: EndpointEvent) {
        let Some(endpoint) = self.endpoints.get_mut(id) else { return };
        endpoint.events.push_back(event);
        if !std::mem::replace(&mut endpoint.woken, true) {
            self.actions.push_back(Action::WakeEndpoint(id));
        }
    }

    /// Sends a message to `to`. `bytes` are its sections from the header or the properties on, complete up to the
    /// body; router annotations are added here. `end`: none when more follows by [`Router::extend_message`].
    ///
    /// None: nobody serves the address now, or (multicast and settled) there is nothing more to be said of it.
    pub fn send_message(&mut self, id: EndpointId, to: &str, bytes: &[u8], end: Option<End>) -> Option<MessageId> {
        let head = Head::parse(bytes, end.is_some()).ok()??;
        let settled = end == Some(End::LastSettled);
        let from = if settled { Source::Nobody } else { Source::Endpoint(id) };
        let origin = Origin::Endpoint(id);
        match self.target(to, origin) {
            Target::Everyone(address) => {
                end?;
                self.multicast(origin, from, (&head, bytes), address)
            }
            Target::Server { dest, address, counted } => {
                let message = self.outgoing_form((&head, bytes), origin, (dest, &address), end.is_none());
                let counted = counted.then(|| address.clone());
                let passage = Passage { from, dest, counted, held: None, windowed: false, address, trace: Vec::new() };
                self.begin_splice(passage, message, end)
            }
            Target::Answer(_) | Target::Nowhere => None,
        }
    }

    /// More of a message of ours, at most [`Router::message_room`].
    pub fn extend_message(&mut self, message: MessageId, bytes: &[u8], end: Option<End>) {
        self.splice_data(message, bytes, end);
    }

    /// Bytes that a message of ours takes now.
    pub fn message_room(&self, message: MessageId) -> usize {
        self.splices.get(message).map_or(0, |splice| AHEAD.saturating_sub(splice.backlog.len()))
    }

    /// Cuts a message of ours off: its receiver cannot take it for complete.
    pub fn abort_message(&mut self, message: MessageId) {
        self.abort_splice(message);
    }

    /// What is there and unread of an arriving message, without router annotations, and whether its end is there.
    pub fn message_input(&mut self, message: MessageId) -> Option<(&[u8], bool)> {
        let splice = self.splices.get_mut(message)?;
        if let Sink::Endpoint { told, .. } = &mut splice.to {
            *told = false;
        }
        let ended = splice.has_all();
        Some((splice.backlog.contiguous(), ended))
    }

    /// `n` bytes of it are read.
    pub fn consume_message(&mut self, message: MessageId, n: usize) {
        let Some(splice) = self.splices.get_mut(message) else { return };
        let before = splice.backlog.len();
        splice.backlog.consume(n);
        let after = splice.backlog.len();
        if let Source::Endpoint(sender) = splice.from
            && !splice.has_all()
            && before >= AHEAD / 2
            && after < AHEAD / 2
        {
            self.tell_endpoint(sender, EndpointEvent::Room(message));
        }
    }

    /// Tells the sender of an arriving message how far it was taken (in bytes of its body); it may keep a window.
    pub fn acknowledge_message(&mut self, message: MessageId, total: u64) {
        let state = DeliveryState::Received { section_number: 0, section_offset: total };
        self.splice_disposition(message, Some(state), false);
    }

    /// The verdict on an arriving message, also on one that came settled: it is gone then. What is still to come of
    /// it is swallowed.
    pub fn settle_message(&mut self, message: MessageId, state: DeliveryState) {
        self.decide_splice(message, state);
        self.remove_splice(message);
    }

    /// Routers that an arriving message has passed, such as `0/interior`.
    pub fn message_trace(&self, message: MessageId) -> &[String] {
        match self.splices.get(message).map(|splice| &splice.to) {
            Some(Sink::Endpoint { trace, .. }) => trace,
            _ => &[],
        }
    }

    /// Tells the endpoints that produce for an address whether it can be reached.
    pub(super) fn tell_endpoints(&mut self, address: &str) {
        let Some(endpoints) = self.table.endpoints_mut(address).map(std::mem::take) else { return };
        let mut kept = endpoints;
        for (id, told) in &mut kept {
            let reachable = self.reachable_for(address, Origin::Endpoint(*id));
            if std::mem::replace(told, reachable) != reachable {
                let address = address.into();
                self.tell_endpoint(*id, EndpointEvent::Reachable { address, reachable });
            }
        }
        if let Some(known) = self.table.endpoints_mut(address) {
            *known = kept;
        }
    }
}
