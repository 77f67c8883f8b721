//! Messages for everyone who consumes an address.

use super::Router;
use super::head::Head;
use super::hub::may_serve;
use super::route::Origin;
use super::splice::{Passage, Sink, Source, Splice};
use super::table::Dest;
use super::types::MessageId;
use moorline_amqp::{DeliveryState, End};
use std::sync::Arc;

/// A consumer that is this far behind misses further copies: it must not hold up the others.
const BEHIND_LIMIT: usize = 4 * 1024 * 1024;

impl Router {
    /// Sends a copy to each consumer. The sender hears the verdict when all have spoken: accepted if anyone did.
    pub(super) fn multicast(
        &mut self,
        origin: Origin,
        from: Source,
        (head, bytes): (&Head, &[u8]),
        address: &str,
    ) -> Option<MessageId> {
        let address: Arc<str> = address.into();
        let servers = self.table.get(&address).map(|entry| entry.servers.clone()).unwrap_or_default();
        let mut consumers: Vec<Dest> = servers.into_iter().map(|server| server.dest).collect();
        if let Some(uplink) = self.uplink_for(origin) {
            // Without a link for this address nobody has told us whether the network consumes it.
            let unknown = !consumers.iter().any(|dest| matches!(dest, Dest::Remote { conn, .. } if *conn == uplink));
            let tracked = self.table.get(&address).is_some_and(super::table::Entry::has_senders);
            if unknown && !tracked {
                consumers.push(Dest::Remote { conn: uplink, link: self.conns.get(uplink).and_then(|conn| conn.base) });
            }
        }
        let whole = (from != Source::Nobody).then(|| self.splices.insert(Box::new(Splice::everyone(from))));
        if let (Some(id), Source::Link(conn, delivery)) = (whole, from)
            && let Some(conn) = self.conns.get_mut(conn)
        {
            conn.incoming.insert(delivery, super::conn::Inbound::Splice(id));
        }
        let (source, end) = match whole {
            Some(id) => (Source::Copy(id), End::Last),
            None => (Source::Nobody, End::LastSettled),
        };
        consumers.retain(|dest| may_serve(&self.conns, *dest, origin) && !self.is_behind(*dest, &address));
        if let Some(Sink::Everyone { left, .. }) = whole.and_then(|id| self.splices.get_mut(id)).map(|s| &mut s.to) {
            *left = consumers.len();
        }
        for dest in consumers {
            let dest = self.on_address_link(dest, &address);
            let copy = self.outgoing_form((head, bytes), origin, (dest, &address), false);
            let passage = Passage {
                from: source,
                dest,
                counted: None,
                held: None,
                windowed: false,
                address: address.clone(),
                trace: head.trace().to_vec(),
            };
            self.begin_splice(passage, copy, Some(end));
        }
        if let Some(id) = whole {
            self.multicast_over(id);
        }
        whole
    }

    fn is_behind(&self, dest: Dest, address: &str) -> bool {
        match self.on_address_link(dest, address) {
            Dest::Remote { conn, link } => {
                let behind = |conn: &super::conn::Conn| {
                    link.or(conn.base).is_none_or(|link| conn.queues.bytes(link) > BEHIND_LIMIT)
                };
                self.conns.get(conn).is_none_or(behind)
            }
            Dest::Local(_) => true,
            Dest::Endpoint(_) => false,
        }
    }

    /// One copy has its verdict.
    pub(super) fn copy_settled(&mut self, of: MessageId, state: Option<DeliveryState>) {
        let Some(Sink::Everyone { left, accepted }) = self.splices.get_mut(of).map(|splice| &mut splice.to) else {
            return;
        };
        *left = left.saturating_sub(1);
        *accepted |= state == Some(DeliveryState::Accepted);
        self.multicast_over(of);
    }

    fn multicast_over(&mut self, id: MessageId) {
        let Some(Sink::Everyone { left: 0, accepted }) = self.splices.get(id).map(|splice| &splice.to) else { return };
        let state = if *accepted { DeliveryState::Accepted } else { DeliveryState::Released };
        self.decide_splice(id, state);
        self.remove_splice(id);
    }
}
