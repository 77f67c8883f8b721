//! Bad input: one clear error, exit code 2, nothing changed on disk.

use std::fs;

use crate::support::{Place, tokens};

fn run(place: &Place, definition: &str, token: &str) -> crate::support::Ended {
    place.moorline(&["gateway", "run", definition, "--token", token])
}

fn refused_token(name: &str, content: &str, words: &str) {
    let place = Place::new();
    place.definition("good", "bindings", 5432);
    let file = format!("{name}.token");
    place.write(&file, content);
    let before = place.snapshot();
    run(&place, "good.yaml", &file).refused(2, words);
    assert_eq!(place.snapshot(), before, "{name} changed something on disk");
}

#[test]
fn a_token_that_was_cut_off_is_refused_wherever_it_was_cut() {
    let token = tokens::good();
    for eighth in 0..8 {
        refused_token("cut", &token[..token.len() * eighth / 8], "copy it again");
    }
}

#[test]
fn a_token_whose_key_belongs_to_another_certificate_is_refused() {
    refused_token("key", &tokens::with_foreign("tls.key"), "`tls.key` is not the private key of the certificate");
}

#[test]
fn a_token_whose_certificate_another_authority_signed_is_refused() {
    refused_token("foreign", &tokens::with_foreign("ca.crt"), "is not signed by the authority in `ca.crt`");
}

#[test]
fn an_expired_token_is_refused() {
    refused_token("expired", &tokens::expired(), "expired on");
}

#[test]
fn a_token_that_is_not_there_is_said_plainly() {
    let place = Place::new();
    place.definition("good", "bindings", 5432);
    run(&place, "good.yaml", "none.token")
        .refused(2, "Failed to read link token: open none.token: no such file or directory");
}

#[test]
fn definition_and_token_are_both_reported() {
    let place = Place::new();
    place.write("bad.yaml", "name: A_b\n");
    place.write("bad.token", "kind: Pod\n");
    let before = place.snapshot();
    let ended = run(&place, "bad.yaml", "bad.token");
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("bad.yaml:1:7"), "{}", ended.err);
    assert!(ended.err.contains("`kind` is Pod, not Secret"), "{}", ended.err);
    assert_eq!(place.snapshot(), before);
}

#[test]
fn a_forward_whose_port_is_taken_ends_the_start_and_leaves_nothing() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    place.definition("taken", "forwards", port);
    place.write("good.token", &tokens::good());
    let ended = run(&place, "taken.yaml", "good.token");
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.err.contains(&format!("127.0.0.1:{port} is in use by ")), "{}", ended.err);
    assert!(!place.path("run/moorline/taken").exists());
}

#[test]
fn the_router_says_what_is_wrong_with_its_file_and_where() {
    let place = Place::new();
    place.moorline(&["router", "-c", "none.json"]).refused(2, "open none.json: no such file or directory");
    place.write("cut.json", "[\n    [\"router\", {\"id\": \"a\", \"mode\"");
    place.moorline(&["router", "-c", "cut.json"]).refused(2, "cut.json: line 2, column ");
    place.write("variable.json", "[\n    [\"router\", {\"id\": \"${NOWHERE_SET}\", \"mode\": \"edge\"}]\n]\n");
    place.moorline(&["router", "-c", "variable.json"]).refused(2, "line 2, column 24: variable NOWHERE_SET is not set");
    place.write(
        "attributes.json",
        "[[\"router\", {\"id\": \"a\", \"mode\": \"odd\"}],\n[\"tcpListener\", {\"name\": \"b\"}]]",
    );
    let ended = place.moorline(&["router", "-c", "attributes.json"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("attributes.json: line 1: router \"a\": mode"), "{}", ended.err);
    assert!(ended.err.contains("attributes.json: line 2: tcpListener \"b\": port: required"), "{}", ended.err);
}

#[test]
fn a_command_line_that_makes_no_sense_ends_with_2() {
    let place = Place::new();
    let cases: [&[&str]; 6] = [
        &[],
        &["gateway", "run", "a.yaml"],
        &["gateway", "run", "a.yaml", "--token", "t", "--router-id-suffix", "a b"],
        &["hub", "run", "--listen", "45671"],
        &["hub", "run", "--host", "https://hub"],
        &["token", "create", "t.yaml", "--port", "0"],
    ];
    for arguments in cases {
        assert_eq!(place.moorline(arguments).code, Some(2), "{arguments:?}");
    }
}

#[test]
fn no_bad_definition_changes_anything_on_disk() {
    let place = Place::new();
    place.write("good.token", &tokens::good());
    let service = |service: &str| format!("name: a\nbindings:\n  - host: localhost\n    service: {service}\n");
    let bad = [
        "name: a\nbindings:\n\t- service: {}\n".to_owned(),
        "- name: a\n".to_owned(),
        "bindings: []\n".to_owned(),
        "name: \"db; rm -rf ~\"\n".to_owned(),
        "name: ../../etc/x\n".to_owned(),
        "name: a\nname: b\n".to_owned(),
        "name: a\nqdr-listeners: [{name: amqp, host: 0.0.0.0, port: 5672}]\n".to_owned(),
        service("{protocol: tcp, ports: [1]}"),
        service("{address: \"a:99999\", protocol: tcp, ports: [1]}"),
        service("{address: \"a:1\", protocol: udp, ports: [1]}"),
        service("{address: \"a:1\", protocol: tcp}"),
        service("{address: \"a:1\", protocol: tcp, ports: [70000]}"),
        service("{address: \"a:1\", protocol: tcp, ports: [80, 443]}"),
        "\u{0}".to_owned(),
        String::new(),
    ];
    for text in bad {
        place.write("bad.yaml", &text);
        let before = place.snapshot();
        let ended = run(&place, "bad.yaml", "good.token");
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{text:?}: {}", ended.err);
        assert!(ended.err.starts_with("error"), "{text:?}: {}", ended.err);
        assert_eq!(place.snapshot(), before, "{text:?}");
    }
}

#[test]
fn the_directory_where_a_bundle_was_unpacked_is_no_gateway_to_adopt() {
    let place = Place::new();
    fs::create_dir_all(place.path("unpacked/config")).unwrap();
    fs::create_dir_all(place.path("unpacked/service")).unwrap();
    place.write("unpacked/config/skrouterd.json", r#"[["router", {"id": "db", "mode": "edge"}]]"#);
    place.write("unpacked/service/db.service", "[Unit]\n");
    let before = place.snapshot();
    // It says whose it is; what runs would be in the place of that.
    let ended = place.moorline(&["gateway", "adopt", "unpacked", "--dry-run"]);
    ended.refused(2, "Skupper's tools made no gateway \"unpacked\"");
    assert_eq!(place.snapshot(), before);
}
