//! Gateways that run: what they say, serve and leave behind.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use crate::support::{Place, Running, assert_private, free_port};
use serde_json::Value;

/// A hub, a server bound by the gateway `far`, a forward of it by the gateway `near`.
struct Network {
    place: Place,
    hub: Running,
    far: Running,
    near: Running,
    forward: u16,
}

impl Network {
    fn start(near_options: &[&str]) -> Self {
        let place = Place::new();
        let listen = format!("127.0.0.1:{}", free_port());
        let hub = Running::start(place.command(&["hub", "run", "--listen", &listen]));
        hub.says("listens for gateways on ");
        assert_eq!(place.moorline(&["token", "create", "token.yaml"]).code, Some(0));
        place.definition("far", "bindings", echo_server());
        let forward = free_port();
        place.definition("near", "forwards", forward);
        let far = gateway(&place, "far", &[]);
        let near = gateway(&place, "near", near_options);
        near.says(&format!("listening on 127.0.0.1:{forward} for echo:7000"));
        Self { place, hub, far, near, forward }
    }

    fn client(&self) -> TcpStream {
        let client = TcpStream::connect(("127.0.0.1", self.forward)).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        client
    }
}

fn gateway(place: &Place, name: &str, options: &[&str]) -> Running {
    let file = format!("{name}.yaml");
    Running::start(place.command(&[&["gateway", "run", &file, "--token", "token.yaml"], options].concat()))
}

/// Sends back what it gets, on the port that it answers.
fn echo_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            thread::spawn(move || {
                let _ = std::io::copy(&mut client.try_clone().unwrap(), &mut client);
                let _ = client.shutdown(Shutdown::Write);
            });
        }
    });
    port
}

fn exchange(client: &mut TcpStream, words: &[u8]) {
    client.write_all(words).unwrap();
    let mut came = vec![0; words.len()];
    client.read_exact(&mut came).unwrap();
    assert_eq!(came, words);
}

#[test]
fn gateways_say_what_they_serve_and_leave_nothing_behind() {
    let mut network = Network::start(&[]);
    let id = network.near.says("gateway \"near\" runs as skupper-gateway-");
    assert!(id.ends_with("-near"), "{id}");
    network.near.says(&format!("forward echo:7000 <- 127.0.0.1:{}", network.forward));
    network.near.says("linked to 127.0.0.1:");
    network.far.says("binding echo:7000 -> 127.0.0.1:");
    let edge = network.hub.says("gateway linked: skupper-gateway-");
    assert!(edge.contains(" from 127.0.0.1:"), "{edge}");

    let files = network.place.path("run/moorline/near");
    assert_private(&network.place.path("run/moorline"));
    for file in ["ca.crt", "tls.crt", "tls.key"] {
        assert!(files.join("skupper-router-certs/conn1-profile").join(file).exists());
    }
    assert!(files.join("config/skrouterd.json").exists());

    exchange(&mut network.client(), b"through the network");
    let line = network.near.says(" access: connection ended");
    for words in ["address=echo:7000", "bytes_in=19", "bytes_out=19"] {
        assert!(line.contains(words), "{line}");
    }
    network.near.end();
    network.far.end();
    network.hub.says("gateway gone: skupper-gateway-");
    network.hub.end();
    assert_eq!(fs::read_dir(network.place.path("run/moorline")).unwrap().count(), 0);
    for said in [network.near.said(), network.far.said(), network.hub.said()] {
        assert!(!said.contains("PRIVATE KEY") && !said.contains("warning") && !said.contains("ERROR"), "{said}");
    }
}

#[test]
fn open_connections_may_finish_and_new_ones_are_refused() {
    let mut network = Network::start(&["--drain-timeout", "15"]);
    let mut client = network.client();
    exchange(&mut client, b"before");
    network.near.signal("TERM");
    network.near.says("SIGTERM: stopping; 1 open connection may finish within 15 s");
    network.near.says("no longer listening for echo:7000");
    assert!(TcpStream::connect(("127.0.0.1", network.forward)).is_err());
    exchange(&mut client, b"while it stops");
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    drop(client);
    assert!(network.near.ended().success());
    network.near.says("stopped");
    assert!(!network.place.path("run/moorline/near").exists());
}

#[test]
fn the_deadline_and_a_second_signal_cut_what_does_not_finish() {
    let mut network = Network::start(&["--drain-timeout", "1"]);
    let mut client = network.client();
    exchange(&mut client, b"stays open");
    network.near.end();
    network.near.says("1 connection did not finish in time and were cut");

    network.near = gateway(&network.place, "near", &["--drain-timeout", "60"]);
    network.near.says("listening on ");
    let mut client = network.client();
    exchange(&mut client, b"stays open");
    network.near.signal("INT");
    network.near.says("SIGINT: stopping");
    network.near.signal("INT");
    assert!(network.near.ended().success());
    network.near.says("stopped at once");
    assert!(!network.place.path("run/moorline/near").exists());
}

