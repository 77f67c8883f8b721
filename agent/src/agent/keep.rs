//! One gateway made what its file says, by the steps of `gateway apply`; or deleted with its file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::anyhow;
use moorline_bundle::LinkToken;
use tokio::time::{Instant, sleep};

use super::directory::{is_definition, is_gone, token_of};
use crate::definition_file::{DefinitionArguments, DefinitionFile};
use crate::failure::Failure;
use crate::gateway::delete;
use crate::gateway::install::{Chosen, HowArguments, Planned};
use crate::installation::home::Home;
use crate::installation::installed;
use crate::installation::keeper::GatewayType;
use crate::installation::record::Record;
use crate::installation::router::RouterChoice;
use crate::installation::turn::Turn;
use crate::installation::wanted::installed_uplink;
use crate::{doctor, token_file};

/// How long a user's own change may take before it counts as in the way, and how often it is looked at.
const TURN: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(100);

/// How gateways are installed; those that are stay as they are.
#[derive(Clone, Debug, Default)]
pub(super) struct Defaults {
    pub(super) kind: Option<GatewayType>,
    pub(super) router: Option<RouterChoice>,
}

/// A definition of the directory, read.
pub(super) struct Entry {
    pub(super) path: PathBuf,
    pub(super) file: DefinitionFile,
}

/// What became of it.
pub(super) struct Kept {
    /// How many it took.
    pub(super) steps: usize,
    /// What others did not allow, such as that it runs without a login.
    pub(super) gaps: Vec<String>,
    /// What is wrong, and does not keep it from running.
    pub(super) problem: Option<String>,
}

/// What it wants.
pub(super) struct Choice {
    chosen: Chosen,
    problem: Option<String>,
}

/// The gateways that are installed. One whose record cannot be read is told where it is to be changed.
pub(super) fn records() -> Result<Vec<Record>, Failure> {
    let record = |name: String| Record::read(&Home::of(&name).ok()?).ok()?;
    Ok(installed()?.into_iter().filter_map(record).collect())
}

/// Whether the gateway's definition came from that very file, or from what the file is a link to.
pub(super) fn came_from(record: &Record, path: &Path) -> bool {
    let source = record.options.source.file.as_deref();
    source.is_some_and(|source| source == path || path.canonicalize().is_ok_and(|real| real == source))
}

/// Whether the gateway's definition was a file of the directory.
pub(super) fn was_of(record: &Record, dir: &Path) -> bool {
    let source = record.options.source.file.as_deref();
    source.is_some_and(|source| source.parent() == Some(dir) && is_definition(source))
}

/// The same of one that is there no more. A directory that went away itself has no word on what shall go.
pub(super) fn lost(record: &Record, dir: &Path) -> bool {
    was_of(record, dir) && record.options.source.file.as_deref().is_some_and(is_gone) && dir.is_dir()
}

impl Entry {
    pub(super) fn read(path: &Path, records: &[Record]) -> Entry {
        let before = records.iter().find(|record| came_from(record, path)).map(|record| &record.options.source);
        let mut file = DefinitionArguments::again(path.to_owned(), before.unwrap_or(&Default::default())).read();
        // As it is called in the directory, whatever it is a link to.
        file.source.file = Some(path.to_owned());
        Entry { path: path.to_owned(), file }
    }

    /// The gateway that it defines; none: it has errors.
    pub(super) fn gateway(&self) -> Option<&str> {
        self.file.definition().map(|definition| definition.name.as_str())
    }

    /// The same of one that has errors: it may not go with them.
    pub(super) fn seems_to_define(&self, gateway: &str) -> bool {
        let mut names = self.file.text().lines().filter_map(|line| line.strip_prefix("name:"));
        match self.gateway() {
            Some(name) => name == gateway,
            None => names.any(|name| name.trim().trim_matches(['"', '\'']) == gateway),
        }
    }

