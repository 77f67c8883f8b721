use std::time::Duration;

use zbus::zvariant::Value;

use super::job::Jobs;
use super::{Manager, ManagerFault, Operation, fault};
use crate::UnitName;

pub(super) async fn detach(
    manager: &Manager,
    service: &UnitName,
    scope: &UnitName,
    limit: Duration,
) -> Result<(), ManagerFault> {
    let operation = Operation::Detach;
    let failed = |cause| fault::of_unit(operation, service, cause);
    let jobs = Jobs::watch(&manager.proxy).await.map_err(failed)?;
    let processes = manager.proxy.get_unit_processes(service.as_ref()).await.map_err(failed)?;
    let processes: Vec<u32> = processes.into_iter().map(|(_, process, _)| process).collect();
    let description = format!("What ran as {service}");
    let settings = [
        ("Description", Value::from(description)),
        ("CollectMode", Value::from("inactive-or-failed")),
        ("PIDs", Value::from(processes)),
    ];
    let started = manager.proxy.start_transient_unit(scope.as_ref(), "fail", &settings, &[]).await;
    let job = started.map_err(failed)?;
    let timed_out = || ManagerFault::TimedOut { unit: scope.clone(), operation, limit };
    let end = tokio::time::timeout(limit, jobs.end_of(&job)).await.map_err(|_| timed_out())?;
    match end.map_err(failed)? {
        None => Ok(()),
        Some(job) => {
            let state = Box::new(manager.unit(scope).await?);
            Err(ManagerFault::JobFailed { unit: scope.clone(), operation, job, state })
        }
    }
}
