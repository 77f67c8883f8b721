//! Tests that run on a host of `tests/hosts`: the programs taken there, and one test of this program run.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::command::program;

/// Exit code of the scripts in `tests/hosts` when this machine cannot give such a host.
const SKIPPED: i32 = 77;

/// Runs `script` of `tests/hosts` with `arguments`, and there the ignored test `test` (its whole path) of the calling
/// test program, with `environment`. Where this machine cannot do that, what the script says is printed.
pub fn run_there(script: &str, arguments: &[&str], environment: &[(&str, &str)], test: &str) {
    // The user may not be let into the directories where these were built.
    let dir = tempfile::tempdir().expect("a directory");
    let open = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    open(dir.path());
    let (tests, moorline) = (dir.path().join("tests"), dir.path().join("moorline"));
    fs::copy(std::env::current_exe().expect("where this test is"), &tests).expect("there is room");
    // What a debugger would want is more than bundles take.
    let stripped = Command::new("strip").arg("-o").arg(&moorline).arg(program()).status().expect("start strip");
    assert!(stripped.success(), "strip: {stripped}");
    open(&tests);
    open(&moorline);
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("hosts").join(script));
    command.env("SHOWN", dir.path()).args(arguments).arg("env").arg(format!("MOORLINE_BIN={}", moorline.display()));
    command.args(environment.iter().map(|(name, value)| format!("{name}={value}")));
    command.arg(&tests).args(["--exact", test, "--ignored", "--nocapture"]);
    let output = command.output().expect("the script is there");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{said}");
    if output.status.code() == Some(SKIPPED) && said.contains("SKIPPED") {
        return;
    }
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "{test} did not run");
}
