//! Lingering: whether a user's services run without a login, and survive a reboot.

use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Duration;

use nix::unistd::Uid;
use zbus::proxy::CacheProperties;
use zbus::zvariant::OwnedObjectPath;

use crate::manager::error_answer;

/// Where logind keeps one file for each user who lingers.
const LINGERING: &str = "/var/lib/systemd/linger";

/// How long an answer may take: polkit may start for it.
const PATIENCE: Duration = Duration::from_secs(25);

/// A user of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The number.
    pub uid: u32,
    /// The name, where it could be told.
    pub name: Option<String>,
}

/// Whether a user lingers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linger {
    /// The user's services start at boot and outlive logouts.
    On,
    /// They live from the first login to the last logout.
    Off,
    /// There is no logind, and no name to look for in its files.
    Unknown,
}

/// Why a user could not be made to linger.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogindFault {
    /// The host has no logind, or it cannot be reached.
    #[error("systemd-logind cannot be reached: {cause}")]
    NoLogind {
        /// Why.
        cause: String,
    },
    /// polkit says no.
    #[error("this user may not change lingering; an administrator can: {command}")]
    Denied {
        /// What the administrator would type.
        command: String,
    },
    /// logind refused, for a reason of its own.
    #[error("systemd-logind refused: {message}")]
    Refused {
        /// The D-Bus name of the error.
        name: String,
        /// In logind's words.
        message: String,
    },
    /// The connection broke, or what came over it made no sense.
    #[error("the connection to systemd-logind broke: {cause}")]
    Broken {
        /// How.
        cause: zbus::Error,
    },
}

#[zbus::proxy(
    interface = "org.freedesktop.login1.Manager",
    default_service = "org.freedesktop.login1",
    default_path = "/org/freedesktop/login1",
    gen_blocking = false
)]
trait Logind {
    fn get_user(&self, uid: u32) -> zbus::Result<OwnedObjectPath>;
    fn set_user_linger(&self, uid: u32, enable: bool, interactive: bool) -> zbus::Result<()>;
}

#[zbus::proxy(
    interface = "org.freedesktop.login1.User",
    default_service = "org.freedesktop.login1",
    gen_blocking = false
)]
trait LogindUser {
    #[zbus(property(emits_changed_signal = "false"))]
    fn linger(&self) -> zbus::Result<bool>;
}

impl User {
    /// The user of this process.
    pub fn current() -> User {
        let user = User::with_uid(Uid::effective().as_raw());
        let from_environment = || ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
        User { name: user.name.or_else(from_environment), ..user }
    }

    /// A user by number. The name comes from `/etc/passwd`: network directories are not asked.
    pub fn with_uid(uid: u32) -> User {
        let accounts = fs::read("/etc/passwd").unwrap_or_default();
        User { uid, name: name_in(&String::from_utf8_lossy(&accounts), uid) }
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.uid),
        }
    }
}

/// Whether `user` lingers: as logind says, else as its files say.
pub async fn linger(user: &User) -> Result<Linger, LogindFault> {
    match asked(user).await {
        Ok(true) => Ok(Linger::On),
        Ok(false) => Ok(Linger::Off),
        Err(LogindFault::NoLogind { .. }) => Ok(kept(Path::new(LINGERING), user)),
        Err(fault) => Err(fault),
    }
}

/// Has the services of `user` run from boot on. Succeeds if they do.
///
/// Where polkit lets a user do this for himself it needs no password; it is never asked for one here.
pub async fn enable_linger(user: &User) -> Result<(), LogindFault> {
    set(user, true).await
}

/// Undoes [`enable_linger`].
pub async fn disable_linger(user: &User) -> Result<(), LogindFault> {
    set(user, false).await
}

/// What an administrator types to have `user` linger.
pub fn enable_command(user: &User) -> String {
    command("enable-linger", user)
}

fn command(verb: &str, user: &User) -> String {
    let sudo = if Uid::effective().is_root() { "" } else { "sudo " };
    format!("{sudo}loginctl {verb} {user}")
}

