//! Addresses as they stand in `to`, `reply-to` and termini.

/// Where an address leads, seen from one router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Address<'a> {
    /// A service or any other address that the network knows by name.
    Mobile(&'a str),
    /// Something on this very router: a temporary address, `$management`.
    Local(&'a str),
    /// On that edge router.
    Edge(&'a str),
    /// On that interior router.
    Interior(&'a str),
}

/// Reads an address: scheme and host part do not matter, `_edge`, `_topo` and `_local` name a place.
pub(super) fn parse<'a>(text: &'a str, own_id: &str, we_are_edge: bool) -> Address<'a> {
    let path = strip_scheme(text);
    let Some(special) = path.strip_prefix('_') else {
        return if path == "$management" { Address::Local(path) } else { Address::Mobile(path) };
    };
    if let Some(rest) = special.strip_prefix("local/") {
        return Address::Local(rest);
    }
    if let Some((id, rest)) = special.strip_prefix("edge/").and_then(|s| s.split_once('/')) {
        return if we_are_edge && id == own_id { Address::Local(rest) } else { Address::Edge(id) };
    }
    if let Some((_area, tail)) = special.strip_prefix("topo/").and_then(|s| s.split_once('/'))
        && let Some((id, rest)) = tail.split_once('/')
    {
        return if !we_are_edge && id == own_id { Address::Local(rest) } else { Address::Interior(id) };
    }
    Address::Mobile(path)
}

fn strip_scheme(text: &str) -> &str {
    let Some(rest) = text.strip_prefix("amqp:").or_else(|| text.strip_prefix("amqps:")) else {
        return text.strip_prefix('/').unwrap_or(text);
    };
    match rest.strip_prefix("//") {
        Some(host_and_path) => host_and_path.split_once('/').map_or("", |(_, path)| path),
        None => rest.strip_prefix('/').unwrap_or(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form() {
        let edge = |text| parse(text, "e1", true);
        assert_eq!(edge("database:5432"), Address::Mobile("database:5432"));
        assert_eq!(edge("mc/$skupper-service-sync"), Address::Mobile("mc/$skupper-service-sync"));
        assert_eq!(edge("amqp:/_edge/e1/temp.x"), Address::Local("temp.x"));
        assert_eq!(edge("_edge/e2/temp.x"), Address::Edge("e2"));
        assert_eq!(edge("amqp:/_topo/0/i1/temp.x"), Address::Interior("i1"));
        assert_eq!(edge("/_local/$management"), Address::Local("$management"));
        assert_eq!(edge("$management"), Address::Local("$management"));
        assert_eq!(edge("amqp://host:5672/svc"), Address::Mobile("svc"));
        assert_eq!(parse("amqp:/_topo/0/h/temp.y", "h", false), Address::Local("temp.y"));
        assert_eq!(parse("amqp:/_edge/h/temp.y", "h", false), Address::Edge("h"));
        for odd in ["", "_", "_edge", "_edge/", "_edge/x", "_topo/0", "_topo/0/x", "amqp:", "amqp://"] {
            edge(odd);
        }
    }
}
