//! An endpoint changed in place: only values that differ are written, each where it stands.

use super::EditFault;
use super::draft::{Edit, find};
use super::flow::colon;
use super::style::{OURS, Style};
use super::write::{self, Layout, Piece, entry};
use crate::check::keys;
use crate::definition::{ANNOUNCE, Aggregate, Endpoint, Port};
use crate::yaml::{Entry, Node, Value};

/// A mapping whose values are set.
struct Fields<'n> {
    map: &'n Node,
    known: &'static [&'static str],
    /// Keys to be added to it.
    missing: Vec<(&'static str, Piece)>,
}

impl Edit<'_> {
    pub(super) fn change(&mut self, index: usize, old: &Endpoint, new: &Endpoint) -> Result<(), EditFault> {
        let Some(section) = self.entry(self.section) else {
            return Err(EditFault::NotFaithful("the section was not found"));
        };
        self.own(section)?;
        let Some(item) = items(&section.value).get(index) else {
            return Err(EditFault::NotFaithful("the item was not found"));
        };
        self.own_value(item)?;
        // What is added to the service stands before what is added after it.
        if old.service != new.service {
            let Some(service) = find(item, "service", keys::ENDPOINT) else {
                return Err(EditFault::NotFaithful("the service was not found"));
            };
            self.own(service)?;
            self.change_service(&service.value, old, new)?;
        }
        let mut fields = Fields { map: item, known: keys::ENDPOINT, missing: Vec::new() };
        self.set_port(&mut fields, "target_ports", &old.target_ports, &new.target_ports)?;
        if old.name != new.name {
            self.set(&mut fields, "name", new.name.as_ref().map(Piece::word))?;
        }
        if old.host != new.host {
            self.set(&mut fields, "host", new.host.as_ref().map(Piece::word))?;
        }
        self.add(fields)
    }

    fn change_service(&mut self, service: &Node, old: &Endpoint, new: &Endpoint) -> Result<(), EditFault> {
        let (old, new) = (&old.service, &new.service);
        let mut fields = Fields { map: service, known: keys::SERVICE, missing: Vec::new() };
        self.set_port(&mut fields, "ports", &old.ports, &new.ports)?;
        if old.address != new.address {
            self.set(&mut fields, "address", Some(Piece::word(&new.address)))?;
        }
        if old.protocol != new.protocol {
            self.set(&mut fields, "protocol", Some(Piece::word(new.protocol.as_str())))?;
        }
        if old.aggregate != new.aggregate {
            self.set(&mut fields, "aggregate", new.aggregate.map(Aggregate::as_str).map(Piece::word))?;
        }
        if old.event_channel != new.event_channel {
            self.set(&mut fields, "eventchannel", Some(Piece::Plain(new.event_channel.to_string())))?;
        }
        if old.tls_credentials != new.tls_credentials {
            self.set(&mut fields, "tlscredentials", new.tls_credentials.as_ref().map(Piece::word))?;
        }
        if old.tls_cert_authority != new.tls_cert_authority {
            self.set(&mut fields, "tlscertauthority", new.tls_cert_authority.as_ref().map(Piece::word))?;
        }
        if old.annotations != new.annotations {
            self.announce(&mut fields)?;
        }
        self.add(fields)
    }

    /// Annotates a service as one that sites are told of.
    fn announce(&mut self, service: &mut Fields<'_>) -> Result<(), EditFault> {
        let (key, all) = Piece::announcement();
        match find(service.map, key, service.known) {
            Some(found) if matches!(found.value.value, Value::Map(_)) => {
                self.own(found)?;
                let mut fields = Fields { map: &found.value, known: &[], missing: Vec::new() };
                self.set(&mut fields, ANNOUNCE, Some(Piece::word("true")))?;
                self.add(fields)
            }
            _ => self.set(service, key, Some(all)),
        }
    }

    /// Writes the value of a key, or notes that the key is missing. None becomes `null`.
    fn set(&mut self, fields: &mut Fields<'_>, key: &'static str, value: Option<Piece>) -> Result<(), EditFault> {
        let value = value.unwrap_or_else(|| Piece::Plain("null".to_owned()));
        let Some(found) = find(fields.map, key, fields.known) else {
            fields.missing.push((key, value));
            return Ok(());
        };
        self.own(found)?;
        let quoted = match &value {
            Piece::Word(word) => self.requoted(&found.value, word),
            _ => None,
        };
        let text = quoted.unwrap_or_else(|| value.text(&self.style_at(fields.map), 0, fields.map.flow));
        self.set_value(found, &text)
    }

    /// The one port of a list, or the list if there is none.
    fn set_port(
        &mut self,
        fields: &mut Fields<'_>,
        key: &'static str,
        old: &[Port],
        new: &[Port],
    ) -> Result<(), EditFault> {
        let Some(port) = new.first().filter(|_| old != new) else {
            return Ok(());
        };
        let found = find(fields.map, key, fields.known);
        let Some((found, item)) = found.and_then(|found| Some((found, items(&found.value).first()?))) else {
            let list = vec![Piece::Plain(port.to_string())];
            return self.set(fields, key, Some(Piece::List(Layout::Line, list)));
        };
        self.own(found)?;
        self.own_value(item)?;
        self.replace(item.at.clone(), port.to_string());
        Ok(())
    }

    /// Replaces a value, or writes the one that a key does not have.
    pub(super) fn set_value(&mut self, entry: &Entry, new: &str) -> Result<(), EditFault> {
        let at = entry.value.at.clone();
        let source = &self.source;
        let by_hand = |message| Err(self.by_hand(&entry.key_at, message, "write the value beside its key by hand"));
        let text = &source.text[at.clone()];
        if let Value::Scalar(scalar) = &entry.value.value {
            if !scalar.plain && !text.starts_with(['"', '\'']) {
                return by_hand("this value is a block of lines");
            }
            if scalar.tag.is_some() {
                return by_hand("this value has a tag");
            }
        }
        if !at.is_empty() {
            self.replace(at, new);
            return Ok(());
        }
        let Some(colon) = colon(source.text, entry.key_at.end) else {
            return by_hand("this key has no value");
        };
        // After its anchor or tag, if it has one.
        self.insert(colon.max(at.start), format!(" {new}"));
        Ok(())
    }

    /// A word in the quotes of another.
    pub(super) fn requoted(&self, old: &Node, new: &str) -> Option<String> {
        let text = &self.source.text[old.at.clone()];
        match text.chars().next()? {
            '"' => Some(write::double_quoted(new)),
            '\'' => Some(format!("'{}'", new.replace('\'', "''"))),
            _ => None,
        }
    }

    /// Adds the missing keys at the end of a mapping.
    fn add(&mut self, fields: Fields<'_>) -> Result<(), EditFault> {
        let Fields { map, missing, .. } = fields;
        if missing.is_empty() {
            return Ok(());
        }
        let style = self.style_at(map);
        if map.flow {
            let flow = self.flow(map)?;
            let new: Vec<String> = missing.iter().map(|(key, value)| entry(key, value, &style, 0, true)).collect();
            self.flow_append(&flow, &new);
            return Ok(());
        }
        let column = self.source.offset(map.at.start);
        // Comments in its column, or deeper, are the mapping's.
        let last = self.source.with_comments_below(self.source.last_line(&map.at), column.saturating_sub(1));
        let line_end = self.source.line_end(last);
        self.insert(line_end, Piece::Map(Layout::Block(0), missing).text(&style, column, false));
        Ok(())
    }

    fn style_at(&self, node: &Node) -> Style {
        let line_break = self.source.line_break(self.source.line(node.at.start));
        Style::new(&self.source, &self.document.root, line_break, OURS)
    }
}

fn items(list: &Node) -> &[Node] {
    match &list.value {
        Value::List(items) => items,
        Value::Scalar(_) | Value::Map(_) => &[],
    }
}
