//! What a service tells the service manager that started it (sd_notify(3)).
//!
//! One datagram a message, over the socket that `$NOTIFY_SOCKET` names by path or, with a leading `@`, in the abstract
//! namespace. Nothing is sent where nobody asked.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The way to the service manager.
#[derive(Debug)]
pub struct Notifier {
    socket: UnixDatagram,
    watchdog: Option<Duration>,
}

/// Why the service manager cannot be told anything.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotifyFault {
    /// `$NOTIFY_SOCKET` names no Unix socket.
    #[error("NOTIFY_SOCKET is {address:?}, which is no Unix socket")]
    Address {
        /// What it holds.
        address: OsString,
    },
    /// The socket cannot be reached: a sandbox may hide it.
    #[error("NOTIFY_SOCKET {address:?} cannot be reached: {cause}")]
    Unreachable {
        /// What it holds.
        address: OsString,
        /// Why.
        cause: io::Error,
    },
}

/// A manager that does not read must not stop its service.
const PATIENCE: Duration = Duration::from_secs(1);

impl Notifier {
    /// The manager that the environment names; `None` if it names none.
    ///
    /// `$WATCHDOG_USEC` counts only for the process that `$WATCHDOG_PID` names. The variables stay set, so children
    /// inherit them; `NotifyAccess=main` makes that harmless.
    pub fn from_environment() -> Result<Option<Notifier>, NotifyFault> {
        let Some(address) = env::var_os("NOTIFY_SOCKET").filter(|address| !address.is_empty()) else { return Ok(None) };
        let watchdog = watchdog(
            env::var("WATCHDOG_USEC").ok().as_deref(),
            env::var("WATCHDOG_PID").ok().as_deref(),
            std::process::id(),
        );
        Notifier::at(&address, watchdog).map(Some)
    }

    /// The manager at `address`, which ends a service that is silent for `limit`.
    pub fn at(address: &OsStr, limit: Option<Duration>) -> Result<Notifier, NotifyFault> {
        let bytes = address.as_bytes();
        let target = match bytes.split_first() {
            Some((b'@', name)) => SocketAddr::from_abstract_name(name),
            Some((b'/', _)) => SocketAddr::from_pathname(address),
            _ => return Err(NotifyFault::Address { address: address.to_owned() }),
        };
        let target = target.map_err(|_| NotifyFault::Address { address: address.to_owned() })?;
        let connect = || {
            let socket = UnixDatagram::unbound()?;
            socket.set_write_timeout(Some(PATIENCE))?;
            socket.connect_addr(&target)?;
            Ok(socket)
        };
        let socket = connect().map_err(|cause| NotifyFault::Unreachable { address: address.to_owned(), cause })?;
        Ok(Notifier { socket, watchdog: limit.map(|limit| limit / 2).filter(|pause| !pause.is_zero()) })
    }

    /// The service serves; `status` says what it does.
    pub fn ready(&self, status: &str) -> io::Result<()> {
        self.send(&format!("READY=1\nSTATUS={}", one_line(status)))
    }

    /// What the service does, for whoever asks the manager.
    pub fn status(&self, status: &str) -> io::Result<()> {
        self.send(&format!("STATUS={}", one_line(status)))
    }

    /// The service has begun to end.
    pub fn stopping(&self, status: &str) -> io::Result<()> {
        self.send(&format!("STOPPING=1\nSTATUS={}", one_line(status)))
    }

    /// The service lives.
    pub fn alive(&self) -> io::Result<()> {
        self.send("WATCHDOG=1")
    }

    /// The pause between two calls of [`Notifier::alive`]: half of the silence that the manager suffers. `None`: it
    /// does not watch.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    fn send(&self, message: &str) -> io::Result<()> {
        self.socket.send(message.as_bytes()).map(drop)
    }
}

/// A line break would begin another field.
fn one_line(status: &str) -> String {
    status.replace(['\n', '\r', '\0'], " ")
}

/// The silence that the manager suffers from the process `own`.
fn watchdog(usec: Option<&str>, pid: Option<&str>, own: u32) -> Option<Duration> {
    let meant = pid.is_none_or(|pid| pid.parse() == Ok(own));
    usec.filter(|_| meant)?.parse().ok().filter(|usec| *usec > 0).map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_is_meant_for_one_process() {
        let second = Some(Duration::from_secs(1));
        assert_eq!(watchdog(Some("1000000"), Some("7"), 7), second);
        assert_eq!(watchdog(Some("1000000"), None, 7), second);
        assert_eq!(watchdog(Some("1000000"), Some("8"), 7), None);
        assert_eq!(watchdog(None, Some("7"), 7), None);
        assert_eq!(watchdog(Some("0"), None, 7), None);
        assert_eq!(watchdog(Some("often"), None, 7), None);
    }

    #[test]
    fn a_path_and_an_abstract_name_are_reached_and_other_families_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let by_path = UnixDatagram::bind(&path).unwrap();
        let name = format!("moorline-test-{}", std::process::id());
        let by_name = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        for (manager, address) in [(by_path, path.into_os_string()), (by_name, format!("@{name}").into())] {
            let notifier = Notifier::at(&address, Some(Duration::from_secs(10))).unwrap();
            assert_eq!(notifier.watchdog(), Some(Duration::from_secs(5)));
            notifier.ready("two\nlines").unwrap();
            notifier.alive().unwrap();
            notifier.stopping("draining").unwrap();
            let mut buffer = [0; 256];
            let mut next = || {
                let length = manager.recv(&mut buffer).unwrap();
                String::from_utf8_lossy(&buffer[..length]).into_owned()
            };
            assert_eq!(next(), "READY=1\nSTATUS=two lines");
            assert_eq!(next(), "WATCHDOG=1");
            assert_eq!(next(), "STOPPING=1\nSTATUS=draining");
        }
        assert!(matches!(Notifier::at("vsock:2:1".as_ref(), None), Err(NotifyFault::Address { .. })));
        let gone = directory.path().join("gone");
        assert!(matches!(Notifier::at(gone.as_os_str(), None), Err(NotifyFault::Unreachable { .. })));
    }
}
