//! The keys of each mapping, and what to suggest for a key that is none of them.

/// Top level.
pub(crate) const TOP: &[&str] = &["name", "bindings", "forwards", "qdr-listeners"];

/// One element of `bindings` or `forwards`.
pub(crate) const ENDPOINT: &[&str] = &["name", "host", "loopback", "local_port", "service", "target_ports"];

/// `service`. `enabletls` was a key until Skupper 1.3.
pub(crate) const SERVICE: &[&str] = &[
    "address",
    "protocol",
    "ports",
    "exposeIngress",
    "eventchannel",
    "aggregate",
    "headless",
    "labels",
    "annotations",
    "targets",
    "origin",
    "tlscredentials",
    "tlscertauthority",
    "publishnotreadyaddresses",
    "bridgeimage",
    "enabletls",
];

/// One element of `qdr-listeners`. `extrafieldsimpl` is written by Skupper's export since 1.8.
pub(crate) const QDR_LISTENER: &[&str] = &[
    "name",
    "host",
    "port",
    "role",
    "route-container",
    "http",
    "cost",
    "ssl-profile",
    "sasl-mechanisms",
    "authenticate-peer",
    "link-capacity",
    "http-rootdir",
    "web-sockets",
    "healthz",
    "metrics",
    "max-frame-size",
    "max-session-frames",
    "extrafieldsimpl",
];

/// Longer keys get no suggestion.
const LONGEST: usize = 40;

/// The key that is meant by another spelling of it: `targetPorts`, `target-ports`, `tlsCredentials`.
pub(crate) fn alias(key: &str, known: &'static [&'static str]) -> Option<&'static str> {
    if key.len() > LONGEST {
        return None;
    }
    let spelling = letters(key);
    known.iter().copied().find(|candidate| letters(candidate) == spelling)
}

/// The key that is probably meant by a misspelt one.
pub(crate) fn nearest(key: &str, known: &'static [&'static str]) -> Option<&'static str> {
    if key.len() > LONGEST {
        return None;
    }
    let spelling = letters(key);
    known
        .iter()
        .map(|candidate| (strsim::osa_distance(&spelling, &letters(candidate)), *candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn letters(key: &str) -> String {
    key.chars().filter(|c| !matches!(c, '-' | '_')).flat_map(char::to_lowercase).collect()
}
