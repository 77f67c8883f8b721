//! Files that nobody writes by hand: cut, mutated, oversized, or made to do harm. Each gets an answer, soon.

use moorline_definition::{CheckOptions, Checked, Severity, check, check_bytes, problems_json, render, router_config};

/// Checks, shows and reads back: none of it may panic, and what was accepted must make a valid configuration.
fn exercise(bytes: &[u8]) -> Checked {
    let checked = check_bytes("gateway.yaml", bytes, CheckOptions::default());
    let text = String::from_utf8_lossy(bytes);
    let shown = render(&checked.problems, "gateway.yaml", &text, false);
    assert_eq!(shown.is_empty(), checked.problems.is_empty());
    assert!(problems_json(&checked.problems, "gateway.yaml").is_object());
    assert_eq!(checked.definition.is_none(), checked.has_errors(), "{:?}", checked.problems);
    let starts: Vec<usize> = checked.problems.iter().map(|problem| problem.span.start).collect();
    assert!(starts.is_sorted(), "{starts:?}");
    if let Some(definition) = &checked.definition {
        let uplink = router_config::Uplink { host: "h".to_owned(), port: "443".to_owned() };
        let options = router_config::GatewayOptions {
            hostname: "h".to_owned(),
            site_id: "id".to_owned(),
            version: "1".to_owned(),
            platform: "kubernetes".to_owned(),
            config_dir: "/c".to_owned(),
        };
        let config = router_config::from_definition(definition, &uplink, &options);
        let read = router_config::parse(&config.to_json(), &|_| None);
        assert_eq!(read.map(|read| read.to_json()), Ok(config.to_json()));
    }
    checked
}

fn only(bytes: &[u8]) -> (usize, usize, String) {
    let checked = exercise(bytes);
    assert_eq!(checked.problems.len(), 1, "{:?}", checked.problems);
    let problem = &checked.problems[0];
    assert_eq!(problem.severity, Severity::Error);
    (problem.span.line, problem.span.column, problem.message.clone())
}

/// The numbers of a small linear generator: the same on every run.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % limit.max(1)
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/definitions");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

#[test]
fn every_cut_of_a_file_gets_an_answer() {
    for seed in seeds() {
        for end in 0..seed.len() {
            exercise(&seed[..end]);
        }
    }
}

/// One of the seeds with some of its bytes changed.
pub(crate) fn mutated(seeds: &[Vec<u8>], numbers: &mut Numbers) -> Vec<u8> {
    let scraps: [&[u8]; 18] = [
        b"\t",
        b"&a ",
        b"*a",
        b"<<: *a\n",
        b"- ",
        b": ",
        b"? ",
        b"[",
        b"}",
        b"\"",
        b"|\n",
        b"!!int ",
        b"---\n",
        b"\0",
        b"\xff",
        b"-99999999999999999999",
        b"\xef\xbb\xbf",
        b"\r",
    ];
    let mut bytes = seeds[numbers.below(seeds.len())].clone();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len());
        match numbers.below(4) {
            0 => bytes[at] = u8::try_from(numbers.below(256)).unwrap(),
            1 => drop(bytes.drain(at..(at + numbers.below(30)).min(bytes.len()))),
            2 => drop(bytes.splice(at..at, scraps[numbers.below(scraps.len())].iter().copied())),
            _ => {
                let from = numbers.below(bytes.len());
                let copied = bytes[from..(from + numbers.below(60)).min(bytes.len())].to_vec();
                drop(bytes.splice(at..at, copied));
            }
        }
        if bytes.is_empty() {
            bytes.push(b'x');
        }
    }
    bytes
}

#[test]
fn mutated_files_get_an_answer() {
    let seeds = seeds();
    let mut numbers = Numbers::new(1);
    for _ in 0..3000 {
        exercise(&mutated(&seeds, &mut numbers));
    }
}

