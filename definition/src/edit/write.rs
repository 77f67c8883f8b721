//! Writing keys and values: in blocks, in one line, or in brackets over several lines.

use super::NewEndpoint;
use super::style::Style;
use crate::definition::{ANNOUNCE, Port};
use crate::yaml::Scalar;

/// How the children of a mapping or list stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// On lines of their own, so many columns right of it.
    Block(usize),
    /// In brackets on one line.
    Line,
    /// In brackets, on lines of their own, so many columns right of the line with the bracket.
    Spread(usize),
}

/// Something to write.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    /// As it is: a number, `true`, `null`.
    Plain(String),
    /// Quoted where it must be.
    Word(String),
    List(Layout, Vec<Piece>),
    Map(Layout, Vec<(&'static str, Piece)>),
}

impl Piece {
    pub(super) fn word(text: impl ToString) -> Self {
        Self::Word(text.to_string())
    }

    /// Bindings or forwards, whole.
    pub(super) fn endpoints(endpoints: &[&NewEndpoint], style: &Style) -> Vec<Self> {
        endpoints.iter().map(|endpoint| Self::endpoint(endpoint, style)).collect()
    }

    fn endpoint(endpoint: &NewEndpoint, style: &Style) -> Self {
        let one = |port: Port| vec![Self::Plain(port.to_string())];
        let mut service = vec![
            ("address", Self::word(&endpoint.address)),
            ("protocol", Self::word(endpoint.protocol.as_str())),
            ("ports", Self::List(style.ports, one(endpoint.service_port.unwrap_or(endpoint.port)))),
        ];
        service.extend(endpoint.aggregate.map(|aggregate| ("aggregate", Self::word(aggregate.as_str()))));
        service.extend(endpoint.event_channel.then(|| ("eventchannel", Self::Plain("true".to_owned()))));
        service.extend(endpoint.tls_credentials.as_ref().map(|name| ("tlscredentials", Self::word(name))));
        service.extend(endpoint.tls_cert_authority.as_ref().map(|name| ("tlscertauthority", Self::word(name))));
        service.extend(endpoint.announce.then(Self::announcement));
        let mut fields = Vec::new();
        fields.extend(endpoint.name.as_ref().map(|name| ("name", Self::word(name))));
        fields.extend(endpoint.host.as_ref().map(|host| ("host", Self::word(host))));
        fields.push(("service", Self::Map(style.service, service)));
        fields.push(("target_ports", Self::List(style.target_ports, one(endpoint.port))));
        Self::Map(style.item, fields)
    }

    /// The annotation of a service that sites are told of.
    pub(super) fn announcement() -> (&'static str, Self) {
        ("annotations", Self::Map(Layout::Line, vec![(ANNOUNCE, Self::word("true"))]))
    }

    /// As text. Lines after the first are indented from `column`; a block begins with a line break.
    pub(super) fn text(&self, style: &Style, column: usize, in_flow: bool) -> String {
        match self {
            Self::Plain(text) => text.clone(),
            Self::Word(text) if style.quoted => double_quoted(text),
            Self::Word(text) => word(text, in_flow),
            Self::List(Layout::Block(offset), items) => {
                let line = style.line(column + offset);
                items.iter().map(|item| format!("{line}-{}", item.after_dash(style, column + offset))).collect()
            }
            Self::Map(Layout::Block(offset), entries) => {
                let line = style.line(column + offset);
                let entries = entries.iter().map(|(key, value)| entry(key, value, style, column + offset, in_flow));
                entries.map(|entry| format!("{line}{entry}")).collect()
            }
            Self::List(layout, items) => {
                let inner = column + layout.offset();
                let items = items.iter().map(|item| item.text(style, inner, true));
                brackets('[', items.collect(), ']', *layout, style, column)
            }
            Self::Map(layout, entries) => {
                let inner = column + layout.offset();
                let entries = entries.iter().map(|(key, value)| entry(key, value, style, inner, true));
                brackets('{', entries.collect(), '}', *layout, style, column)
            }
        }
    }

    /// What follows the `-` in a column: the first key of a block stands beside it.
    fn after_dash(&self, style: &Style, column: usize) -> String {
        let text = self.text(style, column, false);
        match self {
            Self::Map(Layout::Block(offset), _) => {
                let line = style.line(column + offset);
                let beside = text.strip_prefix(&line).unwrap_or(&text);
                format!("{}{beside}", " ".repeat(offset.saturating_sub(1)))
            }
            _ => format!(" {text}"),
        }
    }
}

impl Layout {
    /// Columns to its children.
    pub(super) fn offset(self) -> usize {
        match self {
            Self::Block(offset) | Self::Spread(offset) => offset,
            Self::Line => 0,
        }
    }
}

/// `key: value`.
pub(super) fn entry(key: &str, value: &Piece, style: &Style, column: usize, in_flow: bool) -> String {
    let key = if style.quoted { double_quoted(key) } else { key.to_owned() };
    let is_block = matches!(value, Piece::List(Layout::Block(_), _) | Piece::Map(Layout::Block(_), _));
    let space = if is_block { "" } else { " " };
    format!("{key}:{space}{}", value.text(style, column, in_flow))
}

fn brackets(open: char, parts: Vec<String>, close: char, layout: Layout, style: &Style, column: usize) -> String {
    let Layout::Spread(offset) = layout else {
        return format!("{open}{}{close}", parts.join(", "));
    };
    let line = style.line(column + offset);
    format!("{open}{line}{}{}{close}", parts.join(&format!(",{line}")), style.line(column))
}

/// A string that every reader takes for this string. Quoted unless it is plainly one.
pub(crate) fn word(text: &str, in_flow: bool) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') || (c == ':' && !in_flow);
    let is_word =
        text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(plain) && !text.ends_with(':');
    let scalar = Scalar { text: text.to_ascii_lowercase(), plain: true, tag: None };
    let other_meaning = scalar.resolve() != crate::yaml::Resolved::Text || scalar.as_bool().is_some();
    let is_address = text.parse::<std::net::Ipv4Addr>().is_ok();
    if is_address || is_word && !other_meaning { text.to_owned() } else { double_quoted(text) }
}

/// As JSON, which is YAML too but for characters that YAML wants escaped.
pub(super) fn double_quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    json.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029").replace('\u{feff}', "\\ufeff")
}
