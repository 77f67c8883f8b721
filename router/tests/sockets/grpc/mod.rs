//! gRPC as others speak it: python's grpcio, where `PYTHON_GRPC` names a python that can import `grpc`.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

fn calls(python: &str) -> Command {
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sockets/grpc/calls.py"));
    command
}

/// A server of grpcio; ends with its owner.
pub struct Python {
    python: String,
    pub server: SocketAddr,
    running: Child,
}

impl Python {
    /// None, with a word on why, where the environment names no python.
    pub fn start() -> Option<Python> {
        let Ok(python) = std::env::var("PYTHON_GRPC") else {
            println!("skipped: PYTHON_GRPC names no python with grpcio");
            return None;
        };
        let mut running = calls(&python).arg("serve").stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(running.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port: u16 = line.trim().parse().unwrap_or_else(|_| panic!("no port but {line:?}"));
        Some(Python { python, server: ([127, 0, 0, 1], port).into(), running })
    }

    /// All kinds of calls through a port.
    pub async fn call(&self, port: u16) {
        let mut command = calls(&self.python);
        command.arg("call").arg(port.to_string());
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && output.stdout == b"good\n", "{said}");
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // Whatever it is doing, it is over.
        let _ = self.running.kill();
        let _ = self.running.wait();
    }
}
