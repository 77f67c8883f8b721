//! What is wanted, in the words of the API.

use std::time::Duration;

use bollard::models::{ContainerCreateBody, HealthConfig, HostConfig, RestartPolicy, RestartPolicyNameEnum};

use super::{BindMount, Container, HealthCheck};
use crate::{Address, EngineFault, Facts, Kind};

/// How much a directory in memory holds, and for whom.
const SCRATCH: &str = "rw,nosuid,nodev,noexec,size=16m,mode=1777";

pub(super) fn body(container: &Container, facts: &Facts) -> Result<ContainerCreateBody, EngineFault> {
    let binds = container.mounts.iter().map(|mount| bind(mount, facts)).collect::<Result<_, _>>()?;
    let (user, userns_mode) = user(container, facts);
    let host_config = HostConfig {
        binds: Some(binds),
        network_mode: Some("host".to_owned()),
        restart_policy: Some(RestartPolicy { name: Some(RestartPolicyNameEnum::ALWAYS), maximum_retry_count: None }),
        tmpfs: Some(container.scratch.iter().map(|path| (path.display().to_string(), SCRATCH.to_owned())).collect()),
        readonly_rootfs: Some(true),
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        userns_mode: userns_mode.map(str::to_owned),
        ..HostConfig::default()
    };
    Ok(ContainerCreateBody {
        image: Some(container.image.clone()),
        entrypoint: container.entrypoint.clone(),
        cmd: Some(container.command.clone()).filter(|command| !command.is_empty()),
        env: Some(container.environment.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        labels: Some(container.labels.clone().into_iter().collect()),
        user: Some(user),
        healthcheck: container.health.as_ref().map(health),
        stop_timeout: i64::try_from(container.stop_grace.as_secs()).ok(),
        host_config: Some(host_config),
        ..ContainerCreateBody::default()
    })
}

/// As whom the container runs, and in which user namespace, so that it owns the files of its owner.
fn user(container: &Container, facts: &Facts) -> (String, Option<&'static str>) {
    let owner = format!("{}:{}", container.owner.uid, container.owner.gid);
    match (facts.kind, facts.rootless) {
        (Kind::Podman, true) => (owner, Some("keep-id")),
        (Kind::Docker, true) => ("0:0".to_owned(), None),
        // A namespace would make the files another's; nor can it have the host's network.
        (Kind::Docker, false) if facts.user_namespaces => (owner, Some("host")),
        _ => (owner, None),
    }
}

/// `source:target:options`, as the API and the command lines of both engines have it.
fn entry(mount: &BindMount, facts: &Facts) -> Result<String, EngineFault> {
    let text = |path: &std::path::Path| match path.to_str() {
        Some(text) if path.is_absolute() && !text.contains([':', '\0', '\n']) => Ok(text.to_owned()),
        _ => Err(EngineFault::Mount {
            path: path.to_owned(),
            why: "its path must be absolute, UTF-8, and without colons".to_owned(),
        }),
    };
    let label = if facts.selinux { ",Z" } else { "" };
    let access = if mount.writable { "rw" } else { "ro" };
    Ok(format!("{}:{}:{access}{label}", text(&mount.source)?, text(&mount.target)?))
}

fn bind(mount: &BindMount, facts: &Facts) -> Result<String, EngineFault> {
    // docker would make a directory, owned by root, where there is nothing.
    if matches!(facts.endpoint.address, Address::Unix(_))
        && let Err(cause) = std::fs::metadata(&mount.source)
    {
        return Err(EngineFault::Mount { path: mount.source.clone(), why: cause.to_string() });
    }
    entry(mount, facts)
}

fn health(check: &HealthCheck) -> HealthConfig {
    let nanoseconds = |duration: Duration| i64::try_from(duration.as_nanos()).ok();
    HealthConfig {
        test: Some(std::iter::once("CMD".to_owned()).chain(check.command.iter().cloned()).collect()),
        interval: nanoseconds(check.interval),
        timeout: nanoseconds(check.timeout),
        start_period: nanoseconds(check.start_period),
        retries: Some(i64::from(check.retries)),
        ..HealthConfig::default()
    }
}
