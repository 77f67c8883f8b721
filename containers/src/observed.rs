use std::collections::BTreeMap;
use std::path::PathBuf;

use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum, HealthStatusEnum, RestartPolicyNameEnum};

/// A container as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The engine's identity for it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is at.
    pub state: Lifecycle,
    /// Whether its program runs.
    pub running: bool,
    /// What its health check says.
    pub health: Health,
    /// How often the engine started it anew. podman before 5.1 always says zero.
    pub restarts: u64,
    /// Whether it shall run again after its engine or the host was started anew.
    pub always: bool,
    /// The image that it was made from, as it was named then.
    pub image: String,
    /// That image's identity.
    pub image_id: String,
    /// Directories and files of the host that it sees.
    pub mounts: Vec<PathBuf>,
    /// Its labels, with those of the image.
    pub labels: BTreeMap<String, String>,
    /// How its program ended, if it does not run.
    pub exit_code: Option<i64>,
    /// When its program was last started (RFC 3339), if it ever was.
    pub started_at: Option<String>,
    /// Why it could not be started.
    pub error: Option<String>,
}

/// What a container is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Lifecycle {
    Created,
    Running,
    Paused,
    Restarting,
    Removing,
    Exited,
    Dead,
    /// The engine does not say.
    Unknown,
}

/// What a health check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Health {
    /// There is no check, or it has not been made. podman has systemd make them: where there is none, they are not.
    NotChecked,
    Starting,
    Healthy,
    Unhealthy,
}

impl Observed {
    pub(crate) fn new(said: ContainerInspectResponse) -> Observed {
        let state = said.state.unwrap_or_default();
        let config = said.config.unwrap_or_default();
        let policy = said.host_config.and_then(|host| host.restart_policy?.name);
        let running = state.running.unwrap_or(false);
        let text = |text: Option<String>| text.filter(|text| !text.is_empty());
        // A container that was never started has the year 1 for a start.
        let started_at = text(state.started_at).filter(|time| !time.starts_with("0001-"));
        Observed {
            id: said.id.unwrap_or_default(),
            name: said.name.unwrap_or_default().trim_start_matches('/').to_owned(),
            state: lifecycle(state.status),
            running,
            health: health(state.health.and_then(|health| health.status)),
            restarts: said.restart_count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0),
            always: matches!(policy, Some(RestartPolicyNameEnum::ALWAYS | RestartPolicyNameEnum::UNLESS_STOPPED)),
            image: config.image.unwrap_or_default(),
            image_id: said.image.unwrap_or_default(),
            mounts: said
                .mounts
                .unwrap_or_default()
                .into_iter()
                .filter_map(|mount| mount.source.map(PathBuf::from))
                .collect(),
            labels: config.labels.unwrap_or_default().into_iter().collect(),
            exit_code: state.exit_code.filter(|_| !running && started_at.is_some()),
            started_at,
            error: text(state.error),
        }
    }
}

fn lifecycle(status: Option<ContainerStateStatusEnum>) -> Lifecycle {
    match status {
        Some(ContainerStateStatusEnum::CREATED) => Lifecycle::Created,
        Some(ContainerStateStatusEnum::RUNNING) => Lifecycle::Running,
        Some(ContainerStateStatusEnum::PAUSED) => Lifecycle::Paused,
        Some(ContainerStateStatusEnum::RESTARTING) => Lifecycle::Restarting,
        Some(ContainerStateStatusEnum::REMOVING) => Lifecycle::Removing,
        Some(ContainerStateStatusEnum::EXITED) => Lifecycle::Exited,
        Some(ContainerStateStatusEnum::DEAD) => Lifecycle::Dead,
        Some(ContainerStateStatusEnum::EMPTY | ContainerStateStatusEnum::STOPPING) | None => Lifecycle::Unknown,
    }
}

fn health(status: Option<HealthStatusEnum>) -> Health {
    match status {
        Some(HealthStatusEnum::STARTING) => Health::Starting,
        Some(HealthStatusEnum::HEALTHY) => Health::Healthy,
        Some(HealthStatusEnum::UNHEALTHY) => Health::Unhealthy,
        Some(HealthStatusEnum::EMPTY | HealthStatusEnum::NONE) | None => Health::NotChecked,
    }
}
