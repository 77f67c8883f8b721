//! A gateway as a container of podman or docker.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use moorline_containers::{
    BindMount, Container, ContainerName, Engine, EngineFault, Environment, HealthCheck, Kind, Lifecycle, Observed,
    Owner, label, router_image_name, sha256,
};
use nix::unistd::{Gid, Uid};
use tokio::time::{Instant, sleep};

use super::boot::{self, Missing};
use super::fetch::Fetching;
use super::{Gateway, GatewayType};
use crate::failure::{Blame, Failure};
use crate::gateway::configuration;
use crate::installation::contact::Contact;
use crate::installation::record::Record;
use crate::installation::router::Router;
use crate::installation::router_arguments;
use crate::installation::step::Step;

/// What the program is called in its image.
const PROGRAM: &str = "/moorline";
/// Where the container that is being replaced is kept until the new one serves.
const OLD: &str = "-before";
/// From the start of a container until its router answers.
const START_LIMIT: Duration = Duration::from_secs(30);
/// For a router that has drained to end.
const STOP_MARGIN: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(50);
/// Lines of a failed container's log that are shown.
const LOG_LINES: u32 = 20;

/// A container engine that answers.
pub(crate) struct ContainerKeeper {
    engine: Engine,
    pub(super) kind: GatewayType,
}

#[derive(Clone)]
pub(crate) struct WantedContainer {
    pub(crate) kind: GatewayType,
    container: Container,
    /// What the image is made of; none: others made it.
    program: Option<Vec<u8>>,
    contact: Contact,
    /// Files of this user that enabling a unit makes.
    pub(crate) files: Vec<PathBuf>,
}

pub(crate) struct FoundContainer {
    pub(crate) container: Option<Observed>,
    image: bool,
    /// None: nobody can tell.
    missing: Option<Missing>,
}

impl ContainerKeeper {
    pub(crate) async fn connect(kind: Kind) -> Result<ContainerKeeper, Failure> {
        let engine = Engine::find(kind, &Environment::of_process()).await.or_runtime()?;
        let kind = match kind {
            Kind::Podman => GatewayType::Podman,
            Kind::Docker => GatewayType::Docker,
        };
        Ok(ContainerKeeper { engine, kind })
    }

    pub(super) fn wanted(&self, gateway: &Gateway<'_>) -> Result<WantedContainer, Failure> {
        let home = gateway.home;
        let mut container = Container {
            name: gateway.name.parse::<ContainerName>().or_input()?,
            image: String::new(),
            entrypoint: None,
            command: Vec::new(),
            environment: vec![("SKUPPER_SITE_ID".to_owned(), configuration::site(gateway.name, gateway.site_id))],
            labels: BTreeMap::from([
                (label::APPLICATION.to_owned(), "skupper".to_owned()),
                (label::GATEWAY.to_owned(), gateway.name.to_owned()),
            ]),
            // The same paths inside and outside: the router's configuration names them.
            mounts: vec![mount(home.path(), false)],
            scratch: Vec::new(),
            owner: Owner { uid: Uid::effective().as_raw(), gid: Gid::effective().as_raw() },
            health: None,
            stop_grace: gateway.drain + STOP_MARGIN,
        };
        let program = match gateway.router {
            Router::Embedded => Some(self.embedded(gateway, &mut container)?),
            Router::Skrouterd(skrouterd) => {
                container.image = skrouterd.image()?.to_owned();
                let variables = [
                    ("QDROUTERD_CONF_TYPE", "json".to_owned()),
                    ("QDROUTERD_CONF", configuration::text(&home.config())?),
                ];
                container.environment.extend(variables.map(|(name, value)| (name.to_owned(), value)));
                // Its start script writes there what it makes of the configuration.
                container.scratch.push(PathBuf::from("/tmp"));
                None
            }
        };
        // Whatever of it changes, it is another container.
        let said = format!("{container:?}");
        container.labels.insert(label::CONFIGURATION.to_owned(), sha256(said.as_bytes()));
        let files = boot::links(&self.engine)?;
        let contact = Contact { home: home.clone(), kind: self.kind, router: gateway.router.clone() };
        Ok(WantedContainer { kind: self.kind, container, program, contact, files })
    }

    /// Has a container run this program; what the image is made of.
    fn embedded(&self, gateway: &Gateway<'_>, container: &mut Container) -> Result<Vec<u8>, Failure> {
        let home = gateway.home;
        let program = match gateway.program {
            Some(bytes) => bytes.to_vec(),
            None => fs::read("/proc/self/exe").context("this program cannot be read").or_runtime()?,
        };
        let health = ["health", &configuration::text(&home.status_socket(self.kind))?].map(str::to_owned);
        container.image = router_image_name(&program);
        container.entrypoint = Some(vec![PROGRAM.to_owned()]);
        container.command = router_arguments(home, self.kind, &home.config(), gateway.drain)?;
        container.mounts.push(mount(&home.sockets(self.kind), true));
        container.health = Some(HealthCheck {
            command: [&[PROGRAM.to_owned()], health.as_slice()].concat(),
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            start_period: Duration::from_secs(10),
            retries: 3,
        });
        Ok(program)
    }

