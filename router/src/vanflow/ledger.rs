//! What has been said of each record, so that only what is new needs to be said.

use super::attribute::{Attribute, Datum, Kind};
use super::message::{Addition, Said, Source, Statement, additions_to, cut};
use std::collections::BTreeMap;

/// Records of one message at most.
const BATCH: usize = 50;
/// Ended records that may wait to be sent; more end unseen, unless their beginning was told.
const MAX_ENDED: usize = 5_000;
/// Connections to which others may add before they are written here.
const MAX_EARLY: usize = 5_000;

/// Who hears of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Collectors: routers, links, services.
    Events,
    /// Collectors: connections and requests.
    Flows,
    /// The router that owns the record: we add to it.
    Owner,
}

/// How a record is entered.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Number of the record at this source.
    pub number: u64,
    /// What it describes.
    pub kind: Kind,
    /// Who hears of it.
    pub audience: Audience,
    /// Its name in the network.
    pub identity: &'a str,
}

#[derive(Debug)]
struct Record {
    kind: Kind,
    audience: Audience,
    identity: Box<str>,
    said: Vec<Field>,
    /// The last round in which it was there.
    round: u64,
    ended: bool,
    /// It is not sent before this moment.
    held: u64,
}

#[derive(Debug)]
struct Field {
    attribute: Attribute,
    value: Said,
    fresh: bool,
}

/// All records that are open, and those that have ended and were not sent yet. Moments are microseconds since 1970.
///
/// It is written in rounds: whatever is there is written down again, and what is missing has ended. Records are in
/// order of their numbers, so that one is always behind the one it belongs to.
#[derive(Debug, Default)]
pub struct Ledger {
    records: BTreeMap<u64, Record>,
    round: u64,
    ended: usize,
    /// What others added to connections that have begun since the last round.
    early: BTreeMap<u64, Vec<(Attribute, Said)>>,
}

impl Ledger {
    /// Begins a round.
    pub fn begin(&mut self) {
        self.round += 1;
    }

    /// Writes a record that is there.
    pub fn write(&mut self, entry: Entry<'_>) -> Writer<'_> {
        let (round, early) = (self.round, &mut self.early);
        let record = self.records.entry(entry.number).or_insert_with(|| {
            let mut record = Record {
                kind: entry.kind,
                audience: entry.audience,
                identity: entry.identity.into(),
                said: Vec::new(),
                round,
                ended: false,
                held: 0,
            };
            if entry.kind == Kind::Connection {
                let said = early.remove(&entry.number).unwrap_or_default();
                Writer { record: &mut record }.put_all(&said);
            }
            record
        });
        record.round = round;
        Writer { record }
    }

    /// A record that stands there, to be added to.
    pub fn find(&mut self, number: u64, kind: Kind) -> Option<Writer<'_>> {
        self.records.get_mut(&number).filter(|record| record.kind == kind).map(|record| Writer { record })
    }

