//! Bad input: one clear error, exit code 2, and nothing changed on disk.

use std::fs;

use moorline_tests::authority::{Authority, Credentials};
use moorline_tests::command::{run, stderr};
use moorline_tests::scratch::Scratch;
use moorline_tests::tree::tree;

const GOOD: &str = "name: db\nbindings:\n  - host: localhost\n    service: {address: \"database:5432\", protocol: tcp, ports: [5432]}\n";

/// Runs `arguments` in `home`: exit code 2, all `words` on stderr, as many errors, and nothing changed.
fn refused(home: &Scratch, arguments: &[&str], words: &[&str], errors: usize) {
    let before = tree(home.path());
    let output = run(home, arguments);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{arguments:?} does not say {word:?}: {said}");
    }
    let found = said.lines().filter(|line| line.starts_with("error")).count();
    assert_eq!(found, errors, "{said}");
    assert_eq!(tree(home.path()), before, "{arguments:?} changed the disk");
}

#[test]
fn broken_definitions_are_refused_by_check_and_run() {
    let service = |text: &str| GOOD.replace("{address: \"database:5432\", protocol: tcp, ports: [5432]}", text);
    let cases: Vec<(String, &str, usize)> = vec![
        ("name: db\nbindings:\n\t- name: x\n".into(), "tabs are not allowed", 1),
        ("- name: db\n".into(), "top level must be a mapping", 1),
        ("bindings: []\n".into(), "name: required", 1),
        ("name: \"db; rm -rf ~\"\n".into(), "name: must match", 1),
        ("name: ../../etc/x\n".into(), "name: must match", 1),
        (service("{address: database, protocol: tcp, ports: [5432]}"), "address must be <name>:<port>", 1),
        (service("{address: \"database:99999\", protocol: tcp, ports: [5432]}"), "address port must be 1-65535", 1),
        (service("{address: \"database:5432\", protocol: TCP, ports: [5432]}"), "did you mean tcp?", 1),
        (service("{address: \"database:5432\", protocol: tcp, ports: [70000]}"), "port out of range", 1),
        (service("{address: \"database:5432\", protocol: tcp}"), "a local port is required", 1),
        // All problems at once.
        (service("{address: database, protocol: udp, ports: [0]}"), "unknown protocol \"udp\"", 3),
    ];
    for (text, words, errors) in cases {
        let home = Scratch::new();
        home.write("gateway.yaml", &text);
        home.write("token.yaml", &Authority::new("site").client("skupper").token("localhost", 1));
        refused(&home, &["gateway", "check", "gateway.yaml"], &[words, "gateway.yaml"], errors);
        refused(&home, &["gateway", "run", "gateway.yaml", "--token", "token.yaml"], &[words], errors);
    }
}

#[test]
fn a_definition_that_is_not_there_is_refused() {
    let home = Scratch::new();
    refused(&home, &["gateway", "check", "none.yaml"], &["none.yaml", "no such file"], 1);
}

fn with_token(token: &str) -> Scratch {
    let home = Scratch::new();
    home.write("gateway.yaml", GOOD);
    home.write("token.yaml", token);
    home
}

const RUN: [&str; 5] = ["gateway", "run", "gateway.yaml", "--token", "token.yaml"];

#[test]
fn damaged_and_foreign_tokens_are_refused() {
    let site = Authority::new("site");
    let good = site.client("skupper");
    let whole = good.token("localhost", 45671);
    for part in [1, whole.len() / 4, whole.len() / 2, whole.len() * 3 / 4] {
        refused(&with_token(&whole[..part]), &RUN, &["token.yaml"], 1);
    }
    refused(&with_token(""), &RUN, &["token.yaml"], 1);
    refused(&with_token(&whole.replace("localhost", "\"\"")), &RUN, &["host"], 1);

    let wrong_key = Credentials { key: site.client("skupper").key, ..good.clone() };
    refused(&with_token(&wrong_key.token("localhost", 45671)), &RUN, &["key"], 1);
    let foreign = Credentials { ca: Authority::new("other").client("x").ca, ..good };
    refused(&with_token(&foreign.token("localhost", 45671)), &RUN, &["signed"], 1);
    let expired = site.expired_client("skupper");
    refused(&with_token(&expired.token("localhost", 45671)), &RUN, &["expired"], 1);

    let home = with_token("");
    fs::remove_file(home.join("token.yaml")).unwrap();
    refused(&home, &RUN, &["token.yaml", "no such file"], 1);
}

#[test]
fn a_secret_is_never_said() {
    let good = Authority::new("site").client("skupper");
    let token = good.token("localhost", 45671);
    let encoded = token.lines().find_map(|line| line.trim().strip_prefix("tls.key: ")).unwrap();
    let wrong = Credentials { key: Authority::new("x").client("skupper").key, ..good.clone() };
    for text in [&token[..token.len() / 2], &wrong.token("localhost", 1), &token.replace("edge-port", "port")] {
        let said = stderr(&run(&with_token(text), RUN));
        assert!(!said.contains(&encoded[..40]) && !said.contains("PRIVATE"), "{said}");
    }
}

#[test]
fn a_bad_router_file_is_refused() {
    let home = Scratch::new();
    home.write("skrouterd.json", "[[\"router\", {\"mode\": \"edge\"");
    refused(&home, &["router", "-c", "skrouterd.json"], &["skrouterd.json"], 1);
    refused(&home, &["router", "-c", "none.json"], &["none.json"], 1);
}

#[test]
fn a_token_is_not_made_where_there_is_no_hub_and_never_overwrites() {
    let home = Scratch::new();
    refused(&home, &["token", "create", "token.yaml", "--state-dir", "nothing"], &["no hub was ever started"], 1);
    home.write("token.yaml", "mine");
    refused(&home, &["token", "create", "token.yaml", "--state-dir", "nothing"], &["no hub"], 1);
    assert_eq!(fs::read_to_string(home.join("token.yaml")).unwrap(), "mine");
}

#[test]
fn bad_options_are_refused() {
    let home = Scratch::new();
    for arguments in [&["hub", "run", "--listen", "nowhere"][..], &["gateway", "rn"], &["token", "create"]] {
        let before = tree(home.path());
        let output = run(&home, arguments);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert_eq!(tree(home.path()), before);
    }
}
