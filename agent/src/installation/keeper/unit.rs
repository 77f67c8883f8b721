//! A gateway as a service of systemd: the user's, or for root the machine's.

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, anyhow};
use moorline_systemd::logind::{self, Linger, User};
use moorline_systemd::unit::{
    Account, Credential, Program, Readiness, SYSTEM_UNIT_DIRECTORY, Sandbox, ServiceUnit, UnitName,
    credentials_directory, user_unit_directory,
};
use moorline_systemd::{Active, Manager, Scope, UnitState};
use nix::unistd::Uid;
use tokio::time::{Instant, sleep};

use super::{Gateway, GatewayType};
use crate::directories;
use crate::failure::{Blame, Failure};
use crate::gateway::configuration;
use crate::installation::contact::Contact;
use crate::installation::home::Home;
use crate::installation::record::Record;
use crate::installation::router::Router;
use crate::installation::step::Step;
use crate::installation::{gone, read_text, router_arguments};

/// For systemd to try a sandbox, and how often it may.
const SANDBOX_LIMIT: Duration = Duration::from_secs(10);
const SANDBOX_ATTEMPTS: usize = 3;
const LOOK: Duration = Duration::from_millis(100);
/// For systemd to start a router and hear that it serves, or to stop one, besides the time that it drains.
pub(crate) const JOB_LIMIT: Duration = Duration::from_secs(60);
/// A router that says nothing for so long is started again.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(30);

/// What the first trial of this process said: an agent does not try again each time that it looks.
static SANDBOXING: OnceLock<bool> = OnceLock::new();

/// The systemd of the calling user.
pub(crate) struct UnitKeeper {
    systemd: Manager,
    release: u32,
    /// Whether it can give the router namespaces of its own. Not known: it was not tried.
    sandboxing: OnceCell<bool>,
}

#[derive(Clone)]
pub(crate) struct WantedUnit {
    pub(crate) name: UnitName,
    pub(crate) file: PathBuf,
    /// That, and what else is outside of the gateway's home.
    pub(crate) files: Vec<PathBuf>,
    text: String,
    /// For systemd's jobs.
    limit: Duration,
    contact: Contact,
}

pub(crate) struct FoundUnit {
    text: Option<String>,
    pub(crate) state: UnitState,
    linger: Linger,
}

/// Root's gateways are services of the machine's systemd, each under an account of its own; all others' are services of
/// their user's.
pub(crate) fn is_system() -> bool {
    Uid::effective().is_root()
}

fn scope() -> Scope {
    if is_system() { Scope::System } else { Scope::User }
}

/// Where the router sees a file of the gateway's home. systemd hands a system unit copies of root's files.
pub(super) fn seen(home: &Home, path: &Path) -> PathBuf {
    if !is_system() {
        return path.to_owned();
    }
    credentials_directory(home.unit()).join(credential(home, path))
}

/// A credential's name: the path in the home, with other separators.
fn credential(home: &Home, path: &Path) -> String {
    path.strip_prefix(home.path()).unwrap_or(path).to_string_lossy().replace('/', ".")
}

pub(crate) fn unit_file(unit: &UnitName) -> Result<PathBuf, Failure> {
    let directory = match scope() {
        Scope::System => PathBuf::from(SYSTEM_UNIT_DIRECTORY),
        Scope::User => user_unit_directory(&directories::config()?),
    };
    Ok(directory.join(unit.to_string()))
}

impl UnitKeeper {
    pub(crate) async fn connect() -> Result<UnitKeeper, Failure> {
        let systemd = Manager::connect(scope()).await.or_runtime()?;
        let release = systemd.version().await.or_runtime()?.release;
        Ok(UnitKeeper { systemd, release, sandboxing: OnceCell::new() })
    }

    /// Whether systemd can give the router namespaces of its own.
    ///
    /// A host that is busy may not answer in time, and then the next may: what is not known is tried again before the
    /// stronger sandbox is taken for one that does not exist.
    pub(crate) async fn try_sandbox(&self) -> Result<(), Failure> {
        if let Some(known) = SANDBOXING.get() {
            let _ = self.sandboxing.set(*known);
            return Ok(());
        }
        let mut answer = self.systemd.sandboxing(SANDBOX_LIMIT).await;
        for _ in 1..SANDBOX_ATTEMPTS {
            if matches!(answer, Ok(true)) {
                break;
            }
            answer = self.systemd.sandboxing(SANDBOX_LIMIT).await;
        }
        // Set once; who asks twice gets the first answer.
        let answer = answer.or_runtime()?;
        let known = *SANDBOXING.get_or_init(|| answer);
        let _ = self.sandboxing.set(known);
        Ok(())
    }

