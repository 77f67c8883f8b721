//! The files in `examples/`: each is good, and what they promise about PostgreSQL is true.

use std::fs;
use std::path::{Path, PathBuf};

use moorline_tests::command::{run, stderr};
use moorline_tests::network::{Gateway, Hub};
use moorline_tests::peer::connect_when_open;
use moorline_tests::ports::free_port;
use moorline_tests::postgres::{Postgres, psql};
use moorline_tests::scratch::Scratch;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("examples")
}

fn text_of(name: &str) -> String {
    fs::read_to_string(examples().join(name)).unwrap()
}

#[test]
fn every_example_is_good() {
    let home = Scratch::new();
    let mut checked = 0;
    for entry in fs::read_dir(examples()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let output = run(&home, ["gateway".as_ref(), "check".as_ref(), path.as_os_str()]);
            assert_eq!(output.status.code(), Some(0), "{}: {}", path.display(), stderr(&output));
            checked += 1;
        }
    }
    assert!(checked >= 4, "{checked} examples");
}

/// Runs an example; only ports of this machine are other ones, so that tests do not meet each other.
fn run_example(hub: &Hub, text: &str) -> Gateway {
    let home = Scratch::new();
    hub.token(&home.join("token.yaml"));
    let mut gateway = Gateway::run(home, "example", text, &[]);
    gateway.process.wait_for(&["linked to"]);
    gateway
}

#[test]
fn the_database_example_and_the_forward_example_meet() {
    let server = Postgres::start();
    let (entry, amqp) = (free_port(), free_port());
    let hub = Hub::start();
    let port = server.port();
    let database = text_of("database.yaml")
        .replace("            - 5432", &format!("            - {port}"))
        .replace("        - 5432", &format!("        - {port}"))
        .replace("port: 5672", &format!("port: {amqp}"));
    assert!(database.contains("address: database:5432") && !database.contains("- 5432"), "{database}");
    let forward = text_of("forward.yaml").replace("- 15432", &format!("- {entry}"));
    assert!(forward.contains("address: database:5432") && !forward.contains("15432\n        "), "{forward}");

    let _database = run_example(&hub, &database);
    let mut client = run_example(&hub, &forward);
    client.process.wait_for(&["listening on", "database:5432"]);
    drop(connect_when_open(entry));
    assert_eq!(psql(entry, "SELECT current_setting('port')"), port.to_string());
}
