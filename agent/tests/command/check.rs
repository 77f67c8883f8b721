//! `moorline gateway check` as people and machines see it.

use std::time::{Duration, SystemTime};

use crate::support::Place;
use moorline_bundle::{Authority, Validity};
use serde_json::Value;

const BAD: &str = "name: Database\nbindings:\n  - service: {address: database, protocol: TCP, ports: [5432]}\n";

#[test]
fn a_good_definition_is_said_to_be_good() {
    let place = Place::new();
    let file = place.definition("database", "bindings", 5432);
    let ended = place.moorline(&["gateway", "check", file.to_str().unwrap()]);
    assert_eq!(ended.code, Some(0));
    assert_eq!(ended.out, format!("{}: good: 1 binding, 0 forwards\n", file.display()));
    assert_eq!(ended.err, "");
}

#[test]
fn it_says_where_http_services_work() {
    let place = Place::new();
    place.write(
        "web.yaml",
        "name: web\nbindings:\n\
         - {service: {address: 'shop:8080', protocol: http, ports: [8080]}, host: localhost}\n\
         - {service: {address: 'calls:8081', protocol: http2, ports: [8081]}, host: localhost}\n\
         - {service: {address: 'database:5432', protocol: tcp, ports: [5432]}, host: localhost}\n\
         forwards:\n\
         - {service: {address: 'shop:8080', protocol: http, ports: [8080]}, host: localhost}\n",
    );
    let ended = place.moorline(&["gateway", "check", "web.yaml"]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), "web.yaml: good: 3 bindings, 1 forward\n"), "{}", ended.err);
    assert!(ended.err.starts_with("note: calls:8081, shop:8080: "), "{}", ended.err);
    for words in ["only in networks of 2.x routers", "with 3.x routers use `protocol: tcp` at both ends"] {
        assert!(ended.err.contains(words), "{words:?} is not in:\n{}", ended.err);
    }
}

#[test]
fn the_examples_are_good() {
    let place = Place::new();
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");
    for file in std::fs::read_dir(examples).unwrap().map(|entry| entry.unwrap().path()) {
        let ended = place.moorline(&["gateway", "check", "--strict", file.to_str().unwrap()]);
        assert_eq!(ended.code, Some(0), "{}: {}", file.display(), ended.err);
    }
}

#[test]
fn every_problem_of_a_bad_definition_is_shown_with_its_line() {
    let place = Place::new();
    place.write("bad.yaml", BAD);
    let before = place.snapshot();
    let ended = place.moorline(&["gateway", "check", "bad.yaml"]);
    assert_eq!(ended.code, Some(2));
    assert_eq!(ended.out, "");
    for words in
        ["bad.yaml:1:7", "bad.yaml:3:", "address must be <name>:<port>", "did you mean", "bad.yaml: bad: 3 errors"]
    {
        assert!(ended.err.contains(words), "{words:?} is not in:\n{}", ended.err);
    }
    assert!(!ended.err.contains('\x1b'), "colours where nobody can see them");
    assert_eq!(place.snapshot(), before);
}

#[test]
fn machines_get_the_same_as_json() {
    let place = Place::new();
    place.write("bad.yaml", BAD);
    let bad = place.moorline(&["gateway", "check", "bad.yaml", "--output", "json"]);
    assert_eq!((bad.code, bad.err.as_str()), (Some(2), ""));
    let bad: Value = serde_json::from_str(&bad.out).unwrap();
    assert_eq!(bad["ok"], false);
    assert_eq!(bad["problems"][0]["line"], 1);

    let good = place.definition("database", "bindings", 5432);
    let good = place.moorline(&["gateway", "check", good.to_str().unwrap(), "-o", "json"]);
    assert_eq!(good.code, Some(0));
    assert_eq!(serde_json::from_str::<Value>(&good.out).unwrap()["ok"], true);
}

