//! A definition between edits: its text, and what was read from it.

use std::collections::HashMap;
use std::ops::Range;

use super::proof::{self, Change};
use super::write::word;
use super::{EditFault, NewEndpoint};
use crate::check::{self, CheckOptions, keys};
use crate::definition::{Definition, Endpoint, GatewayName, Section};
use crate::problem::{Problem, Severity};
use crate::source::Source;
use crate::yaml::{Document, Entry, Node, Value};

/// A definition that is being edited; several edits read it once each.
#[derive(Debug)]
pub struct Draft {
    marked: bool,
    /// Without the byte order mark.
    text: String,
    document: Document,
    definition: Definition,
}

/// The key of the gateway's name.
pub(super) const NAME: &str = "name";
/// Ports that the user opened to others before are no matter of an edit.
const OPTIONS: CheckOptions = CheckOptions { strict: false, allow_insecure_management: true, compat_1_8: false };

impl Draft {
    /// Reads a definition.
    ///
    /// # Errors
    /// It has errors, or characters that an edit might not keep.
    pub fn new(text: &str) -> Result<Self, EditFault> {
        let (checked, document) = check::read("the file", text, OPTIONS);
        let (Some(definition), Some(document)) = (checked.definition, document) else {
            return Err(EditFault::Broken(checked.problems));
        };
        let source = Source::new(text);
        let bare = source.text.match_indices('\r').find(|(at, _)| !source.text[at + 1..].starts_with('\n'));
        if let Some((at, _)) = bare {
            return Err(by_hand(&source, &(at..at + 1), "a line ends in CR alone", "end lines in LF or CR LF"));
        }
        if let Some(at) = source.text.find('\u{feff}') {
            let message = "a byte order mark stands inside the file";
            return Err(by_hand(&source, &(at..at + 3), message, "remove it; at the start of the file it may stay"));
        }
        if let Some(at) = document.empty_key {
            return Err(by_hand(&source, &(at..at), "a key near here is empty", "give it a name, or remove it"));
        }
        let (marked, text) = (source.text.len() < text.len(), source.text.to_owned());
        Ok(Self { marked, text, document, definition })
    }

    /// The definition as it is now.
    #[must_use]
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// The text as it is now.
    #[must_use]
    pub fn into_text(self) -> String {
        if self.marked { format!("\u{feff}{}", self.text) } else { self.text }
    }

    /// Puts an endpoint into a section; see [`put`](super::put).
    ///
    /// # Errors
    /// See [`EditFault`]; the draft stays as it was.
    pub fn put(&mut self, section: Section, endpoint: &NewEndpoint) -> Result<(), EditFault> {
        self.put_all(section, std::slice::from_ref(endpoint))
    }

    /// Puts endpoints into a section, all or none of them, and reads the result once. Of several with one entity name
    /// the last counts.
    ///
    /// # Errors
    /// See [`EditFault`]; the draft stays as it was.
    pub fn put_all(&mut self, section: Section, endpoints: &[NewEndpoint]) -> Result<(), EditFault> {
        let old = self.definition.endpoints(section);
        let mut list = old.to_vec();
        let mut places: HashMap<String, usize> = HashMap::new();
        for (index, endpoint) in old.iter().enumerate() {
            places.insert(endpoint.entity_name(), index);
        }
        let mut new: Vec<&NewEndpoint> = Vec::new();
        for endpoint in endpoints {
            let index = *places.entry(endpoint.entity_name()).or_insert(list.len());
            match (old.get(index), index.checked_sub(old.len())) {
                (Some(old), _) => list[index] = endpoint.over(old),
                (None, Some(place)) if place < new.len() => {
                    (list[index], new[place]) = (endpoint.alone(), endpoint);
                }
                (None, _) => {
                    list.push(endpoint.alone());
                    new.push(endpoint);
                }
            }
        }
        let source = Source::new(&self.text);
        let mut edit = Edit { source, document: &self.document, section, splices: Vec::new() };
        let mut changed = Vec::new();
        for (index, (old, new)) in old.iter().zip(&list).enumerate().filter(|(_, (old, new))| old != new) {
            edit.change(index, old, new)?;
            changed.push(index);
        }
        if !new.is_empty() {
            edit.append(&new)?;
        }
        let splices = edit.splices;
        let mut expected = self.definition.clone();
        *endpoints_mut(&mut expected, section) = list;
        self.adopt(splices, expected, section, &Change::Put { changed, added: new.len() })
    }