    pub(super) async fn look(&self, wanted: &WantedContainer) -> Result<FoundContainer, Failure> {
        let container = self.engine.observe(&wanted.container.name).await.or_runtime()?;
        let image = self.engine.image(&wanted.container.image).await.or_runtime()?.is_some();
        Ok(FoundContainer { container, image, missing: Missing::of(&self.engine).await.ok() })
    }

    pub(crate) async fn observe(&self, name: &str) -> Result<Option<Observed>, Failure> {
        let name = name.parse::<ContainerName>().or_input()?;
        self.engine.observe(&name).await.or_runtime()
    }

    pub(super) async fn act(&self, step: &Step, wanted: &WantedContainer) -> anyhow::Result<Option<String>> {
        let (engine, name) = (&self.engine, &wanted.container.name);
        match step {
            Step::Image { .. } => drop(engine.router_image(wanted.program.as_deref().unwrap_or_default()).await?),
            Step::Fetch { name } => {
                let mut fetching = Fetching::begin();
                let fetched = engine.pull(name, &mut |progress| fetching.heard(progress)).await;
                drop(fetching);
                fetched?;
            }
            Step::Create { .. } => drop(engine.create(&wanted.container).await?),
            // Until then it runs: said, not failed.
            Step::AtBoot { unit } => {
                let denied = boot::enable(engine).await.err();
                return Ok(denied.map(|why| format!("{unit} could not be enabled: {why:#}")));
            }
            Step::Start { .. } => {
                engine.start(name).await?;
                self.serves(wanted).await?;
            }
            Step::Replace { .. } => self.replace(wanted).await?,
            Step::Restart { .. } => {
                engine.stop(name, wanted.container.stop_grace).await?;
                engine.start(name).await?;
                self.serves(wanted).await?;
            }
            _ => {}
        }
        Ok(None)
    }