#[test]
fn a_file_that_is_not_there_is_said_plainly() {
    let place = Place::new();
    let words = "Failed to read gateway config file: open none.yaml: no such file or directory";
    place.moorline(&["gateway", "check", "none.yaml"]).refused(2, words);
    let json = place.moorline(&["gateway", "check", "none.yaml", "-o", "json"]);
    assert_eq!(json.code, Some(2));
    assert_eq!(serde_json::from_str::<Value>(&json.out).unwrap()["problems"][0]["message"], words);
    place.moorline(&["gateway", "check", "run"]).refused(2, "open run: is a directory");
}

#[test]
fn credentials_that_a_definition_names_must_be_good() {
    let place = Place::new();
    place.write(
        "tls.yaml",
        "name: tls\nforwards:\n  - name: a\n    host: 127.0.0.1\n    target_ports: [7443]\n    \
         service: {address: \"a:443\", protocol: tcp, ports: [7443], tlscredentials: shop}\n",
    );
    // What is wrong is said alike by both, before anything is connected to.
    let refused = |words: &str| {
        for verb in [&["gateway", "check"][..], &["gateway", "run", "--token", "none.yaml"]] {
            let arguments = [verb, &["tls.yaml", "--credentials-dir", "certs"]].concat();
            let ended = place.moorline(&arguments);
            assert_eq!(ended.code, Some(2), "{verb:?}");
            assert!(ended.err.contains(words), "{words:?} is not in:\n{}", ended.err);
        }
    };
    refused("tls.crt, tls.key, ca.crt not found");
    let now = SystemTime::now();
    let (authority, _) = Authority::open_or_create(&place.path("ca"), "shop-ca", now).unwrap();
    let folder = place.path("certs/shop");
    let issue = |begin| authority.issue_server(&["shop".to_owned()], Validity::starting(begin)).unwrap();
    issue(now).write_to(&folder).unwrap();
    let good = || place.moorline(&["gateway", "check", "tls.yaml", "--credentials-dir", "certs"]);
    assert_eq!((good().code, good().err.as_str()), (Some(0), ""));

    let key = std::fs::read(folder.join("tls.key")).unwrap();
    issue(now).write_to(&place.path("other")).unwrap();
    std::fs::copy(place.path("other/tls.key"), folder.join("tls.key")).unwrap();
    refused("certs/shop/tls.key cannot be used together: the key does not belong to the certificate");
    std::fs::write(
        folder.join("tls.key"),
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    )
    .unwrap();
    refused("certs/shop/tls.key is not a PEM private key: it is encrypted");
    std::fs::write(folder.join("tls.key"), &key).unwrap();
    std::fs::write(folder.join("ca.crt"), "nothing").unwrap();
    refused("certs/shop/ca.crt is not a PEM CA certificate");

    issue(now - Duration::from_secs(20 * 365 * 86_400)).write_to(&folder).unwrap();
    let expired = good();
    assert_eq!(expired.code, Some(0));
    assert!(expired.err.contains("certs/shop/tls.crt has expired since 20"), "{}", expired.err);
}

#[test]
fn options_change_how_a_definition_is_read() {
    let place = Place::new();
    place.write("odd.yaml", "name: odd\ncolour: blue\nqdr-listeners:\n  - {name: amqp, host: 0.0.0.0, port: 5672}\n");
    assert_eq!(place.moorline(&["gateway", "check", "odd.yaml"]).code, Some(2));
    let lenient = place.moorline(&["gateway", "check", "odd.yaml", "--allow-insecure-management"]);
    assert_eq!(lenient.code, Some(0), "{}", lenient.err);
    assert!(lenient.out.ends_with("good: 0 bindings, 0 forwards, 2 warnings\n"), "{}", lenient.out);
    let strict = place.moorline(&["gateway", "check", "odd.yaml", "--allow-insecure-management", "--strict"]);
    assert_eq!(strict.code, Some(2));
    let unknown = place.moorline(&["gateway", "check", "odd.yaml", "--compat", "skupper-0.1"]);
    assert_eq!(unknown.code, Some(2));
}
