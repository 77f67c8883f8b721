//! Units from the first line of their file to its removal.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use moorline_systemd::{Active, JobResult, LinkChange, Load, Manager, ManagerFault, Scope, UnitName, UnitState};

use crate::host::{LONG, home, install, manager, unit};

/// Waits until `expected` is so.
async fn until(manager: &Manager, name: &UnitName, expected: impl Fn(&UnitState) -> bool) -> UnitState {
    let wait = async {
        loop {
            let state = manager.unit(name).await.unwrap();
            if expected(&state) {
                return state;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    match tokio::time::timeout(LONG, wait).await {
        Ok(state) => state,
        Err(_) => panic!("{:?}", manager.unit(name).await),
    }
}

#[tokio::test]
#[ignore = "needs tests/hosts/user-systemd"]
async fn of_a_unit() {
    let manager = manager().await;
    assert_eq!(manager.scope(), Scope::User);
    assert!(manager.version().await.unwrap().release >= 240);
    let name = UnitName::service("life").unwrap();
    let nothing = manager.unit(&name).await.unwrap();
    assert_eq!((nothing.load, nothing.active, nothing.enabled.as_str()), (Load::NotFound, Active::Inactive, ""));
    assert_eq!(nothing.fragment, None);

    let name = install(&manager, "life", &unit("serve")).await;
    let file = home().join(".config/systemd/user/life.service");
    let read = manager.unit(&name).await.unwrap();
    assert_eq!((read.load, read.load_error, read.fragment), (Load::Loaded, None, Some(file.clone())));
    assert_eq!((read.enabled.as_str(), read.needs_reload), ("disabled", false));

    let link = home().join(".config/systemd/user/default.target.wants/life.service");
    let linked = LinkChange::Linked { link: link.clone(), target: file.clone() };
    assert_eq!(manager.enable(&name).await.unwrap(), [linked]);
    assert_eq!(manager.enable(&name).await.unwrap(), []);
    assert!(manager.unit(&name).await.unwrap().is_enabled());

    manager.start(&name, LONG).await.unwrap();
    let running = manager.unit(&name).await.unwrap();
    assert!(running.is_running() && running.since_unix_usec > 0, "{running:?}");
    assert_eq!((running.sub.as_str(), running.status_text.as_deref()), ("running", Some("serving")));
    assert_eq!((running.restarts, running.result.as_str()), (0, "success"));
    let first = running.main_pid.unwrap();
    manager.start(&name, LONG).await.unwrap();
    assert_eq!(manager.unit(&name).await.unwrap().main_pid, Some(first), "a unit that runs is left alone");

    assert!(Command::new("kill").args(["-KILL", &first.to_string()]).status().unwrap().success());
    let second = until(&manager, &name, |state| state.is_running() && state.main_pid != Some(first)).await;
    assert_eq!(second.restarts, 1);
    manager.restart(&name, LONG).await.unwrap();
    let third = manager.unit(&name).await.unwrap();
    assert!(third.is_running() && third.main_pid != second.main_pid, "{third:?}");

    fs::write(&file, fs::read_to_string(&file).unwrap() + "# changed\n").unwrap();
    fs::File::open(&file).unwrap().set_modified(std::time::SystemTime::now() + LONG).unwrap();
    assert!(manager.unit(&name).await.unwrap().needs_reload);
    manager.reload().await.unwrap();
    assert!(!manager.unit(&name).await.unwrap().needs_reload);

    manager.stop(&name, LONG).await.unwrap();
    let stopped = manager.unit(&name).await.unwrap();
    assert_eq!((stopped.active, stopped.main_pid), (Active::Inactive, None));
    assert_eq!(manager.disable(&name).await.unwrap(), [LinkChange::Unlinked { link: link.clone() }]);
    assert_eq!(manager.disable(&name).await.unwrap(), []);
    assert!(!link.exists());
    fs::remove_file(&file).unwrap();
    manager.reload().await.unwrap();
    assert_eq!(manager.unit(&name).await.unwrap().load, Load::NotFound);
    manager.stop(&name, LONG).await.unwrap();
    manager.reset_failed(&name).await.unwrap();
    assert_eq!(manager.disable(&name).await.unwrap(), []);
    for gone in [manager.start(&name, LONG).await, manager.enable(&name).await.map(drop)] {
        assert!(matches!(&gone, Err(ManagerFault::NoSuchUnit { unit }) if *unit == name), "{gone:?}");
    }
}

#[tokio::test]
#[ignore = "needs tests/hosts/user-systemd"]
async fn of_failing_units() {
    let manager = manager().await;
    let mut failing = unit("exit");
    failing.give_up_on = vec![42];
    let name = install(&manager, "failing", &failing).await;
    let fault = manager.start(&name, LONG).await.unwrap_err();
    let said = fault.to_string();
    let ManagerFault::JobFailed { job, state, .. } = fault else { panic!("{fault:?}") };
    assert_eq!((job, state.active, state.result.as_str()), (JobResult::Failed, Active::Failed, "exit-code"));
    assert_eq!(state.exit_status, 42);
    assert!(said.contains("start failing.service") && said.contains("status 42"), "{said}");
    manager.reset_failed(&name).await.unwrap();
    assert_eq!(manager.unit(&name).await.unwrap().active, Active::Inactive);

    let name = install(&manager, "silent", &unit("never ready")).await;
    let fault = manager.start(&name, Duration::from_millis(300)).await.unwrap_err();
    assert!(matches!(fault, ManagerFault::TimedOut { .. }), "{fault:?}");
    assert_eq!(manager.unit(&name).await.unwrap().active, Active::Activating, "systemd goes on with it");
    manager.stop(&name, LONG).await.unwrap();

    let mut broken = unit("serve");
    broken.program.path = PathBuf::from("/nowhere/router");
    broken.give_up_on = vec![203];
    let name = install(&manager, "broken", &broken).await;
    let fault = manager.start(&name, LONG).await.unwrap_err();
    assert!(matches!(&fault, ManagerFault::JobFailed { state, .. } if state.exit_status != 0), "{fault:?}");
    manager.stop(&name, LONG).await.unwrap();

    let file = home().join(".config/systemd/user/nonsense.service");
    fs::write(file, "[Service]\nType=never\n").unwrap();
    manager.reload().await.unwrap();
    let nonsense = manager.unit(&UnitName::service("nonsense").unwrap()).await.unwrap();
    assert_eq!(nonsense.load, Load::BadSetting);
    assert!(nonsense.load_error.is_some(), "{nonsense:?}");
}

#[tokio::test]
#[ignore = "needs tests/hosts/user-systemd"]
async fn under_a_watchdog() {
    let manager = manager().await;
    let mut watched = unit("hang once");
    watched.readiness = moorline_systemd::unit::Readiness::Notify { watchdog: Some(Duration::from_millis(500)) };
    let name = install(&manager, "watched", &watched).await;
    manager.start(&name, LONG).await.unwrap();
    let first = manager.unit(&name).await.unwrap().main_pid;
    let hung = until(&manager, &name, |state| state.restarts == 1 && state.is_running()).await;
    assert_ne!(hung.main_pid, first);
    manager.stop(&name, LONG).await.unwrap();
}

#[tokio::test]
#[ignore = "needs tests/hosts/user-systemd"]
async fn without_a_bus() {
    let fault = Manager::connect(Scope::User).await.unwrap_err();
    assert!(matches!(fault, ManagerFault::NoBus { .. }), "{fault:?}");
    assert!(fault.to_string().contains("dbus-user-session"), "{fault}");
}

#[tokio::test]
#[ignore = "needs tests/hosts/user-systemd"]
async fn without_the_variable() {
    assert!(manager().await.version().await.unwrap().release > 0);
}

#[tokio::test]
#[ignore = "needs tests/hosts/user-systemd"]
async fn without_a_systemd() {
    let fault = Manager::connect(Scope::User).await.unwrap_err();
    assert!(
        matches!(&fault, ManagerFault::NoUserManager { runtime_directory, .. } if runtime_directory.ends_with("tmp")),
        "{fault}"
    );
    let fault = Manager::connect(Scope::System).await.unwrap_err();
    assert!(matches!(fault, ManagerFault::NoBus { .. }), "{fault}");
}