    /// Makes the gateway what it says.
    ///
    /// # Errors
    /// The gateway is as it was, as far as that could be.
    ///
    /// `before`: what could not be had the last time, and is not asked for again.
    pub(super) async fn keep(&self, dir: &Path, defaults: &Defaults, before: &[String]) -> Result<Kept, Failure> {
        let Choice { chosen, problem } = self.choose(dir, defaults)?;
        // Looking is free, and disturbs no change that a user makes.
        if !chosen.first && self.plan(chosen).await?.is_done(before.is_empty()) {
            return Ok(Kept { steps: 0, gaps: before.to_vec(), problem });
        }
        let turn = turn().await?;
        // Since then a user may have changed both.
        let now = Entry::read(&self.path, &records()?);
        let Choice { chosen, problem } = now.choose(dir, defaults)?;
        if chosen.first {
            doctor::before(&chosen.parts)?;
        }
        let planned = now.plan(chosen).await?;
        let (gateway, steps) = (planned.wanted.gateway.clone(), planned.steps.len());
        let (_, gaps) = planned.act(&turn, |step| tracing::info!(gateway, "{step}")).await?;
        Ok(Kept { steps, gaps, problem })
    }

    /// Reads all that it needs. Changes nothing.
    pub(super) fn choose(&self, dir: &Path, defaults: &Defaults) -> Result<Choice, Failure> {
        let Some(gateway) = self.gateway() else {
            return Err(Failure::Input(anyhow!("{}", self.file.lines().join("\n"))));
        };
        let home = Home::of(gateway)?;
        let before = Record::read(&home)?;
        if let Some(record) = before.as_ref().filter(|record| !came_from(record, &self.path) && !lost(record, dir)) {
            let source = record.options.source.file.as_ref();
            let origin = source.map_or("by hand".to_owned(), |source| format!("from {}", source.display()));
            return Err(Failure::Input(anyhow!(
                "{}: gateway {gateway:?} was installed {origin}: `moorline gateway apply {0}` hands it to the agent",
                self.path.display()
            )));
        }
        let (token, problem) = self.token(&home, before.is_some())?;
        let Defaults { kind, router } = if before.is_none() { defaults.clone() } else { Defaults::default() };
        let chosen = HowArguments::of(token, kind, router).choose(&self.file)?;
        Ok(Choice { chosen, problem })
    }

    async fn plan(&self, chosen: Chosen) -> Result<Planned, Failure> {
        Planned::of(chosen.parts, chosen.kind, chosen.options).await
    }

    /// The token to link with; none: the gateway links already as the token says, or keeps its link, for the reason
    /// beside it.
    fn token(&self, home: &Home, installed: bool) -> Result<(Option<PathBuf>, Option<String>), Failure> {
        let Some(path) = token_of(&self.path) else {
            if installed {
                return Ok((None, None));
            }
            return Err(Failure::Input(anyhow!(
                "{}: it is not installed yet: put its link token beside it, as {}",
                self.path.display(),
                self.path.with_extension("token").display()
            )));
        };
        if !installed {
            return Ok((Some(path), None));
        }
        let linked = installed_uplink(home, self.gateway().unwrap_or_default()).ok();
        let same = |token: &LinkToken| linked.as_ref() == Some(&(token.edge.clone(), token.credentials.clone()));
        match token_file::read(&path) {
            Ok(token) => Ok(((!same(&token)).then_some(path), None)),
            // The gateway may have been linked anew since it was good.
            Err(failure) => Ok((None, failure.words())),
        }
    }
}

/// Deletes the gateway of a record, if it still is one that `leaves`.
pub(super) async fn delete(name: &str, leaves: impl Fn(&Record) -> bool) -> Result<(), Failure> {
    let turn = turn().await?;
    match Record::read(&Home::of(name)?)? {
        Some(record) if leaves(&record) => delete::remove(turn, record).await,
        _ => Ok(()),
    }
}

/// While it waits the agent still answers.
async fn turn() -> Result<Turn, Failure> {
    let deadline = Instant::now() + TURN;
    loop {
        match Turn::take_now() {
            Err(_) if Instant::now() < deadline => sleep(LOOK).await,
            taken => return taken,
        }
    }
}
