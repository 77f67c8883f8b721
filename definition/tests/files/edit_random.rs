//! Random edits of definitions in random styles, and of files that nobody writes. What each edit may touch is known from
//! how its file was made, not from the code that edits.

use std::collections::HashSet;

use moorline_definition::edit::{Draft, EditFault, NewEndpoint, put, rename, take};
use moorline_definition::{Aggregate, CheckOptions, Definition, Endpoint, LARGEST_FILE, Protocol, Section, check};

use crate::edit::{befores, endpoint};
use crate::edit_writer::{File, Item, SECTIONS, Writer};
use crate::hostile::{Numbers, mutated, seeds};

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

#[test]
fn random_edits_touch_what_they_should() {
    for seed in 0..250 {
        let mut writer = Writer::new(seed);
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
