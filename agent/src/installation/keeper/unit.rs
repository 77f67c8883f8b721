//! A gateway as a service of the user's systemd.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use moorline_systemd::logind::{self, Linger, User};
use moorline_systemd::unit::{Account, Program, Readiness, Sandbox, ServiceUnit, UnitName, user_unit_directory};
use moorline_systemd::{Manager, Scope, UnitState};

use super::Gateway;
use crate::failure::{Blame, Failure};
use crate::gateway::configuration;
use crate::installation::record::Record;
use crate::installation::step::Step;
use crate::installation::{gone, read_text, router_arguments};
use crate::{directories, output};

/// For systemd to try a sandbox.
const SANDBOX_LIMIT: Duration = Duration::from_secs(5);
/// For systemd to start a router and hear that it serves, or to stop one, besides the time that it drains.
const JOB_LIMIT: Duration = Duration::from_secs(60);
/// A router that says nothing for so long is started again.
const WATCHDOG: Duration = Duration::from_secs(30);

/// The user's systemd.
pub(crate) struct UnitKeeper {
    systemd: Manager,
    release: u32,
    /// Whether it can give the router namespaces of its own.
    sandboxing: bool,
}

#[derive(Clone)]
pub(crate) struct WantedUnit {
    pub(crate) name: UnitName,
    pub(crate) file: PathBuf,
    text: String,
    /// For systemd's jobs.
    limit: Duration,
}

pub(crate) struct FoundUnit {
    text: Option<String>,
    pub(crate) state: UnitState,
    linger: Linger,
}

impl UnitKeeper {
    pub(crate) async fn connect() -> Result<UnitKeeper, Failure> {
        let systemd = Manager::connect(Scope::User).await.or_runtime()?;
        let release = systemd.version().await.or_runtime()?.release;
        let sandboxing = systemd.sandboxing(SANDBOX_LIMIT).await.or_runtime()?;
        Ok(UnitKeeper { systemd, release, sandboxing })
    }

    pub(super) fn wanted(&self, gateway: &Gateway<'_>) -> Result<WantedUnit, Failure> {
        let home = gateway.home;
        let program = match gateway.program {
            Some(_) => home.program(),
            None => std::env::current_exe().context("where this program is cannot be told").or_runtime()?,
        };
        let unit = ServiceUnit {
            generator: format!("moorline {}", env!("CARGO_PKG_VERSION")),
            description: format!("Moorline gateway {}", gateway.name),
            readable: vec![program.clone(), home.path().to_owned()],
            program: Program { path: program, arguments: router_arguments(home, gateway.drain)? },
            readiness: Readiness::Notify { watchdog: Some(WATCHDOG) },
            account: Account::Session,
            environment: vec![("SKUPPER_SITE_ID".to_owned(), configuration::site(gateway.name, gateway.site_id))],
            drain: gateway.drain,
            // A configuration that cannot be used is no better the next time.
            give_up_on: vec![2],
            credentials: Vec::new(),
            writable: vec![home.sockets()],
            sandbox: match self.sandboxing {
                true => Sandbox::Full { executable_memory: false },
                false => Sandbox::Filters { executable_memory: false },
            },
        };
        let name = UnitName::service(gateway.name).or_input()?;
        let text = unit.text(&name, Some(self.release)).or_runtime()?;
        let file = user_unit_directory(&directories::config()?).join(name.to_string());
        Ok(WantedUnit { name, file, text, limit: gateway.drain + JOB_LIMIT })
    }

    pub(super) async fn look(&self, wanted: &WantedUnit) -> Result<FoundUnit, Failure> {
        Ok(FoundUnit {
            text: read_text(&wanted.file)?,
            state: self.state(&wanted.name).await?,
            linger: logind::linger(&User::current()).await.unwrap_or(Linger::Unknown),
        })
    }

    pub(crate) async fn state(&self, name: &UnitName) -> Result<UnitState, Failure> {
        self.systemd.unit(name).await.or_runtime()
    }

    pub(super) async fn act(&self, step: &Step, wanted: &WantedUnit, notes: &mut Vec<String>) -> anyhow::Result<()> {
        let unit = &wanted.name;
        match step {
            Step::Reload => self.systemd.reload().await?,
            Step::Enable { .. } => drop(self.systemd.enable(unit).await?),
            // Where it is denied the gateway runs all the same, until the user logs out: said, not failed.
            Step::Linger => {
                let denied = logind::enable_linger(&User::current()).await.err();
                notes.extend(denied.map(|fault| format!("the gateway ends when you log out: {fault}")));
            }
            Step::Start { .. } => {
                // What ran before may have failed too often.
                self.systemd.reset_failed(unit).await?;
                self.systemd.start(unit, wanted.limit).await?;
            }
            Step::Restart { .. } => self.systemd.restart(unit, wanted.limit).await?,
            _ => {}
        }
        Ok(())
    }

    pub(super) async fn undo(&self, step: &Step, wanted: &WantedUnit) -> anyhow::Result<()> {
        match step {
            Step::Start { .. } => self.systemd.stop(&wanted.name, wanted.limit).await?,
            Step::Enable { .. } => drop(self.systemd.disable(&wanted.name).await?),
            // Where it was denied there is nothing to take back.
            Step::Linger => drop(logind::disable_linger(&User::current()).await),
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
        let unit: UnitName = UnitName::service(&record.gateway).or_runtime()?;
        let file = user_unit_directory(&directories::config()?).join(unit.to_string());
        let limit = Duration::from_secs(record.options.drain_timeout.into()) + JOB_LIMIT;
        let mut left = Vec::new();
        let mut note = |what: &str, error: Option<String>| left.extend(error.map(|error| format!("{what}: {error}")));
        note("stop", self.systemd.stop(&unit, limit).await.err().map(|fault| fault.to_string()));
        note("disable", self.systemd.disable(&unit).await.err().map(|fault| fault.to_string()));
        note("remove", gone(fs::remove_file(&file), &file));
        note("reload", self.systemd.reload().await.err().map(|fault| fault.to_string()));
        note("reset", self.systemd.reset_failed(&unit).await.err().map(|fault| fault.to_string()));
        if record.linger
            && let Err(fault) = logind::disable_linger(&User::current()).await
        {
            output::warning(&format!("your services still run without a login: {fault}"));
        }
        Ok(left)
    }
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

fn not_ours(file: &Path) -> Failure {
    Failure::Input(anyhow!("{} exists and is not ours: remove it, or give the gateway another name", file.display()))
}
