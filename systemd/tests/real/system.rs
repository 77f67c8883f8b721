//! System services, and users who linger, on a booted host.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use moorline_systemd::logind::{Linger, LogindFault, User, disable_linger, enable_linger, linger};
use moorline_systemd::unit::{Account, Credential, Readiness, SYSTEM_UNIT_DIRECTORY, Sandbox, runtime_directory};
use moorline_systemd::{Manager, ManagerFault, Scope, ServiceUnit, UnitName};

use crate::host::{LONG, service};
use crate::sandbox::{FILTERED, HIDDEN, has};

/// Runs a service of `account`, and returns what it reports.
async fn reported(manager: &Manager, account: Account) -> String {
    let name = UnitName::service("reporting").unwrap();
    let out = match account {
        Account::Dynamic { .. } => runtime_directory(&name),
        _ => PathBuf::from("/var/lib/moorline/reporting"),
    };
    let unit = ServiceUnit {
        generator: "a test".into(),
        description: "A test".into(),
        program: service(&std::env::current_exe().unwrap()),
        readiness: Readiness::Notify { watchdog: None },
        account,
        environment: vec![("ORDER".into(), "report".into()), ("OUT".into(), out.to_str().unwrap().into())],
        drain: LONG,
        give_up_on: vec![],
        credentials: vec![Credential { name: "tls.key".into(), path: "/etc/moorline-key".into() }],
        readable: vec!["/home/tester/config".into()],
        writable: vec![],
        sandbox: Sandbox::Full { executable_memory: false },
    };
    let release = manager.version().await.unwrap().release;
    let file = Path::new(SYSTEM_UNIT_DIRECTORY).join(name.as_ref());
    fs::write(file, unit.text(&name, Some(release)).unwrap()).unwrap();
    manager.reload().await.unwrap();
    manager.start(&name, LONG).await.unwrap();
    let said = fs::read_to_string(out.join("report")).unwrap();
    assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o700);
    manager.stop(&name, LONG).await.unwrap();
    if out.starts_with("/run") {
        // systemd tells the end of the job a moment before it tidies up.
        let gone = async {
            while out.exists() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(LONG, gone).await.expect("the directory for sockets goes with the service");
    } else {
        assert!(out.exists(), "what it keeps stays");
    }
    said
}

#[tokio::test]
#[ignore = "needs tests/hosts/system-systemd"]
async fn in_force() {
    let manager = Manager::connect(Scope::System).await.unwrap();
    assert!(manager.sandboxing(LONG).await.unwrap());
    for (path, content, mode) in [
        ("/home/tester/config/key", "secret", 0o644),
        ("/home/tester/.ssh/id", "ssh", 0o644),
        ("/run/user/1777/bus", "", 0o644),
        ("/tmp/moorline-outside", "x", 0o644),
        ("/var/tmp/moorline-outside", "x", 0o644),
        ("/etc/moorline-key", "secret", 0o600),
    ] {
        fs::create_dir_all(Path::new(path).parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let dynamic = reported(&manager, Account::Dynamic { low_ports: false }).await;
    println!("dynamic account:\n{dynamic}");
    for (what, seen) in FILTERED.into_iter().chain(HIDDEN) {
        has(&dynamic, what, seen);
    }
    has(&dynamic, "other users' processes", "no");
    has(&dynamic, "memory to write and execute", "no");
    has(&dynamic, "a port below 1024", "no");
    assert!(!dynamic.contains("user: 0\n"), "{dynamic}");

    let low = reported(&manager, Account::Named { user: "tester".into(), group: None, low_ports: true }).await;
    println!("account of the host, with low ports:\n{low}");
    has(&low, "user", "1777");
    has(&low, "a port below 1024", "yes");
    has(&low, "capabilities", "0000000000000400 0000000000000400");
    for (what, seen) in FILTERED.into_iter().chain(HIDDEN.into_iter().filter(|(what, _)| *what != "capabilities")) {
        has(&low, what, seen);
    }
}

#[tokio::test]
#[ignore = "needs tests/hosts/system-systemd"]
async fn lingering() {
    let user = User::with_uid(1777);
    assert_eq!(user.name.as_deref(), Some("tester"));
    assert_eq!(linger(&user).await.unwrap(), Linger::Off);
    enable_linger(&user).await.unwrap();
    enable_linger(&user).await.unwrap();
    assert_eq!(linger(&user).await.unwrap(), Linger::On);
    assert!(Path::new("/var/lib/systemd/linger/tester").exists());
    disable_linger(&user).await.unwrap();
    assert_eq!(linger(&user).await.unwrap(), Linger::Off);
    let nobody = User { uid: 4242, name: None };
    assert_eq!(linger(&nobody).await.unwrap(), Linger::Off);
    let fault = enable_linger(&nobody).await.unwrap_err();
    assert!(matches!(fault, LogindFault::Refused { .. }), "{fault:?}");
}

/// Runs another test of this program as the user.
fn as_tester(inner: &str) {
    let status = Command::new("setpriv")
        .args(["--reuid=1777", "--regid=1777", "--clear-groups", "--reset-env"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", inner, "--ignored", "--nocapture"])
        .status()
        .unwrap();
    assert!(status.success());
}

#[tokio::test]
#[ignore = "needs tests/hosts/system-systemd"]
async fn denied_to_users() {
    as_tester("system::as_a_user");
}

#[tokio::test]
#[ignore = "needs tests/hosts/system-systemd"]
async fn as_a_user() {
    let manager = Manager::connect(Scope::System).await.unwrap();
    let logind = UnitName::service("systemd-logind").unwrap();
    assert!(manager.unit(&logind).await.unwrap().is_running());
    let fault = manager.stop(&logind, LONG).await.unwrap_err();
    assert!(matches!(&fault, ManagerFault::AccessDenied { unit: Some(unit), .. } if *unit == logind), "{fault:?}");
    let fault = manager.reload().await.unwrap_err();
    assert!(matches!(fault, ManagerFault::AccessDenied { unit: None, .. }), "{fault:?}");

    let fault = Manager::connect(Scope::User).await.unwrap_err();
    assert!(matches!(fault, ManagerFault::NoRuntimeDirectory { uid: 1777 }), "{fault:?}");

    let fault = enable_linger(&User::with_uid(0)).await.unwrap_err();
    assert!(
        matches!(&fault, LogindFault::Denied { command } if command == "sudo loginctl enable-linger root"),
        "{fault:?}"
    );
    // For himself a user may, where there is a polkit to say so.
    match enable_linger(&User::current()).await {
        Ok(()) => assert!(Path::new("/usr/lib/polkit-1/polkitd").exists()),
        Err(LogindFault::Denied { command }) => assert_eq!(command, "sudo loginctl enable-linger tester"),
        Err(fault) => panic!("{fault:?}"),
    }
}
