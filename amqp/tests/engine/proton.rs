//! The engine against qpid-proton, the library of the network's own routers. Runs when the environment variable
//! `PYTHON_PROTON` names a python that can import `proton`.

use crate::support::driver::{Broker, Client, Shared, config, drive, now, server};
use moorline_amqp::connection::Closed;
use moorline_amqp::{Connection, DeliveryState, Sasl};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout, Command};

const SIZES: [usize; 3] = [1, 10 * 1024, 1024 * 1024];

/// The peer with its output, or a note that there is none.
fn peer(arguments: &[&str]) -> Option<(Child, Lines<BufReader<ChildStdout>>)> {
    let Some(python) = std::env::var_os("PYTHON_PROTON") else {
        println!("skipped: PYTHON_PROTON is not set");
        return None;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engine/proton_peer.py");
    let mut command = Command::new(python);
    command.arg(script).args(arguments).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    Some((child, lines))
}

async fn all(mut lines: Lines<BufReader<ChildStdout>>) -> Vec<String> {
    let mut seen = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        seen.push(line);
    }
    seen
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), test).await.expect("it hangs") });
}

#[test]
fn protons_client_works_with_our_broker() {
    run(async {
        for plain in [false, true] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
            let mut arguments = vec!["client", &url];
            if plain {
                arguments.extend(["anna", "s3cret"]);
            }
            let Some((_child, lines)) = peer(&arguments) else { return };
            let (stream, _) = listener.accept().await.unwrap();
            let broker = Broker::default();
            let log = Shared::clone(&broker.log);
            let ((), mut seen) = tokio::join!(drive(stream, server(), broker), all(lines));
            // proton names an outcome by its descriptor.
            let mut expected: Vec<String> = Vec::new();
            for (address, outcome) in [("accept", "36"), ("reject", "37"), ("release", "38"), ("modify", "39")] {
                expected.extend(std::iter::repeat_n(format!("outcome {address} {outcome}"), SIZES.len()));
            }
            expected.extend(["drained", "link amqp:not-found", "done"].map(str::to_owned));
            seen.sort();
            expected.sort();
            assert_eq!(seen, expected);
            let log = log.lock().unwrap();
            assert_eq!(log.user.as_deref(), Some(if plain { "anna" } else { "anonymous" }));
            assert_eq!(log.received, SIZES.repeat(4));
            assert_eq!(log.drained, 1);
            assert_eq!(log.outcomes.len(), 6);
            assert_eq!(log.outcomes[..2], [DeliveryState::Accepted, DeliveryState::Rejected(None)]);
            assert_eq!(log.outcomes[3..], [DeliveryState::Accepted, DeliveryState::Accepted, DeliveryState::Accepted]);
            assert_eq!(log.closed, Some(Closed::Remote(None)));
        }
    });
}

#[test]
fn our_client_works_with_protons_server() {
    run(async {
        // Free a moment ago; the test would say if somebody took it.
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let url = format!("127.0.0.1:{port}");
        let Some((_child, mut lines)) = peer(&["server", &url]) else { return };
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("listening"));
        let stream = TcpStream::connect(&url).await.unwrap();
        let log = Shared::default();
        let engine = Connection::client(config("client", Sasl::Anonymous { trace: "me".to_owned() }), now());
        let ((), mut seen) = tokio::join!(drive(stream, engine, Client::new(&SIZES, &log)), all(lines));
        assert_eq!(seen.pop().as_deref(), Some("done"));
        assert_eq!(seen.iter().filter(|line| *line == "outcome accepted").count(), SIZES.len());
        assert_eq!(seen.iter().filter(|line| line.starts_with("received")).count(), SIZES.len());
        let log = log.lock().unwrap();
        assert_eq!(log.received, SIZES);
        assert_eq!(log.closed, Some(Closed::Local));
    });
}