#[test]
fn a_gateway_runs_once_and_again_after_a_crash() {
    let mut network = Network::start(&[]);
    let again = network.place.moorline(&["gateway", "run", "near.yaml", "--token", "token.yaml"]);
    again.refused(1, &format!("gateway \"near\" runs already: process {}", network.near.pid()));
    assert!(network.place.path("run/moorline/near/config/skrouterd.json").exists());

    network.near.signal("KILL");
    network.near.ended();
    network.near = gateway(&network.place, "near", &[]);
    network.near.says("listening on ");
    exchange(&mut network.client(), b"as if nothing had happened");
    network.near.end();
    assert!(!network.place.path("run/moorline/near").exists());
}

#[test]
fn a_gateway_links_again_when_the_hub_is_back() {
    let mut network = Network::start(&[]);
    let listen = network.hub.says("listens for gateways on ");
    let listen = listen.split_whitespace().find_map(|word| word.strip_suffix(',')).unwrap().to_owned();
    network.hub.signal("KILL");
    network.hub.ended();
    network.near.says("no longer linked to ");
    network.near.says("no longer listening for echo:7000");
    network.hub = Running::start(network.place.command(&["hub", "run", "--listen", &listen]));
    network.hub.says("listens for gateways on ");
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while network.near.said().matches("\nlistening on ").count() < 2 {
        assert!(std::time::Instant::now() < deadline, "{}", network.near.said());
        thread::sleep(Duration::from_millis(20));
    }
    exchange(&mut network.client(), b"back again");
}

#[test]
fn logs_can_be_json() {
    let network = Network::start(&["--log-format", "json", "--log-level", "info"]);
    exchange(&mut network.client(), b"counted");
    let line = network.near.says("\"target\":\"access\"");
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["address"], "echo:7000");
    assert_eq!(line["bytes_in"], 7);
    assert_eq!(line["level"], "INFO");
}

#[test]
fn a_state_directory_keeps_the_gateways_identity_and_nothing_else() {
    let mut network = Network::start(&["--state-dir", "kept", "--router-id-suffix", "mine"]);
    network.near.says("runs as skupper-gateway-mine");
    let site_id = fs::read_to_string(network.place.path("kept/near/site-id")).unwrap();
    let config = network.place.path("kept/near/config/skrouterd.json");
    assert!(fs::read_to_string(&config).unwrap().contains(site_id.trim()));
    network.near.end();
    let left: Vec<_> = fs::read_dir(network.place.path("kept/near")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["site-id"]);
    network.near = gateway(&network.place, "near", &["--state-dir", "kept"]);
    network.near.says("listening on ");
    assert!(fs::read_to_string(&config).unwrap().contains(site_id.trim()));
}

#[test]
fn a_hub_refuses_the_token_of_another_and_the_gateway_says_so() {
    let network = Network::start(&[]);
    let port = network.hub.says("listens for gateways on ");
    let port = port.split("127.0.0.1:").nth(1).unwrap().split(',').next().unwrap().to_owned();
    let other = Place::new();
    let hub = Running::start(other.command(&["hub", "run", "--listen", &format!("127.0.0.1:{}", free_port())]));
    hub.says("listens for gateways on ");
    let made = other.moorline(&["token", "create", "token.yaml", "--host", "127.0.0.1", "--port", &port]);
    assert_eq!(made.code, Some(0));
    other.definition("stranger", "forwards", free_port());
    let stranger = gateway(&other, "stranger", &[]);
    stranger.says("cannot link to the network");
    network.hub.says("refused a client");
    assert!(!network.hub.said().contains("stranger"), "{}", network.hub.said());
}

#[test]
fn the_router_verb_runs_the_files_that_the_others_write() {
    let mut network = Network::start(&[]);
    network.hub.end();
    let config = network.place.path("state/moorline/hub/config/skrouterd.json");
    network.hub = Running::start(network.place.command(&["router", "-c", config.to_str().unwrap()]));
    network.hub.says("runs as a hub");
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while network.near.said().matches("\nlistening on ").count() < 2 {
        assert!(std::time::Instant::now() < deadline, "{}", network.near.said());
        thread::sleep(Duration::from_millis(20));
    }
    exchange(&mut network.client(), b"over skrouterd.json");

    // An edge, with the variables that Skupper's templates have.
    let near = network.place.path("run/moorline/near");
    let template = fs::read_to_string(near.join("config/skrouterd.json")).unwrap();
    let port = free_port();
    let template = template
        .replace(near.to_str().unwrap(), "${QDR_CONF_DIR}")
        .replace(&network.forward.to_string(), &port.to_string())
        .replace("127.0.0.1-near", "${HOSTNAME}");
    let id = template.lines().find(|line| line.contains("\"id\": \"skupper-gateway-")).unwrap().to_owned();
    let template = template.replace(&id, "\"id\": \"skupper-gateway-${HOSTNAME}-edge\",");
    let file = network.place.write("edge.json", &format!("# written by a test\n{template}"));
    let mut command = network.place.command(&["router", "-c", file.to_str().unwrap(), "-v"]);
    command.env("QDR_CONF_DIR", &near);
    let mut edge = Running::start(command);
    edge.says("runs as an edge");
    edge.says("listening listener=echo");
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    exchange(&mut client, b"over an edge's skrouterd.json");
    drop(client);
    edge.end();
}
