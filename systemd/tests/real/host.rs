use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use moorline_systemd::unit::{Account, Program, Readiness, Sandbox, user_unit_directory};
use moorline_systemd::{Manager, Scope, ServiceUnit, UnitName};

/// Runs the ignored test `inner` of this program as a user whose systemd runs, in the environment that `env(1)` makes
/// with `environment`.
pub(crate) fn on_a_host(inner: &str, environment: &[&str]) {
    run("user-systemd", &[&["env"], environment].concat(), inner);
}

/// Runs the ignored test `inner` of this program as root on a booted host.
pub(crate) fn on_a_booted_host(inner: &str) {
    run("system-systemd", &[], inner);
}

fn run(script: &str, before: &[&str], inner: &str) {
    // The user may not be let into the directory where this program was built.
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("tests");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    for path in [directory.path(), &program] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let output = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/hosts").join(script))
        .args(before)
        .arg(&program)
        .args(["--exact", inner, "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.code() == Some(77) && said.contains("SKIPPED") {
        println!("{said}");
        return;
    }
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "{inner} did not run:\n{said}");
    println!("{said}");
}

/// How long anything may take on a machine that is busy with other things.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// The home directory of the user.
pub(crate) fn home() -> PathBuf {
    let home = PathBuf::from(std::env::var_os("HOME").unwrap());
    assert_eq!(home, Path::new("/home/tester"), "this test is for tests/hosts/user-systemd alone");
    home
}

pub(crate) async fn manager() -> Manager {
    Manager::connect(Scope::User).await.unwrap()
}

/// A unit that runs [`crate::service`] with `order`, and a directory `home/out` for it to write to.
pub(crate) fn unit(order: &str) -> ServiceUnit {
    let out = home().join("out");
    fs::create_dir_all(&out).unwrap();
    ServiceUnit {
        generator: "a test".into(),
        description: "A test".into(),
        program: service(&std::env::current_exe().unwrap()),
        readiness: Readiness::Notify { watchdog: None },
        account: Account::Session,
        environment: vec![("ORDER".into(), order.into()), ("OUT".into(), out.to_str().unwrap().into())],
        drain: Duration::from_secs(5),
        give_up_on: vec![],
        credentials: vec![],
        readable: vec![],
        writable: vec![out],
        sandbox: Sandbox::Full { executable_memory: false },
    }
}

/// The program of [`crate::service`], at `path`.
pub(crate) fn service(path: &Path) -> Program {
    let arguments = ["--exact", "service::main", "--ignored", "--nocapture"].map(str::to_owned);
    Program { path: path.to_owned(), arguments: arguments.to_vec() }
}

/// Writes `unit` where systemd looks, and has it read.
pub(crate) async fn install(manager: &Manager, stem: &str, unit: &ServiceUnit) -> UnitName {
    let name = UnitName::service(stem).unwrap();
    let directory = user_unit_directory(&home().join(".config"));
    fs::create_dir_all(&directory).unwrap();
    let release = manager.version().await.unwrap().release;
    fs::write(directory.join(name.as_ref()), unit.text(&name, Some(release)).unwrap()).unwrap();
    manager.reload().await.unwrap();
    name
}