    /// Writes a record that has ended; it is kept back until `held`, for others to add to it. `None`: there are too
    /// many of them, and nobody knows of this one.
    pub fn write_ended(&mut self, entry: Entry<'_>, held: u64) -> Option<Writer<'_>> {
        let known = self.records.get(&entry.number);
        if known.is_none() && self.ended >= MAX_ENDED {
            return None;
        }
        self.ended += usize::from(known.is_none_or(|record| !record.ended));
        let writer = self.write(entry);
        writer.record.ended = true;
        writer.record.held = held;
        Some(writer)
    }

    /// Ends the round: what was not written has ended.
    pub fn end(&mut self, now: u64) {
        self.early.clear();
        for record in self.records.values_mut().filter(|record| record.round != self.round && !record.ended) {
            record.ended = true;
            self.ended += 1;
            if record.audience != Audience::Owner {
                Writer { record }.put(Attribute::End, now);
            }
        }
    }

    /// Adds what another router said.
    pub fn add(&mut self, addition: Addition) {
        if let Some(mut writer) = self.find(addition.number, Kind::Connection) {
            writer.put_all(&addition.says);
        } else if !self.records.contains_key(&addition.number) && self.early.len() < MAX_EARLY {
            self.early.entry(addition.number).or_insert(addition.says);
        }
    }

    /// All is to be said again.
    pub fn refresh(&mut self) {
        for field in self.records.values_mut().flat_map(|record| &mut record.said) {
            field.fresh = true;
        }
    }

    /// Nothing was ever said.
    pub fn forget(&mut self) {
        *self = Ledger { round: self.round, ..Ledger::default() };
    }

    /// What is new, as messages with their addresses, for those audiences that listen. What has ended is forgotten.
    pub fn flush(
        &mut self,
        source: &mut Source,
        now: u64,
        listens: impl Fn(Audience) -> bool,
        mut send: impl FnMut(&str, Vec<u8>),
    ) {
        let mut letters: BTreeMap<String, Vec<Statement<'_>>> = BTreeMap::new();
        for record in self.records.values().filter(|record| record.held <= now && listens(record.audience)) {
            let says: Vec<_> = record.fresh().collect();
            let to = match record.audience {
                Audience::Events => Some(source.events.clone()),
                Audience::Flows => Some(source.flows.clone()),
                Audience::Owner => additions_to(&record.identity),
            };
            if let Some(to) = to.filter(|_| !says.is_empty()) {
                letters.entry(to).or_default().push(Statement { kind: record.kind, identity: &record.identity, says });
            }
        }
        for (to, statements) in &letters {
            for batch in statements.chunks(BATCH) {
                send(to, source.records(to, batch));
            }
        }
        for record in self.records.values_mut().filter(|record| record.held <= now && listens(record.audience)) {
            record.said.iter_mut().for_each(|field| field.fresh = false);
        }
        self.records.retain(|_, record| !record.ended || record.held > now);
        self.ended = self.records.values().filter(|record| record.ended).count();
    }
}

impl Record {
    fn fresh(&self) -> impl Iterator<Item = (Attribute, Datum<'_>)> {
        self.said.iter().filter(|field| field.fresh).map(|field| (field.attribute, field.value.datum()))
    }
}

/// Writes the attributes of one record; what stands there already costs nothing.
#[derive(Debug)]
pub struct Writer<'a> {
    record: &'a mut Record,
}

impl Writer<'_> {
    /// Writes an attribute.
    pub fn put<'d>(&mut self, attribute: Attribute, datum: impl Into<Datum<'d>>) -> &mut Self {
        let datum = match datum.into() {
            Datum::Text(text) => Datum::Text(cut(text)),
            number => number,
        };
        let said = &mut self.record.said;
        match said.binary_search_by_key(&attribute, |field| field.attribute) {
            Ok(at) if said[at].value.datum() == datum => {}
            Ok(at) => said[at] = Field { attribute, value: datum.into(), fresh: true },
            Err(at) => said.insert(at, Field { attribute, value: datum.into(), fresh: true }),
        }
        self
    }

    fn put_all(&mut self, said: &[(Attribute, Said)]) {
        for (attribute, value) in said {
            self.put(*attribute, value.datum());
        }
    }

    /// Writes an attribute if there is a value.
    pub fn put_some<'d>(&mut self, attribute: Attribute, datum: Option<impl Into<Datum<'d>>>) -> &mut Self {
        if let Some(datum) = datum {
            self.put(attribute, datum);
        }
        self
    }

    /// Writes what stays as it was when first written, and may have another value when it is reckoned again.
    pub fn put_once(&mut self, attribute: Attribute, number: impl FnOnce() -> u64) -> &mut Self {
        if self.record.said.binary_search_by_key(&attribute, |field| field.attribute).is_err() {
            self.put(attribute, number());
        }
        self
    }
}
