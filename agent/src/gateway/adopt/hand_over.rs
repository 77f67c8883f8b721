//! What the old router gives up, and when.

use moorline_definition::router_config::{Entity, RouterConfig};

use crate::installation::keeper::GatewayType;
use crate::installation::live::Services;
use crate::installation::old::Old;
use crate::installation::step::Step;
use crate::output;

/// A port for AMQP.
const DOOR: &str = "listener";
const PORTS: [&str; 3] = ["tcpListener", "httpListener", DOOR];
const BINDINGS: [&str; 2] = ["tcpConnector", "httpConnector"];
const SERVICES: [&str; 4] = ["tcpListener", "httpListener", "tcpConnector", "httpConnector"];

/// A configuration whose router opens no port.
pub(super) fn without_ports(config: &RouterConfig) -> RouterConfig {
    RouterConfig { listeners: Vec::new(), tcp_listeners: Vec::new(), http_listeners: Vec::new(), ..config.clone() }
}

/// The ports of a configuration, to be added to a router that runs `without` them.
pub(super) fn ports(config: &RouterConfig, without: &RouterConfig) -> Vec<Step> {
    let there = without.entities();
    let mut entities = config.entities();
    entities.retain(|entity| PORTS.contains(&entity.place().0) && !there.contains(entity));
    entities.into_iter().map(|entity| Step::Add { entity }).collect()
}

/// The same steps, in which the old router gives up each port before ours opens it, and servers when ours serves them.
pub(super) fn steps(steps: Vec<Step>, services: &Services) -> Vec<Step> {
    let held = services.configured(&PORTS);
    let mut handing = Vec::new();
    let mut doors = Vec::new();
    for step in steps {
        let Step::Add { entity } = &step else {
            handing.push(step);
            continue;
        };
        let kind = entity.place().0;
        // The port for management changes hands last: it is what the old router is asked through.
        let to = if kind == DOOR { &mut doors } else { &mut handing };
        if PORTS.contains(&kind) {
            let port = entity.attributes().get("port").map(plain);
            let of_port = |held: &&Entity| held.attributes().get("port").map(plain) == port;
            to.extend(held.iter().find(of_port).map(|held| Step::Release { entity: held.clone() }));
        }
        to.push(step);
    }
    handing.extend(services.configured(&BINDINGS).into_iter().map(|entity| Step::Release { entity }));
    handing.extend(doors);
    handing
}

/// Numbers and texts are the same to routers.
fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// How the old gateway gives its name or its ports away before ours starts.
pub(super) fn makes_way(old: &Old, kind: GatewayType, answers: bool) -> Option<Step> {
    let (name, then) = old.names();
    match (old.runs(), answers) {
        (true, true) => old.has_name(kind).then_some(Step::Aside { name, then }),
        (true, false) => {
            let why = "its router does not answer: its connections end, and new ones wait until the new router runs";
            Some(Step::Halt { name, why: why.to_owned() })
        }
        (false, _) => Some(Step::Halt { name, why: "it does not run".to_owned() }),
    }
}

/// What runs and is in no file cannot be taken over.
pub(super) fn strangers(services: &Services, config: &RouterConfig) {
    let known = config.entities();
    let unknown = |entity: &Entity| !known.iter().any(|known| known.place() == entity.place());
    for entity in services.configured(&SERVICES).iter().filter(|entity| unknown(entity)) {
        let (kind, name) = entity.place();
        output::warning(&format!("the old router has a {kind} {name} that is not in its file: it is not taken over"));
    }
}