#[test]
fn mutated_router_configurations_get_an_answer() {
    let seed = include_str!("../golden/skupper-podman-site.json");
    let scraps = ["\"", "[", "{", "}", ",", "$X", "${", "{{.A}}", "\n#", "\\", "null", "1e99", "é"];
    let mut numbers = Numbers::new(2);
    for _ in 0..2000 {
        let mut text = seed.to_owned();
        for _ in 0..=numbers.below(3) {
            let at = text.floor_char_boundary(numbers.below(text.len()));
            if numbers.below(2) == 0 {
                text.insert_str(at, scraps[numbers.below(scraps.len())]);
            } else {
                let end = text.floor_char_boundary((at + numbers.below(20)).min(text.len())).max(at);
                text.replace_range(at..end, "");
            }
        }
        match router_config::parse(&text, &|_| Some("\"v\\".to_owned())) {
            Ok(config) => assert_eq!(
                router_config::parse(&config.to_json(), &|_| None).map(|read| read.to_json()).unwrap_or_default().len(),
                config.to_json().len()
            ),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

#[test]
fn files_that_are_not_text_are_refused() {
    assert_eq!(
        only(b"name: db\nx: \xff\n"),
        (2, 4, "the file is not UTF-8 text: byte 0xff is not part of any character".to_owned())
    );
    assert_eq!(only(b"\xff\xfen\0a\0"), (1, 1, "the file is UTF-16; save it as UTF-8".to_owned()));
    assert_eq!(only(b"name: d\0b\n"), (1, 8, "a NUL byte is not allowed in a definition".to_owned()));
    assert_eq!(only(b"# \x1b[0m\n"), (1, 3, "the control character U+001B is not allowed in a definition".to_owned()));
    assert_eq!(only(b""), (1, 1, "gateway.yaml holds no definition".to_owned()));
    assert_eq!(only(b"# nothing\n---\n"), (1, 1, "gateway.yaml holds no definition".to_owned()));
    let long = vec![b'#'; moorline_definition::LARGEST_FILE + 1];
    assert_eq!(only(&long), (1, 1, "the file is 1048577 bytes long; a definition has at most 1048576".to_owned()));
}

#[test]
fn marks_and_line_ends_of_other_systems_are_fine() {
    let text = "\u{feff}name: db\r\nbindings:\r\n  - host: localhost\r\n    service:\r\n      address: d:1\r\n      \
                protocol: tcp\r\n      ports: [1]\r\n";
    assert_eq!(exercise(text.as_bytes()).problems, []);
    let (line, column, message) = only(text.replace("tcp", "udp").as_bytes());
    assert_eq!((line, column), (6, 17), "{message}");
}

#[test]
fn one_document_and_nothing_deep() {
    let (line, column, message) = only(b"name: a\n---\nname: b\n");
    assert_eq!((line, column), (2, 1));
    assert_eq!(message, "a definition file holds one document, and another one starts here");
    for deep in [format!("name: {}", "[".repeat(5000)), format!("name:\n {}x", "- ".repeat(5000))] {
        let (.., message) = only(deep.as_bytes());
        assert_eq!(message, "lists and mappings are nested deeper than 64 levels");
    }
    let allowed = format!("name: db\nbindings: []\nx: {}{}\n", "[".repeat(60), "]".repeat(60));
    assert!(exercise(allowed.as_bytes()).definition.is_some());
}

#[test]
fn aliases_are_values_and_bombs_are_not() {
    let text = "name: db\nx-service: &s {protocol: tcp, ports: [1]}\nbindings:\n\
                - {name: a, host: localhost, service: {<<: *s, address: \"a:1\"}}\n\
                - {name: b, host: localhost, service: {address: \"b:1\", ports: [2], <<: *s}}\n";
    let definition = exercise(text.as_bytes()).definition.unwrap();
    let ports: Vec<u16> = definition.bindings.iter().map(|binding| binding.port.get()).collect();
    assert_eq!(ports, [1, 2]);

    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..40 {
        let previous = format!("*a{}, ", level - 1).repeat(9);
        bomb.push_str(&format!("a{level}: &a{level} [{previous}]\n"));
    }
    let (.., message) = only(bomb.as_bytes());
    assert_eq!(message, "more than 100000 values, aliases counted as what they stand for");
    assert_eq!(only(b"name: *nobody\n"), (1, 7, "this alias names no anchor".to_owned()));
    assert_eq!(only(b"name: &a [*a]\n"), (1, 11, "this alias stands for a value that contains it".to_owned()));
}

#[test]
fn a_flood_of_problems_is_cut_short() {
    let text = format!("name: db\nbindings:\n{}", "- {}\n".repeat(30_000));
    let checked = exercise(text.as_bytes());
    assert!(checked.problems.len() <= 201);
    let last = checked.problems.last().unwrap();
    assert!(last.message.ends_with(" more problems are not listed"), "{}", last.message);
    // Warnings stay warnings, however many there are.
    let keys: String = (0..20_000).map(|n| format!("k{n}: 1\n")).collect();
    let checked = exercise(format!("name: db\n{keys}").as_bytes());
    assert!(checked.definition.is_some());
}

#[test]
fn a_file_of_one_long_line_gets_an_answer() {
    let binding = "{host: localhost, service: {address: \"a:1\", protocol: udp, tlscertauthority: x}}, ";
    let text = format!("{{name: db, bindings: [{}]}}", binding.repeat(4000));
    exercise(text.as_bytes());
}

#[test]
fn a_parse_error_is_where_the_file_is_wrong() {
    let (line, _, message) = only(b"name: db\nbindings: [\n  {name: x\n");
    assert!(line >= 3, "{line}");
    assert!(message.starts_with("invalid YAML: "), "{message}");
    let checked = check("f", "name: \"db\nbindings: []\n", CheckOptions::default());
    assert!(checked.problems[0].message.starts_with("invalid YAML: "), "{:?}", checked.problems);
}
