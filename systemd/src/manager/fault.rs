use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use zbus::fdo;

use super::{JobResult, UnitState};
use crate::UnitName;

/// What was asked of systemd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Operation {
    Connect,
    Version,
    Observe,
    Reload,
    Enable,
    Disable,
    Start,
    Stop,
    Restart,
    ResetFailed,
    Detach,
    Probe,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operation::Connect => "connect",
            Operation::Version => "tell its version",
            Operation::Observe => "look at",
            Operation::Reload => "read its unit files anew",
            Operation::Enable => "enable",
            Operation::Disable => "disable",
            Operation::Start => "start",
            Operation::Stop => "stop",
            Operation::Restart => "restart",
            Operation::ResetFailed => "reset",
            Operation::Detach => "make a scope of the processes of",
            Operation::Probe => "try out the sandbox",
        })
    }
}

/// Why systemd did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManagerFault {
    /// Another init runs this host, or a container without one.
    #[error("this host was not booted with systemd (there is no /run/systemd/system)")]
    NotBooted,
    /// Nobody is logged in as this user, and the user does not linger.
    #[error(
        "no systemd runs for user {uid}: XDG_RUNTIME_DIR is not set and /run/user/{uid} does not exist. Log in as that user \
         (su and sudo do not count), or have an administrator run: loginctl enable-linger {uid}"
    )]
    NoRuntimeDirectory {
        /// The user.
        uid: u32,
    },
    /// There is no systemd in the user's runtime directory.
    #[error("no systemd answers in {}: is user@.service running for this user? ({cause})", runtime_directory.display())]
    NoUserManager {
        /// That directory.
        runtime_directory: PathBuf,
        /// What the attempt came to.
        cause: String,
    },
    /// systemd may be there, but the bus to it is not.
    #[error(
        "there is no D-Bus to systemd; the package {package} brings it on Debian, and a new login starts it ({cause})"
    )]
    NoBus {
        /// What Debian and Ubuntu call the package that brings the bus.
        package: &'static str,
        /// What the attempt came to.
        cause: String,
    },
    /// systemd, or polkit for it, says no.
    #[error("systemd does not let this user {operation} {}: {message}", unit.as_ref().map_or("it", |unit| unit.as_ref()))]
    AccessDenied {
        /// What was asked.
        operation: Operation,
        /// Of which unit.
        unit: Option<UnitName>,
        /// In systemd's words.
        message: String,
    },
    /// There is no file of that unit, as far as systemd has read.
    #[error("systemd knows no unit {unit}")]
    NoSuchUnit {
        /// The unit.
        unit: UnitName,
    },
    /// systemd tried, and the unit did not come to what it was to be.
    #[error("systemd could not {operation} {unit}: {job}{}", outcome(state))]
    JobFailed {
        /// The unit.
        unit: UnitName,
        /// What was asked.
        operation: Operation,
        /// What became of it.
        job: JobResult,
        /// The unit afterwards.
        state: Box<UnitState>,
    },
    /// It took longer than the caller would wait. systemd goes on with it.
    #[error("systemd took longer than {} s to {operation} {unit}, and is still at it", limit.as_secs())]
    TimedOut {
        /// The unit.
        unit: UnitName,
        /// What was asked.
        operation: Operation,
        /// How long the caller would wait.
        limit: Duration,
    },
    /// The trial of the sandbox did not end.
    #[error("systemd took longer than {} s to try out the sandbox", limit.as_secs())]
    ProbeTimedOut {
        /// How long the caller would wait.
        limit: Duration,
    },
    /// The trial of the sandbox came to nothing.
    #[error("systemd could not try out the sandbox: {job}")]
    ProbeFailed {
        /// What became of it.
        job: JobResult,
    },
    /// systemd refused, for a reason of its own.
    #[error("systemd refused to {operation} {}: {message}", unit.as_ref().map_or("", |unit| unit.as_ref()))]
    Refused {
        /// What was asked.
        operation: Operation,
        /// Of which unit.
        unit: Option<UnitName>,
        /// The D-Bus name of the error, such as `org.freedesktop.systemd1.UnitMasked`.
        name: String,
        /// In systemd's words.
        message: String,
    },
    /// The connection to systemd broke, or what came over it made no sense.
    #[error("the connection to systemd broke while it was to {operation}: {cause}")]
    Broken {
        /// What was asked.
        operation: Operation,
        /// How.
        cause: zbus::Error,
    },
}

/// What a failed unit says for itself.
fn outcome(state: &UnitState) -> String {
    let mut text = match state.result.as_str() {
        "" | "success" => String::new(),
        "exit-code" => format!(" (its program ended with status {})", state.exit_status),
        "signal" | "core-dump" => format!(" (its program was ended by signal {})", state.exit_status),
        result => format!(" ({result})"),
    };
    if let Some(said) = &state.status_text {
        text.push_str(&format!("; it said: {said}"));
    }
    text
}

/// What `cause` means for an operation on no unit.
pub(super) fn general(operation: Operation, cause: zbus::Error) -> ManagerFault {
    classify(operation, None, cause)
}

/// What `cause` means for an operation on `unit`.
pub(super) fn of_unit(operation: Operation, unit: &UnitName, cause: zbus::Error) -> ManagerFault {
    classify(operation, Some(unit), cause)
}

fn classify(operation: Operation, unit: Option<&UnitName>, cause: zbus::Error) -> ManagerFault {
    let Some((name, message)) = said(&cause) else { return ManagerFault::Broken { operation, cause } };
    let unit = unit.cloned();
    match (name.as_str(), unit) {
        (
            "org.freedesktop.DBus.Error.AccessDenied"
            | "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
            | "org.freedesktop.DBus.Error.AuthFailed",
            unit,
        ) => ManagerFault::AccessDenied { operation, unit, message },
        (
            "org.freedesktop.systemd1.NoSuchUnit"
            | "org.freedesktop.DBus.Error.FileNotFound"
            | "org.freedesktop.DBus.Error.UnknownObject",
            Some(unit),
        ) => ManagerFault::NoSuchUnit { unit },
        (_, unit) => ManagerFault::Refused { operation, unit, name, message },
    }
}

/// The name and message of an error that came as an answer.
pub(crate) fn said(cause: &zbus::Error) -> Option<(String, String)> {
    match cause {
        zbus::Error::MethodError(name, message, _) => Some((name.to_string(), message.clone().unwrap_or_default())),
        // A property's errors come already sorted.
        zbus::Error::FDO(error) => match &**error {
            fdo::Error::ZBus(inner) => said(inner),
            error => {
                use zbus::DBusError;
                Some((error.name().to_string(), error.description().unwrap_or_default().to_owned()))
            }
        },
        _ => None,
    }
}
