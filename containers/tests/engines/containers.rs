//! Containers from their creation to their removal.

use std::time::Duration;

use moorline_containers::{
    ContainerName, Engine, EngineFault, Environment, Health, Kind, Lifecycle, Source, label, reboot,
};
use moorline_systemd::logind::{Linger, User};
use moorline_systemd::{Manager, Scope};

use crate::host::{LONG, container, engine, exists, kind, until};

#[tokio::test]
#[ignore = "needs tests/hosts/engine"]
async fn life() {
    let engine = engine().await;
    let facts = engine.facts().clone();
    assert_eq!((facts.kind, facts.asked), (kind(), kind()));
    assert_eq!(facts.rootless, std::env::var("ENGINE").unwrap() == "rootless", "{facts:?}");
    let wanted = container(&engine, "edge-1", &["serve"]).await;
    let name = &wanted.name;
    assert_eq!(engine.observe(name).await.unwrap(), None);
    assert_eq!(engine.remove(name).await, Ok(false));
    engine.stop(name, Duration::ZERO).await.unwrap();
    assert_eq!(engine.start(name).await, Err(EngineFault::NoSuchContainer { name: "edge-1".into() }));

    let id = engine.create(&wanted).await.unwrap();
    let created = engine.observe(name).await.unwrap().unwrap();
    assert_eq!((&created.id, created.name.as_str(), created.state), (&id, "edge-1", Lifecycle::Created));
    assert_eq!((created.running, created.exit_code, &created.started_at), (false, None, &None));
    assert_eq!(created.image, wanted.image);
    assert_eq!(created.labels.get(label::GATEWAY).map(String::as_str), Some("edge-1"));
    assert_eq!(engine.create(&wanted).await, Err(EngineFault::NameTaken { name: "edge-1".into() }));

    engine.start(name).await.unwrap();
    engine.start(name).await.unwrap();
    let running = engine.observe(name).await.unwrap().unwrap();
    assert_eq!((running.running, running.state, running.exit_code), (true, Lifecycle::Running, None));
    assert!(running.started_at.is_some(), "{running:?}");
    assert_eq!(engine.list(&[(label::APPLICATION, "skupper")]).await.unwrap(), ["edge-1"]);
    assert_eq!(engine.list(&[(label::GATEWAY, "edge")]).await.unwrap(), Vec::<String>::new());
    assert_eq!(engine.remove_image(&wanted.image).await, Ok(false), "an image in use stays");

    engine.stop(name, Duration::from_secs(1)).await.unwrap();
    engine.stop(name, Duration::from_secs(1)).await.unwrap();
    let stopped = engine.observe(name).await.unwrap().unwrap();
    assert_eq!((stopped.running, stopped.state, stopped.exit_code), (false, Lifecycle::Exited, Some(137)));

    let old: ContainerName = "edge-1.old".parse().unwrap();
    engine.rename(name, &old).await.unwrap();
    assert_eq!(engine.observe(name).await.unwrap(), None);
    assert_eq!(engine.observe(&old).await.unwrap().unwrap().id, id);
    engine.create(&wanted).await.unwrap();
    assert_eq!(engine.rename(&old, name).await, Err(EngineFault::NameTaken { name: "edge-1".into() }));
    assert_eq!(engine.remove(name).await, Ok(true));
    assert_eq!(engine.remove(&old).await, Ok(true));
    assert_eq!(engine.remove(&old).await, Ok(false));
    assert_eq!(engine.list(&[(label::APPLICATION, "skupper")]).await.unwrap(), Vec::<String>::new());

    // It ends, and is started again, for ever.
    let failing = container(&engine, "failing", &["exit"]).await;
    engine.create(&failing).await.unwrap();
    engine.start(&failing.name).await.unwrap();
    let first = engine.observe(&failing.name).await.unwrap().unwrap().started_at;
    until(&engine, &failing.name, |observed| observed.started_at != first).await;
    assert_eq!(engine.remove(&failing.name).await, Ok(true));

    let mut absent = container(&engine, "absent", &[]).await;
    absent.image = "localhost/nothing:1".into();
    assert_eq!(engine.create(&absent).await, Err(EngineFault::NoSuchImage { image: "localhost/nothing:1".into() }));
    let mut unmounted = container(&engine, "unmounted", &[]).await;
    unmounted.mounts[0].source = "/nowhere/at/all".into();
    let fault = engine.create(&unmounted).await.unwrap_err();
    assert!(matches!(fault, EngineFault::Mount { .. }), "{fault:?}");
    assert!(!exists("/nowhere"));
}

