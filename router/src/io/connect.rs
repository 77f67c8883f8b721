//! Connecting a TCP socket within a time limit, with the cause in words when it fails.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::resolve::resolve;
use super::socket;
use super::tally::Cause;

/// Time to resolve a name and connect.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Why no address of a host could be connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConnectFailure {
    pub(super) cause: Cause,
    words: String,
}

impl fmt::Display for ConnectFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// Tries the addresses of `host` one after the other; each gets its share of the limit.
pub(super) async fn connect(host: &str, port: u16, limit: Duration) -> Result<(TcpStream, SocketAddr), ConnectFailure> {
    let deadline = Instant::now() + limit;
    let addresses = match timeout_at(deadline, resolve(host, port)).await {
        Ok(Ok(addresses)) if !addresses.is_empty() => addresses,
        Ok(Ok(_)) => return Err(unresolved(format!("host {host} has no address"))),
        Ok(Err(error)) => {
            return Err(unresolved(format!("host {host} not found ({error})")));
        }
        Err(_) => {
            return Err(unresolved(format!("host {host} was not resolved within {} s", limit.as_secs())));
        }
    };
    // Of several addresses, the last is the one that decides.
    let (mut last, mut causes) = (Cause::Other, Vec::new());
    for (tried, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - tried).unwrap_or(1);
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => match socket::tune((&stream).into()) {
                Ok(()) => return Ok((stream, *address)),
                Err(error) => {
                    last = Cause::of_connect(&error);
                    causes.push(cause(&error, *address));
                }
            },
            Ok(Err(error)) => {
                last = Cause::of_connect(&error);
                causes.push(cause(&error, *address));
            }
            Err(_) => {
                last = Cause::Timeout;
                causes.push(format!("{address} did not answer within {} s", share.as_secs_f32().ceil()));
            }
        }
    }
    Err(ConnectFailure { cause: last, words: causes.join("; ") })
}

fn unresolved(words: String) -> ConnectFailure {
    ConnectFailure { cause: Cause::Unresolved, words }
}

fn cause(error: &io::Error, address: SocketAddr) -> String {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable, TimedOut};
    match error.kind() {
        ConnectionRefused => format!("connection refused by {address}"),
        HostUnreachable => format!("no route to {address}"),
        NetworkUnreachable => format!("the network of {address} is unreachable"),
        TimedOut => format!("{address} did not answer"),
        _ => format!("cannot connect to {address}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_refusal_names_the_address() {
        let port = {
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            free.local_addr().unwrap().port()
        };
        let failure = connect("127.0.0.1", port, CONNECT_LIMIT).await.unwrap_err();
        assert_eq!(failure.to_string(), format!("connection refused by 127.0.0.1:{port}"));
        assert_eq!(failure.cause, Cause::Refused);
    }

    #[tokio::test]
    async fn the_second_address_is_tried() {
        let server = tokio::net::TcpListener::bind("[::1]:0").await;
        let Ok(server) = server else { return };
        let port = server.local_addr().unwrap().port();
        let (_, reached) = connect("localhost", port, CONNECT_LIMIT).await.unwrap();
        assert_eq!(reached.port(), port);
    }
}
