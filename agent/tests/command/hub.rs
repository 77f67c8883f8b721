//! The hub's state and the tokens that it issues.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::SystemTime;

use crate::support::{Place, Running, assert_private, free_port};
use moorline_bundle::LinkToken;

fn hub(place: &Place, port: u16, more: &[&str]) -> Running {
    let listen = format!("127.0.0.1:{port}");
    let hub = Running::start(place.command(&[&["hub", "run", "--listen", &listen], more].concat()));
    hub.says("listens for gateways on ");
    hub
}

fn token(place: &Place, name: &str) -> LinkToken {
    LinkToken::parse(name, &fs::read(place.path(name)).unwrap(), SystemTime::now()).unwrap()
}

#[test]
fn all_that_a_hub_keeps_is_its_owners_alone() {
    let place = Place::new();
    let mut hub = hub(&place, free_port(), &[]);
    assert_private(&place.path("state/moorline"));
    hub.end();
    assert_private(&place.path("state/moorline"));
    assert!(!hub.said().contains("PRIVATE KEY"));
}

#[test]
fn a_hub_keeps_its_authority_and_renews_its_certificate_when_names_are_added() {
    let place = Place::new();
    let certificate = place.path("state/moorline/hub/skupper-router-certs/moorline-hub/tls.crt");
    let authority = place.path("state/moorline/hub/authority/ca.crt");
    let port = free_port();
    hub(&place, port, &[]).end();
    let (first, root) = (fs::read(&certificate).unwrap(), fs::read(&authority).unwrap());
    hub(&place, port, &[]).end();
    assert_eq!(fs::read(&certificate).unwrap(), first, "renewed without need");
    let mut named = hub(&place, port, &["--host", "hub.example.com"]);
    assert!(named.says("its certificate names ").contains("hub.example.com"));
    named.end();
    let second = fs::read(&certificate).unwrap();
    assert_ne!(second, first);
    hub(&place, port, &[]).end();
    assert_eq!(fs::read(&certificate).unwrap(), second, "a name was forgotten");
    assert_eq!(fs::read(&authority).unwrap(), root);
}

#[test]
fn one_hub_at_a_time_uses_a_state_directory() {
    let place = Place::new();
    let hub = hub(&place, free_port(), &[]);
    let other = place.moorline(&["hub", "run", "--listen", &format!("127.0.0.1:{}", free_port())]);
    other.refused(1, &format!("process {}", hub.pid()));
}

#[test]
fn a_token_is_its_owners_alone_and_leads_to_the_hub() {
    let place = Place::new();
    let port = free_port();
    let _hub = hub(&place, port, &["--host", "hub.example.com"]);
    let ended = place.moorline(&["token", "create", "a.yaml"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(ended.out, "Connection token written to a.yaml \n");
    let mode = fs::metadata(place.path("a.yaml")).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode, 0o600);
    let made = token(&place, "a.yaml");
    assert_eq!(made.edge.to_string(), format!("hub.example.com:{port}"));
    assert_eq!(made.inter_router, Some(made.edge.clone()));
    assert_eq!(made.credentials.common_name(), "skupper");

    let ended =
        place.moorline(&["token", "create", "b.yaml", "--host", "127.0.0.1", "--port", "443", "--name", "shop"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    let made = token(&place, "b.yaml");
    assert_eq!(made.edge.to_string(), "127.0.0.1:443");
    assert_eq!((made.name.as_str(), made.credentials.common_name()), ("shop", "shop"));
}

#[test]
fn a_token_replaces_a_file_only_by_force() {
    let place = Place::new();
    let _hub = hub(&place, free_port(), &[]);
    place.write("token.yaml", "mine");
    place.moorline(&["token", "create", "token.yaml"]).refused(2, "token.yaml exists; --force replaces it");
    assert_eq!(fs::read(place.path("token.yaml")).unwrap(), b"mine");
    assert_eq!(place.moorline(&["token", "create", "token.yaml", "--force"]).code, Some(0));
    token(&place, "token.yaml");
}

#[test]
fn a_token_for_a_name_that_the_certificate_lacks_says_what_to_do() {
    let place = Place::new();
    let port = free_port();
    let mut running = hub(&place, port, &[]);
    let ended = place.moorline(&["token", "create", "token.yaml", "--host", "other.example.com"]);
    assert_eq!(ended.code, Some(0));
    assert!(ended.err.contains("does not name other.example.com yet"), "{}", ended.err);
    assert!(ended.err.contains("--listen 0.0.0.0:"), "{}", ended.err);
    running.end();
    let again = hub(&place, port, &[]);
    assert!(again.says("its certificate names ").contains("other.example.com"));
}

#[test]
fn without_a_hub_there_is_no_token() {
    let place = Place::new();
    let before = place.snapshot();
    place.moorline(&["token", "create", "token.yaml"]).refused(2, "start it with `moorline hub run`");
    place
        .moorline(&["token", "create", "token.yaml", "--state-dir", "there"])
        .refused(2, "`moorline hub run --state-dir there`");
    assert_eq!(place.snapshot(), before);
}