#[tokio::test]
#[ignore = "needs tests/hosts/engine"]
async fn exact_names() {
    let engine = engine().await;
    let wanted = container(&engine, "gateway", &["say", "a b", "$HOME", "%h", ""]).await;
    let id = engine.create(&wanted).await.unwrap();
    engine.start(&wanted.name).await.unwrap();
    for near in ["gatewa", "gateway2", "ateway", &id[..12], &id] {
        let near: ContainerName = near.parse().unwrap();
        assert_eq!(engine.observe(&near).await.unwrap(), None, "{near}");
        assert_eq!(engine.remove(&near).await, Ok(false), "{near}");
    }
    assert!(engine.observe(&wanted.name).await.unwrap().unwrap().running);
    let mut said = String::new();
    for _ in 0..200 {
        said = engine.log_tail(&wanted.name, 10).await.unwrap();
        if said.lines().count() == 6 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(said.lines().skip(1).collect::<Vec<_>>(), [r#""say""#, r#""a b""#, r#""$HOME""#, r#""%h""#, r#""""#]);
    engine.remove(&wanted.name).await.unwrap();
}

#[tokio::test]
#[ignore = "needs tests/hosts/engine"]
async fn health() {
    let engine = engine().await;
    let well = container(&engine, "well", &["serve"]).await;
    let mut ill = container(&engine, "ill", &["serve"]).await;
    if let Some(check) = &mut ill.health {
        check.command = vec!["/moorline".into(), "exit".into()];
    }
    for (wanted, expected) in [(well, Health::Healthy), (ill, Health::Unhealthy)] {
        engine.create(&wanted).await.unwrap();
        engine.start(&wanted.name).await.unwrap();
        until(&engine, &wanted.name, |observed| observed.health == expected).await;
        engine.remove(&wanted.name).await.unwrap();
    }
}

#[tokio::test]
#[ignore = "needs tests/hosts/engine"]
async fn after_a_reboot() {
    let engine = engine().await;
    let (scope, unit) = reboot::unit(engine.facts()).unwrap();
    assert_eq!((scope, unit.as_ref()), (Scope::User, "podman-restart.service"));
    let manager = Manager::connect(scope).await.unwrap();
    let user = User::current();
    let gaps = reboot::gaps(engine.facts(), &manager, &user, Linger::Off).await.unwrap();
    let said: Vec<String> = gaps.iter().map(ToString::to_string).collect();
    assert_eq!(gaps.len(), 2, "{said:?}");
    assert!(said[0].contains("systemctl --user enable podman-restart.service"), "{said:?}");
    assert!(said[1].contains("loginctl enable-linger tester"), "{said:?}");
    manager.enable(&unit).await.unwrap();
    manager.start(&unit, LONG).await.unwrap();
    assert_eq!(reboot::gaps(engine.facts(), &manager, &user, Linger::On).await.unwrap(), []);
    manager.disable(&unit).await.unwrap();
}

/// systemd listens, so the socket is there; but a podman without its tool for networks ends before it answers.
#[tokio::test]
#[ignore = "needs tests/hosts/engine"]
async fn does_not_start() {
    let kind = kind();
    let configuration = Environment::of_process().home.unwrap().join(".config/containers/containers.conf");
    let mut text = std::fs::read_to_string(&configuration).unwrap();
    assert!(text.contains("[engine]") && !text.contains("helper_binaries_dir"), "{text}");
    text = text.replace(
        "[engine]",
        "[network]\nnetwork_backend = \"netavark\"\n[engine]\nhelper_binaries_dir = [\"/nowhere\"]",
    );
    std::fs::write(&configuration, text).unwrap();
    let fault = Engine::find(kind, &Environment::of_process()).await.unwrap_err();
    assert!(matches!(fault, EngineFault::NotAnEngine { kind: Kind::Podman, .. }), "{fault:?}");
    assert!(fault.to_string().ends_with("this tells why: systemctl --user status podman.service"), "{fault}");
}

#[tokio::test]
#[ignore = "needs tests/hosts/engine"]
async fn docker_for_podman() {
    let mut environment = Environment::of_process();
    let socket = environment.variables.remove("DOCKER_HOST").unwrap();
    environment.variables.insert("CONTAINER_HOST".into(), socket);
    let fault = Engine::find(Kind::Podman, &environment).await.unwrap_err();
    assert!(matches!(fault, EngineFault::WrongEngine { asked: Kind::Podman, found: Kind::Docker, .. }), "{fault:?}");
}

#[tokio::test]
#[ignore = "needs tests/hosts/engine"]
async fn podman_for_docker() {
    let mut environment = Environment::of_process();
    let socket = environment.variables.remove("CONTAINER_HOST").unwrap();
    environment.variables.insert("DOCKER_HOST".into(), socket);
    let engine = Engine::find(Kind::Docker, &environment).await.unwrap();
    assert_eq!((engine.facts().asked, engine.facts().kind), (Kind::Docker, Kind::Podman));
    assert_eq!(engine.facts().endpoint.source, Source::Variable("DOCKER_HOST"));
}
