//! Lists and mappings in brackets: one element more at the end, or one less.

use std::ops::Range;

use super::EditFault;
use super::draft::Edit;
use crate::source::Source;
use crate::yaml::{Node, Value};

/// A list or mapping in brackets, as it is written.
pub(super) struct Flow {
    /// Between the brackets.
    inside: Range<usize>,
    /// Each element, with its anchor, tag and key.
    elements: Vec<Range<usize>>,
    /// The comma after each element; the last may have none.
    commas: Vec<Option<usize>>,
}

impl Flow {
    /// None when it is not in brackets, or written so that its commas cannot be told.
    pub(super) fn of(source: &Source<'_>, node: &Node) -> Option<Self> {
        if node.alias.is_some() || !node.flow {
            return None;
        }
        let inside = node.at.start + 1..node.at.end.checked_sub(1)?;
        let ends: Vec<usize> = match &node.value {
            Value::List(items) => items.iter().map(|item| item.written().end).collect(),
            Value::Map(entries) => entries
                .iter()
                .map(|entry| {
                    let end = entry.value.written().end.max(entry.key_at.end);
                    // An empty value ends with its colon.
                    let colon = (end == entry.key_at.end).then(|| colon(source.text, end)).flatten();
                    (!entry.merged).then_some(colon.unwrap_or(end))
                })
                .collect::<Option<_>>()?,
            Value::Scalar(_) => return None,
        };
        let mut flow = Self { inside, elements: Vec::new(), commas: Vec::new() };
        let mut from = flow.inside.start;
        for end in ends {
            let start = next(source.text, from);
            let after = next(source.text, end);
            let comma = source.text[after..].starts_with(',').then_some(after);
            if start > end || comma.is_none() && after != flow.inside.end {
                return None;
            }
            flow.elements.push(start..end);
            flow.commas.push(comma);
            from = after + usize::from(comma.is_some());
        }
        Some(flow)
    }
}

/// The next byte that is neither blank nor in a comment.
fn next(text: &str, from: usize) -> usize {
    let mut at = from;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let trimmed = rest.trim_start();
        at += rest.len() - trimmed.len();
        if !trimmed.starts_with('#') {
            return at;
        }
        at += trimmed.find('\n').unwrap_or(trimmed.len());
    }
}

/// The byte after the colon of a key that ends at `from` and has no value right after the colon.
pub(super) fn colon(text: &str, from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    let after = rest.trim_start().strip_prefix(':')?;
    // On another line these would begin a word.
    let beside = !rest[..rest.len() - after.len()].contains('\n');
    let ends = |c: char| c.is_whitespace() || beside && matches!(c, ',' | '}' | ']');
    after.chars().next().is_none_or(ends).then_some(text.len() - after.len())
}

impl Edit<'_> {
    pub(super) fn flow(&self, node: &Node) -> Result<Flow, EditFault> {
        let message = "the elements of this list or mapping cannot be told apart";
        Flow::of(&self.source, node).ok_or_else(|| self.by_hand(&node.at, message, "make the change by hand"))
    }

    /// The column that an element at the end is indented from.
    pub(super) fn flow_column(&self, flow: &Flow) -> usize {
        let last = flow.elements.last().map_or(flow.inside.start, |last| last.start);
        self.source.lead(self.source.line(last)).len()
    }

    /// Adds elements at the end, on lines of their own if the last one is.
    pub(super) fn flow_append(&mut self, flow: &Flow, new: &[String]) {
        let (Some(last), Some(comma)) = (flow.elements.last().cloned(), flow.commas.last().copied()) else {
            self.replace(flow.inside.clone(), new.join(", "));
            return;
        };
        let source = &self.source;
        let end = comma.map_or(last.end, |comma| comma + 1);
        let line = source.line(last.end);
        if !source.starts_line(last.start) || source.line(end) != line {
            self.insert(last.end, format!(", {}", new.join(", ")));
            return;
        }
        let new_line = format!("{}{}", source.line_break(line), source.lead(source.line(last.start)));
        let new = format!("{new_line}{}", new.join(&format!(",{new_line}")));
        if !source.ends_line(end) {
            self.insert(last.end, format!(",{new}"));
            return;
        }
        let line_end = source.line_end(line);
        if comma.is_none() {
            self.insert(last.end, ",");
        }
        self.insert(line_end, format!("{new}{}", if comma.is_some() { "," } else { "" }));
    }

    /// Removes an element and a comma.
    pub(super) fn flow_remove(&mut self, flow: &Flow, index: usize) {
        let text = self.source.text;
        let element = flow.elements[index].clone();
        let comma = flow.commas[index];
        let end = comma.map_or(element.end, |comma| comma + 1);
        let before = index.checked_sub(1).and_then(|index| flow.commas[index]);
        let is_last = index + 1 == flow.elements.len();
        let (from, to) = (before.map_or(flow.inside.start, |comma| comma + 1), flow.inside.end);
        let blank = |range: Range<usize>| text[range].trim().is_empty();
        let (first_line, last_line) = (self.source.line(element.start), self.source.line(element.end));
        let own_lines = self.source.starts_line(element.start)
            && self.source.line(end) == last_line
            && self.source.ends_line(end)
            && first_line > self.source.line(from);
        let rest = if own_lines { self.source.line_end(last_line) } else { end };
        if is_last && before.is_none() && blank(from..element.start) && blank(rest..to) {
            self.replace(flow.inside.clone(), "");
            return;
        }
        // The comma before the last one separates nothing any more.
        let needless = before.filter(|_| is_last && comma.is_none());
        if own_lines {
            if let Some(comma) = needless {
                self.replace(comma..comma + 1, "");
            }
            let above = self.source.line(from);
            let first = self.source.with_comments_above(first_line, self.source.offset(element.start), above);
            self.replace(self.source.whole_lines(first, last_line), "");
        } else if is_last {
            match needless.filter(|_| blank(from..element.start)) {
                Some(comma) => self.replace(comma..element.end, ""),
                None => {
                    if let Some(comma) = needless {
                        self.replace(comma..comma + 1, "");
                    }
                    let start = if blank(from..element.start) { from } else { element.start };
                    self.replace(start..end, "");
                }
            }
        } else {
            let rest = text[end..].trim_start_matches([' ', '\t']);
            // A comment needs the blank before it.
            let end = if rest.starts_with('#') { end } else { text.len() - rest.len() };
            self.replace(element.start..end, "");
        }
    }
}