async fn set(user: &User, enable: bool) -> Result<(), LogindFault> {
    let answer = connect().await?.set_user_linger(user.uid, enable, false).await;
    let verb = if enable { "enable-linger" } else { "disable-linger" };
    answer.map_err(|cause| fault(cause, || command(verb, user)))
}

async fn asked(user: &User) -> Result<bool, LogindFault> {
    let logind = connect().await?;
    let path = match logind.get_user(user.uid).await {
        Ok(path) => path,
        Err(cause) => match fault(cause, || enable_command(user)) {
            // logind knows whoever is logged in or lingers.
            LogindFault::Refused { name, .. } if name == "org.freedesktop.login1.NoSuchUser" => return Ok(false),
            fault => return Err(fault),
        },
    };
    let build = async {
        let proxy = LogindUserProxy::builder(logind.inner().connection())
            .path(path)?
            .cache_properties(CacheProperties::No)
            .build()
            .await?;
        proxy.linger().await
    };
    build.await.map_err(|cause| fault(cause, || enable_command(user)))
}

async fn connect() -> Result<LogindProxy<'static>, LogindFault> {
    let connect = async {
        let connection = zbus::connection::Builder::system()?.method_timeout(PATIENCE).build().await?;
        LogindProxy::builder(&connection).cache_properties(CacheProperties::No).build().await
    };
    let unreachable = |cause: String| LogindFault::NoLogind { cause };
    match tokio::time::timeout(PATIENCE, connect).await {
        Ok(proxy) => proxy.map_err(|cause| unreachable(cause.to_string())),
        Err(_) => Err(unreachable("the system bus does not answer".to_owned())),
    }
}

fn fault(cause: zbus::Error, command: impl FnOnce() -> String) -> LogindFault {
    let Some((name, message)) = error_answer(&cause) else { return LogindFault::Broken { cause } };
    match name.as_str() {
        "org.freedesktop.DBus.Error.AccessDenied"
        | "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
        | "org.freedesktop.DBus.Error.AuthFailed" => LogindFault::Denied { command: command() },
        // Nobody has that name on the bus, nor can be started for it.
        "org.freedesktop.DBus.Error.ServiceUnknown"
        | "org.freedesktop.DBus.Error.NameHasNoOwner"
        | "org.freedesktop.DBus.Error.Spawn.ChildExited"
        | "org.freedesktop.systemd1.NoSuchUnit"
        | "org.freedesktop.systemd1.UnitMasked" => LogindFault::NoLogind { cause: message },
        _ => LogindFault::Refused { name, message },
    }
}

/// Whether logind keeps a file for `user` in `directory`.
fn kept(directory: &Path, user: &User) -> Linger {
    match &user.name {
        Some(name) if directory.join(name).is_file() => Linger::On,
        Some(_) => Linger::Off,
        None => Linger::Unknown,
    }
}

/// The name of `uid` in the text of an account file (passwd(5)).
fn name_in(accounts: &str, uid: u32) -> Option<String> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let number: u32 = fields.nth(1)?.parse().ok()?;
        (number == uid && !name.is_empty()).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_the_account_file() {
        let accounts = "root:x:0:0:root:/root:/bin/sh\n+::::::\nbroken\ngw:x:1001:1001::/home/gw:/bin/sh\n";
        assert_eq!(name_in(accounts, 1001).as_deref(), Some("gw"));
        assert_eq!(name_in(accounts, 0).as_deref(), Some("root"));
        assert_eq!(name_in(accounts, 7), None);
    }

    #[test]
    fn files_answer_where_logind_does_not() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("gw"), "").unwrap();
        let user = |name: Option<&str>| User { uid: 1001, name: name.map(str::to_owned) };
        assert_eq!(kept(directory.path(), &user(Some("gw"))), Linger::On);
        assert_eq!(kept(directory.path(), &user(Some("other"))), Linger::Off);
        assert_eq!(kept(directory.path(), &user(None)), Linger::Unknown);
    }

    #[test]
    fn the_command_names_the_user() {
        let named = enable_command(&User { uid: 1001, name: Some("gw".into()) });
        assert!(named.ends_with("loginctl enable-linger gw"), "{named}");
        assert!(enable_command(&User { uid: 1001, name: None }).ends_with("loginctl enable-linger 1001"));
    }
}
