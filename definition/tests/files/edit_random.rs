//! Random edits of definitions in random styles, and of files that nobody writes. What each edit may touch is known from
//! how its file was made, not from the code that edits.

use std::collections::HashSet;
use std::fmt::Write as _;

use moorline_definition::edit::{Draft, EditFault, NewEndpoint, put, rename, take};
use moorline_definition::{
    Aggregate, CheckOptions, Definition, Endpoint, LARGEST_FILE, Port, Protocol, Section, check,
};

use crate::edit::{befores, endpoint};
use crate::hostile::{Numbers, mutated, seeds};

const SECTIONS: [Section; 2] = [Section::Bindings, Section::Forwards];

/// What was written of an endpoint, and which comments go with it.
struct Item {
    endpoint: NewEndpoint,
    /// Lines that stay as they are while nobody touches it; none after it was changed.
    text: Option<String>,
    comments: Vec<String>,
}

struct File {
    text: String,
    sections: [Vec<Item>; 2],
    /// Every comment, in its order.
    comments: Vec<String>,
    /// The whole sections are blocks, so that what belongs to an item is taken to the letter.
    block: bool,
}

struct Writer {
    numbers: Numbers,
    next: usize,
}

impl Writer {
    fn one_in(&mut self, chances: usize) -> bool {
        self.numbers.below(chances) == 0
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.numbers.below(choices.len())]
    }

    /// A number that nothing else in the file has.
    fn id(&mut self) -> usize {
        self.next += 1;
        self.next
    }

    /// A comment that no other line has.
    fn comment(&mut self) -> String {
        let what = self.pick(&["note", "- name: old", "tab\there", "\"quoted", "a: {b", "größe ☃"]);
        format!("#{} {what}", self.id())
    }

    fn endpoint(&mut self) -> NewEndpoint {
        let id = self.id();
        let name = if self.one_in(4) { "-".to_owned() } else { format!("n{id}") };
        let host = self.pick(&["-", "localhost", "10.1.1.9", "::1", "db.lan"]);
        let port = 10_000 + id;
        let kind = self.pick(&["", " http", " http2", " http json", " http events", ""]);
        endpoint(&format!("{name} s{id}:{port} {host} {port}{kind}"))
    }

    /// Another port for `service.ports`, sometimes.
    fn asked(&mut self) -> Option<Port> {
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

    fn file(&mut self) -> File {
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

/// What a definition holds of an endpoint that an edit sets.
fn told(endpoint: &Endpoint) -> NewEndpoint {
    NewEndpoint {
        name: endpoint.name.clone(),
        host: endpoint.host.clone(),
        address: endpoint.service.address.clone(),
        protocol: endpoint.service.protocol,
        port: endpoint.port,
        service_port: None,
        announce: endpoint.service.is_announced(),
        event_channel: endpoint.service.event_channel,
        aggregate: endpoint.service.aggregate,
        tls_credentials: endpoint.service.tls_credentials.clone(),
        tls_cert_authority: endpoint.service.tls_cert_authority.clone(),
    }
}

fn definition(text: &str) -> Definition {
    let checked = check("f", text, CheckOptions::default());
    checked.definition.unwrap_or_else(|| panic!("{:?}\n{text}", checked.problems))
}

impl File {
    /// The text means the endpoints, holds each comment once and in order, and each untouched item as it was.
    fn assert_whole(&self, why: &str) {
        let text = &self.text;
        let definition = definition(text);
        for (section, items) in SECTIONS.into_iter().zip(&self.sections) {
            let found: Vec<NewEndpoint> = definition.endpoints(section).iter().map(told).collect();
            let expected: Vec<NewEndpoint> = items.iter().map(|item| item.endpoint.clone()).collect();
            assert_eq!(found, expected, "{why}\n{text}");
            for item in items.iter().filter_map(|item| item.text.as_ref()) {
                let item = item.trim_end();
                assert_eq!(text.matches(item).count(), 1, "{why}\n{item}\nin\n{text}");
            }
        }
        let mut from = 0;
        for comment in &self.comments {
            let at = text[from..].find(comment.as_str());
            from += at.unwrap_or_else(|| panic!("{why}: {comment:?} is not in its place in\n{text}"));
            assert_eq!(text.matches(comment.as_str()).count(), 1, "{why}: {comment:?} in\n{text}");
        }
    }
}

/// With the line ends of other systems.
fn windows(text: &str) -> String {
    text.replace('\n', "\r\n")
}

#[test]
fn random_edits_touch_what_they_should() {
    for seed in 0..250 {
        let mut writer = Writer { numbers: Numbers::new(seed), next: 0 };
        let mut file = writer.file();
        file.assert_whole(&format!("seed {seed}"));
        for step in 0..6 {
            let place = writer.numbers.below(2);
            let section = SECTIONS[place];
            let count = file.sections[place].len();
            let before = file.text.clone();
            let why = format!("seed {seed}, step {step}, from\n{before}\nto");
            let index = writer.numbers.below(count);
            // Several at once are what they are one after the other.
            let mut several: Vec<NewEndpoint> = (0..writer.numbers.below(4)).map(|_| writer.endpoint()).collect();
            if let Some(item) = file.sections[place].get(index) {
                let (name, address) = (item.endpoint.name.clone(), item.endpoint.address.clone());
                several.insert(several.len() / 2, NewEndpoint { name, address, ..writer.endpoint() });
            }
            let mut draft = Draft::new(&before).unwrap();
            draft.put_all(section, &several).unwrap();
            let one_by_one = several.iter().fold(before.clone(), |text, new| put(&text, section, new).unwrap());
            assert_eq!(draft.into_text(), one_by_one, "{why}");
            match writer.numbers.below(3) {
                0 => {
                    let mut endpoint = writer.endpoint();
                    endpoint.service_port = writer.asked();
                    endpoint.announce = writer.one_in(4);
                    file.text = put(&before, section, &endpoint).unwrap_or_else(|fault| panic!("{fault}: {why}"));
                    assert_eq!(put(&file.text, section, &endpoint), Ok(file.text.clone()), "{why}");
                    if count > 0 {
                        let undone = take(&file.text, section, &endpoint.entity_name());
                        assert_eq!(undone, Ok(Some(before)), "{why}");
                    }
                    let ports = vec![endpoint.service_port.unwrap_or(endpoint.port)];
                    assert_eq!(definition(&file.text).endpoints(section)[count].service.ports, ports, "{why}");
                    endpoint.service_port = None;
                    file.sections[place].push(Item { endpoint, text: None, comments: Vec::new() });
                }
                1 if count > 0 => {
                    let item = &mut file.sections[place][index];
                    let old = item.endpoint.clone();
                    assert_eq!(put(&before, section, &old), Ok(before.clone()), "{why}");
                    let new = NewEndpoint { name: old.name.clone(), ..writer.endpoint() };
                    let mut new = if old.name.is_none() { NewEndpoint { address: old.address, ..new } } else { new };
                    new.service_port = writer.asked();
                    // Once told, sites stay so.
                    new.announce = old.announce || writer.one_in(4);
                    file.text = put(&before, section, &new).unwrap_or_else(|fault| panic!("{fault}: {why}"));
                    assert_eq!(put(&file.text, section, &new), Ok(file.text.clone()), "{why}");
                    if let Some(asked) = new.service_port.take() {
                        assert_eq!(definition(&file.text).endpoints(section)[index].service.ports, [asked], "{why}");
                    }
                    (item.endpoint, item.text) = (new, None);
                }
                _ if count > 0 => {
                    let item = file.sections[place].remove(index);
                    let taken = take(&before, section, &item.endpoint.entity_name());
                    file.text = taken.unwrap_or_else(|fault| panic!("{fault}: {why}")).unwrap();
                    let own: HashSet<&String> = item.comments.iter().collect();
                    file.comments.retain(|comment| !own.contains(comment));
                    for comment in item.comments.iter().filter(|_| file.block) {
                        assert!(!file.text.contains(comment.as_str()), "{comment} stays: {why}\n{}", file.text);
                    }
                }
                _ => assert_eq!(take(&before, section, "n0"), Ok(None)),
            }
            file.assert_whole(&why);
        }
    }
}

fn comment_lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| line.starts_with('#')).collect()
}

