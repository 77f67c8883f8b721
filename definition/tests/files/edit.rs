//! Edits of definitions, compared byte for byte. The cases are in `edits/`:
//!
//! ```text
//! @@ append bindings web web:80 localhost 8080: what this case is about
//! (before)
//! @@ gives
//! (after)
//! ```
//!
//! `append` is `put` that `take` undoes. Instead of `gives`, `refused LINE:COLUMN: MESSAGE`.

use std::path::{Path, PathBuf};

use moorline_definition::edit::{Draft, EditFault, NewEndpoint, new_definition, put, rename, take};
use moorline_definition::{CheckOptions, Port, Protocol, Section, check};

/// `name address host port key=value…`; `-` for no name or no host.
pub(crate) fn endpoint(words: &str) -> NewEndpoint {
    let mut words = words.split(' ');
    let mut word = || words.next().filter(|word| *word != "-");
    let mut endpoint = NewEndpoint {
        service_port: None,
        announce: false,
        name: word().map(|name| name.parse().unwrap()),
        address: word().unwrap().parse().unwrap(),
        host: word().map(|host| host.parse().unwrap()),
        port: Port::new(word().unwrap().parse().unwrap()).unwrap(),
        protocol: Protocol::Tcp,
        event_channel: false,
        aggregate: None,
        tls_credentials: None,
        tls_cert_authority: None,
    };
    for word in words {
        match word {
            "http" => endpoint.protocol = Protocol::Http,
            "http2" => endpoint.protocol = Protocol::Http2,
            "json" => endpoint.aggregate = Some(moorline_definition::Aggregate::Json),
            "announced" => endpoint.announce = true,
            "events" => endpoint.event_channel = true,
            word => match word.split_once('=').unwrap() {
                ("certificate", name) => endpoint.tls_credentials = Some(name.parse().unwrap()),
                ("asked", port) => endpoint.service_port = Some(Port::new(port.parse().unwrap()).unwrap()),
                ("authority", name) => endpoint.tls_cert_authority = Some(name.parse().unwrap()),
                _ => panic!("{word}"),
            },
        }
    }
    endpoint
}

fn edits() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/edits")
}

/// The texts of the cases.
pub(crate) fn befores() -> Vec<String> {
    let mut paths: Vec<_> = std::fs::read_dir(edits()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let files = paths.iter().map(|path| std::fs::read_to_string(path).unwrap());
    let parts = files.flat_map(|file| file.split("@@ ").skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>());
    let texts = parts.map(|part| part.split_once('\n').unwrap().1.to_owned());
    texts.filter(|text| !text.is_empty()).collect()
}

/// What an edit made of a text, as the case file tells it.
fn outcome(result: Result<Option<String>, EditFault>) -> (String, String) {
    match result {
        Ok(Some(text)) => ("gives".to_owned(), text),
        Ok(None) => ("finds nothing".to_owned(), String::new()),
        Err(EditFault::ByHand(problem)) => {
            let help = problem.help.unwrap_or_default();
            let (line, column) = (problem.span.line, problem.span.column);
            (format!("refused {line}:{column}: {}; {help}", problem.message), String::new())
        }
        Err(other) => (format!("{other}"), String::new()),
    }
}

fn edit(text: &str, command: &str) -> Result<Option<String>, EditFault> {
    let (verb, rest) = command.split_once(' ').unwrap();
    if verb == "rename" {
        return rename(text, &rest.parse().unwrap()).map(Some);
    }
    let (section, rest) = rest.split_once(' ').unwrap();
    let section = if section == "bindings" { Section::Bindings } else { Section::Forwards };
    match verb {
        "put" | "append" => put(text, section, &endpoint(rest)).map(Some),
        "take" => take(text, section, rest),
        _ => panic!("{command}"),
    }
}

/// What `take` needs to undo an `append`.
fn undone(command: &str) -> String {
    let words: Vec<&str> = command.splitn(4, ' ').collect();
    let name = endpoint(&format!("{} {}", words[2], words[3])).entity_name();
    format!("take {} {name}", words[1])
}

/// Runs a case; what came out.
fn run(command: &str, before: &str) -> (String, String) {
    let result = outcome(edit(before, command));
    let (heading, after) = &result;
    if heading != "gives" {
        return result;
    }
    if command.starts_with("take") {
        assert_eq!(edit(after, command), Ok(None), "{command}");
    } else {
        assert_eq!(edit(after, command).as_ref(), Ok(&Some(after.clone())), "{command}: twice is once");
    }
    if command.starts_with("append") {
        assert_eq!(edit(after, &undone(command)), Ok(Some(before.to_owned())), "{command}: undone");
    }
    result
}

#[test]
fn cases() {
    let mut paths: Vec<_> = std::fs::read_dir(edits()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let file = std::fs::read_to_string(&path).unwrap();
        let mut new_file = String::new();
        let parts: Vec<&str> = file.split("@@ ").skip(1).collect();
        for pair in parts.chunks(2) {
            let (command, before) = pair[0].split_once('\n').unwrap();
            let (words, _) = command.rsplit_once(": ").unwrap();
            let (heading, after) = run(words, before);
            new_file.push_str(&format!("@@ {command}\n{before}@@ {heading}\n{after}"));
            // The same on other systems, and for a last line that has no end.
            let variants: [&dyn Fn(&str) -> String; 3] =
                [&|text| text.replace('\n', "\r\n"), &|text| format!("\u{feff}{text}"), &|text| {
                    text.strip_suffix('\n').unwrap_or(text).to_owned()
                }];
            for variant in variants {
                let expected = if heading == "gives" { variant(&after) } else { String::new() };
                assert_eq!(run(words, &variant(before)), (heading.clone(), expected), "{command}");
            }
        }
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &new_file).unwrap();
            continue;
        }
        for (new, old) in new_file.split("@@ ").zip(file.split("@@ ")) {
            assert_eq!(new, old, "{}; UPDATE_GOLDEN=1 rewrites it", path.display());
        }
    }
}

#[test]
fn a_new_definition_is_one() {
    for name in ["x", "null", "true", "y", "on", "a.b-c"] {
        let text = new_definition(&name.parse().unwrap());
        let checked = check("f", &text, CheckOptions { strict: true, ..CheckOptions::default() });
        assert_eq!(checked.problems, []);
        assert_eq!(checked.definition.unwrap().name.as_str(), name);
    }
    assert_eq!(Draft::new(&new_definition(&"x".parse().unwrap())).unwrap().definition().bindings, []);
}
