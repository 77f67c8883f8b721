//! The book-keeper: hears who listens, is told what there is, and says what to send.

use super::attribute::{Attribute, Kind};
use super::describe::{
    Dialect, Link, Moment, Request, RouterFacts, Service, flow_record, write_addition, write_connection, write_end,
};
use super::ledger::{Audience, Entry, Ledger};
use super::message::{BEACONS, Source, additions, asks_for_everything};
use crate::core::FlowSnapshot;

/// A connection that has ended waits this long for what the connector's router adds, microseconds.
const LATE_ADDITIONS: u64 = 5_000_000;

/// The records of this router.
#[derive(Debug)]
pub struct Recorder {
    source: Source,
    prefix: String,
    dialect: Dialect,
    ledger: Ledger,
    collectors: bool,
    events: bool,
    flows: bool,
}

impl Recorder {
    /// A book-keeper whose record ids begin with `prefix`.
    pub fn new(prefix: &str) -> Recorder {
        Recorder {
            source: Source::new(prefix),
            prefix: prefix.to_owned(),
            dialect: Dialect::default(),
            ledger: Ledger::default(),
            collectors: false,
            events: false,
            flows: false,
        }
    }

    /// Its addresses.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// An address is listened to, or is no more.
    pub fn reachable(&mut self, address: &str, reachable: bool) {
        if address == BEACONS {
            self.collectors = reachable;
        } else if address == self.source.events {
            self.events = reachable;
        } else if address == self.source.flows {
            self.flows = reachable;
        }
    }

    /// There is a collector somewhere: it is to see beacons.
    pub fn is_sought(&self) -> bool {
        self.collectors
    }

    /// Somebody listens to our records. While nobody does, nothing needs to be told to the recorder.
    ///
    /// A router whose flows began elsewhere adds to the records of others, whether its own are listened to or not; it
    /// does so while there is any collector.
    pub fn is_heard(&self) -> bool {
        self.events || self.flows || self.adds()
    }

    /// Somebody listens to heartbeats.
    pub fn is_watched(&self) -> bool {
        self.events
    }

    /// "I am here."
    pub fn beacon(&mut self) -> Vec<u8> {
        self.source.beacon()
    }

    /// "I am still here."
    pub fn heartbeat(&mut self, now: u64) -> Vec<u8> {
        self.source.heartbeat(now)
    }

    /// A message to one of our addresses: a wish for everything, or additions to records.
    pub fn message(&mut self, address: &str, message: &[u8]) {
        if address == self.source.direct && asks_for_everything(message) {
            self.ledger.refresh();
        } else if address == self.source.additions {
            for addition in additions(message, &self.prefix) {
                self.ledger.add(addition);
            }
        }
    }

    /// Begins to tell what there is. What is not told by the end of the round has ended.
    pub fn round(&mut self, dialect: Dialect, moment: Moment) -> Round<'_> {
        if self.dialect != dialect {
            self.dialect = dialect;
            self.ledger.forget();
        }
        self.ledger.begin();
        Round { recorder: self, moment }
    }

    /// A flow has ended. Needs to be told only while somebody listens: an end that was not told is found in the next
    /// round.
    pub fn flow_ended(&mut self, flow: &FlowSnapshot<'_>, moment: Moment) {
        if self.is_heard() {
            self.write_flow(flow, moment, true);
        }
    }

    /// A request is over; it is told at once. Only networks of 2.x have a record for it.
    pub fn request_ended(&mut self, request: &Request<'_>, moment: Moment) {
        if !self.flows || self.dialect != Dialect::Ends {
            return;
        }
        let (identity, connection) = (self.record_id(request.number), self.record_id(request.connection));
        let (kind, audience) = (Kind::Flow, Audience::Flows);
        let entry = Entry { number: request.number, kind, audience, identity: &identity };
        if let Some(mut record) = self.ledger.write_ended(entry, 0) {
            request.write(&mut record, &connection, moment);
        }
    }

    /// What is new, with its addresses.
    pub fn flush(&mut self, now: u64, send: impl FnMut(&str, Vec<u8>)) {
        let (events, flows, owner) = (self.events, self.flows, self.adds());
        let listens = |audience| match audience {
            Audience::Events => events,
            Audience::Flows => flows,
            Audience::Owner => owner,
        };
        self.ledger.flush(&mut self.source, now, listens, send);
    }

    fn adds(&self) -> bool {
        self.collectors && self.dialect == Dialect::Connections
    }

    fn record_id(&self, number: u64) -> String {
        format!("{}:{number}", self.prefix)
    }

    fn write_flow(&mut self, flow: &FlowSnapshot<'_>, moment: Moment, ended: bool) {
        let Some((kind, audience)) = flow_record(flow, self.dialect) else { return };
        let parent = self.record_id(flow.parent);
        let own = self.record_id(flow.number);
        // Where both ends are here, the addition goes straight to the record.
        let local = flow.counterflow.and_then(|id| id.strip_prefix(&*self.prefix)?.strip_prefix(':')?.parse().ok());
        let entry = match (audience, flow.counterflow, local) {
            (Audience::Owner, _, Some(number)) => {
                if let Some(mut record) = self.ledger.find(number, Kind::Connection) {
                    write_addition(flow, &mut record, &parent);
                }
                return;
            }
            (Audience::Owner, Some(identity), None) => Entry { number: flow.number, kind, audience, identity },
            _ => Entry { number: flow.number, kind, audience, identity: &own },
        };
        let held = if kind == Kind::Connection && flow.listener { moment.micros + LATE_ADDITIONS } else { 0 };
        let record = if ended { self.ledger.write_ended(entry, held) } else { Some(self.ledger.write(entry)) };
        let Some(mut record) = record else { return };
        match (kind, audience) {
            (_, Audience::Owner) => write_addition(flow, &mut record, &parent),
            (Kind::Connection, _) => write_connection(flow, &mut record, &parent, moment),
            _ => write_end(flow, &mut record, &parent, moment),
        }
        if ended && audience != Audience::Owner {
            record.put(Attribute::End, moment.micros);
        }
    }
}

/// One telling of what there is.
#[derive(Debug)]
pub struct Round<'a> {
    recorder: &'a mut Recorder,
    moment: Moment,
}

impl Round<'_> {
    /// The router itself.
    pub fn router(&mut self, router: &RouterFacts) {
        let identity = self.recorder.source.id.clone();
        let entry = Entry { number: 0, kind: Kind::Router, audience: Audience::Events, identity: &identity };
        router.write(&mut self.recorder.ledger.write(entry));
    }

    /// A listener or connector.
    pub fn service(&mut self, service: &Service<'_>) {
        let identity = self.recorder.record_id(service.number);
        let entry =
            Entry { number: service.number, kind: service.kind, audience: Audience::Events, identity: &identity };
        service.write(&mut self.recorder.ledger.write(entry), &self.recorder.source.id);
    }

    /// A connection to the network.
    pub fn link(&mut self, link: &Link<'_>) {
        let dialect = self.recorder.dialect;
        if link.is_told(dialect) {
            let identity = self.recorder.record_id(link.number);
            let entry =
                Entry { number: link.number, kind: Kind::Link, audience: Audience::Events, identity: &identity };
            link.write(&mut self.recorder.ledger.write(entry), &self.recorder.source.id, dialect);
        }
    }

    /// A flow that is open.
    pub fn flow(&mut self, flow: &FlowSnapshot<'_>) {
        self.recorder.write_flow(flow, self.moment, false);
    }

    /// All is told.
    pub fn end(self) {
        self.recorder.ledger.end(self.moment.micros);
    }
}

#[cfg(test)]
mod tests;
