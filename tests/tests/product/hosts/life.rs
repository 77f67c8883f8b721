//! The life of a gateway on its host, from the installation to the removal.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use moorline_tests::command::program;
use moorline_tests::definition::Definition;
use moorline_tests::lab::As;
use moorline_tests::process::eventually;

use super::scene::Scene;

/// What podman needs on hosts of the lab, where limits cannot be raised.
const PODMAN: &str = "[containers]
default_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]
pids_limit = 0
[engine]
runtime = \"runc\"
cgroup_manager = \"cgroupfs\"
events_logger = \"file\"
";

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Service,
    /// Of a user without rights.
    Podman,
    Docker,
}

#[derive(Clone, Copy, PartialEq)]
enum From {
    Definition,
    Bundle,
}

/// The gateway of `db` and who runs it.
struct Gateway {
    scene: Scene,
    kind: Kind,
    from: From,
    who: As,
    home: &'static str,
}

impl Gateway {
    fn prepare(kind: Kind, from: From) -> Gateway {
        let scene = Scene::start();
        let db = &scene.db;
        let (who, home) = if kind == Kind::Docker { (As::Root, "/root") } else { (As::User, "/home/tester") };
        match kind {
            Kind::Service => {
                db.good(As::Root, &["loginctl", "enable-linger", "tester"]);
            }
            Kind::Podman => {
                db.good(As::Root, &["loginctl", "enable-linger", "tester"]);
                db.write("/etc/containers/containers.conf", PODMAN);
            }
            Kind::Docker => {
                let settings = r#"{"iptables": false, "ip6tables": false, "bridge": "none", "shutdown-timeout": 3}"#;
                db.write("/etc/docker/daemon.json", settings);
                db.good(As::Root, &["systemctl", "enable", "--now", "docker"]);
            }
        }
        eventually("the user's services run", || {
            let words = ["systemctl", "--user", "is-active", "default.target"];
            (who == As::Root || db.run(who, &words).status.success()).then_some(())
        });
        if kind == Kind::Podman {
            db.good(who, &["systemctl", "--user", "--quiet", "enable", "--now", "podman.socket"]);
        }
        Gateway { scene, kind, from, who, home }
    }

    fn moorline(&self, arguments: &[&str]) -> String {
        self.scene.db.good(self.who, &[&[program().to_str().unwrap(), "gateway"][..], arguments].concat())
    }

