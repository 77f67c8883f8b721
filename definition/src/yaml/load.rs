//! From YAML text to nodes, within bounds that no file can exceed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span as ParserSpan, StructureStyle, Tag};

use super::{Anchor, Document, Entry, Node, Scalar, Value};
use crate::source::Source;

/// Lists and mappings inside each other.
const DEEPEST: usize = 64;
/// Values in a file, where an alias counts as everything that it stands for.
const MOST_NODES: usize = 100_000;

/// Why a text is not one YAML document that we read.
#[derive(Debug)]
pub(crate) struct LoadError {
    pub(crate) code: &'static str,
    pub(crate) at: Range<usize>,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl LoadError {
    fn new(code: &'static str, at: Range<usize>, message: impl Into<String>) -> Self {
        Self { code, at, message: message.into(), help: None }
    }
}

/// Reads the one document of a text; `None` when it has none.
pub(crate) fn load(source: &Source<'_>) -> Result<Option<Document>, LoadError> {
    let mut options = granit_parser::options! {};
    options.set_emit_comments(false);
    let mut builder = Builder::default();
    for event in Parser::new_from_str_with_options(source.text, options) {
        let (event, span) = event.map_err(|error| syntax(source, &error))?;
        let at = match event {
            Event::Scalar(ref value, ScalarStyle::Literal | ScalarStyle::Folded, ..) => {
                block_scalar(source.text, range(&span), value, builder.end)
            }
            _ => range(&span),
        };
        match event {
            Event::Scalar(..) if at.is_empty() => builder.end = content_end(source.text, at.start),
            _ if !at.is_empty() => builder.end = at.end,
            _ => {}
        }
        builder.event(event, at)?;
    }
    let Builder { anchors, empty_key, .. } = builder;
    Ok(builder.root.map(|root| Document { root, anchors, empty_key }))
}

fn range(span: &ParserSpan) -> Range<usize> {
    span.byte_range().unwrap_or(0..0)
}

/// The content of a block scalar. The parser's range goes on to the next thing, past what is no content.
fn block_scalar(text: &str, at: Range<usize>, value: &str, before: usize) -> Range<usize> {
    let content = text.get(at.clone()).unwrap_or_default();
    // Blank lines at the end are content of `|+` and `>+`, and where they are longer than the indentation.
    let blank_end = value.strip_suffix('\n').unwrap_or(value).ends_with(char::is_whitespace);
    let kept = match content.rfind('\n') {
        Some(line) if blank_end && at.end < text.len() => &content[..=line],
        _ if blank_end => content,
        _ => content.trim_end(),
    };
    if kept.is_empty() { before..before } else { at.start..at.start + kept.len() }
}

/// Where the content before an empty value ends, such as its key. The parser may have gone on past comments.
fn content_end(text: &str, at: usize) -> usize {
    let mut content = text.get(..at).unwrap_or_default().trim_end();
    loop {
        let line = content.rsplit('\n').next().unwrap_or_default();
        if !line.trim_start().starts_with('#') {
            return content.len();
        }
        content = content[..content.len() - line.len()].trim_end();
    }
}

#[derive(Default)]
struct Builder {
    root: Option<Node>,
    documents: usize,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Anchor>,
    empty_key: Option<usize>,
    /// What each anchor names, and how many nodes it holds.
    named: HashMap<usize, (Node, usize)>,
    nodes: usize,
    /// Where the last thing ended that is more than a place.
    end: usize,
}

/// A list or mapping whose end has not come yet.
struct Open {
    anchor: usize,
    at: Range<usize>,
    /// Nodes read before it.
    before: usize,
    style: StructureStyle,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, key: Option<(String, Range<usize>)> },
}

