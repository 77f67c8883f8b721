//! Carries steps out, one after the other; when one fails, takes back those before it.
//!
//! A process that is killed between two steps takes nothing back: the record of what is ours was written before the
//! first, and the next run goes on from what it finds.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use moorline_bundle::files;
use serde_json::Value;
use tokio::time::{Instant, sleep};
use zeroize::Zeroizing;

use super::home::Home;
use super::keeper::Keeper;
use super::old::Old;
use super::record::{Options, Record};
use super::step::Step;
use super::turn::{missing, remove_empty};
use super::wanted::{HomeFile, Wanted};
use super::{gone, remove_home};
use crate::failure::{Blame, Failure};
use crate::management::Management;

/// What others may read: a unit.
pub(crate) const PUBLIC_FILE: u32 = 0o644;
const PUBLIC_DIR: u32 = 0o755;
const OTHERS: u32 = 0o077;
/// How often the router is asked whether it is linked.
const LOOK: Duration = Duration::from_millis(50);
/// For routers of a network to hear which addresses a new one serves: they tell each other once a second.
const SPREAD: Duration = Duration::from_secs(2);

/// Steps that are being carried out.
pub(crate) struct Acting<'a> {
    home: &'a Home,
    keeper: &'a Keeper,
    wanted: &'a Wanted,
    /// What makes way for it.
    old: Option<&'a Old>,
    done: Vec<Done>,
    /// What others did not allow and fails nothing, with why.
    denied: Vec<(Step, String)>,
    /// The running router, once it was asked.
    router: Option<Management>,
}

/// A step that was carried out, with what it takes to take it back.
enum Done {
    /// What was there before, and its mode.
    File {
        path: PathBuf,
        before: Option<(Zeroizing<Vec<u8>>, u32)>,
    },
    Other(Step),
}

impl<'a> Acting<'a> {
    pub(crate) fn new(wanted: &'a Wanted, keeper: &'a Keeper, old: Option<&'a Old>) -> Acting<'a> {
        Acting { home: &wanted.home, keeper, wanted, old, done: Vec::new(), denied: Vec::new(), router: None }
    }

    /// Carries all out. `say` hears of each before it begins; `made` are directories that were made for the gateway
    /// before. On failure all is as it was, as far as that can be; what cannot be taken back is in the error.
    pub(crate) async fn run(
        mut self,
        steps: &[Step],
        before: Option<Record>,
        options: Options,
        made: &[PathBuf],
        say: impl Fn(&Step),
    ) -> Result<Vec<String>, Failure> {
        let fresh = before.is_none();
        let new = || Record::new(&self.wanted.gateway, self.wanted.keeper.kind());
        let mut record = before.clone().unwrap_or_else(new);
        record.options = options;
        record.directories.extend(made.iter().cloned());
        record.directories.extend(self.wanted.keeper.files().iter().filter_map(|file| file.parent()).flat_map(missing));
        record.directories.sort();
        record.directories.dedup();
        record.linger |= steps.contains(&Step::Linger);
        record.at_boot |= steps.iter().any(|step| matches!(step, Step::AtBoot { .. }));
        let fetched = |step: &Step| if let Step::Fetch { name } = step { Some(name.clone()) } else { None };
        record.image = steps.iter().find_map(fetched).or(record.image);
        record.restart = steps.iter().find_map(Step::restarts).map(str::to_owned);
        files::private_dir(self.home.path()).or_runtime()?;
        record.write(self.home)?;
        let sockets = self.home.sockets(self.wanted.keeper.kind());
        if sockets.starts_with(self.home.path()) {
            files::private_dir(&sockets).or_runtime()?;
        }
        for step in steps {
            say(step);
            if let Err(error) = self.act(step).await {
                let failed = error.context(format!("cannot {}", words(step)));
                let mut left = self.undo().await;
                if left.is_empty() {
                    match &before {
                        Some(before) => left.extend(before.write(self.home).err().map(|_| "the record".to_owned())),
                        None => remove_home(self.home, &mut left),
                    }
                    if fresh {
                        remove_empty(&record.directories);
                    }
                }
                let outcome = match left.as_slice() {
                    [] => "everything is as it was".to_owned(),
                    left => format!("not everything could be taken back:\n  {}", left.join("\n  ")),
                };
                return Err(Failure::Runtime(anyhow::anyhow!("{failed:#}\n{outcome}")));
            }
        }
        if record.restart.take().is_some() || !self.denied.is_empty() {
            record.linger &= !self.denied.iter().any(|(step, _)| *step == Step::Linger);
            record.at_boot &= !self.denied.iter().any(|(step, _)| matches!(step, Step::AtBoot { .. }));
            record.write(self.home)?;
        }
        Ok(self.denied.into_iter().map(|(_, why)| why).collect())
    }

    async fn act(&mut self, step: &Step) -> anyhow::Result<()> {
        match step {
            Step::Write { file: HomeFile { path, bytes, mode }, .. } => {
                self.remember(path)?;
                return write(path, bytes, *mode);
            }
            Step::Remove { path } => {
                self.remember(path)?;
                // What a killed write left goes with the next write of its file.
                return gone(fs::remove_file(path), path).map_or(Ok(()), |why| Err(anyhow::anyhow!(why)));
            }
            Step::WriteUnit { path, text, .. } => {
                self.remember(path)?;
                return write(path, text.as_bytes(), PUBLIC_FILE);
            }
            Step::Add { entity } => self.router().await?.create(entity).await?,
            Step::Take { entity } => {
                let (kind, name) = entity.place();
                self.router().await?.delete(kind, name).await?;
            }
            Step::Link { wait } => self.linked(*wait).await?,
            Step::Release { entity } => self.old()?.router.release(entity).await?,
            Step::Aside { .. } | Step::Halt { .. } => {
                self.done.push(Done::Other(step.clone()));
                return self.old()?.aside(matches!(step, Step::Halt { .. })).await;
            }
            _ => {
                // It may be another router afterwards.
                self.router = None;
                // Half of it may be done when it fails.
                self.done.push(Done::Other(step.clone()));
                let denied = self.keeper.act(step, &self.wanted.keeper).await?;
                self.denied.extend(denied.map(|why| (step.clone(), why)));
                return Ok(());
            }
        }
        self.done.push(Done::Other(step.clone()));
        Ok(())
    }

    async fn router(&mut self) -> anyhow::Result<&mut Management> {
        let router = match self.router.take() {
            Some(router) => router,
            None => self.wanted.contact().management().await?,
        };
        Ok(self.router.insert(router))
    }

    fn old(&self) -> anyhow::Result<&'a Old> {
        self.old.context("nothing makes way; this is a defect of Moorline, please report it")
    }

