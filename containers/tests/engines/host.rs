use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use moorline_containers::{
    BindMount, Container, ContainerName, Engine, Environment, HealthCheck, Kind, Observed, Owner, label,
};

/// Runs the ignored test `inner` of this program beside each of `engines`, see `tests/hosts/engine`.
pub(crate) fn beside(engines: &[&str], inner: &str) {
    beside_with(engines, &[], inner);
}

/// As [`beside`], with `environment` for that script.
pub(crate) fn beside_with(engines: &[&str], environment: &[(&str, &str)], inner: &str) {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("tests");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let probe = directory.path().join("probe");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engines/probe.rs");
    let rustc = Command::new("rustc")
        .args(["--edition=2024", "-Ctarget-feature=+crt-static", "-Copt-level=s", "-Cstrip=symbols", "-o"])
        .args([probe.as_os_str(), source.as_ref()])
        .output()
        .unwrap();
    assert!(rustc.status.success(), "{}", String::from_utf8_lossy(&rustc.stderr));
    for path in [directory.path(), &program, &probe] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for engine in engines {
        let output = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/hosts/engine"))
            .envs(environment.iter().copied())
            .args([engine, "env"])
            .arg(format!("PROBE={}", probe.display()))
            .arg(format!("ENGINE={engine}"))
            .arg(&program)
            .args(["--exact", inner, "--ignored", "--nocapture"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.code() == Some(77) && said.contains("SKIPPED") {
            println!("{said}");
            continue;
        }
        assert!(output.status.success(), "{engine}: {said}\n{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains("1 passed"), "{inner} did not run:\n{said}");
        println!("{engine}: {said}");
    }
}

/// How long anything may take on a machine that is busy with other things.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// The engine that the script started, found as any other.
pub(crate) async fn engine() -> Engine {
    Engine::find(kind(), &Environment::of_process()).await.unwrap()
}

pub(crate) fn kind() -> Kind {
    if std::env::var("ENGINE").unwrap() == "docker" { Kind::Docker } else { Kind::Podman }
}

pub(crate) fn probe() -> Vec<u8> {
    fs::read(std::env::var_os("PROBE").unwrap()).unwrap()
}

/// A directory whose files nobody but `owner` may read.
pub(crate) fn secrets() -> (PathBuf, Owner) {
    let directory = tempfile::tempdir().unwrap().keep();
    fs::write(directory.join("key"), "secret").unwrap();
    fs::set_permissions(directory.join("key"), fs::Permissions::from_mode(0o600)).unwrap();
    let own = fs::metadata(&directory).unwrap();
    // Root gives them to somebody else, since root's container could read all of root's.
    let owner =
        if own.uid() == 0 { Owner { uid: 12345, gid: 12346 } } else { Owner { uid: own.uid(), gid: own.gid() } };
    for path in [directory.join("key"), directory.clone()] {
        std::os::unix::fs::chown(path, Some(owner.uid), Some(owner.gid)).unwrap();
    }
    (directory, owner)
}

/// A container that runs the probe with `command`.
pub(crate) async fn container(engine: &Engine, name: &str, command: &[&str]) -> Container {
    let (directory, owner) = secrets();
    Container {
        name: name.parse().unwrap(),
        image: engine.router_image(&probe()).await.unwrap().name,
        entrypoint: None,
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        environment: vec![("SKUPPER_SITE_ID".into(), "gateway x=1".into())],
        labels: BTreeMap::from([
            (label::APPLICATION.to_owned(), "skupper".to_owned()),
            (label::GATEWAY.to_owned(), name.to_owned()),
        ]),
        mounts: vec![BindMount { source: directory, target: "/config".into(), writable: false }],
        scratch: vec!["/scratch".into()],
        owner,
        health: Some(HealthCheck {
            command: vec!["/moorline".into(), "health".into()],
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(5),
            start_period: Duration::ZERO,
            retries: 1,
        }),
        stop_grace: Duration::from_secs(1),
    }
}

/// Waits until the container is as expected.
pub(crate) async fn until(engine: &Engine, name: &ContainerName, expected: impl Fn(&Observed) -> bool) -> Observed {
    let wait = async {
        loop {
            let observed = engine.observe(name).await.unwrap().unwrap();
            if expected(&observed) {
                return observed;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    match tokio::time::timeout(LONG, wait).await {
        Ok(observed) => observed,
        Err(_) => panic!("{:?}\n{:?}", engine.observe(name).await, engine.log_tail(name, 50).await),
    }
}

pub(crate) fn exists(path: &str) -> bool {
    Path::new(path).exists()
}
