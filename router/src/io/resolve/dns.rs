//! `/etc/resolv.conf` and the name servers that it names.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ResolveHosts, ResolverConfig};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::Name;
use hickory_resolver::system_conf::parse_resolv_conf;
use tokio::time::timeout;

/// A question is repeated after this long at the latest, whatever the file says: the router cannot wait for longer.
const PATIENCE: Duration = Duration::from_millis(1500);
/// How long to wait for the other family when one is there: some name servers never answer for IPv6.
const OTHER_FAMILY: Duration = Duration::from_millis(300);
/// An answer that there is no such name counts for this long, so that a name is found soon after it was made.
const NEGATIVE: Duration = Duration::from_secs(1);
/// Answers kept, each for as long as its name server says.
const CACHED: u64 = 256;

/// The name servers of this host, with their search domains and options.
pub(super) struct NameServers {
    resolver: TokioResolver,
    addresses: Vec<IpAddr>,
}

impl NameServers {
    /// As resolv.conf(5) has it: without the file, or a `nameserver` in it, the one of this host is asked; without a
    /// `search` or `domain`, the domain of the host's own name is searched.
    pub(super) fn parse(content: io::Result<Vec<u8>>, port: u16) -> Result<Self, String> {
        let mut content = match content {
            Ok(content) => content,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error.to_string()),
        };
        if !names_a_server(&content) {
            content.extend_from_slice(b"\nnameserver 127.0.0.1\n");
        }
        let (config, mut options) = parse_resolv_conf(content).map_err(|error| error.to_string())?;
        options.timeout = options.timeout.clamp(Duration::from_millis(500), PATIENCE);
        options.use_hosts_file = ResolveHosts::Never;
        options.negative_max_ttl = Some(NEGATIVE);
        options.cache_size = CACHED;
        options.try_tcp_on_error = true;
        let mut servers = config.name_servers().to_vec();
        let addresses = servers.iter().map(|server| server.ip).collect();
        for connection in servers.iter_mut().flat_map(|server| &mut server.connections) {
            connection.port = port;
        }
        // The resolver would search the host's own domain as well as the domains given.
        let search = match config.search() {
            [] => config.domain().cloned().into_iter().collect(),
            search => search.to_vec(),
        };
        let config = ResolverConfig::from_parts(None, search, servers);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options;
        let resolver = builder.build().map_err(|error| error.to_string())?;
        Ok(Self { resolver, addresses })
    }

    /// The addresses of a name, IPv4 first; at least one.
    pub(super) async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let name = Name::from_str_relaxed(host)
            .map_err(|_| io::Error::new(ErrorKind::InvalidInput, "it is not a name that name servers know"))?;
        let mut four = pin!(self.resolver.ipv4_lookup(name.clone()));
        let mut six = pin!(self.resolver.ipv6_lookup(name));
        let (four, six) = tokio::select! {
            four = &mut four => { let six = other(&four, six).await; (Some(four), six) }
            six = &mut six => { let four = other(&six, four).await; (four, Some(six)) }
        };
        let mut found = Vec::new();
        let mut problem = None;
        for answer in [four, six].into_iter().flatten() {
            match answer {
                Ok(lookup) => found.extend(lookup.answers().iter().filter_map(|record| record.data.ip_addr())),
                // That a name has no address of one family says less than a failure.
                Err(error) if error.is_no_records_found() => drop(problem.get_or_insert(error)),
                Err(error) => problem = Some(error),
            }
        }
        if found.is_empty() { Err(self.failure(problem)) } else { Ok(found) }
    }

    fn failure(&self, problem: Option<NetError>) -> io::Error {
        match problem {
            Some(error) if error.is_nx_domain() => {
                io::Error::new(ErrorKind::NotFound, format!("no such name, says {self}"))
            }
            Some(error) if !error.is_no_records_found() => io::Error::other(format!("{error}, asked {self}")),
            _ => io::Error::new(ErrorKind::NotFound, format!("the name has no address, says {self}")),
        }
    }
}

/// The servers that are asked.
impl fmt::Display for NameServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("name server")?;
        for (number, address) in self.addresses.iter().enumerate() {
            write!(f, "{} {address}", if number == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// The answer of the family that is still asked for; `None` if it takes too long and is not needed.
async fn other(
    first: &Result<Lookup, NetError>,
    second: impl Future<Output = Result<Lookup, NetError>>,
) -> Option<Result<Lookup, NetError>> {
    match first {
        Ok(found) if !found.answers().is_empty() => timeout(OTHER_FAMILY, second).await.ok(),
        _ => Some(second.await),
    }
}

fn names_a_server(content: &[u8]) -> bool {
    let first_words = content.split(|byte| *byte == b'\n').map(|line| {
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        (words.next(), words.next())
    });
    first_words.into_iter().any(|words| matches!(words, (Some(b"nameserver"), Some(_))))
}