    /// Waits until the router is linked, and then for the network to know of its services.
    async fn linked(&self, wait: u32) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(wait.into());
        let contact = self.wanted.contact();
        loop {
            let asked = contact.status().await;
            let up =
                |status: &Value| status["uplinks"].as_array()?.iter().find(|uplink| uplink["state"] == "up").cloned();
            let cause = match &asked {
                Ok(status) if up(status).is_some() => break,
                Ok(status) => status["uplinks"][0]["last_error"].as_str().unwrap_or("the network has not answered yet"),
                Err(_) => "the router does not answer",
            };
            if Instant::now() >= deadline {
                anyhow::bail!("it is not linked after {wait} s: {cause}");
            }
            sleep(LOOK).await;
        }
        sleep(SPREAD).await;
        Ok(())
    }

    fn remember(&mut self, path: &Path) -> anyhow::Result<()> {
        let before = match fs::read(path) {
            Ok(bytes) => {
                let mode = fs::metadata(path).with_context(|| path.display().to_string())?.permissions().mode();
                Some((Zeroizing::new(bytes), mode & 0o777))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        self.done.push(Done::File { path: path.to_owned(), before });
        Ok(())
    }

    /// What runs first, then files, then what reads the files; goes on past what fails, and answers that.
    async fn undo(&mut self) -> Vec<String> {
        // What failed may have ended the connection.
        self.router = None;
        let mut left = Vec::new();
        let mut others = Vec::new();
        let done = std::mem::take(&mut self.done);
        for done in done.iter().rev() {
            let Done::Other(step) = done else { continue };
            if self.denied.iter().any(|(denied, _)| denied == step) {
                continue;
            }
            others.push(step);
            let undone = match step {
                Step::Add { entity } => self.take(entity.place()).await,
                Step::Take { entity } => self.put(entity).await,
                Step::Release { entity } => match self.old() {
                    Ok(old) => old.router.restore(entity).await,
                    Err(none) => Err(none),
                },
                // When its files are there again.
                Step::Link { .. } | Step::Aside { .. } | Step::Halt { .. } => continue,
                _ => {
                    self.router = None;
                    self.keeper.undo(step, &self.wanted.keeper).await
                }
            };
            left.extend(undone.err().map(|error| format!("{}: {error:#}", words(step))));
        }
        for done in done.iter().rev() {
            let Done::File { path, before } = done else { continue };
            let undone = match before {
                Some((bytes, mode)) => write(path, bytes, *mode),
                None => gone(fs::remove_file(path), path).map_or(Ok(()), |why| Err(anyhow::anyhow!(why))),
            };
            left.extend(undone.err().map(|error| format!("{}: {error:#}", path.display())));
        }
        left.extend(self.keeper.reread(&others, &self.wanted.keeper).await);
        if let Some(old) =
            self.old.filter(|_| others.iter().any(|step| matches!(step, Step::Aside { .. } | Step::Halt { .. })))
        {
            left.extend(old.back().await.err().map(|error| format!("the old gateway: {error:#}")));
        }
        left
    }

    async fn take(&mut self, (kind, name): (&str, &str)) -> anyhow::Result<()> {
        self.router().await?.delete(kind, name).await
    }

    async fn put(&mut self, entity: &moorline_definition::router_config::Entity) -> anyhow::Result<()> {
        self.router().await?.create(entity).await
    }
}

fn words(step: &Step) -> String {
    step.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// In one step; directories that are made for it are as open as it is.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    use std::io::Write as _;
    let dir = path.parent().unwrap_or(Path::new("/"));
    let said = || dir.display().to_string();
    if mode & OTHERS == 0 {
        files::private_dir(dir)?;
        files::write_secret(path, bytes)?;
        if mode != files::SECRET_FILE {
            fs::set_permissions(path, Permissions::from_mode(mode)).with_context(|| path.display().to_string())?;
        }
        return Ok(());
    }
    let made = missing(dir);
    fs::create_dir_all(dir).with_context(said)?;
    for dir in made {
        fs::set_permissions(&dir, Permissions::from_mode(PUBLIC_DIR)).with_context(said)?;
    }
    let mut file = tempfile::NamedTempFile::new_in(dir).with_context(said)?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    file.persist(path).with_context(|| path.display().to_string())?;
    Ok(())
}
