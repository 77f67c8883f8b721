use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use zbus::zvariant::Value;

use super::fault;
use super::job::{JobResult, Jobs};
use super::{Manager, ManagerFault, Operation};

/// How many probes this process has begun: two at a time must not meet.
static PROBES: AtomicU32 = AtomicU32::new(0);

/// A program that every host has and that does nothing.
const NOTHING: &str = "/bin/true";

pub(super) async fn sandboxing(manager: &Manager, limit: Duration) -> Result<bool, ManagerFault> {
    let operation = Operation::Probe;
    let jobs = Jobs::watch(&manager.proxy).await.map_err(|cause| fault::general(operation, cause))?;
    let number = PROBES.fetch_add(1, Ordering::Relaxed);
    let unit = format!("moorline-probe-{}-{number}.service", std::process::id());
    let command = vec![(NOTHING, vec![NOTHING], false)];
    let settings = [
        ("Description", Value::from("Which sandbox services can have")),
        ("Type", Value::from("oneshot")),
        ("CollectMode", Value::from("inactive-or-failed")),
        ("ExecStart", Value::from(command)),
        ("PrivateUsers", Value::from(true)),
        ("ProtectSystem", Value::from("strict")),
        ("ProtectHome", Value::from("tmpfs")),
        ("PrivateTmp", Value::from(true)),
        ("PrivateDevices", Value::from(true)),
        ("ProtectKernelLogs", Value::from(true)),
        ("ProtectProc", Value::from("invisible")),
    ];
    let started = manager.proxy.start_transient_unit(&unit, "fail", &settings, &[]).await;
    let job = match started {
        Ok(job) => job,
        // A systemd that does not know one of the settings (before 247) has no such sandbox for users.
        Err(zbus::Error::MethodError(name, ..)) if name.as_str() == "org.freedesktop.DBus.Error.PropertyReadOnly" => {
            return Ok(false);
        }
        Err(cause) => return Err(fault::general(operation, cause)),
    };
    let end = tokio::time::timeout(limit, jobs.end_of(&job)).await;
    match end.map_err(|_| ManagerFault::ProbeTimedOut { limit })?.map_err(|cause| fault::general(operation, cause))? {
        None => Ok(true),
        Some(JobResult::Failed) => Ok(false),
        Some(job) => Err(ManagerFault::ProbeFailed { job }),
    }
}
