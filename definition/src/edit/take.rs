//! An endpoint less in a section.

use super::EditFault;
use super::draft::Edit;
use super::flow::colon;
use crate::yaml::{Entry, Node, Value};

/// The lines of one item of a block list.
#[derive(Clone, Copy, Debug)]
pub(super) struct ItemLines {
    /// The first, perhaps of a comment.
    pub(super) first: usize,
    pub(super) last: usize,
    /// Blank lines between it and the item above; none when other things stand there.
    pub(super) blank_above: usize,
}

impl Edit<'_> {
    pub(super) fn take(&mut self, index: usize) -> Result<(), EditFault> {
        let Some(section) = self.entry(self.section) else {
            return Err(EditFault::NotFaithful("the section was not found"));
        };
        self.own(section)?;
        let Value::List(items) = &section.value.value else {
            return Err(EditFault::NotFaithful("the section is no list"));
        };
        let Some(item) = items.get(index) else {
            return Err(EditFault::NotFaithful("the item was not found"));
        };
        self.used_nowhere_else(&item.written())?;
        if section.value.flow {
            let flow = self.flow(&section.value)?;
            self.flow_remove(&flow, index);
            return Ok(());
        }
        let lines = self.items_in_block(section, items)?;
        let item = lines[index];
        if lines.len() == 1 {
            self.empty_list(section, item.first)?;
        }
        // The next item takes its place at the top, and needs no separation there.
        let below = lines.get(index + 1).filter(|_| index == 0).map_or(0, |next| next.blank_above);
        self.replace(self.source.whole_lines(item.first - item.blank_above, item.last + below), "");
        Ok(())
    }

    /// The lines of the items of a section that is a block list.
    pub(super) fn items_in_block(&self, section: &Entry, items: &[Node]) -> Result<Vec<ItemLines>, EditFault> {
        let source = &self.source;
        let key = source.line(section.key_at.start);
        let mut lines: Vec<ItemLines> = Vec::with_capacity(items.len());
        for item in items {
            let at = item.written();
            let above = lines.last().map(|lines| lines.last);
            let Some(dash) = source.dash(at.start, above.unwrap_or(key)) else {
                let help = "begin the item on a line of its own";
                return Err(self.by_hand(&at, "the `-` of this item does not begin a line", help));
            };
            let column = source.indent(dash);
            let first = source.with_comments_above(dash, column, above.unwrap_or(0));
            let blank_above = above.map_or(0, |above| first - above - 1);
            let all_blank = (first - blank_above..first).all(|line| source.is_blank(line));
            let last = source.with_comments_below(source.last_line(&at), column);
            lines.push(ItemLines { first, last, blank_above: if all_blank { blank_above } else { 0 } });
        }
        Ok(lines)
    }

    /// `[]` after a section's key, and after its anchor and tag.
    fn empty_list(&mut self, section: &Entry, first: usize) -> Result<(), EditFault> {
        let source = &self.source;
        let Some(colon) = colon(source.text, section.key_at.end) else {
            let message = "this key has no value beside it";
            return Err(self.by_hand(&section.key_at, message, "write `key: []` in its place by hand"));
        };
        let other = |line: &usize| !source.is_blank(*line) && !source.is_comment(*line);
        if let Some(line) = (source.line(colon) + 1..first).find(other) {
            let at = source.line_start(line)..source.line_end(line);
            return Err(self.by_hand(
                &at,
                "this line stands between the key and its list",
                "put it beside the key by hand",
            ));
        }
        let rest = &source.text[colon..source.line_end(source.line(colon))];
        let before_comment = rest.find(" #").or_else(|| rest.find("\t#")).map_or(rest, |comment| &rest[..comment]);
        self.insert(colon + before_comment.trim_end().len(), " []");
        Ok(())
    }
}
