//! The scripts under every shell that there is, and python: they find the program, hand over, and do nothing else.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::sample::entries;

/// Says what it was called with, and ends with a code of its own.
const STUB: &str = "#!/bin/sh\nif [ \"$1\" = --version ]; then echo moorline 0; exit 0; fi\n\
    printf '%s\\n' \"$0\" \"$@\" >\"$RECORD\"\nexit 42\n";

/// A bundle unpacked into a directory with an awkward name.
struct Unpacked {
    place: TempDir,
    dir: PathBuf,
}

impl Unpacked {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("it's a $HOME; \"dir\" -t");
        for entry in entries() {
            let path = dir.join(&entry.path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            if !entry.path.ends_with('/') {
                fs::write(&path, entry.content).unwrap();
                fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
            }
        }
        let unpacked = Self { place, dir };
        unpacked.program(&unpacked.dir.join("moorline"));
        unpacked
    }

    fn program(&self, path: &Path) {
        fs::write(path, STUB).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o700)).unwrap();
    }

    fn record(&self) -> PathBuf {
        self.place.path().join("record")
    }

    fn run(&self, command: &mut Command) -> Output {
        // Written anew by each run.
        let _ = fs::remove_file(self.record());
        command.env("RECORD", self.record()).env("CDPATH", "/:/tmp").output().unwrap()
    }

    fn recorded(&self) -> Vec<String> {
        let text = fs::read_to_string(self.record()).expect("the program was called");
        text.lines().map(str::to_owned).collect()
    }

    fn dir(&self) -> String {
        self.dir.canonicalize().unwrap().to_str().unwrap().to_owned()
    }
}

/// The ways to run a script that this host has. The rest are named on stderr.
fn interpreters() -> Vec<Vec<&'static str>> {
    let all: [&[&str]; 6] = [&["sh"], &["dash"], &["bash"], &["bash", "--posix"], &["busybox", "sh"], &["python3"]];
    let there = |words: &&[&str]| {
        let found =
            Command::new(words[0]).args(&words[1..]).args(["-c", ""]).output().is_ok_and(|o| o.status.success());
        if !found {
            eprintln!("skipped: scripts under {} (this host has none)", words.join(" "));
        }
        found
    };
    all.into_iter().filter(there).map(<[_]>::to_vec).collect()
}

fn script_for(words: &[&str], verb: &str) -> Vec<String> {
    match words {
        ["python3"] => vec![format!("{verb}.py")],
        _ => vec![format!("{verb}.sh"), format!("{verb}.py")],
    }
}

#[test]
fn every_interpreter_hands_over_the_directory_and_the_arguments() {
    let bundle = Unpacked::new();
    for words in interpreters() {
        for script in script_for(&words, "launch") {
            for (more, expected) in
                [(vec![], vec![]), (vec!["-t", "podman"], vec!["-t", "podman"]), (vec!["a b", "*"], vec!["a b", "*"])]
            {
                let mut command = Command::new(words[0]);
                command.args(&words[1..]).arg(format!("./{script}")).args(&more).current_dir(&bundle.dir);
                let ended = bundle.run(&mut command);
                assert_eq!(ended.status.code(), Some(42), "{words:?} {script}: {ended:?}");
                assert_eq!((&*ended.stdout, &*ended.stderr), (&b""[..], &b""[..]), "{words:?} {script}: {ended:?}");
                let program = format!("{}/moorline", bundle.dir());
                let dir = bundle.dir();
                let mut called = vec![program.as_str(), "gateway", "launch", &dir];
                called.extend(expected);
                assert_eq!(bundle.recorded(), called, "{words:?} {script}");
            }
        }
        for script in script_for(&words, "remove") {
            let mut command = Command::new(words[0]);
            command.args(&words[1..]).arg(bundle.dir.join(&script)).current_dir("/");
            let ended = bundle.run(&mut command);
            assert_eq!(ended.status.code(), Some(42), "{words:?} {script}: {ended:?}");
            assert_eq!(bundle.recorded()[1..], ["gateway", "remove", "--bundle", &bundle.dir()], "{words:?} {script}");
        }
    }
}

#[test]
fn the_scripts_run_by_themselves_and_by_their_bare_name() {
    let bundle = Unpacked::new();
    for script in ["launch.sh", "launch.py", "remove.sh", "remove.py"] {
        let ended = bundle.run(Command::new(bundle.dir.join(script)).args(["-t", "docker"]).current_dir("/"));
        assert_eq!(ended.status.code(), Some(42), "{script}: {ended:?}");
        let called = bundle.recorded();
        assert_eq!(called[called.len() - 2..], ["-t", "docker"], "{script}");
        let ended = bundle.run(Command::new("sh").arg(script).current_dir(&bundle.dir));
        assert_eq!(ended.status.code(), Some(42), "sh {script}: {ended:?}");
    }
}

#[test]
fn nothing_but_a_shell_and_the_program_is_needed() {
    let bundle = Unpacked::new();
    for script in ["launch.sh", "launch.py", "remove.sh", "remove.py"] {
        let mut command = Command::new("/bin/sh");
        command.arg(script).current_dir(&bundle.dir).env("PATH", "/nonexistent");
        let ended = bundle.run(&mut command);
        assert_eq!(ended.status.code(), Some(42), "{script}: {ended:?}");
    }
}

#[test]
fn without_the_bundled_program_the_hosts_own_serves() {
    let bundle = Unpacked::new();
    fs::remove_file(bundle.dir.join("moorline")).unwrap();
    let bin = bundle.place.path().join("bin");
    fs::create_dir(&bin).unwrap();
    bundle.program(&bin.join("moorline"));
    for words in interpreters() {
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg("launch.py").current_dir(&bundle.dir).env("PATH", path);
        let ended = bundle.run(&mut command);
        assert_eq!(ended.status.code(), Some(42), "{words:?}: {ended:?}");
        assert_eq!(bundle.recorded()[0], bin.join("moorline").to_str().unwrap(), "{words:?}");
    }
}

#[test]
fn without_any_program_it_is_said_what_to_do() {
    let bundle = Unpacked::new();
    fs::remove_file(bundle.dir.join("moorline")).unwrap();
    for script in ["launch.sh", "remove.py"] {
        let ended =
            bundle.run(Command::new("/bin/sh").arg(script).current_dir(&bundle.dir).env("PATH", "/nonexistent"));
        assert_eq!(ended.status.code(), Some(127), "{script}: {ended:?}");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(said.contains("Install moorline on this host"), "{said}");
        assert!(!bundle.record().exists());
    }
}

#[test]
fn a_program_that_cannot_run_is_said_to_be_so() {
    let bundle = Unpacked::new();
    let program = bundle.dir.join("moorline");
    // As on a file system mounted noexec, and as for another processor.
    for (content, mode) in [(STUB.as_bytes(), 0o600), (&b"\x7fELF\x02\x01\x01 of another processor"[..], 0o700)] {
        fs::write(&program, content).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(mode)).unwrap();
        for words in interpreters() {
            for script in ["launch.py", "remove.py"] {
                let mut command = Command::new(words[0]);
                command.args(&words[1..]).arg(script).current_dir(&bundle.dir);
                let ended = bundle.run(&mut command);
                let said = String::from_utf8_lossy(&ended.stderr);
                assert_eq!(ended.status.code(), Some(126), "{words:?} {script}: {said}");
                assert!(said.contains("cannot be executed on this host") && said.contains("noexec"), "{said}");
                assert!(!bundle.record().exists());
            }
        }
    }
}
