//! A systemd, asked and told over D-Bus.

mod detach;
mod door;
mod fault;
mod job;
mod probe;
mod proxy;
mod state;

use std::path::PathBuf;
use std::time::Duration;

pub(crate) use fault::said as error_answer;
pub use fault::{ManagerFault, Operation};
pub use job::JobResult;
use proxy::ManagerProxy;
pub use state::{Active, Load, UnitState};

use crate::{Scope, UnitName};

/// A connection to systemd, the calling user's own or the machine's.
///
/// It belongs to the tokio runtime in which it was made. Every call gets an answer within 25 s or fails.
#[derive(Clone, Debug)]
pub struct Manager {
    scope: Scope,
    proxy: ManagerProxy<'static>,
}

/// Which systemd it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// In full, as the distribution has it: `252.39-1~deb12u2`.
    pub text: String,
    /// The number that says what it can do: 252. Zero if `text` starts with none.
    pub release: u32,
}

/// What enabling or disabling a unit did to the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkChange {
    /// A symbolic link was made.
    Linked {
        /// Where it is.
        link: PathBuf,
        /// What it points to.
        target: PathBuf,
    },
    /// A symbolic link was removed.
    Unlinked {
        /// Where it was.
        link: PathBuf,
    },
    /// Anything else that systemd reports, in its own word.
    Other {
        /// That word.
        kind: String,
        /// What it is about.
        path: PathBuf,
    },
}

impl Manager {
    /// Connects over the bus, and makes sure that systemd answers.
    ///
    /// For the user's systemd, `$DBUS_SESSION_BUS_ADDRESS` and `$XDG_RUNTIME_DIR` say where; without them
    /// `/run/user/UID` is looked at, since `su` and `sudo` leave them unset.
    pub async fn connect(scope: Scope) -> Result<Manager, ManagerFault> {
        Ok(Manager { scope, proxy: door::open(scope).await? })
    }

    /// Whose it is.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// Which systemd it is.
    pub async fn version(&self) -> Result<Version, ManagerFault> {
        let text = self.proxy.version().await.map_err(|cause| fault::general(Operation::Version, cause.into()))?;
        let number: String = text.chars().take_while(char::is_ascii_digit).collect();
        Ok(Version { release: number.parse().unwrap_or(0), text })
    }

    /// What systemd knows of a unit. A unit that does not exist is a state too: [`Load::NotFound`].
    pub async fn unit(&self, name: &UnitName) -> Result<UnitState, ManagerFault> {
        state::read(&self.proxy, name).await.map_err(|cause| fault::of_unit(Operation::Observe, name, cause))
    }

    /// Has systemd read all unit files anew. Services keep running.
    pub async fn reload(&self) -> Result<(), ManagerFault> {
        match self.proxy.reload().await {
            Ok(()) => Ok(()),
            // A D-Bus broker that is reloaded with the rest may drop the answer; systemd did as it was told.
            Err(zbus::Error::MethodError(name, ..)) if name.as_str() == "org.freedesktop.DBus.Error.NoReply" => Ok(()),
            Err(cause) => Err(fault::general(Operation::Reload, cause)),
        }
    }

    /// Has a unit started with its manager: at login or, if the user lingers, at boot.
    ///
    /// Returns the links that were made: none if it was enabled. Takes effect without [`Manager::reload`] for what is
    /// asked here, and at the next start of the manager for the rest.
    pub async fn enable(&self, name: &UnitName) -> Result<Vec<LinkChange>, ManagerFault> {
        let answer = self.proxy.enable_unit_files(&[name.as_ref()], false, false).await;
        let (_, changes) = answer.map_err(|cause| fault::of_unit(Operation::Enable, name, cause))?;
        Ok(link_changes(changes))
    }

