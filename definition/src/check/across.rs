//! Checks across the endpoints and listeners of a definition.

use std::collections::HashMap;

use super::endpoint::Found;
use super::fields::At;
use super::{Checker, qdr_listener};
use crate::definition::{Host, Port, Section};

impl Checker<'_> {
    pub(super) fn across(&mut self, bindings: &[Found], forwards: &[Found], listeners: &[qdr_listener::Found]) {
        self.unique(Section::Bindings.word(), bindings.iter().map(|found| (&found.path, &found.name)));
        self.unique(Section::Forwards.word(), forwards.iter().map(|found| (&found.path, &found.name)));
        self.unique("qdr-listener", listeners.iter().map(|found| (&found.path, &found.name)));
        let mut taken = Taken::default();
        for found in listeners {
            self.listens(&mut taken, &found.path, &found.host, &found.port);
        }
        if listeners.is_empty() {
            taken.ports.entry(Port::AMQP).or_default().push(Listening {
                path: "the qdr-listener that every gateway has unless it names its own".to_owned(),
                host: "localhost".to_owned(),
                at: None,
            });
        }
        for found in forwards {
            self.listens(&mut taken, &found.path, &found.host, &found.port);
        }
    }

    fn unique<'a>(&mut self, kind: &str, names: impl Iterator<Item = (&'a String, &'a Option<At<String>>)>) {
        let mut first: HashMap<&str, &At<String>> = HashMap::new();
        for (path, name) in names {
            let Some(name) = name else { continue };
            let Some(earlier) = first.get(name.value.as_str()) else {
                first.insert(&name.value, name);
                continue;
            };
            let line = self.source.line(earlier.at.start);
            let related = (self.source.span(&earlier.at), "first used here".to_owned());
            let message = format!("duplicate {kind} name {:?} (also at line {line})", name.value);
            self.error("duplicate-name", &format!("{path}.name"), &name.at, message).related.push(related);
        }
    }

    fn listens(&mut self, taken: &mut Taken, path: &str, host: &Option<String>, port: &Option<At<Port>>) {
        let (Some(host), Some(port)) = (host, port) else {
            return;
        };
        let others = taken.ports.entry(port.value).or_default();
        if let Some(other) = others.iter().find(|other| overlap(&other.host, host)) {
            let shown = if host.is_empty() { "0.0.0.0" } else { host };
            let message = format!("{path} listens on {shown}:{} already used by {}", port.value, other.path);
            let related = other.at.clone().map(|at| (self.source.span(&at), "used here".to_owned()));
            let problem = self.error("port-in-use", path, &port.at, message);
            problem.related.extend(related);
            return;
        }
        others.push(Listening { path: path.to_owned(), host: host.clone(), at: Some(port.at.clone()) });
    }
}

#[derive(Default)]
struct Taken {
    ports: HashMap<Port, Vec<Listening>>,
}

struct Listening {
    path: String,
    host: String,
    at: Option<std::ops::Range<usize>>,
}

/// Whether one port cannot be bound on both: the same host, or one of them is every interface.
fn overlap(one: &str, other: &str) -> bool {
    let wildcard = |host: &str| host.is_empty() || host.parse::<Host>().is_ok_and(|host| host.is_wildcard());
    // The router binds the first address of a name, and localhost's may be either.
    let same = |a: &str, b: &str| {
        a.eq_ignore_ascii_case("localhost") && b.parse::<Host>().is_ok_and(|host| host.is_loopback() && is_usual(&host))
    };
    wildcard(one) || wildcard(other) || one.eq_ignore_ascii_case(other) || same(one, other) || same(other, one)
}

fn is_usual(host: &Host) -> bool {
    matches!(host.as_str(), "127.0.0.1" | "::1")
}
