//! New endpoints at the end of their section.

use super::draft::Edit;
use super::flow::colon;
use super::style::{DASH, OURS, Style, layout, model};
use super::write::{Layout, Piece, entry};
use super::{EditFault, NewEndpoint};
use crate::definition::Section;
use crate::yaml::{Entry, Node, Value};

impl Edit<'_> {
    pub(super) fn append(&mut self, endpoints: &[&NewEndpoint]) -> Result<(), EditFault> {
        let root = &self.document.root;
        let section = self.entry(self.section);
        if let Some(section) = section {
            self.own(section)?;
        }
        match section {
            None if root.flow => self.section_in_brackets(root, endpoints),
            None => {
                self.section_in_block(root, endpoints);
                Ok(())
            }
            Some(section) => match &section.value.value {
                Value::List(items) if !items.is_empty() && !section.value.flow => {
                    self.in_block(section, items, endpoints)
                }
                Value::List(items) if !items.is_empty() => self.in_brackets(&section.value, endpoints),
                _ if self.can_be_block(section) => self.first_in_block(section, endpoints),
                Value::List(_) => self.in_brackets(&section.value, endpoints),
                _ => self.list_for_null(section, endpoints),
            },
        }
    }

    /// The style of a definition's endpoints in block lists, and how far right of a section's key their `-` stands.
    fn block_style(&self, own: Option<&Node>, line: usize) -> (Style, usize) {
        let source = &self.source;
        let style = Style::new(source, &self.document.root, source.line_break(line), OURS);
        let entries = [Section::Bindings, Section::Forwards].map(|section| self.entry(section));
        let others = entries.into_iter().flatten().filter(|entry| !entry.merged);
        let others = others.map(|entry| (source.offset(entry.key_at.start), &entry.value));
        let lists = own.map(|list| (0, list)).into_iter().chain(others);
        for (key, list) in lists {
            let Some(Layout::Block(column)) = layout(source, list, 0) else { continue };
            let Some(model) = model(list) else { continue };
            let mut learnt = style.clone().learn(source, model, column);
            if matches!(learnt.item, Layout::Spread(_)) {
                learnt = Style::new(source, &self.document.root, style.line_break, Layout::Line);
            }
            return (learnt, column.saturating_sub(key));
        }
        (style, DASH)
    }

    /// After the last item of a block list.
    fn in_block(&mut self, section: &Entry, items: &[Node], endpoints: &[&NewEndpoint]) -> Result<(), EditFault> {
        let source = &self.source;
        let lines = self.items_in_block(section, items)?;
        let list = &section.value;
        let (Some(last), Some(Layout::Block(column))) = (lines.last(), layout(source, list, 0)) else {
            return Err(self.by_hand(&list.at, "the items of this list cannot be told apart", "add the item by hand"));
        };
        let (style, _) = self.block_style(Some(list), last.last);
        let blank = style.line_break.repeat(last.blank_above);
        let at = source.line_end(last.last);
        for item in Piece::endpoints(endpoints, &style) {
            let item = Piece::List(Layout::Block(0), vec![item]).text(&style, column, false);
            self.insert(at, format!("{blank}{item}"));
        }
        Ok(())
    }

    /// Whether a section without items can become a block list: `bindings:`, `bindings: []`, `bindings: ~`.
    fn can_be_block(&self, section: &Entry) -> bool {
        let source = &self.source;
        let at = &section.value.at;
        let on_line = source.line(section.key_at.start) == source.line(at.end);
        let empty = source.text[at.clone()].trim_matches(['[', ']']).trim().is_empty();
        let tagged = matches!(&section.value.value, Value::Scalar(scalar) if scalar.tag.is_some());
        let nothing = at.is_empty() && colon(source.text, section.key_at.end).is_some_and(|end| source.ends_line(end));
        let root_is_block = !self.document.root.flow && source.starts_line(section.key_at.start);
        let written = !at.is_empty() && source.ends_line(at.end) && (empty || section.value.is_null());
        root_is_block && on_line && !tagged && (nothing || written)
    }

    /// The first items of a section whose emptiness, if written, gives way to lines of a block.
    fn first_in_block(&mut self, section: &Entry, endpoints: &[&NewEndpoint]) -> Result<(), EditFault> {
        let source = &self.source;
        let at = section.value.at.clone();
        let line = source.line(section.key_at.start);
        let key = source.offset(section.key_at.start);
        let (style, dash) = self.block_style(None, line);
        let after = source.with_comments_below(line, key);
        let heads_item = after > line && source.is_comment_at(after, key + dash);
        let blank = if heads_item { style.line_break } else { "" };
        let items = Piece::List(Layout::Block(0), Piece::endpoints(endpoints, &style));
        let new = format!("{blank}{}", items.text(&style, key + dash, false));
        let line_end = source.line_end(after);
        if !at.is_empty() {
            let start = source.text[..at.start].trim_end_matches([' ', '\t']).len();
            self.replace(start..at.end, "");
        }
        self.insert(line_end, new);
        Ok(())
    }

    /// A section of its own after the last one.
    fn section_in_block(&mut self, root: &Node, endpoints: &[&NewEndpoint]) {
        let source = &self.source;
        let column = source.offset(root.at.start);
        let line = source.with_comments_below(source.last_line(&root.at), column);
        let (style, dash) = self.block_style(None, line);
        let list = Piece::List(Layout::Block(dash), Piece::endpoints(endpoints, &style));
        let section = Piece::Map(Layout::Block(0), vec![(self.section.key(), list)]);
        self.insert(source.line_end(line), section.text(&style, column, false));
    }

    /// The style in brackets: as the list's endpoints, else as the definition itself.
    fn flow_style(&self, list: Option<&Node>, column: usize) -> Style {
        let source = &self.source;
        let root = &self.document.root;
        let line_break = source.line_break(source.line(root.at.start));
        let item = if root.flow { layout(source, root, source.lead(source.line(root.at.start)).len()) } else { None };
        let style = Style::new(source, root, line_break, item.unwrap_or(Layout::Line));
        match list.and_then(model) {
            Some(model) => style.learn(source, model, column),
            None => style,
        }
    }

    fn in_brackets(&mut self, list: &Node, endpoints: &[&NewEndpoint]) -> Result<(), EditFault> {
        let flow = self.flow(list)?;
        let column = self.flow_column(&flow);
        let style = self.flow_style(Some(list), column);
        let items = Piece::endpoints(endpoints, &style);
        let empty = matches!(&list.value, Value::List(items) if items.is_empty());
        if empty && self.source.text[list.at.clone()].contains('#') {
            return Err(self.by_hand(&list.at, "this list holds comments only", "write the first item by hand"));
        }
        if empty {
            self.replace(list.at.clone(), Piece::List(style.item, items).text(&style, column, true));
        } else {
            let items: Vec<String> = items.iter().map(|item| item.text(&style, column, true)).collect();
            self.flow_append(&flow, &items);
        }
        Ok(())
    }

    /// `~` or nothing becomes a list in brackets.
    fn list_for_null(&mut self, section: &Entry, endpoints: &[&NewEndpoint]) -> Result<(), EditFault> {
        let column = self.source.lead(self.source.line(section.key_at.start)).len();
        let style = self.flow_style(None, column);
        let list = Piece::List(style.item, Piece::endpoints(endpoints, &style));
        let list = list.text(&style, column, true);
        self.set_value(section, &list)
    }

    fn section_in_brackets(&mut self, root: &Node, endpoints: &[&NewEndpoint]) -> Result<(), EditFault> {
        let flow = self.flow(root)?;
        let column = self.flow_column(&flow);
        let style = self.flow_style(None, column);
        let list = Piece::List(style.item, Piece::endpoints(endpoints, &style));
        let new = entry(self.section.key(), &list, &style, column, true);
        self.flow_append(&flow, &[new]);
        Ok(())
    }
}