    /// Undoes [`Manager::enable`]. Returns the links that were removed: none if it was not enabled or there is no such unit.
    pub async fn disable(&self, name: &UnitName) -> Result<Vec<LinkChange>, ManagerFault> {
        match self.proxy.disable_unit_files(&[name.as_ref()], false).await {
            Ok(changes) => Ok(link_changes(changes)),
            Err(cause) => match fault::of_unit(Operation::Disable, name, cause) {
                ManagerFault::NoSuchUnit { .. } => Ok(Vec::new()),
                fault => Err(fault),
            },
        }
    }

    /// Starts a unit and waits until it is started, which for `Type=notify` is when it says so.
    ///
    /// A unit that runs is left alone.
    pub async fn start(&self, name: &UnitName, limit: Duration) -> Result<(), ManagerFault> {
        self.job(Operation::Start, name, limit).await
    }

    /// Stops a unit and waits until it is. A unit that systemd does not know is stopped.
    pub async fn stop(&self, name: &UnitName, limit: Duration) -> Result<(), ManagerFault> {
        match self.job(Operation::Stop, name, limit).await {
            Err(ManagerFault::NoSuchUnit { .. }) => Ok(()),
            result => result,
        }
    }

    /// Stops a unit if it runs, then starts it, and waits until it is started.
    pub async fn restart(&self, name: &UnitName, limit: Duration) -> Result<(), ManagerFault> {
        self.job(Operation::Restart, name, limit).await
    }

    /// Forgets that a unit failed, and how often it was restarted. A unit that systemd does not know has not failed.
    pub async fn reset_failed(&self, name: &UnitName) -> Result<(), ManagerFault> {
        match self.proxy.reset_failed_unit(name.as_ref()).await {
            Ok(()) => Ok(()),
            Err(cause) => match fault::of_unit(Operation::ResetFailed, name, cause) {
                ManagerFault::NoSuchUnit { .. } => Ok(()),
                fault => Err(fault),
            },
        }
    }

    /// Moves all processes of a service into a scope of their own, where they go on.
    ///
    /// The service still counts them as its own: it must have `KillMode=none` to be stopped without them. The scope ends
    /// with them, or is stopped as any unit.
    pub async fn detach(&self, service: &UnitName, scope: &UnitName, limit: Duration) -> Result<(), ManagerFault> {
        detach::detach(self, service, scope, limit).await
    }

    /// Whether services of this manager can have the namespaces of [`crate::unit::Sandbox::Full`].
    ///
    /// Finds out by running `/bin/true` in a transient unit with them, which leaves nothing behind.
    pub async fn sandboxing(&self, limit: Duration) -> Result<bool, ManagerFault> {
        probe::sandboxing(self, limit).await
    }

    async fn job(&self, operation: Operation, name: &UnitName, limit: Duration) -> Result<(), ManagerFault> {
        let jobs = job::Jobs::watch(&self.proxy).await.map_err(|cause| fault::general(operation, cause))?;
        let unit = name.as_ref();
        let started = match operation {
            Operation::Stop => self.proxy.stop_unit(unit, "replace").await,
            Operation::Restart => self.proxy.restart_unit(unit, "replace").await,
            _ => self.proxy.start_unit(unit, "replace").await,
        };
        let path = started.map_err(|cause| fault::of_unit(operation, name, cause))?;
        let timed_out = || ManagerFault::TimedOut { unit: name.clone(), operation, limit };
        let end = tokio::time::timeout(limit, jobs.end_of(&path)).await.map_err(|_| timed_out())?;
        match end.map_err(|cause| fault::general(operation, cause))? {
            None => Ok(()),
            Some(job) => {
                let state = Box::new(self.unit(name).await?);
                Err(ManagerFault::JobFailed { unit: name.clone(), operation, job, state })
            }
        }
    }
}

fn link_changes(changes: Vec<(String, String, String)>) -> Vec<LinkChange> {
    let change = |(kind, path, source): (String, String, String)| match kind.as_str() {
        "symlink" => LinkChange::Linked { link: path.into(), target: source.into() },
        "unlink" => LinkChange::Unlinked { link: path.into() },
        _ => LinkChange::Other { kind, path: path.into() },
    };
    changes.into_iter().map(change).collect()
}
