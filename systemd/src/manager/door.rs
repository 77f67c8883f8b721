//! The way to systemd: the bus.
//!
//! systemd has a socket of its own too, which `systemctl` prefers and which needs no bus. What it sends there is not D-Bus
//! to the letter (its messages name no unique sender), and zbus does not take it.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::Uid;
use zbus::address::transport::{Transport, Unix, UnixSocket};
use zbus::connection::Builder;
use zbus::proxy::CacheProperties;

use super::proxy::ManagerProxy;
use super::{ManagerFault, Operation, fault};
use crate::Scope;

/// How long a call may take. A host with thousands of units reads them anew in a few seconds.
const PATIENCE: Duration = Duration::from_secs(25);

pub(super) async fn open(scope: Scope) -> Result<ManagerProxy<'static>, ManagerFault> {
    if !Path::new("/run/systemd/system").is_dir() {
        return Err(ManagerFault::NotBooted);
    }
    let (builder, runtime_directory) = match scope {
        Scope::System => (Builder::system(), None),
        Scope::User => {
            let directory = runtime_directory()?;
            (session(&directory), Some(directory))
        }
    };
    match async { greet(builder?).await }.await {
        Ok(proxy) => Ok(proxy),
        Err(cause) => Err(unreachable(cause, runtime_directory)),
    }
}

/// Connects, makes sure that systemd is at the other end, and asks it for signals.
async fn greet(builder: Builder<'static>) -> zbus::Result<ManagerProxy<'static>> {
    let connection = tokio::time::timeout(PATIENCE, builder.method_timeout(PATIENCE).build())
        .await
        .map_err(|_| zbus::Error::from(std::io::Error::from(std::io::ErrorKind::TimedOut)))??;
    // Nothing is remembered here: what systemd said a moment ago is not what is so.
    let proxy = ManagerProxy::builder(&connection).cache_properties(CacheProperties::No).build().await?;
    proxy.version().await?;
    proxy.subscribe().await?;
    Ok(proxy)
}

/// Why there was no way.
fn unreachable(cause: zbus::Error, runtime_directory: Option<PathBuf>) -> ManagerFault {
    let cause = match fault::general(Operation::Connect, cause) {
        denied @ ManagerFault::AccessDenied { .. } => return denied,
        ManagerFault::Broken { cause, .. } => cause.to_string(),
        other => other.to_string(),
    };
    match runtime_directory {
        None => ManagerFault::NoBus { package: "dbus", cause },
        Some(directory) if directory.join("systemd/private").exists() => {
            ManagerFault::NoBus { package: "dbus-user-session", cause }
        }
        Some(runtime_directory) => ManagerFault::NoUserManager { runtime_directory, cause },
    }
}

/// The session bus as the environment has it, else the one in the runtime directory.
fn session(runtime_directory: &Path) -> zbus::Result<Builder<'static>> {
    match env::var("DBUS_SESSION_BUS_ADDRESS") {
        Ok(address) if !address.is_empty() => Builder::address(address.as_str()),
        _ => {
            let socket = UnixSocket::File(runtime_directory.join("bus"));
            Builder::address(zbus::Address::from(Transport::Unix(Unix::new(socket))))
        }
    }
}

fn runtime_directory() -> Result<PathBuf, ManagerFault> {
    if let Some(directory) = env::var_os("XDG_RUNTIME_DIR").filter(|directory| !directory.is_empty()) {
        return Ok(directory.into());
    }
    let uid = Uid::effective().as_raw();
    let usual = PathBuf::from(format!("/run/user/{uid}"));
    if usual.is_dir() { Ok(usual) } else { Err(ManagerFault::NoRuntimeDirectory { uid }) }
}
