//! `moorline doctor`: what it sees, says and leaves alone.

use std::net::TcpListener;

use serde_json::Value;

use crate::support::{Place, Running, free_port};

fn finding<'a>(all: &'a Value, subject: &str) -> &'a Value {
    let list = all["findings"].as_array().unwrap();
    list.iter().find(|finding| finding["subject"] == subject).unwrap_or_else(|| panic!("no {subject} in {all}"))
}

fn look(place: &Place) -> Value {
    let ended = place.moorline(&["doctor", "gate.yaml", "--token", "token.yaml", "--output", "json"]);
    serde_json::from_str(&ended.out).unwrap()
}

#[test]
fn the_way_to_the_network_and_what_is_on_it() {
    let place = Place::new();
    let port = free_port();
    let mut hub = Running::start(place.command(&["hub", "run", "--listen", &format!("127.0.0.1:{port}")]));
    hub.says("listens for gateways on ");
    place.moorline(&["token", "create", "token.yaml", "--host", "localhost"]);
    let (server, entry) = (TcpListener::bind("127.0.0.1:0").unwrap(), free_port());
    let served = server.local_addr().unwrap().port();
    place.write(
        "gate.yaml",
        &format!(
            "name: gate\nbindings:\n  - name: there\n    host: 127.0.0.1\n    service: {{address: there:1, protocol: tcp, \
             ports: [{served}]}}\n    target_ports: [{served}]\nforwards:\n  - name: entry\n    host: 127.0.0.1\n    service: \
             {{address: else:1, protocol: tcp, ports: [{entry}]}}\n    target_ports: [{entry}]\n"
        ),
    );
    let before = place.snapshot();
    let (network, door) = (format!("network localhost:{port}"), format!("port {entry}"));
    let all = look(&place);
    for good in [network.as_str(), &door, "server of there:1", "certificates of the link", "space"] {
        assert_eq!(finding(&all, good)["verdict"], "good", "{all}");
    }

    let occupied = TcpListener::bind(("127.0.0.1", entry)).unwrap();
    let all = look(&place);
    let taken = finding(&all, &door);
    assert_eq!(taken["verdict"], "bad");
    assert!(taken["words"].as_str().unwrap().contains(&format!("pid {}", std::process::id())), "{taken}");
    // Nothing is installed when a port is taken, whatever keeps services here.
    let apply = place.moorline(&["gateway", "apply", "gate.yaml", "--token", "token.yaml"]);
    apply.refused(1, &format!("127.0.0.1:{entry} is in use by "));
    drop((occupied, server));
    assert!(place.snapshot() == before, "it changed something");

    hub.end();
    let all = look(&place);
    assert_eq!(finding(&all, "server of there:1")["verdict"], "warning");
    let gone = finding(&all, &network);
    assert_eq!(gone["verdict"], "bad");
    assert!(gone["words"].as_str().unwrap().contains("connection refused by 127.0.0.1"), "{gone}");
}

#[test]
fn a_network_that_does_not_know_the_token() {
    let place = Place::new();
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let hub = Running::start(place.command(&["hub", "run", "--listen", &listen]));
    hub.says("listens for gateways on ");
    let other = Place::new();
    let stranger = Running::start(other.command(&["hub", "run", "--listen", &format!("127.0.0.1:{}", free_port())]));
    stranger.says("listens for gateways on ");
    let token = place.path("token.yaml");
    let words = ["token", "create", token.to_str().unwrap(), "--host", "localhost", "--port", &port.to_string()];
    other.moorline(&words);
    place.definition("gate", "bindings", free_port());
    let all = look(&place);
    let refused = finding(&all, &format!("network localhost:{port}"));
    assert_eq!(refused["verdict"], "bad");
    assert!(refused["words"].as_str().unwrap().starts_with("no TLS with 127.0.0.1"), "{refused}");
}
