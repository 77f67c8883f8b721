//! Checks across the entities of a configuration.

use std::collections::HashSet;

use super::{ConfigProblem, Place, RouterConfig, RouterConfigError};

impl RouterConfig {
    /// Checks what [`parse`](super::parse) checks across entities, for a configuration made in memory: names are
    /// unique in their kind, and every `sslProfile` that is named exists.
    ///
    /// # Errors
    /// All such problems at once.
    pub fn validate(&self) -> Result<(), RouterConfigError> {
        let problems = references(self, &|_, _| 0);
        if problems.is_empty() { Ok(()) } else { Err(RouterConfigError { problems }) }
    }

    /// The entities that name an `sslProfile`, each as kind and name.
    #[must_use]
    pub fn users_of(&self, profile: &str) -> Vec<String> {
        let users = profile_references(self).into_iter().filter(|(_, _, used)| *used == profile);
        users.map(|(kind, name, _)| format!("{kind} {name}")).collect()
    }
}

/// `line` answers the line of an entity, by kind and name.
pub(super) fn references(config: &RouterConfig, line: &dyn Fn(&str, &str) -> usize) -> Vec<ConfigProblem> {
    let mut problems = Vec::new();
    let place = |entity: &str, name: &str, attribute| Place {
        line: line(entity, name),
        entity: entity.to_owned(),
        name: name.to_owned(),
        attribute,
    };
    for (entity, attribute, names) in names(config) {
        let mut seen = HashSet::new();
        for name in names {
            // An empty name was already reported as missing.
            if !name.is_empty() && !seen.insert(name) {
                problems.push(ConfigProblem::Duplicate { place: place(entity, name, attribute) });
            }
        }
    }
    let profiles: HashSet<&str> = config.ssl_profiles.iter().map(|profile| profile.name.as_str()).collect();
    for (entity, name, profile) in profile_references(config) {
        if !profiles.contains(profile) {
            problems.push(ConfigProblem::UnknownProfile {
                place: place(entity, name, "sslProfile"),
                profile: profile.to_owned(),
            });
        }
    }
    for connector in &config.connectors {
        let Some(profile) = connector.proxy_profile.as_deref().filter(|profile| !profile.is_empty()) else {
            continue;
        };
        if !config.proxy_profiles.iter().any(|known| known.name == profile) {
            problems.push(ConfigProblem::UnknownProfile {
                place: place("connector", &connector.name, "proxyProfile"),
                profile: profile.to_owned(),
            });
        }
    }
    problems
}

/// Kind, naming attribute and names.
fn names(config: &RouterConfig) -> [(&'static str, &'static str, Vec<&str>); 10] {
    fn all<T>(list: &[T], name: fn(&T) -> &str) -> Vec<&str> {
        list.iter().map(name).collect()
    }
    [
        ("sslProfile", "name", all(&config.ssl_profiles, |e| &e.name)),
        ("proxyProfile", "name", all(&config.proxy_profiles, |e| &e.name)),
        ("connector", "name", all(&config.connectors, |e| &e.name)),
        ("listener", "name", all(&config.listeners, |e| &e.name)),
        ("address", "prefix", all(&config.addresses, |e| e.means())),
        ("tcpConnector", "name", all(&config.tcp_connectors, |e| &e.name)),
        ("tcpListener", "name", all(&config.tcp_listeners, |e| &e.name)),
        ("httpConnector", "name", all(&config.http_connectors, |e| &e.name)),
        ("httpListener", "name", all(&config.http_listeners, |e| &e.name)),
        ("log", "module", all(&config.logs, |e| &e.module)),
    ]
}

/// Kind and name of an entity, and the profile that it names.
fn profile_references(config: &RouterConfig) -> Vec<(&'static str, &str, &str)> {
    let tcp = [("tcpConnector", &config.tcp_connectors), ("tcpListener", &config.tcp_listeners)];
    let http = [("httpConnector", &config.http_connectors), ("httpListener", &config.http_listeners)];
    let mut found: Vec<(&'static str, &str, Option<&str>)> = Vec::new();
    found.extend(config.connectors.iter().map(|e| ("connector", e.name.as_str(), e.ssl_profile.as_deref())));
    found.extend(config.listeners.iter().map(|e| ("listener", e.name.as_str(), e.ssl_profile.as_deref())));
    for (kind, bridges) in tcp {
        found.extend(bridges.iter().map(|e| (kind, e.name.as_str(), e.ssl_profile.as_deref())));
    }
    for (kind, bridges) in http {
        found.extend(bridges.iter().map(|e| (kind, e.name.as_str(), e.ssl_profile.as_deref())));
    }
    found
        .into_iter()
        .filter_map(|(kind, name, profile)| Some((kind, name, profile.filter(|p| !p.is_empty())?)))
        .collect()
}
