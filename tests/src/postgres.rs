//! A PostgreSQL server of one test.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nix::sys::signal::Signal;
use nix::unistd::Uid;

use crate::ports::free_port;
use crate::process::{Process, eventually};
use crate::scratch::Scratch;

/// A server that runs, without a password for the user `postgres`.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    #[expect(dead_code, reason = "dropped, it ends the server")]
    process: Process,
    home: Scratch,
}

impl Postgres {
    /// Makes a cluster and starts it on 127.0.0.1 and a socket in its directory.
    #[must_use]
    pub fn start() -> Self {
        Self::start_on(free_port())
    }

    /// The same on a given port.
    #[must_use]
    pub fn start_on(port: u16) -> Self {
        let home = Scratch::new();
        // The server refuses to run as root.
        let user = Uid::effective().is_root().then(|| {
            let (uid, gid) = (number_of_postgres("-u"), number_of_postgres("-g"));
            chown(home.path(), Some(uid), Some(gid)).expect("chown");
            (uid, gid)
        });
        let as_server = |program: &str| {
            let mut command = Command::new(binary(program));
            command.current_dir(home.path());
            if let Some((uid, gid)) = user {
                command.uid(uid).gid(gid);
            }
            command
        };
        let data = home.join("data");
        let made = as_server("initdb")
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--pgdata"])
            .arg(&data)
            .output()
            .expect("start initdb");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let mut command = as_server("postgres");
        command.arg("-D").arg(&data).arg("-k").arg(home.path()).args(["-p", &port.to_string()]);
        for setting in ["listen_addresses=127.0.0.1", "fsync=off", "max_connections=50", "shared_buffers=32MB"] {
            command.args(["-c", setting]);
        }
        // SIGTERM would wait for clients.
        let process = Process::start("postgres", &mut command).ended_by(Signal::SIGINT);
        let server = Self { port, process, home };
        eventually("PostgreSQL answers", || server.psql_local("SELECT 1").status.success().then_some(()));
        server
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Asks it over its own socket, beside any network.
    #[must_use]
    pub fn psql_local(&self, sql: &str) -> Output {
        let host = self.home.path().to_str().expect("a path").to_owned();
        client("psql", &host, self.port).args(["-XAtc", sql, "postgres"]).output().expect("start psql")
    }
}

/// Runs a statement through a port of this machine; answers the rows.
#[must_use]
pub fn psql(port: u16, sql: &str) -> String {
    let output = client("psql", "127.0.0.1", port).args(["-XAtc", sql, "postgres"]).output().expect("start psql");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "psql: {said}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Runs pgbench through a port of this machine; answers what it printed.
#[must_use]
pub fn pgbench(port: u16, arguments: &[&str]) -> String {
    let output = client("pgbench", "127.0.0.1", port).args(arguments).arg("postgres").output().expect("start pgbench");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "pgbench {arguments:?}: {said}");
    said
}

/// A client program of PostgreSQL, without TLS, as the user `postgres`; `host` may be a directory with a socket.
#[must_use]
pub fn client(program: &str, host: &str, port: u16) -> Command {
    let mut command = Command::new(binary(program));
    command.env("PGCONNECT_TIMEOUT", "60").env("PGSSLMODE", "disable");
    command.args(["-h", host, "-p", &port.to_string(), "-U", "postgres"]);
    command
}

/// The number of the user (`-u`) or group (`-g`) that the server's package made. A static program cannot ask for it.
fn number_of_postgres(which: &str) -> u32 {
    let output = Command::new("id").args([which, "postgres"]).output().expect("start id");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("the user postgres")
}

/// The newest version that is installed, else what PATH has.
fn binary(name: &str) -> PathBuf {
    let mut versions: Vec<PathBuf> = fs::read_dir(Path::new("/usr/lib/postgresql"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin").join(name))
        .filter(|path| path.exists())
        .collect();
    versions.sort_by_key(|path| {
        path.iter().rev().nth(2).and_then(|version| version.to_str()).and_then(|version| version.parse::<u32>().ok())
    });
    versions.pop().unwrap_or_else(|| name.into())
}
