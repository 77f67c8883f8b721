//! How endpoints are written in a definition, learnt from one that is there.

use super::draft::find;
use super::write::Layout;
use crate::check::keys;
use crate::source::Source;
use crate::yaml::{Node, Value};

/// Where nothing is to learn from: columns from a section's key to the `-` of its items, and from there to their keys.
pub(super) const DASH: usize = 4;
pub(super) const OURS: Layout = Layout::Block(2);

/// The style of endpoints, and of the text around them.
#[derive(Clone, Debug)]
pub(super) struct Style {
    pub(super) line_break: &'static str,
    /// A space, or the tab that JSON may be indented with.
    indent: &'static str,
    /// Keys and words are in double quotes, as in JSON.
    pub(super) quoted: bool,
    pub(super) item: Layout,
    pub(super) service: Layout,
    pub(super) ports: Layout,
    pub(super) target_ports: Layout,
}

impl Style {
    /// The style of a definition that has no endpoint to learn from. `item` is how new ones stand.
    pub(super) fn new(source: &Source<'_>, root: &Node, line_break: &'static str, item: Layout) -> Self {
        let quoted = root.flow && source.text[root.head().start..].starts_with('"');
        let ports = Layout::Line;
        let tabs = root.flow && source.lead(source.line(root.head().start)).contains('\t');
        let indent = if tabs { "\t" } else { " " };
        Self { line_break, indent, quoted, item, service: item, ports, target_ports: ports }
    }

    /// The style of an endpoint that is written out here; `column` is that of its `-`, or of its line in brackets.
    pub(super) fn learn(mut self, source: &Source<'_>, item: &Node, column: usize) -> Self {
        self.item = layout(source, item, column).unwrap_or(self.item);
        self.service = if matches!(self.item, Layout::Block(_)) { OURS } else { self.item };
        let inside = column + self.item.offset();
        if let Some(entry) = find(item, "target_ports", keys::ENDPOINT) {
            self.target_ports = layout(source, &entry.value, inside).unwrap_or(Layout::Line);
        }
        if let Some(entry) = find(item, "service", keys::ENDPOINT) {
            self.service = layout(source, &entry.value, inside).unwrap_or(self.service);
            let inside = inside + self.service.offset();
            if let Some(entry) = find(&entry.value, "ports", keys::SERVICE) {
                self.ports = layout(source, &entry.value, inside).unwrap_or(Layout::Line);
            }
        }
        self
    }

    /// A line break and the spaces after it.
    pub(super) fn line(&self, column: usize) -> String {
        format!("{}{}", self.line_break, self.indent.repeat(column))
    }
}

/// How a list or mapping is laid out from a column; none when that does not show, as in what an alias stands for.
pub(super) fn layout(source: &Source<'_>, node: &Node, column: usize) -> Option<Layout> {
    if node.alias.is_some() {
        return None;
    }
    let first = match &node.value {
        Value::List(items) => items.first()?.written().start,
        Value::Map(entries) => entries.iter().find(|entry| !entry.merged)?.key_at.start,
        Value::Scalar(_) => return None,
    };
    let right = |at: usize| source.offset(at).checked_sub(column);
    if node.flow {
        let own_line = source.line(first) > source.line(node.at.start);
        let offset = right(first).filter(|offset| own_line && *offset > 0);
        return Some(offset.map_or(Layout::Line, Layout::Spread));
    }
    match &node.value {
        Value::List(_) => {
            let dash = source.dash(first, 0)?;
            source.indent(dash).checked_sub(column).map(Layout::Block)
        }
        _ => right(first).filter(|offset| *offset > 0).map(Layout::Block),
    }
}

/// The last endpoint of a list that is written out here.
pub(super) fn model(list: &Node) -> Option<&Node> {
    let Value::List(items) = &list.value else {
        return None;
    };
    items.iter().rev().find(|item| {
        item.alias.is_none() && matches!(&item.value, Value::Map(entries) if entries.iter().any(|entry| !entry.merged))
    })
}
