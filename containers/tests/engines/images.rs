//! Images that are made here, and images of others.

use std::time::Duration;

use moorline_containers::{EngineFault, PullProgress, label};

use crate::host::{container, engine, probe, until};
use crate::registry::Registry;

#[tokio::test]
#[ignore = "needs tests/hosts/engine"]
async fn made_here() {
    let engine = engine().await;
    let mut binary = probe();
    let first = engine.router_image(&binary).await.unwrap();
    assert!(first.built && first.name.starts_with("localhost/moorline-router:"), "{first:?}");
    let again = engine.router_image(&binary).await.unwrap();
    assert_eq!((again.built, &again.id, &again.name), (false, &first.id, &first.name));
    let image = engine.image(&first.name).await.unwrap().unwrap();
    let digest = image.labels.get(label::BINARY).unwrap();
    assert!(first.name.ends_with(digest.get(..12).unwrap()), "{image:?}");

    // What follows a program in its file does not matter to it, but it is another file.
    binary.push(0);
    let other = engine.router_image(&binary).await.unwrap();
    assert!(other.built && other.id != first.id && other.name != first.name, "{other:?}");

    assert!(engine.remove_image(&first.name).await.unwrap());
    assert!(!engine.remove_image(&first.name).await.unwrap());
    assert_eq!(engine.image(&first.name).await.unwrap(), None);
    let rebuilt = engine.router_image(&probe()).await.unwrap();
    assert_eq!((rebuilt.built, &rebuilt.id), (true, &first.id), "the same program gives the same image");

    let dynamic = std::fs::read("/bin/true").unwrap();
    assert!(matches!(engine.router_image(&dynamic).await, Err(EngineFault::NotStatic { .. })));
    assert!(matches!(engine.router_image(b"#!/bin/sh").await, Err(EngineFault::NotStatic { .. })));
}

/// There is no network beside the engine, so no registry either.
#[tokio::test]
#[ignore = "needs tests/hosts/engine"]
async fn fetched() {
    let engine = engine().await;
    let mut steps = Vec::new();
    let mut progress = |step: PullProgress| steps.push(step);
    let image = "registry.invalid/skupper/skupper-router:2.7.3";
    let fault = engine.pull(image, &mut progress).await.unwrap_err();
    assert!(matches!(&fault, EngineFault::Offline { image: named, .. } if named == image), "{fault:?}");
    for word in ["QDROUTERD_IMAGE", "registry, registry.invalid, cannot", " load -i "] {
        assert!(fault.to_string().contains(word), "{fault}");
    }
    let fault = engine.pull("127.0.0.1:9/x/y", &mut progress).await.unwrap_err();
    assert!(matches!(&fault, EngineFault::Offline { .. }), "{fault:?}");
}

#[tokio::test]
#[ignore = "needs tests/hosts/engine"]
async fn from_a_registry() {
    let (engine, registry) = (engine().await, Registry::serve(&probe()));
    let name = registry.image();
    assert_eq!(engine.image(&name).await.unwrap(), None);
    let mut steps = Vec::new();
    let image = engine.pull(&name, &mut |step| steps.push(step)).await.unwrap();
    assert!(image.tags.contains(&name), "{image:?}");
    assert!(steps.iter().any(|step| matches!(step, PullProgress::Layer { .. })), "{steps:?}");
    assert_eq!(engine.image(&name).await.unwrap().as_ref(), Some(&image));
    assert_eq!(registry.fetched(), 1);

    // The registry may have another by now, which is asked; what is here is not fetched twice.
    let again = engine.pull(&name, &mut |_| {}).await.unwrap();
    assert_eq!((again.id, registry.fetched()), (image.id, 1));

    let mut wanted = container(&engine, "fetched", &["say", "here"]).await;
    wanted.image = name;
    engine.create(&wanted).await.unwrap();
    engine.start(&wanted.name).await.unwrap();
    let observed = until(&engine, &wanted.name, |observed| observed.running).await;
    assert_eq!(observed.image, wanted.image);
    let mut said = String::new();
    for _ in 0..200 {
        said = engine.log_tail(&wanted.name, 10).await.unwrap();
        if said.contains("here") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(said.contains("here"), "{said}");
    engine.remove(&wanted.name).await.unwrap();

    for absent in ["network/router:9.9", "network/no-router:2.7"] {
        let absent = registry.named(absent);
        let fault = engine.pull(&absent, &mut |_| {}).await.unwrap_err();
        println!("{fault}");
        assert!(matches!(&fault, EngineFault::PullDenied { image, .. } if *image == absent), "{fault:?}");
        assert!(fault.to_string().starts_with(&format!("the registry does not hand out {absent}: ")), "{fault}");
    }
}

#[tokio::test]
#[ignore = "needs tests/hosts/engine"]
async fn too_large() {
    let engine = engine().await;
    let mut binary = probe();
    // What does not compress, so that no engine can help itself.
    let mut state = 1_u64;
    while binary.len() < 40 << 20 {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        binary.extend_from_slice(&state.to_le_bytes()[4..]);
    }
    let fault = engine.router_image(&binary).await.unwrap_err();
    assert!(matches!(fault, EngineFault::NoSpace { .. }), "{fault:?}");
}