    pub(super) fn version(&self) -> String {
        format!("systemd {}", self.release)
    }

    pub(super) fn wanted(&self, gateway: &Gateway<'_>) -> Result<WantedUnit, Failure> {
        let (home, system) = (gateway.home, is_system());
        let kind = GatewayType::Service;
        let config = seen(home, &home.config());
        let itself = || std::env::current_exe().context("where this program is cannot be told").or_runtime();
        let program = match gateway.router {
            Router::Embedded => Program {
                path: if gateway.program.is_some() { home.program() } else { itself()? },
                arguments: router_arguments(home, kind, &config, gateway.drain)?,
            },
            Router::Skrouterd(skrouterd) => Program {
                path: skrouterd.program()?.to_owned(),
                arguments: vec!["-c".to_owned(), configuration::text(&config)?],
            },
        };
        let embedded = *gateway.router == Router::Embedded;
        let sees = |path: &PathBuf| Credential { name: credential(home, path), path: path.clone() };
        let name = home.unit().clone();
        let file = unit_file(&name)?;
        let own_program = (system && gateway.program.is_some()).then(|| home.program());
        let unit = ServiceUnit {
            generator: format!("moorline {}", env!("CARGO_PKG_VERSION")),
            description: format!("Moorline gateway {}", gateway.name),
            readable: if system { Vec::new() } else { vec![program.path.clone(), home.path().to_owned()] },
            program,
            readiness: match embedded {
                true => Readiness::Notify { watchdog: Some(WATCHDOG) },
                false => Readiness::Started,
            },
            account: match system {
                true => Account::Dynamic { low_ports: gateway.low_ports },
                false => Account::Session,
            },
            environment: vec![("SKUPPER_SITE_ID".to_owned(), configuration::site(gateway.name, gateway.site_id))],
            drain: gateway.drain,
            // A configuration that cannot be used is no better the next time.
            give_up_on: if embedded { vec![2] } else { Vec::new() },
            credentials: if system { gateway.read.iter().map(sees).collect() } else { Vec::new() },
            writable: if system { Vec::new() } else { vec![home.sockets(kind)] },
            // skrouterd has Python in it.
            sandbox: match self.sandboxing.get().copied().unwrap_or_default() {
                true => Sandbox::Full { executable_memory: !embedded },
                false => Sandbox::Filters { executable_memory: !embedded },
            },
        };
        let text = unit.text(&name, Some(self.release)).or_runtime()?;
        let files = [Some(file.clone()), own_program].into_iter().flatten().collect();
        let contact = Contact { home: home.clone(), kind, router: gateway.router.clone() };
        Ok(WantedUnit { name, file, files, text, limit: gateway.drain + JOB_LIMIT, contact })
    }

    pub(super) async fn look(&self, wanted: &WantedUnit) -> Result<FoundUnit, Failure> {
        Ok(FoundUnit {
            text: read_text(&wanted.file)?,
            state: self.state(&wanted.name).await?,
            linger: lingers().await,
        })
    }

    pub(crate) async fn state(&self, name: &UnitName) -> Result<UnitState, Failure> {
        self.systemd.unit(name).await.or_runtime()
    }

