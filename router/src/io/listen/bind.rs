//! Opening listening sockets, and what a taken port tells.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use super::owner::{PortOwner, port_owner};
use crate::io::resolve::{resolve, resolve_blocking};
use crate::io::socket::tune;

/// The kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 65_535;

/// Why a port cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process has the port.
    #[error("{address} is in use{}", owner.as_ref().map(|owner| format!(" by {owner}")).unwrap_or_default())]
    Occupied {
        /// The address.
        address: SocketAddr,
        /// Who has it, when that can be seen.
        owner: Option<PortOwner>,
    },
    /// The system does not let us.
    #[error("{address} cannot be opened: {source}")]
    System {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The host has no address.
    #[error("host {host} not found: {source}")]
    Host {
        /// The host.
        host: String,
        /// Why.
        source: io::Error,
    },
}

/// Host and port to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::io) struct BindTarget {
    /// Empty: every IPv4 interface, as skrouterd does.
    pub(in crate::io) host: String,
    /// 0: the system chooses.
    pub(in crate::io) port: u16,
}

impl BindTarget {
    /// Every interface, reachable from anywhere.
    pub(in crate::io) fn is_wildcard(&self) -> bool {
        self.host.is_empty() || self.host.parse::<IpAddr>().is_ok_and(|host| host.is_unspecified())
    }

    fn known(&self) -> Option<Vec<SocketAddr>> {
        self.host.is_empty().then(|| vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), self.port)])
    }

    pub(in crate::io) async fn addresses(&self) -> Result<Vec<SocketAddr>, BindError> {
        match self.known() {
            Some(known) => Ok(known),
            None => self.found(resolve(&self.host, self.port).await),
        }
    }

    pub(in crate::io) fn addresses_blocking(&self) -> Result<Vec<SocketAddr>, BindError> {
        match self.known() {
            Some(known) => Ok(known),
            None => self.found(resolve_blocking(&self.host, self.port)),
        }
    }

    fn found(&self, resolved: io::Result<Vec<SocketAddr>>) -> Result<Vec<SocketAddr>, BindError> {
        let problem = |source| BindError::Host { host: self.host.clone(), source };
        let addresses = resolved.map_err(problem)?;
        if addresses.is_empty() {
            return Err(problem(io::ErrorKind::NotFound.into()));
        }
        Ok(addresses)
    }
}

/// Opens all addresses; those of a family that this host does not have are left out when another is there.
pub(in crate::io) fn open(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, BindError> {
    let mut sockets: Vec<TcpListener> = Vec::with_capacity(addresses.len());
    let mut left_out = None;
    for address in addresses {
        let mut address = *address;
        // A port that the system chose for the first address serves the others too.
        if address.port() == 0
            && let Some(Ok(first)) = sockets.first().map(TcpListener::local_addr)
        {
            address.set_port(first.port());
        }
        match listen(address) {
            Ok(socket) => sockets.push(socket),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                return Err(BindError::Occupied { address, owner: port_owner(address) });
            }
            Err(source) => {
                let error = BindError::System { address, source };
                if !is_absent_family(&error) {
                    return Err(error);
                }
                left_out = Some(error);
            }
        }
    }
    match left_out {
        Some(error) if sockets.is_empty() => Err(error),
        _ => Ok(sockets),
    }
}

/// Finds out whether [`open`] would succeed.
pub(in crate::io) fn probe(addresses: &[SocketAddr]) -> Result<(), BindError> {
    open(addresses).map(drop)
}

fn is_absent_family(error: &BindError) -> bool {
    matches!(error, BindError::System { source, address }
        if address.is_ipv6() && (source.kind() == io::ErrorKind::AddrNotAvailable
            || source.kind() == io::ErrorKind::Unsupported))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking().cloexec(), Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    tune((&socket).into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_names_its_owner() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = open(&[address]).unwrap_err();
        let words = error.to_string();
        assert!(words.starts_with(&format!("{address} is in use by ")), "{words}");
        assert!(words.contains(&format!("pid {}", std::process::id())), "{words}");
    }

    #[test]
    fn accepted_sockets_are_as_their_listener() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        listener.set_nonblocking(false).unwrap();
        let accepted = socket2::Socket::from(listener.accept().unwrap().0);
        assert!(accepted.tcp_nodelay().unwrap() && accepted.keepalive().unwrap());
        let [expected, kept] = [Socket::from(listener), accepted].map(|socket| {
            let time = socket.tcp_keepalive_time().unwrap();
            (time, socket.tcp_keepalive_interval().unwrap(), socket.tcp_keepalive_retries().unwrap())
        });
        assert_eq!(kept, expected);
        assert_eq!(kept.0, std::time::Duration::from_secs(60));
    }

    #[test]
    fn every_interface_conflicts_with_one() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let target = BindTarget { host: String::new(), port };
        let error = probe(&target.addresses_blocking().unwrap()).unwrap_err();
        assert!(matches!(error, BindError::Occupied { owner: Some(_), .. }), "{error}");
    }

    #[test]
    fn localhost_opens_one_port_on_both_families() {
        let target = BindTarget { host: "localhost".to_owned(), port: 0 };
        let sockets = open(&target.addresses_blocking().unwrap()).unwrap();
        let ports: Vec<u16> = sockets.iter().map(|socket| socket.local_addr().unwrap().port()).collect();
        assert!(ports.iter().all(|port| *port == ports[0] && *port != 0));
    }
}
