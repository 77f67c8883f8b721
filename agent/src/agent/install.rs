//! `moorline agent install`: the agent as a service of the user's systemd.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use moorline_bundle::files;
use moorline_systemd::logind::{self, Linger, User};
use moorline_systemd::unit::{Account, Program, Readiness, Sandbox, ServiceUnit, UnitName};
use moorline_systemd::{Active, Manager, Scope};

use super::KeepArguments;
use super::record::AgentRecord;
use crate::cli::closing;
use crate::failure::{Blame, Failure};
use crate::gateway::configuration::text;
use crate::gateway::install::block_on;
use crate::installation::act::{PUBLIC_FILE, write};
use crate::installation::keeper::unit::{JOB_LIMIT, WATCHDOG, is_system, lingers, not_ours, unit_file};
use crate::installation::router::RouterChoice;
use crate::installation::turn::{Turn, missing, remove_empty};
use crate::installation::{gone, read_text};
use crate::lock::lock_directory;
use crate::output::{self, say};

const UNIT: &str = "moorline-agent";
/// What is being changed is finished first.
const FINISH: Duration = Duration::from_secs(90);
/// What of this environment the agent needs as it is here: systemd has its own.
const ENVIRONMENT: [&str; 10] = [
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
    "QDROUTERD_IMAGE",
    "SKUPPER_IMAGE_REGISTRY",
    "CONTAINER_HOST",
    "PODMAN_ENDPOINT",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "DOCKER_TLS_VERIFY",
];

/// Keep the gateways of a directory from now on, by a service of your systemd
///
/// Writes, enables and starts moorline-agent.service; said again it takes the new options. When a step fails, those before it
/// are taken back. The service may do what its user may in files, and has no way to more: it writes units and the
/// gateways' files, and talks to systemd and container engines, so that a closer sandbox would keep it from its work.
#[derive(Debug, Args)]
#[command(after_long_help = closing!("moorline agent install", "moorline agent install --listen 9464 --type podman"))]
pub(crate) struct Arguments {
    #[command(flatten)]
    keep: KeepArguments,
}

/// The service, and the systemd that runs it.
pub(super) struct Service {
    pub(super) systemd: Manager,
    pub(super) name: UnitName,
    pub(super) file: PathBuf,
}

/// What was done, to be taken back.
#[derive(Debug)]
enum Done {
    Wrote(Option<String>),
    Enabled,
    Started,
}

impl Service {
    pub(super) async fn find() -> Result<Service, Failure> {
        if is_system() {
            return Err(Failure::Input(anyhow!(
                "this is for users: as root, run `moorline agent run` from a unit of your own"
            )));
        }
        let name = UnitName::service(UNIT).or_runtime()?;
        let file = unit_file(&name)?;
        Ok(Service { systemd: Manager::connect(Scope::User).await.or_runtime()?, name, file })
    }

    /// For systemd to start or stop it.
    pub(super) fn limit() -> Duration {
        FINISH + JOB_LIMIT
    }

    async fn act(&self, unit: &str, running: bool, done: &mut Vec<Done>) -> anyhow::Result<()> {
        let before = read_text(&self.file).map_err(|failure| anyhow!(failure.words().unwrap_or_default()))?;
        if before.as_deref() != Some(unit) {
            done.push(Done::Wrote(before));
            write(&self.file, unit.as_bytes(), PUBLIC_FILE)?;
        }
        if !self.systemd.unit(&self.name).await?.is_enabled() {
            done.push(Done::Enabled);
            self.systemd.enable(&self.name).await?;
        }
        self.systemd.reload().await?;
        done.push(Done::Started);
        self.systemd.reset_failed(&self.name).await?;
        match running {
            true => self.systemd.restart(&self.name, Service::limit()).await?,
            false => self.systemd.start(&self.name, Service::limit()).await?,
        }
        Ok(())
    }

