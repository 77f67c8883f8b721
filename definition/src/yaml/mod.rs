//! A small tree of YAML nodes that know where they stand.

mod load;
mod scalar;

use std::collections::BTreeMap;
use std::ops::Range;

pub(crate) use load::load;
pub(crate) use scalar::{Resolved, Scalar};

/// The one document of a text.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) root: Node,
    /// By their numbers, from 1.
    pub(crate) anchors: BTreeMap<usize, Anchor>,
    /// Near a key of no characters: the parser does not say where the text of such a key ends.
    pub(crate) empty_key: Option<usize>,
}

/// An `&anchor`.
#[derive(Debug)]
pub(crate) struct Anchor {
    /// Where the value or key starts that has it.
    pub(crate) at: usize,
    /// Where each `*name` stands that means it.
    pub(crate) aliases: Vec<Range<usize>>,
}

/// A value and its bytes in the file.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Without its `&anchor` and `!!tag`. Of what an alias stands for: where that is written.
    pub(crate) at: Range<usize>,
    pub(crate) value: Value,
    /// A list or mapping in brackets.
    pub(crate) flow: bool,
    /// The number of its anchor; 0 when it has none.
    pub(crate) anchor: usize,
    /// The `*name` that stands here instead of the value.
    pub(crate) alias: Option<Range<usize>>,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One key of a mapping, and its value. A key may occur twice: the reader reports it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_at: Range<usize>,
    pub(crate) value: Node,
    /// It came through `<<`: `key_at` is where, and a key of the mapping's own wins over it.
    pub(crate) merged: bool,
}

impl Node {
    /// The bytes that stand in its place, which an alias fills with its name alone.
    pub(crate) fn written(&self) -> Range<usize> {
        self.alias.clone().unwrap_or_else(|| self.at.clone())
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.resolve() == Resolved::Null)
    }

    /// Where to point when something is missing in this node: its first key, else the node.
    pub(crate) fn head(&self) -> Range<usize> {
        match &self.value {
            Value::Map(entries) => entries.first().map_or(self.at.clone(), |entry| entry.key_at.clone()),
            Value::Scalar(_) | Value::List(_) => self.at.clone(),
        }
    }

    /// What was found, for messages such as `expected integer, found …`.
    pub(crate) fn description(&self) -> String {
        match &self.value {
            Value::Scalar(scalar) => scalar.description(),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
        }
    }
}
