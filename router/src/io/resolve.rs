//! Host names to addresses.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// All addresses of a host, in the order to try them: the resolver's first family first, then in turns.
///
/// Addresses and `localhost` need no resolver.
pub(super) async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let host = bare(host);
    if let Some(known) = without_resolver(host) {
        return Ok(with_port(&known, port));
    }
    let found: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
    Ok(in_turns(&found))
}

/// The same for the time before the router's thread runs; blocks.
pub(super) fn resolve_blocking(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    use std::net::ToSocketAddrs;
    let host = bare(host);
    if let Some(known) = without_resolver(host) {
        return Ok(with_port(&known, port));
    }
    Ok(in_turns(&(host, port).to_socket_addrs()?.collect::<Vec<_>>()))
}

/// A host without the brackets that an IPv6 address may be written in.
pub(super) fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

/// Host and port as one writes them: IPv6 addresses in brackets.
pub(super) fn host_port(host: &str, port: u16) -> String {
    let host = bare(host);
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn without_resolver(host: &str) -> Option<Vec<IpAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some(vec![address]);
    }
    host.eq_ignore_ascii_case("localhost")
        .then(|| vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)])
}

fn with_port(addresses: &[IpAddr], port: u16) -> Vec<SocketAddr> {
    addresses.iter().map(|address| SocketAddr::new(*address, port)).collect()
}

fn in_turns(found: &[SocketAddr]) -> Vec<SocketAddr> {
    let Some(first) = found.first() else {
        return Vec::new();
    };
    let (mut same, mut other): (Vec<_>, Vec<_>) =
        found.iter().copied().partition(|address| address.is_ipv4() == first.is_ipv4());
    same.reverse();
    other.reverse();
    let mut ordered: Vec<SocketAddr> = Vec::with_capacity(found.len());
    loop {
        for family in [&mut same, &mut other] {
            if let Some(address) = family.pop()
                && !ordered.contains(&address)
            {
                ordered.push(address);
            }
        }
        if same.is_empty() && other.is_empty() {
            return ordered;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_and_doubles_go() {
        let parse = |text: &str| text.parse::<SocketAddr>().unwrap();
        let found = ["[::1]:5", "[::2]:5", "1.1.1.1:5", "[::1]:5", "2.2.2.2:5"].map(parse);
        let expected = ["[::1]:5", "1.1.1.1:5", "[::2]:5", "2.2.2.2:5"].map(parse);
        assert_eq!(in_turns(&found), expected);
    }

    #[test]
    fn brackets_come_and_go() {
        assert_eq!(resolve_blocking("[::1]", 7).unwrap(), ["[::1]:7".parse().unwrap()]);
        assert_eq!(host_port("::1", 7), "[::1]:7");
        assert_eq!(host_port("[::1]", 7), "[::1]:7");
        assert_eq!(host_port("example.com", 7), "example.com:7");
    }

    #[test]
    fn localhost_needs_no_resolver() {
        let found = resolve_blocking("LocalHost", 7).unwrap();
        assert_eq!(found.len(), 2);
        assert!(found[0].is_ipv4());
    }
}