/// Where the parser takes a tab before brackets depends on what stands around it.
fn has_tabs(text: &str) -> bool {
    text.lines().any(|line| line.trim_start_matches(' ').starts_with('\t'))
}

/// Whatever a file holds, an edit of it is right or refused.
fn exercise(text: &str) {
    let new = endpoint("n0 new:65000 localhost 65000");
    for section in SECTIONS {
        let old =
            check("f", text, CheckOptions { allow_insecure_management: true, ..CheckOptions::default() }).definition;
        match put(text, section, &new) {
            Ok(after) => {
                let is = definition_of(&after);
                assert_eq!(is.endpoints(section).last().map(told), Some(new.clone()));
                assert_eq!(is.endpoints(section).len(), old.as_ref().unwrap().endpoints(section).len() + 1);
                assert_eq!(comment_lines(text), comment_lines(&after), "{text}\n=>\n{after}");
                let twice = put(&after, section, &new);
                assert_eq!(twice, Ok(after.clone()));
                let undone = take(&after, section, "n0").unwrap_or_else(|fault| panic!("{fault}\n{text}\n=>\n{after}"));
                let undone = definition_of(&undone.unwrap());
                assert_eq!(Some(undone), old, "{text}\n=>\n{after}");
            }
            Err(fault @ EditFault::NotFaithful(_)) => assert!(has_tabs(text), "{fault}\n{text:?}"),
            Err(EditFault::Broken(_)) => assert_eq!(old, None),
            Err(EditFault::ByHand(problem)) => assert!(problem.span.line >= 1 && problem.help.is_some()),
            Err(EditFault::Rejected { problems, .. }) => assert!(!problems.is_empty()),
        }
        let Some(old) = old else { continue };
        let renamed = rename(text, &"another".parse().unwrap());
        assert!(!matches!(renamed, Err(EditFault::NotFaithful(_))) || has_tabs(text), "{renamed:?}\n{text}");
        for endpoint in old.endpoints(section) {
            let changed = NewEndpoint { host: Some("changed.example".parse().unwrap()), ..told(endpoint) };
            for result in [take(text, section, &endpoint.entity_name()), put(text, section, &changed).map(Some)] {
                assert!(!matches!(result, Err(EditFault::NotFaithful(_))) || has_tabs(text), "{result:?}\n{text:?}");
            }
        }
    }
}