    /// Takes back what was done; `running`: the agent ran before. What could not be.
    async fn undo(&self, done: Vec<Done>, running: bool) -> Vec<String> {
        let mut left = Vec::new();
        let started = done.iter().any(|done| matches!(done, Done::Started));
        if started && !running {
            left.extend(self.systemd.stop(&self.name, Service::limit()).await.err().map(|fault| fault.to_string()));
        }
        for done in done.into_iter().rev() {
            match done {
                Done::Wrote(Some(text)) => {
                    let undone = write(&self.file, text.as_bytes(), PUBLIC_FILE);
                    left.extend(undone.err().map(|error| format!("{}: {error:#}", self.file.display())));
                }
                Done::Wrote(None) => left.extend(gone(fs::remove_file(&self.file), &self.file)),
                Done::Enabled => {
                    left.extend(self.systemd.disable(&self.name).await.err().map(|fault| fault.to_string()));
                }
                Done::Started => {}
            }
        }
        left.extend(self.systemd.reload().await.err().map(|fault| fault.to_string()));
        left.extend(self.systemd.reset_failed(&self.name).await.err().map(|fault| fault.to_string()));
        if started && running {
            let again = self.systemd.restart(&self.name, Service::limit()).await;
            left.extend(again.err().map(|fault| fault.to_string()));
        }
        left
    }
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        block_on(self.install())
    }

    async fn install(&self) -> Result<(), Failure> {
        let turn = Turn::take()?;
        let service = Service::find().await?;
        let before = AgentRecord::read()?;
        if before.is_none() && service.file.exists() {
            return Err(not_ours(&service.file));
        }
        // One that is being started again has the directory too.
        let state = service.systemd.unit(&service.name).await.or_runtime()?.active;
        let running = !matches!(state, Active::Inactive | Active::Failed);
        let directory = std::path::absolute(self.keep.directory()?).context("the directory").or_input()?;
        let release = service.systemd.version().await.or_runtime()?.release;
        let unit = self.unit(&directory)?.text(&service.name, Some(release)).or_input()?;

        let mut record = before.clone().unwrap_or_default();
        let unit_dir = service.file.parent().unwrap_or(Path::new("/"));
        record.directories.extend([turn.made().to_vec(), missing(unit_dir), missing(&directory)].concat());
        record.directories.sort();
        record.directories.dedup();
        let linger = lingers().await == Linger::Off;
        record.linger |= linger;
        record.write()?;

        let mut done = Vec::new();
        let outcome = async {
            if !directory.exists() {
                files::private_dir(&directory)?;
            }
            if !running && lock_directory(&directory).is_ok_and(|lock| lock.is_none()) {
                return Err(anyhow!("another agent keeps {} already: end it first", directory.display()));
            }
            service.act(&unit, running, &mut done).await
        };
        if let Err(error) = outcome.await {
            let mut left = service.undo(done, running).await;
            let back = match &before {
                Some(before) => before.write(),
                None => AgentRecord::remove(),
            };
            left.extend(back.err().and_then(|failure| failure.words()));
            if before.is_none() {
                remove_empty(&record.directories);
            }
            let outcome = match left.as_slice() {
                [] => "everything is as it was".to_owned(),
                left => format!("not everything could be taken back:\n  {}", left.join("\n  ")),
            };
            return Err(Failure::Runtime(anyhow!("{error:#}\n{outcome}")));
        }
        if linger && let Err(fault) = logind::enable_linger(&User::current()).await {
            output::warning(&format!("the agent and your gateways end when you log out: {fault}"));
            record.linger = before.is_some_and(|before| before.linger);
            record.write()?;
        }
        say(format_args!("{} runs and keeps the gateways of {}", service.name, directory.display()));
        Ok(())
    }

    fn unit(&self, directory: &Path) -> Result<ServiceUnit, Failure> {
        let itself = std::env::current_exe().context("where this program is cannot be told").or_runtime()?;
        let from_path = matches!(self.keep.router, Some(RouterChoice::Skrouterd(None))).then_some("PATH");
        let set = |name: &str| Some((name.to_owned(), std::env::var(name).ok().filter(|value| !value.is_empty())?));
        Ok(ServiceUnit {
            generator: format!("moorline {}", env!("CARGO_PKG_VERSION")),
            description: "Moorline agent, which keeps this user's gateways".to_owned(),
            program: Program { path: itself, arguments: self.keep.words(directory)? },
            readiness: Readiness::Notify { watchdog: Some(WATCHDOG) },
            account: Account::Session,
            environment: ENVIRONMENT.into_iter().chain(from_path).filter_map(set).collect(),
            drain: FINISH,
            // What it is told cannot be used, and is no better the next time.
            give_up_on: vec![2],
            credentials: Vec::new(),
            readable: Vec::new(),
            writable: Vec::new(),
            // skrouterd, which is asked for its version, has Python in it.
            sandbox: Sandbox::Filters { executable_memory: true },
        })
    }
}

impl KeepArguments {
    /// The command line of an agent with these options.
    fn words(&self, directory: &Path) -> Result<Vec<String>, Failure> {
        let mut words = ["agent", "run", "--directory"].map(str::to_owned).to_vec();
        words.push(text(directory)?);
        words.extend(["--interval".to_owned(), self.interval.to_string()]);
        let mut option = |name: &str, value: Option<String>| {
            words.extend(value.map(|value| [name.to_owned(), value]).into_iter().flatten());
        };
        option("--type", self.kind.map(|kind| kind.name().to_owned()));
        option("--router", self.router.as_ref().map(ToString::to_string));
        option("--listen", self.listen.map(|listen| listen.to_string()));
        let socket = self.socket.socket.as_deref().map(std::path::absolute).transpose();
        let socket = socket.context("the socket").or_input()?;
        option("--socket", socket.as_deref().map(text).transpose()?);
        Ok(words)
    }
}
