//! Whether a text holds what another did, but for one change.

use super::draft::NAME;
use crate::check::keys;
use crate::definition::Section;
use crate::yaml::{Entry, Node, Value};

/// What was done to a section.
#[derive(Debug)]
pub(super) enum Change {
    /// Endpoints that stood there, in their order, are changed; new ones are added at the end.
    Put {
        changed: Vec<usize>,
        added: usize,
    },
    Taken(usize),
    /// The gateway has another name.
    Named,
}

/// Keys whose values are proved by what the check makes of them.
const CHECKED: &[&str] = &["name", "host", "target_ports"];
const CHECKED_IN_SERVICE: &[&str] =
    &["address", "protocol", "ports", "eventchannel", "aggregate", "tlscredentials", "tlscertauthority", "annotations"];

/// Whether everything else is the same, whether or not a gateway reads it.
pub(super) fn holds(old: &Node, new: &Node, section: Section, change: &Change) -> bool {
    let (Value::Map(old), Value::Map(new)) = (&old.value, &new.value) else {
        return false;
    };
    let is_section = |entry: &&Entry| entry.key == section.key();
    let named = |entries: &[Entry]| {
        let alias = |entry: &&Entry| keys::alias(&entry.key, keys::TOP) == Some(section.key());
        let found = entries.iter().find(is_section).or_else(|| entries.iter().find(alias));
        found.map(|entry| entry.key.clone()).unwrap_or_default()
    };
    if matches!(change, Change::Named) {
        let is_other = |entry: &&Entry| keys::alias(&entry.key, keys::TOP) != Some(NAME);
        let (old, new): (Vec<_>, Vec<_>) =
            (old.iter().filter(is_other).collect(), new.iter().filter(is_other).collect());
        return same_entries(&old, &new);
    }
    let key = named(new);
    let (was, others_were): (Vec<_>, Vec<_>) = old.iter().partition(|entry| entry.key == key);
    let (is, others): (Vec<_>, Vec<_>) = new.iter().partition(|entry| entry.key == key);
    same_entries(&others_were, &others)
        && was.len() <= is.len()
        && lists(was.first().map(|entry| &entry.value), is.first().map(|entry| &entry.value), change)
}

fn lists(old: Option<&Node>, new: Option<&Node>, change: &Change) -> bool {
    let (mut old, mut new) = (items(old), items(new));
    let changed: &[usize] = match change {
        Change::Put { changed, added } if *added <= new.len() => {
            new.truncate(new.len() - added);
            changed
        }
        Change::Taken(index) if *index < old.len() => {
            old.remove(*index);
            &[]
        }
        _ => return false,
    };
    let unchanged = |index| changed.binary_search(&index).is_err();
    let mut pairs = old.iter().zip(&new).enumerate();
    let alike = |(index, (old, new)): (usize, (&&Node, &&Node))| {
        if unchanged(index) { same(old, new) } else { endpoint(old, new) }
    };
    old.len() == new.len() && pairs.all(alike)
}

fn items(list: Option<&Node>) -> Vec<&Node> {
    match list.map(|list| &list.value) {
        Some(Value::List(items)) => items.iter().collect(),
        _ => Vec::new(),
    }
}

/// Whether an endpoint is the same but for what an edit changes.
fn endpoint(old: &Node, new: &Node) -> bool {
    let (Value::Map(old), Value::Map(new)) = (&old.value, &new.value) else {
        return false;
    };
    let (service_was, old) = split(old, keys::ENDPOINT, CHECKED);
    let (service_is, new) = split(new, keys::ENDPOINT, CHECKED);
    let services = service_was.iter().zip(&service_is).all(|(old, new)| match (&old.value.value, &new.value.value) {
        (Value::Map(old), Value::Map(new)) => {
            let (_, old) = split(old, keys::SERVICE, CHECKED_IN_SERVICE);
            let (_, new) = split(new, keys::SERVICE, CHECKED_IN_SERVICE);
            same_entries(&old, &new)
        }
        _ => same(&old.value, &new.value),
    });
    services && service_was.len() == service_is.len() && same_entries(&old, &new)
}

/// The services of a mapping, and its entries that are neither these nor among the keys left out.
fn split<'n>(
    entries: &'n [Entry],
    known: &'static [&'static str],
    without: &[&str],
) -> (Vec<&'n Entry>, Vec<&'n Entry>) {
    let meant = |entry: &Entry| keys::alias(&entry.key, known);
    let rest = entries.iter().filter(|entry| meant(entry).is_none_or(|key| !without.contains(&key)));
    rest.partition(|entry| meant(entry) == Some("service"))
}

fn same_entries(old: &[&Entry], new: &[&Entry]) -> bool {
    old.len() == new.len()
        && old
            .iter()
            .zip(new)
            .all(|(old, new)| old.key == new.key && old.merged == new.merged && same(&old.value, &new.value))
}

/// Whether two values are written to mean the same.
fn same(old: &Node, new: &Node) -> bool {
    let names = (old.anchor > 0, old.alias.is_some()) == (new.anchor > 0, new.alias.is_some());
    names
        && match (&old.value, &new.value) {
            (Value::Scalar(old), Value::Scalar(new)) => {
                (&old.text, old.plain, &old.tag) == (&new.text, new.plain, &new.tag)
            }
            (Value::List(old), Value::List(new)) => {
                old.len() == new.len() && old.iter().zip(new).all(|(old, new)| same(old, new))
            }
            (Value::Map(old), Value::Map(new)) => {
                same_entries(&old.iter().collect::<Vec<_>>(), &new.iter().collect::<Vec<_>>())
            }
            _ => false,
        }
}
