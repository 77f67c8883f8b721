//! Edges that tell each other of their services, through a hub.

use std::fs;
use std::path::{Path, PathBuf};

use moorline_definition::router_config::RouterConfig;
use moorline_router::io::{Event, RouterHandle, RouterStatus, StartOptions, start};

use crate::network::{Network, is_up, run, until};

const SITE: &str = "gateway_west_1";

/// A router of a site, which announces what `services` says.
fn site(config: &RouterConfig, site: Option<&str>, services: &Path) -> RouterHandle {
    let options = StartOptions {
        site: site.map(str::to_owned),
        services: Some(services.to_owned()),
        skupper_version: "1.8.7".to_owned(),
        ..StartOptions::default()
    };
    start(config, options).unwrap_or_else(|error| panic!("{error}"))
}

/// Replaces the file whole.
fn write(file: &Path, services: &str) {
    let new = file.with_extension("new");
    fs::write(&new, format!(r#"{{"services":[{services}]}}"#)).unwrap();
    fs::rename(new, file).unwrap();
}

fn file(network: &Network) -> PathBuf {
    network.folder.path().join("services.json")
}

fn heard(status: &RouterStatus) -> Vec<String> {
    let services = status.services.iter();
    services.map(|heard| format!("{} {} {:?}", heard.origin, heard.service.address, heard.service.ports)).collect()
}

const DB: &str = r#"{"address":"db","protocol":"tcp","ports":[5432]}"#;
const LOG: &str = r#"{"address":"log","protocol":"http","ports":[80,81],"eventchannel":true}"#;

#[tokio::test]
async fn edges_hear_what_another_announces_and_when_it_is_over() {
    let network = Network::new();
    let hub = run(&network.hub_config());
    let services = file(&network);
    let west = site(&network.edge_config("west"), Some(SITE), &services);
    let east = run(&network.edge_config("east"));
    for edge in [&west, &east] {
        until(edge, is_up).await;
    }
    assert!(west.status().await.unwrap().announced.is_empty(), "there is no file yet");

    write(&services, DB);
    for other in [&east, &hub] {
        let status = until(other, |status| !status.services.is_empty()).await;
        assert_eq!(heard(&status), ["gateway_west_1 db [5432]"]);
        assert_eq!(status.services[0].service.protocol, "tcp");
    }
    let status = west.status().await.unwrap();
    assert_eq!((status.announced.len(), heard(&status)), (1, Vec::new()), "its own are not heard of");

    write(&services, &format!("{DB},{LOG}"));
    let status = until(&east, |status| status.services.len() == 2).await;
    assert_eq!(heard(&status), ["gateway_west_1 db [5432]", "gateway_west_1 log [80, 81]"]);
    assert!(status.services[1].service.eventchannel);

    // Who comes later hears it too.
    let late = run(&network.edge_config("late"));
    until(&late, |status| status.services.len() == 2).await;

    fs::remove_file(&services).unwrap();
    for other in [&east, &late, &hub] {
        until(other, |status| status.services.is_empty()).await;
    }
    assert!(west.status().await.unwrap().announced.is_empty());
}

#[tokio::test]
async fn a_new_uplink_hears_it_at_once() {
    let network = Network::new();
    let services = file(&network);
    write(&services, DB);
    let west = site(&network.edge_config("west"), Some(SITE), &services);
    until(&west, |status| status.announced.len() == 1).await;
    for _ in 0..2 {
        let hub = run(&network.hub_config());
        until(&hub, |status| heard(status) == ["gateway_west_1 db [5432]"]).await;
        hub.drain(std::time::Duration::ZERO).await.unwrap();
        until(&west, |status| !is_up(status)).await;
    }
}

#[tokio::test]
async fn a_bad_file_is_told_of_once_and_the_former_stays() {
    let network = Network::new();
    let services = file(&network);
    write(&services, DB);
    let hub = site(&network.hub_config(), Some("hub-site"), &services);
    let mut events = hub.events();
    until(&hub, |status| status.announced.len() == 1).await;
    write(&services, r#"{"address":"db","protocol":"tcp","ports":[]}"#);
    // Certificates have warnings too.
    let about_services = |event| match event {
        Event::Warning { text } => Some(text).filter(|text| text.contains("services.json")),
        _ => None,
    };
    let warning = loop {
        if let Some(warning) = about_services(events.recv().await.unwrap()) {
            break warning;
        }
    };
    assert!(warning.contains("service \"db\""), "{warning}");
    write(&services, LOG);
    let status = until(&hub, |status| status.announced.iter().any(|service| service.address == "log")).await;
    assert_eq!(status.announced.len(), 1, "the bad one was never announced");
    let more = std::iter::from_fn(|| events.try_recv().ok());
    assert_eq!(more.filter_map(about_services).next(), None, "told once");
}

#[tokio::test]
async fn a_router_of_no_site_announces_nothing() {
    let network = Network::new();
    let services = file(&network);
    write(&services, DB);
    let hub = run(&network.hub_config());
    let west = site(&network.edge_config("west"), None, &services);
    let east = site(&network.edge_config("east"), Some("gateway_east_2"), &services);
    until(&west, is_up).await;
    until(&east, |status| status.announced.len() == 1).await;
    let status = until(&west, |status| !status.services.is_empty()).await;
    assert_eq!((heard(&status), status.announced), (vec!["gateway_east_2 db [5432]".to_owned()], Vec::new()));
    until(&hub, |status| heard(status) == ["gateway_east_2 db [5432]"]).await;
}
