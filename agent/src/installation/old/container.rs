//! A gateway that another tool made as a container.

use std::path::Path;
use std::time::Duration;

use moorline_containers::{ContainerName, Engine, EngineFault, Environment, Kind, label};

use super::OLD;
use crate::failure::{Blame, Failure};
use crate::installation::keeper::GatewayType;

/// For its router to end by itself.
const GRACE: Duration = Duration::from_secs(5);

pub(super) struct OldContainer {
    engine: Engine,
    pub(super) kind: GatewayType,
    /// The gateway's.
    name: ContainerName,
    /// What it is called when it has made way.
    aside: ContainerName,
    /// It has.
    moved: bool,
    pub(super) running: bool,
}

impl OldContainer {
    /// None: there is no such container, or no such engine.
    pub(super) async fn find(kind: Kind, gateway: &str, directory: &Path) -> Result<Option<OldContainer>, Failure> {
        let name = gateway.parse::<ContainerName>().or_input()?;
        let aside = format!("{gateway}-{OLD}").parse::<ContainerName>().or_input()?;
        let engine = match Engine::find(kind, &Environment::of_process()).await {
            Ok(engine) => engine,
            // Who cannot ask it did not make a gateway with it.
            Err(_) => return Ok(None),
        };
        // docker's place may be podman's.
        if engine.facts().kind != kind {
            return Ok(None);
        }
        let kind = match kind {
            Kind::Podman => GatewayType::Podman,
            Kind::Docker => GatewayType::Docker,
        };
        for moved in [false, true] {
            let called = if moved { &aside } else { &name };
            let Some(found) = engine.observe(called).await.or_runtime()? else { continue };
            let sees = found.mounts.iter().any(|mount| mount == directory);
            if sees && !found.labels.contains_key(label::GATEWAY) {
                let running = found.running;
                return Ok(Some(OldContainer { engine, kind, name, aside, moved, running }));
            }
        }
        Ok(None)
    }

    pub(super) fn has_name(&self) -> bool {
        !self.moved
    }

    pub(super) fn names(&self) -> (String, String) {
        (self.name.to_string(), self.aside.to_string())
    }

    pub(super) fn rest(&self) -> String {
        self.aside.to_string()
    }

    pub(super) async fn aside(&self, stop: bool) -> anyhow::Result<()> {
        if stop {
            self.engine.stop(if self.moved { &self.aside } else { &self.name }, GRACE).await?;
        }
        if self.moved { Ok(()) } else { Ok(self.engine.rename(&self.name, &self.aside).await?) }
    }

    pub(super) async fn back(&self) -> anyhow::Result<()> {
        if self.engine.observe(&self.aside).await?.is_some() {
            self.engine.rename(&self.aside, &self.name).await?;
        }
        if self.running {
            self.engine.start(&self.name).await?;
        }
        Ok(())
    }

    pub(super) async fn retire(&self) -> anyhow::Result<()> {
        for name in [&self.aside, &self.name] {
            if self.is_theirs(name).await? {
                self.engine.stop(name, GRACE).await?;
                self.engine.remove(name).await?;
            }
        }
        Ok(())
    }

    /// Whether there is a container of that name which is not ours.
    async fn is_theirs(&self, name: &ContainerName) -> Result<bool, EngineFault> {
        let found = self.engine.observe(name).await?;
        Ok(found.is_some_and(|found| !found.labels.contains_key(label::GATEWAY)))
    }
}