impl Builder {
    fn event(&mut self, event: Event<'_>, at: Range<usize>) -> Result<(), LoadError> {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    let mut error = LoadError::new(
                        "many-documents",
                        at,
                        "a definition file holds one document, and another one starts here",
                    );
                    error.help = Some("write each gateway into a file of its own".to_owned());
                    return Err(error);
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let scalar = Scalar {
                    text: text.into_owned(),
                    plain: style == ScalarStyle::Plain,
                    tag: tag.and_then(|tag| core_tag(&tag)),
                };
                self.nodes += 1;
                self.place(Node { at, value: Value::Scalar(scalar), flow: false, anchor, alias: None }, 1)?;
            }
            Event::SequenceStart(style, anchor, _) => {
                self.open(Open { anchor, at, before: self.nodes, style, content: Content::List(Vec::new()) })?;
            }
            Event::MappingStart(style, anchor, _) => {
                let content = Content::Map { entries: Vec::new(), key: None };
                self.open(Open { anchor, at, before: self.nodes, style, content })?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(at)?,
            Event::Alias(id) => {
                let Some((node, size)) = self.named.get(&id) else {
                    return Err(LoadError::new("alias", at, "this alias stands for a value that contains it"));
                };
                let (node, size) = (node.clone(), *size);
                self.nodes += size;
                if self.nodes > MOST_NODES {
                    return Err(too_many(at));
                }
                self.anchors.entry(id).and_modify(|anchor| anchor.aliases.push(at.clone()));
                self.place(Node { alias: Some(at), ..node }, size)?;
            }
            _ => {}
        }
        if self.nodes > MOST_NODES {
            return Err(too_many(0..0));
        }
        Ok(())
    }

    fn open(&mut self, open: Open) -> Result<(), LoadError> {
        if self.open.len() >= DEEPEST {
            return Err(too_deep(open.at));
        }
        self.nodes += 1;
        self.open.push(open);
        Ok(())
    }

    fn close(&mut self, end: Range<usize>) -> Result<(), LoadError> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let value = match open.content {
            Content::List(items) => Value::List(items),
            Content::Map { mut entries, .. } => {
                settle(&mut entries);
                Value::Map(entries)
            }
        };
        // A block ends where the next thing starts: what came last is the better end. `}` and `]` are ends.
        let end = if end.is_empty() { self.end } else { end.end };
        let at = open.at.start..end.max(open.at.end);
        self.place(
            Node { at, value, flow: open.style == StructureStyle::Flow, anchor: open.anchor, alias: None },
            self.nodes - open.before,
        )
    }

    /// Puts a finished node where it belongs. `size` is how many nodes it holds.
    fn place(&mut self, node: Node, size: usize) -> Result<(), LoadError> {
        if node.anchor > 0 && node.alias.is_none() {
            self.anchors.insert(node.anchor, Anchor { at: node.at.start, aliases: Vec::new() });
            self.named.insert(node.anchor, (node.clone(), size));
            self.nodes += size;
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.content {
            Content::List(items) => items.push(node),
            Content::Map { entries, key } => match key.take() {
                None => match node.value {
                    Value::Scalar(scalar) => {
                        if node.at.is_empty() {
                            self.empty_key = Some(node.at.start);
                        }
                        *key = Some((scalar.text, node.at));
                    }
                    Value::List(_) | Value::Map(_) => {
                        return Err(LoadError::new("key", node.head(), "a key must be a single word"));
                    }
                },
                Some((word, key_at)) if word == "<<" => merge(entries, node, &key_at)?,
                Some((key, key_at)) => entries.push(Entry { key, key_at, value: node, merged: false }),
            },
        }
        Ok(())
    }
}

/// `<<: *base`: adds the keys of `base`. Once in a mapping, as any key.
fn merge(entries: &mut Vec<Entry>, node: Node, key_at: &Range<usize>) -> Result<(), LoadError> {
    let error = |message: &str| Err(LoadError::new("merge", key_at.clone(), message));
    if entries.iter().any(|entry| entry.merged) {
        return error("<< may stand once in a mapping; merge several with a list");
    }
    let maps = match node.value {
        Value::Map(_) | Value::Scalar(_) => vec![node],
        Value::List(items) => items,
    };
    for map in maps {
        let Value::Map(merged) = map.value else {
            return error("<< merges mappings only");
        };
        entries.extend(merged.into_iter().map(|entry| Entry { key_at: key_at.clone(), merged: true, ..entry }));
    }
    Ok(())
}

/// Leaves out merged keys that the mapping has itself, or that an earlier merged mapping has.
fn settle(entries: &mut Vec<Entry>) {
    if !entries.iter().any(|entry| entry.merged) {
        return;
    }
    let mut taken: HashSet<String> =
        entries.iter().filter(|entry| !entry.merged).map(|entry| entry.key.clone()).collect();
    entries.retain(|entry| !entry.merged || taken.insert(entry.key.clone()));
}

fn core_tag(tag: &Tag) -> Option<String> {
    tag.core_suffix().map(str::to_owned)
}

fn too_many(at: Range<usize>) -> LoadError {
    LoadError::new(
        "too-many-values",
        at,
        format!("more than {MOST_NODES} values, aliases counted as what they stand for"),
    )
}

fn too_deep(at: Range<usize>) -> LoadError {
    LoadError::new("too-deep", at, format!("lists and mappings are nested deeper than {DEEPEST} levels"))
}

/// The parser's error in our words where we have better ones.
fn syntax(source: &Source<'_>, error: &ScanError) -> LoadError {
    let marker = error.marker();
    let offset = marker.byte_offset().unwrap_or(source.text.len()).min(source.text.len());
    if let Some(error) = tab(source, source.line(offset)) {
        return error;
    }
    let end = source.text[offset..].chars().next().map_or(offset, |c| offset + c.len_utf8());
    let message = match error.kind() {
        // It looks ahead, and may meet its own limit before we meet ours.
        ErrorKind::RecursionLimitExceeded => return too_deep(offset..end),
        ErrorKind::UnknownAnchor => "this alias names no anchor".to_owned(),
        _ => format!("invalid YAML: {}", error.info()),
    };
    LoadError::new("syntax", offset..end, message)
}

/// A parser may stumble some lines after the tab that made it.
fn tab(source: &Source<'_>, error_line: usize) -> Option<LoadError> {
    let indent = |line: usize| {
        let text = source.line_text(line);
        &text[..text.len() - text.trim_start_matches([' ', '\t']).len()]
    };
    let (line, at) = (1..=error_line + 1).find_map(|line| Some((line, indent(line).find('\t')?)))?;
    let start = source.line_start(line) + at;
    let tabs = indent(line)[at..].len();
    let mut error = LoadError::new("tab", start..start + tabs, "tabs are not allowed for indentation");
    error.help = Some("indent with spaces".to_owned());
    Some(error)
}