    pub(super) async fn act(&self, step: &Step, wanted: &WantedUnit) -> anyhow::Result<()> {
        let unit = &wanted.name;
        match step {
            Step::Reload => self.systemd.reload().await?,
            Step::Enable { .. } => drop(self.systemd.enable(unit).await?),
            Step::Start { .. } => {
                // What ran before may have failed too often.
                self.systemd.reset_failed(unit).await?;
                self.systemd.start(unit, wanted.limit).await?;
                self.answers(wanted).await?;
            }
            Step::Restart { .. } => {
                self.systemd.restart(unit, wanted.limit).await?;
                self.answers(wanted).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Waits for the answer of a router that does not tell systemd when it serves.
    async fn answers(&self, wanted: &WantedUnit) -> anyhow::Result<()> {
        if wanted.contact.router == Router::Embedded {
            return Ok(());
        }
        let deadline = Instant::now() + JOB_LIMIT;
        loop {
            let Err(silent) = wanted.contact.status().await else { return Ok(()) };
            let state = self.systemd.unit(&wanted.name).await?;
            if !state.is_running() || state.restarts > 0 || Instant::now() >= deadline {
                let journal = format!("journalctl {}-u {}", if is_system() { "" } else { "--user " }, wanted.name);
                return Err(silent.context(format!("skrouterd does not serve; `{journal}` shows what it said")));
            }
            sleep(LOOK).await;
        }
    }

    pub(super) async fn undo(&self, step: &Step, wanted: &WantedUnit) -> anyhow::Result<()> {
        match step {
            Step::Start { .. } => self.systemd.stop(&wanted.name, wanted.limit).await?,
            Step::Enable { .. } => drop(self.systemd.disable(&wanted.name).await?),
            _ => {}
        }
        Ok(())
    }

    pub(super) async fn reread(&self, done: &[&Step], wanted: &WantedUnit) -> Vec<String> {
        let mut left = Vec::new();
        if done.iter().any(|step| matches!(step, Step::Reload))
            && let Err(error) = self.systemd.reload().await
        {
            left.push(format!("reload systemd's units: {error}"));
        }
        if done.iter().any(|step| matches!(step, Step::Restart { .. })) {
            // It may have given up meanwhile.
            let reset = self.systemd.reset_failed(&wanted.name).await;
            let again = self.systemd.restart(&wanted.name, wanted.limit).await;
            left.extend(reset.and(again).err().map(|error| format!("restart {}: {error}", wanted.name)));
        }
        left
    }

    pub(super) async fn remove(&self, record: &Record) -> Result<Vec<String>, Failure> {
        let home = Home::of(&record.gateway)?;
        let unit = home.unit();
        let file = unit_file(unit)?;
        let limit = Duration::from_secs(record.options.drain_timeout.into()) + JOB_LIMIT;
        let mut left = Vec::new();
        let mut note = |what: &str, error: Option<String>| left.extend(error.map(|error| format!("{what}: {error}")));
        note("stop", self.systemd.stop(unit, limit).await.err().map(|fault| fault.to_string()));
        note("disable", self.systemd.disable(unit).await.err().map(|fault| fault.to_string()));
        note("remove", gone(fs::remove_file(&file), &file));
        note("remove", gone(fs::remove_file(home.program()), &home.program()));
        note("reload", self.systemd.reload().await.err().map(|fault| fault.to_string()));
        note("reset", self.systemd.reset_failed(unit).await.err().map(|fault| fault.to_string()));
        Ok(left)
    }
}

/// Whether the services of this user run without a login. The machine's do.
pub(crate) async fn lingers() -> Linger {
    if is_system() {
        return Linger::On;
    }
    logind::linger(&User::current()).await.unwrap_or(Linger::Unknown)
}

impl WantedUnit {
    /// # Errors
    /// A unit of that name which is not ours.
    pub(crate) fn plan(&self, found: &FoundUnit, ours: bool, steps: &mut Vec<Step>) -> Result<(), Failure> {
        if !ours && found.text.is_some() {
            return Err(not_ours(&self.file));
        }
        let mut changed = found.state.needs_reload;
        if found.text.as_ref() != Some(&self.text) {
            let (path, text) = (self.file.clone(), self.text.clone());
            steps.push(Step::WriteUnit { path, text, new: found.text.is_none() });
            changed = true;
        }
        if !found.state.is_enabled() {
            steps.push(Step::Enable { unit: self.name.to_string() });
            // The links are part of what systemd reads.
            changed = true;
        }
        if changed {
            steps.push(Step::Reload);
        }
        if found.linger == Linger::Off {
            steps.push(Step::Linger);
        }
        Ok(())
    }

    /// Why what runs must be started again, if it must.
    pub(crate) fn outdated(&self, found: &FoundUnit) -> Option<&'static str> {
        (found.text.as_ref() != Some(&self.text)).then_some("its unit has changed")
    }
}

impl FoundUnit {
    /// As if there were no such unit.
    pub(super) fn vacate(&mut self) {
        self.text = None;
        self.state.active = Active::Inactive;
        self.state.enabled.clear();
    }
}

pub(crate) fn not_ours(file: &Path) -> Failure {
    Failure::Input(anyhow!("{} exists and is not ours: remove it, or give the gateway another name", file.display()))
}