    /// Takes an endpoint out of a section; see [`take`](super::take). False when there is none of this name.
    ///
    /// # Errors
    /// See [`EditFault`]; the draft stays as it was.
    pub fn take(&mut self, section: Section, entity_name: &str) -> Result<bool, EditFault> {
        let mut expected = self.definition.clone();
        let list = endpoints_mut(&mut expected, section);
        let Some(index) = list.iter().position(|endpoint| endpoint.entity_name() == entity_name) else {
            return Ok(false);
        };
        list.remove(index);
        let source = Source::new(&self.text);
        let mut edit = Edit { source, document: &self.document, section, splices: Vec::new() };
        edit.take(index)?;
        let splices = edit.splices;
        self.adopt(splices, expected, section, &Change::Taken(index))?;
        Ok(true)
    }

    /// Gives the gateway another name.
    ///
    /// # Errors
    /// See [`EditFault`]; the draft stays as it was.
    pub fn rename(&mut self, name: &GatewayName) -> Result<(), EditFault> {
        if self.definition.name == *name {
            return Ok(());
        }
        let expected = Definition { name: name.clone(), ..self.definition.clone() };
        let source = Source::new(&self.text);
        let mut edit = Edit { source, document: &self.document, section: Section::Bindings, splices: Vec::new() };
        let Some(entry) = find(&self.document.root, NAME, keys::TOP) else {
            return Err(EditFault::NotFaithful("the name was not found"));
        };
        edit.own(entry)?;
        let text = edit.requoted(&entry.value, name.as_str());
        edit.set_value(entry, &text.unwrap_or_else(|| word(name.as_str(), self.document.root.flow)))?;
        let splices = edit.splices;
        self.adopt(splices, expected, Section::Bindings, &Change::Named)
    }

    /// Makes the new text ours if it means what it should.
    fn adopt(
        &mut self,
        mut splices: Vec<Splice>,
        expected: Definition,
        section: Section,
        change: &Change,
    ) -> Result<(), EditFault> {
        if splices.is_empty() {
            let same = self.definition == expected;
            return if same { Ok(()) } else { Err(EditFault::NotFaithful("nothing would change")) };
        }
        splices.sort_by_key(|(at, _)| at.start);
        let mut text = String::with_capacity(self.text.len() + 512);
        let mut from = 0;
        for (at, new) in splices {
            let Some(kept) = self.text.get(from..at.start) else {
                return Err(EditFault::NotFaithful("two changes of one place"));
            };
            text.push_str(kept);
            text.push_str(&new);
            from = at.end;
        }
        text.push_str(self.text.get(from..).unwrap_or_default());
        let (checked, document) = check::read("the file", &text, OPTIONS);
        let Some(document) = document else {
            let too_large = checked.problems.iter().any(|problem| matches!(problem.code, "text" | "too-many-values"));
            return Err(if too_large {
                EditFault::Rejected { text, problems: checked.problems }
            } else {
                EditFault::NotFaithful("the result would not be YAML")
            });
        };
        if !proof::holds(&self.document.root, &document.root, section, change) {
            return Err(EditFault::NotFaithful("other parts of it would change"));
        }
        let Some(definition) = checked.definition else {
            return Err(EditFault::Rejected { text, problems: checked.problems });
        };
        if definition != expected {
            return Err(EditFault::NotFaithful("the result would mean something else"));
        }
        *self = Self { marked: self.marked, text, document, definition };
        Ok(())
    }
}

