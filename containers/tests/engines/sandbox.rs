//! What a container can and cannot do, tried from inside.

use std::fs;
use std::time::Duration;

use moorline_containers::{Kind, Lifecycle};

use crate::host::{container, engine, secrets};

const IN_FORCE: [(&str, &str); 12] = [
    ("capabilities", "0000000000000000 0000000000000000 0000000000000000"),
    ("no new privileges", "1"),
    ("filtered system calls", "2"),
    ("read the key", "secret"),
    ("write to the configuration", "no"),
    ("change the key", "no"),
    ("write to the root", "no"),
    ("write to /scratch", "yes"),
    ("a variable", "gateway x=1"),
    ("a TCP socket", "yes"),
    ("/etc/hosts", "yes"),
    ("done", "yes"),
];

#[tokio::test]
#[ignore = "needs tests/hosts/engine"]
async fn in_force() {
    let engine = engine().await;
    let wanted = container(&engine, "reporting", &["report"]).await;
    engine.create(&wanted).await.unwrap();
    engine.start(&wanted.name).await.unwrap();
    let mut said = String::new();
    for _ in 0..200 {
        said = engine.log_tail(&wanted.name, 100).await.unwrap();
        if said.contains("done") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("{:?} {} rootless {}:\n{said}", engine.facts().kind, engine.facts().version, engine.facts().rootless);
    let has =
        |what: &str, seen: &str| assert!(said.lines().any(|line| line == format!("{what}: {seen}")), "{what}: {seen}");
    IN_FORCE.iter().for_each(|(what, seen)| has(what, seen));
    has("user", &wanted.owner.uid.to_string());
    has("group", &wanted.owner.gid.to_string());
    has("the host's network", &fs::read_link("/proc/self/ns/net").unwrap().display().to_string());
    assert_eq!(engine.observe(&wanted.name).await.unwrap().unwrap().state, Lifecycle::Running);
    engine.remove(&wanted.name).await.unwrap();

    // Without it, what was read above would prove nothing.
    let (stranger, _) = secrets();
    if engine.facts().kind == Kind::Docker || !engine.facts().rootless {
        let mut other = container(&engine, "stranger", &["report"]).await;
        other.owner.uid += 1;
        other.owner.gid += 1;
        other.mounts[0].source = stranger;
        engine.create(&other).await.unwrap();
        engine.start(&other.name).await.unwrap();
        let mut said = String::new();
        for _ in 0..200 {
            said = engine.log_tail(&other.name, 100).await.unwrap();
            if said.contains("done") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(said.contains("done") && !said.contains("secret"), "{said}");
        engine.remove(&other.name).await.unwrap();
    }
}