fn definition_of(text: &str) -> Definition {
    Draft::new(text).unwrap().definition().clone()
}

#[test]
fn mutated_files_are_edited_rightly_or_refused() {
    let seeds: Vec<Vec<u8>> = seeds().into_iter().chain(befores().into_iter().map(String::into_bytes)).collect();
    let mut numbers = Numbers::new(3);
    for _ in 0..2000 {
        if let Ok(text) = String::from_utf8(mutated(&seeds, &mut numbers)) {
            exercise(&text);
        }
    }
}

#[test]
fn files_that_do_harm_are_refused() {
    for deep in [format!("name: {}", "[".repeat(10_000)), format!("name:\n {}x", "- ".repeat(10_000))] {
        exercise(&deep);
    }
    exercise("name: x\0\nbindings: []\n");
    exercise("name: x\rbindings: []\r");
    exercise(&"#".repeat(LARGEST_FILE + 1));
    exercise(&format!("name: x\nbindings: {}\n", "[".repeat(60)));
    exercise(&format!("name: x\nbindings: []\nx: {}{}\n", "[".repeat(60), "]".repeat(60)));
}

#[test]
fn a_definition_has_a_largest_size() {
    let text = format!("name: x\nbindings: []\n#{}\n", " ".repeat(LARGEST_FILE - 100));
    let fault = put(&text, Section::Bindings, &endpoint("a a:1 localhost 1")).unwrap_err();
    assert!(matches!(&fault, EditFault::Rejected { problems, .. } if problems[0].code == "text"), "{fault}");
}

#[test]
fn examples_are_edited_and_restored() {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [here.join("../examples"), here.join("tests/definitions")];
    let paths = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    let mut seen = 0;
    for path in paths.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")) {
        let text = std::fs::read_to_string(&path).unwrap();
        exercise(&text);
        let definition = definition(&text);
        for section in SECTIONS {
            let new = endpoint("n0 new:65000 localhost 65000");
            let after = put(&text, section, &new).unwrap();
            // Nothing but new lines; an empty section may have lost its `[]`.
            let added = after.lines().filter(|line| !text.lines().any(|old| old == *line)).count();
            assert!(added > 0 && after.len() > text.len(), "{after}");
            if definition.endpoints(section).is_empty() {
                continue;
            }
            assert_eq!(take(&after, section, "n0"), Ok(Some(text.clone())), "{}", path.display());
            for old in definition.endpoints(section) {
                assert_eq!(put(&text, section, &told(old)), Ok(text.clone()), "{}", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen >= 10, "{seen}");
}

#[test]
fn a_draft_takes_many_edits() {
    let mut draft = Draft::new("name: x\n").unwrap();
    for port in 1..=100 {
        let protocol = if port % 2 == 0 { "" } else { " http2" };
        draft.put(Section::Bindings, &endpoint(&format!("- s:{port} localhost {port}{protocol}"))).unwrap();
    }
    for port in (1..=100).step_by(2) {
        assert_eq!(draft.take(Section::Bindings, &format!("s:{port}")), Ok(true));
    }
    assert_eq!(draft.take(Section::Bindings, "s:1"), Ok(false));
    // Of one name the last counts, new or not.
    let named = |name: &str, port: u16| endpoint(&format!("{name} s:{port} localhost {port}"));
    draft.put_all(Section::Bindings, &[named("a", 1), named("s:2", 3), named("a", 5), named("s:2", 7)]).unwrap();
    let found = draft.definition().bindings.iter().filter(|binding| binding.port.get() % 2 == 1);
    let found: Vec<_> = found.map(|binding| (binding.entity_name(), binding.port.get())).collect();
    assert_eq!(found, [("s:2".to_owned(), 7), ("a".to_owned(), 5)]);
    assert_eq!(draft.take(Section::Bindings, "a"), Ok(true));
    draft.put(Section::Bindings, &named("s:2", 2)).unwrap();
    // What is refused leaves the draft as it was.
    let wrong = NewEndpoint { aggregate: Some(Aggregate::Json), ..endpoint("- s:200 localhost 200") };
    assert_eq!(wrong.protocol, Protocol::Tcp);
    assert!(matches!(draft.put(Section::Bindings, &wrong), Err(EditFault::Rejected { .. })));
    let kept: Vec<u16> = draft.definition().bindings.iter().map(|binding| binding.port.get()).collect();
    assert_eq!(kept, (2..=100).step_by(2).collect::<Vec<u16>>());
    assert_eq!(definition(&draft.into_text()).bindings.len(), 50);
}
