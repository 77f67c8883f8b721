//! What Skupper's tools leave on a host, to the letter.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use moorline_tests::command::{finish, program, stderr, stdout};
use moorline_tests::definition::Definition;

/// What a container sees the gateway's directory as.
const INSIDE: &str = "/opt/skupper";
const ROUTER_ID: &str = "3f0a4c0e-93d5-4a1c-8f35-0c5a2f0d7b11";

/// A gateway of theirs.
pub(super) struct Theirs {
    pub(super) directory: PathBuf,
    pub(super) unit: PathBuf,
}

/// Which of their tools made it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// launch.sh of a bundle.
    Bundle,
    /// `skupper gateway init`.
    Cluster,
}

impl Place {
    pub(super) fn of_environment() -> Place {
        if std::env::var("PLACE").unwrap() == "bundle" { Place::Bundle } else { Place::Cluster }
    }

    fn name(self) -> &'static str {
        match self {
            Place::Bundle => "bundle",
            Place::Cluster => "cluster",
        }
    }
}

/// The files of the gateway `gate` in `home`, out of a definition and `token.yaml`. `port`: where its router is asked.
pub(super) fn lay_out(home: &Path, place: Place, definition: &Definition, port: u16, contained: bool) -> Theirs {
    let work = tempfile::tempdir().unwrap();
    fs::write(work.path().join("gate.yaml"), definition.yaml()).unwrap();
    let mut pack = Command::new(program());
    pack.args(["gateway", "generate-bundle", "gate.yaml", ".", "--without-program", "--token"]);
    good(pack.arg(home.join("token.yaml")).current_dir(work.path()));
    good(Command::new("tar").args(["-xzf", "gate.tar.gz"]).current_dir(work.path()));

    let directory = home.join(".local/share/skupper").join(place.name()).join("gate");
    fs::create_dir_all(directory.join("config")).unwrap();
    let certificates = work.path().join("skupper-router-certs");
    good(Command::new("cp").arg("-R").arg(certificates).arg(&directory));
    let text = fs::read_to_string(work.path().join("config/skrouterd.json")).unwrap();
    let seen = if contained { INSIDE.to_owned() } else { directory.display().to_string() };
    let mut text = text.replace("${QDR_CONF_DIR}", &seen).replace("\"port\": 5672", &format!("\"port\": {port}"));
    if place == Place::Cluster {
        text = text.replace("${ROUTER_ID}", ROUTER_ID);
        text = text.replace("skupper-gateway-${HOSTNAME}", "skupper-gateway-0123456789abcdef0123456789abcdef01234567");
        for (file, words) in [("url.txt", format!("amqp://127.0.0.1:{port}")), ("routerid.txt", ROUTER_ID.to_owned())] {
            fs::write(directory.join("config").join(file), words).unwrap();
        }
        fs::write(directory.join("config/siteid.txt"), "a5e3b0a6-7f50-4b5f-8b58-0f2e5c7b9a11").unwrap();
        for dir in ["user", "system"] {
            fs::create_dir(directory.join(dir)).unwrap();
        }
    } else {
        // Where the shell exports it, which is where it works.
        let host = good(&mut Command::new("hostname"));
        text = text.replace("${HOSTNAME}", host.trim());
        if contained {
            text = text.replace("${ROUTER_ID}", ROUTER_ID);
        }
    }
    fs::write(directory.join("config/skrouterd.json"), text).unwrap();
    // As their script leaves it, keys and all.
    good(Command::new("chmod").args(["-R", "0755"]).arg(&directory));
    Theirs { unit: home.join(".config/systemd/user/gate.service"), directory }
}

impl Theirs {
    /// Has the user's systemd run it. `router`: a program, or `embedded`.
    pub(super) fn start(&self, home: &Path, router: &str) {
        let file = self.directory.join("config/skrouterd.json");
        let skrouterd = home.join("skrouterd");
        let run = match router {
            // As the network's own, it does not drain.
            "embedded" => format!("{} router --drain-timeout 0", program().display()),
            program => program.to_owned(),
        };
        // skrouterd leaves what their script did not fill in as it is.
        fs::write(&skrouterd, format!("#!/bin/sh\nexport ROUTER_ID='${{ROUTER_ID}}'\nexec {run} \"$@\"\n")).unwrap();
        fs::set_permissions(&skrouterd, Permissions::from_mode(0o755)).unwrap();
        let unit = format!(
            "\n[Unit]\nDescription=Qpid Dispatch router daemon\n\n[Service]\nType=simple\nExecStart={} -c {}\n\n[Install]\n\
             WantedBy=default.target\n",
            skrouterd.display(),
            file.display()
        );
        fs::create_dir_all(self.unit.parent().unwrap()).unwrap();
        fs::write(&self.unit, unit).unwrap();
        for words in [["enable", "gate.service"].as_slice(), &["daemon-reload"], &["start", "gate.service"]] {
            let runtime = format!("/run/user/{}", nix::unistd::Uid::effective());
            good(Command::new("systemctl").arg("--user").args(words).env("XDG_RUNTIME_DIR", runtime));
        }
    }
}

pub(super) fn good(command: &mut Command) -> String {
    let output = finish(command);
    assert!(output.status.success(), "{command:?}: {}{}", stdout(&output), stderr(&output));
    stdout(&output)
}