    fn type_word(&self) -> &'static str {
        match self.kind {
            Kind::Service => "service",
            Kind::Podman => "podman",
            Kind::Docker => "docker",
        }
    }

    /// What a user does to have the gateway as `definition` says, the first time and after a change.
    fn install(&self, definition: &Definition) -> String {
        let (db, path) = (&self.scene.db, |name: &str| format!("{}/place/{name}", self.home));
        db.good(self.who, &["mkdir", "-p", &path("")]);
        match self.from {
            From::Definition => {
                db.write(&path("gate.yaml"), &definition.yaml());
                db.write(&path("token"), &self.scene.token());
                let words = ["apply", &path("gate.yaml"), "--token", &path("token"), "-t", self.type_word()];
                self.moorline(&[&words[..], &["--wait", "60"]].concat())
            }
            From::Bundle => {
                let archive = self.scene.bundle(definition);
                fs::write(db.file(&path("gate.tar.gz")), archive).unwrap();
                let commands = format!(
                    "cd {} && rm -rf gate && mkdir gate && tar -xzf gate.tar.gz -C gate && cd gate && sh ./launch.py -t {}",
                    path(""),
                    self.type_word(),
                );
                db.good(self.who, &["sh", "-c", &commands])
            }
        }
    }

    fn remove(&self) {
        match self.from {
            From::Definition => self.moorline(&["remove", "gate"]),
            From::Bundle => {
                let commands = format!("cd {}/place/gate && sh ./remove.py && sh ./remove.py", self.home);
                self.scene.db.good(self.who, &["sh", "-c", &commands])
            }
        };
    }

    /// The router's process, as the host's process list has it.
    fn router(&self) -> String {
        let words = ["pgrep", "-f", "moorline.* router .*skrouterd.json"];
        let said = self.scene.db.run(As::Root, &words);
        String::from_utf8_lossy(&said.stdout).lines().next().unwrap_or_default().to_owned()
    }

    /// Paths of the host, but for those of its own services, of the engines' own data, and of this test.
    fn files(&self) -> BTreeSet<PathBuf> {
        let others = [
            "var/log",
            "var/lib/systemd",
            "var/lib/test-database",
            "var/lib/private",
            "tmp",
            "var/tmp",
            "run",
            "etc/docker",
        ];
        let engines = [
            "var/lib/containerd",
            "home/tester/.local/share/containers",
            "home/tester/.config/containers",
            "home/tester/.config/cni",
        ];
        let ours = [format!("{}/place", self.home.trim_start_matches('/'))];
        let left = others.iter().chain(&engines).copied().chain(ours.iter().map(String::as_str));
        let left: Vec<PathBuf> = left.map(PathBuf::from).collect();
        let mut files: BTreeSet<PathBuf> = self.scene.db.changed().into_iter().collect();
        files.retain(|path| !left.iter().any(|other| path.starts_with(other)));
        files
    }

    /// Units, containers and images that the host lists.
    fn lists(&self) -> String {
        let db = &self.scene.db;
        match self.kind {
            Kind::Service => {
                let words =
                    ["systemctl", "--user", "list-unit-files", "--no-legend", "--no-pager", "gate*", "moorline*"];
                String::from_utf8_lossy(&db.run(self.who, &words).stdout).into_owned()
            }
            Kind::Podman | Kind::Docker => {
                let engine = self.type_word();
                let containers = db.good(self.who, &[engine, "ps", "--all", "--quiet"]);
                containers + &db.good(self.who, &[engine, "images", "--all", "--quiet"])
            }
        }
    }

    /// Nothing that anybody but the gateway's owner may read holds its key.
    fn keeps_its_secret(&self, made: &BTreeSet<PathBuf>) {
        let db = &self.scene.db;
        let keys: Vec<&PathBuf> = made.iter().filter(|path| path.ends_with("tls.key")).collect();
        assert!(!keys.is_empty(), "no key among {made:?}");
        for path in made.iter().map(|path| db.file(path.to_str().unwrap())) {
            let meta = fs::symlink_metadata(&path).unwrap();
            let private = path.components().any(|part| part.as_os_str() == "moorline");
            if private && !meta.is_symlink() {
                assert_eq!(meta.permissions().mode() & 0o077, 0, "{}", path.display());
            }
        }
        let key = fs::read_to_string(db.file(keys[0].to_str().unwrap())).unwrap();
        let secret = key.lines().nth(1).unwrap().to_owned();
        let told = match self.kind {
            Kind::Service => db.good(self.who, &["systemctl", "--user", "show", "gate.service"]),
            Kind::Podman | Kind::Docker => db.good(self.who, &[self.type_word(), "inspect", "gate"]),
        };
        let journal = db.good(As::Root, &["journalctl", "--no-pager", "--output=export"]);
        let environment =
            db.good(As::Root, &["sh", "-c", "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr '\\0' '\\n'"]);
        assert!(journal.contains("systemd"), "the journal cannot be read");
        for (place, text) in [("the manager", told), ("the journal", journal), ("a process", environment)] {
            assert!(!text.contains(&secret), "{place} tells the key");
        }
    }

    fn lives(self) {
        let db = &self.scene.db;
        let one = Definition::new("gate").binding("db:1", 5432);
        // First the lists: podman makes its directories when it is first asked.
        let lists = self.lists();
        let files = self.files();
        let said = self.install(&one);
        assert!(said.contains("linked to"), "{said}");
        self.scene.reached(0, "after the installation");
        self.keeps_its_secret(&self.files().difference(&files).cloned().collect());

        let mut session = self.scene.session();
        let backend = session.backend();
        assert!(!backend.is_empty(), "no session");
        let router = self.router();
        let said = self.install(&one.binding("db:2", 5432));
        self.scene.reached(1, "after the change");
        assert_eq!(session.backend(), backend, "the change cut a session: {said}");
        assert_eq!(self.router(), router, "the change started the router again: {said}");
        drop(session);

        db.good(As::Root, &["kill", "-KILL", &router]);
        self.scene.reached(0, "after a crash of the router");
        assert_ne!(self.router(), router);

        db.reboot();
        self.scene.reached(0, "after a reboot");
        db.lose_power();
        self.scene.reached(0, "after a loss of power");

        db.cut();
        eventually("the status says that it is not linked", || {
            let words = [program().to_str().unwrap(), "gateway", "status", "gate"];
            (db.run(self.who, &words).status.code() == Some(4)).then_some(())
        });
        db.join();
        self.scene.reached(1, "after a time without network");
        if self.kind == Kind::Service {
            let warnings = ["journalctl", "--no-pager", "--priority=warning", "_SYSTEMD_USER_UNIT=gate.service"];
            let told = db.good(As::Root, &warnings);
            assert!(told.contains("link to the network lost"), "the journal has no such warning: {told}");
            assert!(!told.contains("connection ended"), "what is no warning is one in the journal: {told}");
        }

        self.remove();
        let left: Vec<PathBuf> = self.files().difference(&files).cloned().collect();
        assert_eq!(left, Vec::<&Path>::new(), "the removal left files");
        assert_eq!(self.lists(), lists, "the removal left a unit, container or image");
        assert_eq!(self.router(), "");
    }
}

#[test]
#[ignore = "for tests/hosts/lab"]
fn service_from_definition() {
    Gateway::prepare(Kind::Service, From::Definition).lives();
}

#[test]
#[ignore = "for tests/hosts/lab"]
fn service_from_bundle() {
    Gateway::prepare(Kind::Service, From::Bundle).lives();
}

#[test]
#[ignore = "for tests/hosts/lab"]
fn podman_from_definition() {
    Gateway::prepare(Kind::Podman, From::Definition).lives();
}

#[test]
#[ignore = "for tests/hosts/lab"]
fn podman_from_bundle() {
    Gateway::prepare(Kind::Podman, From::Bundle).lives();
}

#[test]
#[ignore = "for tests/hosts/lab"]
fn docker_from_definition() {
    Gateway::prepare(Kind::Docker, From::Definition).lives();
}

#[test]
#[ignore = "for tests/hosts/lab"]
fn docker_from_bundle() {
    Gateway::prepare(Kind::Docker, From::Bundle).lives();
}
