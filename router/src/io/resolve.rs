//! Host names to addresses.
//!
//! The program is static, and glibc's resolver does not work in a static program: it loads the host's own modules. So the
//! two files that matter are read here, `/etc/hosts` and `/etc/resolv.conf`, and name servers are asked by hickory.

mod dns;
mod hosts;
mod names;
mod watched;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;

use names::Names;

thread_local! {
    /// Of the router's one thread, whose runtime the questions to name servers belong to.
    static NAMES: Rc<Names> = Rc::new(Names::of_host());
}

/// All addresses of a host, in the order to try them: the hosts file's first family first, IPv4 of name servers', then in
/// turns. Gives up after some seconds.
///
/// Addresses and `localhost` need no resolver.
pub(super) async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let host = bare(host);
    let known = match without_resolver(host) {
        Some(known) => known,
        None => NAMES.with(Rc::clone).addresses(host).await?,
    };
    Ok(in_turns(&known).into_iter().map(|address| SocketAddr::new(address, port)).collect())
}

/// The same for the time before the router's thread runs; blocks.
pub(super) fn resolve_blocking(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    // A thread, because the caller's may be one that drives a runtime already.
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(resolve(host, port))
        });
        asking.join().unwrap_or_else(|_| Err(io::Error::other("the resolver failed")))
    })
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

/// Names below `localhost` are this host too (RFC 6761).
fn without_resolver(host: &str) -> Option<Vec<IpAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some(vec![address]);
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let last = name.rsplit('.').next().unwrap_or(name);
    last.eq_ignore_ascii_case("localhost")
        .then(|| vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)])
}

fn in_turns(found: &[IpAddr]) -> Vec<IpAddr> {
    let Some(first) = found.first() else {
        return Vec::new();
    };
    let (mut same, mut other): (Vec<_>, Vec<_>) =
        found.iter().copied().partition(|address| address.is_ipv4() == first.is_ipv4());
    same.reverse();
    other.reverse();
    let mut ordered: Vec<IpAddr> = Vec::with_capacity(found.len());
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
        let parse = |text: &str| text.parse::<IpAddr>().unwrap();
        let found = ["::1", "::2", "1.1.1.1", "::1", "2.2.2.2"].map(parse);
        let expected = ["::1", "1.1.1.1", "::2", "2.2.2.2"].map(parse);
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
        for name in ["LocalHost", "localhost.", "db.localhost"] {
            let found = resolve_blocking(name, 7).unwrap();
            assert_eq!(found, ["127.0.0.1:7".parse().unwrap(), "[::1]:7".parse().unwrap()], "{name}");
        }
        assert_eq!(without_resolver("notlocalhost"), None);
        assert_eq!(without_resolver("localhost.example.com"), None);
    }

    #[tokio::test]
    async fn a_runtime_on_the_same_thread_is_no_obstacle_to_blocking() {
        assert_eq!(resolve_blocking("127.0.0.1", 7).unwrap(), ["127.0.0.1:7".parse().unwrap()]);
    }
}
