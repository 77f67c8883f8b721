//! Definitions in random styles, and what of their text belongs to which endpoint.

use std::fmt::Write as _;

use moorline_definition::edit::NewEndpoint;
use moorline_definition::{Port, Section};

use crate::edit::endpoint;
use crate::hostile::Numbers;

pub(crate) const SECTIONS: [Section; 2] = [Section::Bindings, Section::Forwards];

/// What was written of an endpoint, and which comments go with it.
pub(crate) struct Item {
    pub(crate) endpoint: NewEndpoint,
    /// Lines that stay as they are while nobody touches it; none after it was changed.
    pub(crate) text: Option<String>,
    pub(crate) comments: Vec<String>,
}

pub(crate) struct File {
    pub(crate) text: String,
    pub(crate) sections: [Vec<Item>; 2],
    /// Every comment, in its order.
    pub(crate) comments: Vec<String>,
    /// The whole sections are blocks, so that what belongs to an item is taken to the letter.
    pub(crate) block: bool,
}

pub(crate) struct Writer {
    pub(crate) numbers: Numbers,
    next: usize,
}

impl Writer {
    pub(crate) fn new(seed: u64) -> Self {
        Self { numbers: Numbers::new(seed), next: 0 }
    }

    pub(crate) fn one_in(&mut self, chances: usize) -> bool {
        self.numbers.below(chances) == 0
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.numbers.below(choices.len())]
    }

    /// A number that nothing else in the file has.
    pub(crate) fn id(&mut self) -> usize {
        self.next += 1;
        self.next
    }

    /// A comment that no other line has.
    fn comment(&mut self) -> String {
        let what = self.pick(&["note", "- name: old", "tab\there", "\"quoted", "a: {b", "größe ☃"]);
        format!("#{} {what}", self.id())
    }

    pub(crate) fn endpoint(&mut self) -> NewEndpoint {
        let id = self.id();
        let name = if self.one_in(4) { "-".to_owned() } else { format!("n{id}") };
        let host = self.pick(&["-", "localhost", "10.1.1.9", "::1", "db.lan"]);
        let port = 10_000 + id;
        let kind = self.pick(&["", " http", " http2", " http json", " http events", ""]);
        endpoint(&format!("{name} s{id}:{port} {host} {port}{kind}"))
    }

    /// Another port for `service.ports`, sometimes.
    pub(crate) fn asked(&mut self) -> Option<Port> {
        self.one_in(4).then(|| Port::new(i128::try_from(self.id()).unwrap()).unwrap())
    }

    /// A comment beside a value, sometimes.
    fn beside(&mut self, mine: &mut Vec<String>) -> String {
        if !self.one_in(4) {
            return String::new();
        }
        let comment = self.comment();
        mine.push(comment.clone());
        format!("{}{comment}", self.pick(&[" ", "   ", "\t"]))
    }

    fn word(&mut self, text: &str, quotes: &str) -> String {
        match quotes {
            "'" => format!("'{text}'"),
            "\"" => format!("\"{text}\""),
            _ if text.contains(':') => format!("\"{text}\""),
            _ => text.to_owned(),
        }
    }

    fn ports(&mut self, port: Port, column: usize, beside: &str) -> String {
        match self.numbers.below(3) {
            0 => format!(" [{port}]{beside}\n"),
            1 => format!("{beside}\n{}- {port}\n", " ".repeat(column)),
            _ => format!("{beside}\n{}-  {port}\n", " ".repeat(column + 2)),
        }
    }

    /// A block item; `dash` is the column of its `-`.
    fn block_item(&mut self, dash: usize, gap: usize) -> Item {
        let endpoint = self.endpoint();
        let (mut text, mut comments) = (String::new(), Vec::new());
        for _ in 0..self.numbers.below(3) {
            let comment = self.comment();
            writeln!(text, "{}{comment}", " ".repeat(dash)).unwrap();
            comments.push(comment);
        }
        let quotes = self.pick(&["", "'", "\""]);
        let keys = dash + gap;
        let mut entries: Vec<String> = Vec::new();
        if let Some(name) = &endpoint.name {
            let name = self.word(name.as_str(), quotes);
            entries.push(format!("name: {name}{}\n", self.beside(&mut comments)));
        }
        if let Some(host) = &endpoint.host {
            let host = self.word(host.as_str(), quotes);
            entries.push(format!("host:  {host}{}\n", self.beside(&mut comments)));
        }
        let mut service = vec![
            format!("address: {}", self.word(&endpoint.address.to_string(), quotes)),
            format!("protocol: {}", endpoint.protocol.as_str()),
        ];
        service.extend(endpoint.aggregate.map(|aggregate| format!("aggregate: {}", aggregate.as_str())));
        service.extend(endpoint.event_channel.then(|| "eventchannel: yes".to_owned()));
        if self.one_in(3) {
            let annotations = self.pick(&["{}", "{a: b}", "~", "{a: b, }"]);
            service.push(format!("annotations: {annotations}"));
        }
        if self.one_in(2) {
            service.push(format!("ports: [{}]", endpoint.port));
            entries.push(format!("service: {{{}}}{}\n", service.join(", "), self.beside(&mut comments)));
        } else {
            let offset = self.pick(&[1, 2, 4]);
            let mut lines = format!("service:{}\n", self.beside(&mut comments));
            for entry in service {
                if self.one_in(6) {
                    let comment = self.comment();
                    writeln!(lines, "{}{comment}", " ".repeat(keys + offset)).unwrap();
                    comments.push(comment);
                }
                writeln!(lines, "{}{entry}{}", " ".repeat(keys + offset), self.beside(&mut comments)).unwrap();
            }
            let beside = self.beside(&mut comments);
            let ports = self.ports(endpoint.port, keys + offset, &beside);
            write!(lines, "{}ports:{ports}", " ".repeat(keys + offset)).unwrap();
            entries.push(lines);
        }
        if self.one_in(2) {
            let beside = self.beside(&mut comments);
            entries.push(format!("target_ports:{}", self.ports(endpoint.port, keys, &beside)));
        }
        if self.one_in(4) {
            let id = self.id();
            entries.push(format!("x-{id}: |\n{}some\n{}#{id}text\n", " ".repeat(keys + 2), " ".repeat(keys + 2)));
        }
        let turn = self.numbers.below(entries.len());
        entries.rotate_left(turn);
        for (index, entry) in entries.iter().enumerate() {
            let lead =
                if index == 0 { format!("{}-{}", " ".repeat(dash), " ".repeat(gap - 1)) } else { " ".repeat(keys) };
            write!(text, "{lead}{entry}").unwrap();
        }
        // A block of lines would take it in.
        if self.one_in(4) && !entries.last().unwrap().starts_with("x-") {
            let comment = self.comment();
            let blank = self.pick(&["", "\n", " \n\n"]);
            writeln!(text, "{blank}{}{comment}", " ".repeat(dash + 1)).unwrap();
            comments.push(comment);
        }
        Item { endpoint, text: Some(text), comments }
    }

    fn flow_entries(&mut self, endpoint: &NewEndpoint, quotes: &str) -> String {
        let key = |key: &str| if quotes.is_empty() { format!("{key}: ") } else { format!("\"{key}\": ") };
        let mut text = String::new();
        if let Some(name) = &endpoint.name {
            write!(text, "{}{}, ", key("name"), self.word(name.as_str(), quotes)).unwrap();
        }
        if let Some(host) = &endpoint.host {
            write!(text, "{}{}, ", key("host"), self.word(host.as_str(), quotes)).unwrap();
        }
        let address = self.word(&endpoint.address.to_string(), "\"");
        let protocol = self.word(endpoint.protocol.as_str(), quotes);
        write!(text, "{}{{{}{address}, {}{protocol}, ", key("service"), key("address"), key("protocol")).unwrap();
        if let Some(aggregate) = endpoint.aggregate {
            write!(text, "{}{}, ", key("aggregate"), self.word(aggregate.as_str(), quotes)).unwrap();
        }
        if endpoint.event_channel {
            write!(text, "{}true, ", key("eventchannel")).unwrap();
        }
        write!(text, "{}[{}]}}", key("ports"), endpoint.port).unwrap();
        text
    }

    /// A list in brackets after its key.
    fn flow_section(&mut self, count: usize, quotes: &str, may_comment: bool) -> (String, Vec<Item>) {
        let lines = count > 0 && self.one_in(2);
        let mut items = Vec::new();
        let mut text = "[".to_owned();
        for index in 0..count {
            let endpoint = self.endpoint();
            let mut comments = Vec::new();
            if lines {
                text.push('\n');
                if may_comment && self.one_in(3) {
                    let comment = self.comment();
                    writeln!(text, "    {comment}").unwrap();
                    comments.push(comment);
                }
                text.push_str("    ");
            }
            let item = format!("{{{}}}", self.flow_entries(&endpoint, quotes));
            text.push_str(&item);
            if index + 1 < count {
                text.push(',');
            }
            if lines && may_comment {
                text.push_str(&self.beside(&mut comments));
            } else if index + 1 < count {
                text.push(' ');
            }
            items.push(Item { endpoint, text: Some(item), comments });
        }
        text.push_str(if lines { "\n  ]" } else { "]" });
        (text, items)
    }

    fn block_file(&mut self) -> File {
        let mut text = String::new();
        let mut mine = Vec::new();
        if self.one_in(4) {
            text.push_str("---\n");
        }
        let mut name = format!("name: x{}\n", self.beside(&mut mine));
        if self.one_in(2) {
            let comment = self.comment();
            mine.push(comment.clone());
            name = format!("{comment}\n{name}");
        }
        let mut sections = [Vec::new(), Vec::new()];
        let mut parts = vec![(name, mine)];
        for (place, section) in SECTIONS.into_iter().enumerate() {
            let mut mine = Vec::new();
            let mut part = String::new();
            if self.one_in(3) {
                let comment = self.comment();
                writeln!(part, "{comment}").unwrap();
                mine.push(comment);
            }
            let count = self.numbers.below(4);
            let key = section.key();
            if count == 0 {
                let empty = self.pick(&["", " []", " ~", " null", " [ ]"]);
                if !self.one_in(3) {
                    writeln!(part, "{key}:{empty}{}", self.beside(&mut mine)).unwrap();
                }
            } else {
                writeln!(part, "{key}:{}", self.beside(&mut mine)).unwrap();
                let dash = self.pick(&[0, 2, 4]);
                let gap = self.pick(&[2, 2, 4]);
                if self.one_in(3) {
                    let comment = self.comment();
                    write!(part, "{}{comment}\n\n", " ".repeat(dash)).unwrap();
                    mine.push(comment);
                }
                let between = self.pick(&["", "", "\n", "\n \n"]);
                for index in 0..count {
                    if index > 0 {
                        part.push_str(between);
                    }
                    let item = self.block_item(dash, gap);
                    part.push_str(item.text.as_ref().unwrap());
                    mine.extend(item.comments.clone());
                    sections[place].push(item);
                }
                if self.one_in(3) {
                    let comment = self.comment();
                    write!(part, "\n{}{comment}\n", " ".repeat(dash)).unwrap();
                    mine.push(comment);
                }
            }
            parts.push((part, mine));
        }
        if self.one_in(3) {
            let comment = self.comment();
            let part = format!("qdr-listeners:\n- name: amqp {comment}\n  host: localhost\n  port: 5672\n");
            parts.push((part, vec![comment]));
        }
        let turn = self.numbers.below(parts.len());
        parts.rotate_left(turn);
        let mut comments = Vec::new();
        for (part, mine) in parts {
            text.push_str(&part);
            comments.extend(mine);
        }
        File { text, sections, comments, block: true }
    }

    fn flow_file(&mut self) -> File {
        let json = self.one_in(2);
        let quotes = if json { "\"" } else { "" };
        let counts = [self.numbers.below(4), self.numbers.below(3)];
        let key = |key: &str| if json { format!("\"{key}\"") } else { key.to_owned() };
        let (bindings, first) = self.flow_section(counts[0], quotes, !json);
        let (forwards, second) = self.flow_section(counts[1], quotes, !json);
        let text = if json || self.one_in(2) {
            let name = self.word("x", quotes);
            let (name_key, bindings_key, forwards_key) = (key("name"), key("bindings"), key("forwards"));
            format!("{{\n  {name_key}: {name},\n  {bindings_key}: {bindings},\n  {forwards_key}: {forwards}\n}}\n")
        } else {
            format!("name: x\nbindings: {bindings}\nforwards: {forwards}\n")
        };
        let comments = first.iter().chain(&second).flat_map(|item| item.comments.clone()).collect();
        File { text, sections: [first, second], comments, block: false }
    }

    pub(crate) fn file(&mut self) -> File {
        let mut file = if self.one_in(3) { self.flow_file() } else { self.block_file() };
        file.comments.sort_by_key(|comment| file.text.find(comment.as_str()));
        let marked = self.one_in(5);
        if self.one_in(4) {
            file.text = windows(&file.text);
            for item in file.sections.iter_mut().flatten() {
                item.text = item.text.as_deref().map(windows);
            }
        }
        if self.one_in(5) {
            file.text.truncate(file.text.trim_end().len());
        }
        if marked {
            file.text.insert(0, '\u{feff}');
        }
        file
    }
}

/// With the line ends of other systems.
fn windows(text: &str) -> String {
    text.replace('\n', "\r\n")
}