fn endpoints_mut(definition: &mut Definition, section: Section) -> &mut Vec<Endpoint> {
    match section {
        Section::Bindings => &mut definition.bindings,
        Section::Forwards => &mut definition.forwards,
    }
}

/// A stretch of the old text and what comes in its place.
pub(super) type Splice = (Range<usize>, String);

/// One edit: what stands there, and what is to be replaced. Replacements at one place keep their order.
pub(super) struct Edit<'d> {
    pub(super) source: Source<'d>,
    pub(super) document: &'d Document,
    pub(super) section: Section,
    pub(super) splices: Vec<Splice>,
}

impl<'d> Edit<'d> {
    pub(super) fn replace(&mut self, at: Range<usize>, new: impl Into<String>) {
        self.splices.push((at, new.into()));
    }

    pub(super) fn insert(&mut self, at: usize, new: impl Into<String>) {
        self.replace(at..at, new);
    }

    /// The entry of a section, if it is there.
    pub(super) fn entry(&self, section: Section) -> Option<&'d Entry> {
        find(&self.document.root, section.key(), keys::TOP)
    }

    pub(super) fn by_hand(&self, at: &Range<usize>, message: &str, help: &str) -> EditFault {
        by_hand(&self.source, at, message, help)
    }

    /// Refuses a place whose text is used in another place too, or is not there at all.
    pub(super) fn own(&self, entry: &Entry) -> Result<(), EditFault> {
        if entry.merged {
            let message = format!("{} comes from another mapping through <<", entry.key);
            let help = format!("write {} into this mapping by hand", entry.key);
            return Err(self.by_hand(&entry.key_at, &message, &help));
        }
        self.own_value(&entry.value)
    }

    pub(super) fn own_value(&self, node: &Node) -> Result<(), EditFault> {
        if let Some(alias) = &node.alias {
            let message = "this alias stands for what is written elsewhere";
            return Err(self.by_hand(alias, message, "write the value itself here by hand"));
        }
        let anchor = self.document.anchors.get(&node.anchor);
        anchor.and_then(|anchor| anchor.aliases.first()).map_or(Ok(()), |alias| Err(self.used(node.head(), alias)))
    }

    /// Refuses text in which something has an anchor that an alias outside of it means.
    pub(super) fn used_nowhere_else(&self, text: &Range<usize>) -> Result<(), EditFault> {
        let outside = |alias: &&Range<usize>| alias.start < text.start || text.end < alias.end;
        let inside = self.document.anchors.values().filter(|anchor| text.contains(&anchor.at));
        let mut used = inside.filter_map(|anchor| Some((anchor.at, anchor.aliases.iter().find(outside)?)));
        used.next().map_or(Ok(()), |(at, alias)| Err(self.used(at..at, alias)))
    }

    fn used(&self, at: Range<usize>, alias: &Range<usize>) -> EditFault {
        let line = self.source.line(alias.start);
        let message = format!("an alias in line {line} stands for this too");
        self.by_hand(&at, &message, "change both places by hand")
    }
}

/// The entry of a mapping that the check reads for a key: the key itself, else its first other spelling.
pub(super) fn find<'n>(map: &'n Node, key: &str, known: &'static [&'static str]) -> Option<&'n Entry> {
    let Value::Map(entries) = &map.value else {
        return None;
    };
    let exact = entries.iter().find(|entry| entry.key == key);
    exact.or_else(|| entries.iter().find(|entry| keys::alias(&entry.key, known) == Some(key)))
}

fn by_hand(source: &Source<'_>, at: &Range<usize>, message: &str, help: &str) -> EditFault {
    EditFault::ByHand(Box::new(Problem {
        severity: Severity::Error,
        code: "by-hand",
        path: String::new(),
        message: message.to_owned(),
        help: Some(help.to_owned()),
        span: source.span(at),
        related: Vec::new(),
    }))
}
