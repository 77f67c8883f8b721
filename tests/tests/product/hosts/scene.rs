//! Two hosts: `db` with PostgreSQL, whose gateway is tested, and `app` with the hub, a gateway that forwards, and psql.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use moorline_tests::command::{program, stdout};
use moorline_tests::definition::Definition;
use moorline_tests::lab::{As, Host};
use moorline_tests::process::eventually;

const DATABASE: &str = "[Service]
User=postgres
ExecStart=/bin/sh -c 'exec /usr/lib/postgresql/*/bin/postgres -D /var/lib/test-database -k /tmp -c listen_addresses=127.0.0.1'
[Install]
WantedBy=multi-user.target
";

/// Where the application finds what the gateway binds: the database, and the same once more.
const PORTS: [u16; 2] = [15432, 15433];

pub(super) struct Scene {
    pub(super) db: Host,
    app: Host,
}

impl Scene {
    pub(super) fn start() -> Scene {
        let scene = Scene { db: Host::boot("db", 1), app: Host::boot("app", 2) };
        let db = &scene.db;
        db.good(As::Root, &["install", "-d", "-o", "postgres", "/var/lib/test-database"]);
        let make = "setpriv --reuid postgres --regid postgres --clear-groups /usr/lib/postgresql/*/bin/initdb \
                    --username=postgres --auth=trust --no-sync -D /var/lib/test-database";
        db.good(As::Root, &["sh", "-c", make]);
        db.write("/etc/systemd/system/database.service", DATABASE);
        db.good(As::Root, &["systemctl", "enable", "--now", "database"]);

        let app = &scene.app;
        let (hub, name) = (["--state-dir", "/root/hub"], ["--host", app.address.as_str()]);
        scene.starts("hub", &[&["hub", "run", "--listen", "0.0.0.0:45671"][..], &hub, &name].concat());
        for token in ["/root/db.token", "/root/app.token"] {
            let words = [&[program().to_str().unwrap(), "token", "create", token][..], &hub, &name].concat();
            eventually("the hub has its authority", || app.run(As::Root, &words).status.success().then_some(()));
        }
        let forwards = Definition::new("app").forward("db:1", PORTS[0]).forward("db:2", PORTS[1]);
        app.write("/root/app.yaml", &forwards.yaml());
        scene.starts("app", &["gateway", "run", "/root/app.yaml", "--token", "/root/app.token"]);
        scene
    }

    /// Runs moorline on `app` for as long as the test takes.
    fn starts(&self, name: &str, arguments: &[&str]) {
        let unit = format!("--unit={name}");
        let words = ["systemd-run", &unit, "--quiet", "--setenv=HOME=/root", program().to_str().unwrap()];
        self.app.good(As::Root, &[&words[..], arguments].concat());
    }

    /// Makes a bundle of a definition on `app`; its archive.
    pub(super) fn bundle(&self, definition: &Definition) -> Vec<u8> {
        self.app.write("/root/gate.yaml", &definition.yaml());
        let moorline = program().to_str().unwrap();
        let words = ["gateway", "generate-bundle", "/root/gate.yaml", "/root", "--state-dir", "/root/hub", "--host"];
        self.app.good(As::Root, &[&[moorline][..], &words, &[self.app.address.as_str()]].concat());
        std::fs::read(self.app.file("/root/gate.tar.gz")).unwrap()
    }

    pub(super) fn token(&self) -> String {
        std::fs::read_to_string(self.app.file("/root/db.token")).unwrap()
    }

    fn psql(&self, service: usize) -> Vec<String> {
        let url = format!("postgresql://postgres@127.0.0.1:{}/postgres?connect_timeout=5", PORTS[service]);
        ["psql", "-XAtq", &url].map(str::to_owned).to_vec()
    }

    /// Waits until a statement from `app` reaches the database of `db`.
    pub(super) fn reached(&self, service: usize, when: &str) {
        let mut words = self.psql(service);
        words.extend(["-c".to_owned(), "SELECT 'reached ' || pg_backend_pid() IS NOT NULL".to_owned()]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        eventually(&format!("psql from another host, {when}"), || {
            (stdout(&self.app.run(As::Root, &words)).trim() == "t").then_some(())
        });
    }

    /// A session from `app` that stays open.
    pub(super) fn session(&self) -> Session {
        let words = self.psql(0);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut command = self.app.command(As::Root, &words);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        Session { process, input, output }
    }
}

/// A session of psql.
pub(super) struct Session {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Session {
    /// The number of the server process that serves it, which no other session has; empty when it was cut.
    pub(super) fn backend(&mut self) -> String {
        let _ = writeln!(self.input, "SELECT pg_backend_pid();");
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