    pub(super) async fn undo(&self, step: &Step, wanted: &WantedContainer) -> anyhow::Result<()> {
        let name = &wanted.container.name;
        match step {
            Step::Image { .. } | Step::Fetch { .. } => drop(self.engine.remove_image(&wanted.container.image).await?),
            // Somebody else may have taken the name, which is why ours was not made.
            Step::Create { .. } => self.remove_ours(name, name.as_ref(), wanted.container.stop_grace).await?,
            Step::Start { .. } => self.engine.stop(name, wanted.container.stop_grace).await?,
            Step::AtBoot { .. } => boot::disable(&self.engine).await?,
            Step::Replace { .. } => {
                let there = self.engine.observe(name).await?;
                if there.is_some_and(|found| found.labels.get(label::CONFIGURATION) == wanted.digest()) {
                    bail!("the new container stays");
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Starts what is there anew, after its files were put back.
    pub(super) async fn reread(&self, done: &[&Step], wanted: &WantedContainer) -> Vec<String> {
        if !done.iter().any(|step| matches!(step, Step::Restart { .. } | Step::Replace { .. })) {
            return Vec::new();
        }
        let name = &wanted.container.name;
        let again = async {
            self.engine.stop(name, wanted.container.stop_grace).await?;
            self.engine.start(name).await
        };
        again.await.err().map(|fault| format!("restart {name}: {fault}")).into_iter().collect()
    }

    /// The old one is kept until the new one serves, and goes on if it does not.
    async fn replace(&self, wanted: &WantedContainer) -> anyhow::Result<()> {
        let (engine, name, grace) = (&self.engine, &wanted.container.name, wanted.container.stop_grace);
        let old: ContainerName = format!("{name}{OLD}").parse()?;
        self.remove_ours(&old, name.as_ref(), grace).await?;
        engine.stop(name, grace).await?;
        engine.rename(name, &old).await?;
        let started = async {
            engine.create(&wanted.container).await?;
            engine.start(name).await?;
            self.serves(wanted).await
        };
        let Err(failed) = started.await else {
            engine.remove(&old).await?;
            return Ok(());
        };
        let back = async {
            engine.remove(name).await?;
            engine.rename(&old, name).await?;
            engine.start(name).await
        };
        match back.await {
            Ok(()) => Err(failed.context("the container that was there runs again")),
            Err(error) => Err(failed.context(format!("the container that was there does not run either: {error}"))),
        }
    }

    /// Waits until the router answers.
    async fn serves(&self, wanted: &WantedContainer) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let Err(silent) = wanted.contact.status().await else { return Ok(()) };
            let found = self.engine.observe(&wanted.container.name).await?;
            let ended = found
                .is_none_or(|found| matches!(found.state, Lifecycle::Exited | Lifecycle::Dead) || found.restarts > 0);
            if ended || Instant::now() >= deadline {
                let log = self.engine.log_tail(&wanted.container.name, LOG_LINES).await.unwrap_or_default();
                return Err(silent.context(anyhow!("the router in the container does not serve; it said:\n{log}")));
            }
            sleep(LOOK).await;
        }
    }

    pub(super) async fn remove(&self, record: &Record) -> Result<Vec<String>, Failure> {
        let name = record.gateway.parse::<ContainerName>().or_runtime()?;
        let image = self.engine.observe(&name).await.or_runtime()?.map(|found| found.image);
        let grace = Duration::from_secs(record.options.drain_timeout.into()) + STOP_MARGIN;
        let mut left = Vec::new();
        let mut note = |what: String, error: Option<String>| left.extend(error.map(|error| format!("{what}: {error}")));
        for name in [name.clone(), format!("{name}{OLD}").parse().or_runtime()?] {
            let removed = self.remove_ours(&name, &record.gateway, grace).await;
            note(format!("remove {name}"), removed.err().map(|fault| fault.to_string()));
        }
        let image = match image {
            Some(image) if record.image.as_ref() == Some(&image) || self.made_here(&image).await.or_runtime()? => {
                Some(image)
            }
            _ => None,
        };
        if let Some(image) = image {
            // Another gateway's may be made of it.
            note(
                format!("remove {image}"),
                self.engine.remove_image(&image).await.err().map(|fault| fault.to_string()),
            );
        }
        // Containers of others have come to rely on it.
        if record.at_boot && self.engine.always().await.or_runtime()?.is_empty() {
            let disabled = boot::disable(&self.engine).await;
            note("start containers after a boot no more".to_owned(), disabled.err().map(|fault| format!("{fault:#}")));
        }
        Ok(left)
    }

    /// Whether an image is one that this program made.
    async fn made_here(&self, image: &str) -> Result<bool, EngineFault> {
        Ok(self.engine.image(image).await?.is_some_and(|image| image.labels.contains_key(label::BINARY)))
    }

    /// Stops and removes a container of the gateway's; another's of that name stays.
    async fn remove_ours(&self, name: &ContainerName, gateway: &str, grace: Duration) -> Result<(), EngineFault> {
        let found = self.engine.observe(name).await?;
        if found.is_some_and(|found| found.labels.get(label::GATEWAY).is_some_and(|of| of == gateway)) {
            self.engine.stop(name, grace).await?;
            self.engine.remove(name).await?;
        }
        Ok(())
    }

    /// Why it would not run again after a reboot.
    pub(super) fn version(&self) -> String {
        let facts = self.engine.facts();
        let rights = if facts.rootless { ", without root" } else { "" };
        format!("{} {}{rights}", facts.kind, facts.version)
    }

    /// What the container wrote, as [`Engine::log`] tells it.
    pub(crate) async fn log(
        &self,
        name: &str,
        lines: u32,
        follow: bool,
        take: impl FnMut(&[u8]) -> bool,
    ) -> Result<(), Failure> {
        let name = name.parse::<ContainerName>().or_input()?;
        self.engine.log(&name, lines, follow, take).await.or_runtime()
    }

    pub(crate) async fn gaps(&self) -> Vec<String> {
        match Missing::of(&self.engine).await {
            Ok(missing) => {
                missing.gaps.iter().map(|gap| format!("after a reboot the gateway does not run: {gap}")).collect()
            }
            Err(fault) => vec![format!("whether the gateway runs after a reboot is not known: {fault:#}")],
        }
    }
}

fn mount(path: &Path, writable: bool) -> BindMount {
    BindMount { source: path.to_owned(), target: path.to_owned(), writable }
}

impl WantedContainer {
    pub(super) fn name(&self) -> String {
        self.container.name.to_string()
    }

    fn digest(&self) -> Option<&String> {
        self.container.labels.get(label::CONFIGURATION)
    }

    /// # Errors
    /// A container of that name which is not ours.
    pub(crate) fn plan(&self, found: &FoundContainer, ours: bool, steps: &mut Vec<Step>) -> Result<(), Failure> {
        let name = &self.container.name;
        if !ours && found.container.is_some() {
            return Err(Failure::Input(anyhow!(
                "there is a container {name} which is not ours: remove it, or give the gateway another name"
            )));
        }
        if !found.image {
            let name = self.container.image.clone();
            steps.push(if self.program.is_some() { Step::Image { name } } else { Step::Fetch { name } });
        }
        if found.container.is_none() {
            steps.push(Step::Create { name: name.to_string() });
        }
        steps.extend(found.missing.iter().flat_map(Missing::steps));
        Ok(())
    }

    /// Why what runs must be replaced, if it must.
    pub(crate) fn outdated(&self, found: &FoundContainer) -> Option<&'static str> {
        let there = found.container.as_ref()?.labels.get(label::CONFIGURATION);
        (there != self.digest()).then_some("its program or its settings have changed")
    }
}
