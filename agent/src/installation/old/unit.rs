//! A gateway that another tool made as a service of the user's systemd.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use moorline_systemd::unit::{UnitName, user_unit_directory};
use moorline_systemd::{Manager, Scope};
use nix::unistd::Uid;

use super::OLD;
use crate::directories;
use crate::failure::{Blame, Failure};
use crate::installation::act::{PUBLIC_FILE, write};
use crate::installation::keeper::unit::{JOB_LIMIT, is_system};
use crate::installation::{gone, read_text};

/// A service that is stopped so leaves its processes alone.
const LEAVE_RUNNING: &str = "[Service]\nKillMode=none\n";
const DROP_IN: &str = "moorline-adopt.conf";

pub(super) struct OldUnit {
    systemd: Manager,
    unit: UnitName,
    /// Where its processes go on.
    scope: UnitName,
    file: PathBuf,
    /// The file is still the other tool's.
    theirs: bool,
    runs: bool,
    /// Its processes are in the scope.
    moved: bool,
}

impl OldUnit {
    /// None: there is no such unit, nor anything of it that runs.
    pub(super) async fn find(name: &str, directory: &Path) -> Result<Option<OldUnit>, Failure> {
        let unit = UnitName::service(name).or_input()?;
        let scope = UnitName::scope(&format!("moorline-{OLD}-{name}")).or_input()?;
        let file = user_unit_directory(&directories::config()?).join(unit.to_string());
        let text = read_text(&file)?;
        // Whatever its parents are called here: a link may be among them.
        let last = directory.parent().and_then(Path::file_name).map(|place| Path::new(place).join(name));
        let config = last.unwrap_or_default().join("config/skrouterd.json");
        let theirs = text.is_some_and(|text| text.contains(&*config.to_string_lossy()) && !is_ours(&text));
        let systemd = match Manager::connect(Scope::User).await {
            Ok(systemd) => systemd,
            Err(_) if !theirs => return Ok(None),
            Err(fault) => return Err(fault).or_runtime(),
        };
        let moved = systemd.unit(&scope).await.or_runtime()?.is_running();
        let runs = moved || (theirs && systemd.unit(&unit).await.or_runtime()?.is_running());
        Ok((theirs || moved).then_some(OldUnit { systemd, unit, scope, file, theirs, runs, moved }))
    }

    pub(super) fn runs(&self) -> bool {
        self.runs
    }

    /// Root's gateways of ours are the machine's.
    pub(super) fn has_name(&self) -> bool {
        self.theirs && !is_system()
    }

    pub(super) fn names(&self) -> (String, String) {
        (self.unit.to_string(), self.scope.to_string())
    }

    pub(super) fn rest(&self) -> String {
        if self.has_name() || !self.theirs { self.scope.to_string() } else { self.file.display().to_string() }
    }

    pub(super) async fn aside(&self, stop: bool) -> anyhow::Result<()> {
        if !self.runs {
            return Ok(());
        }
        if stop {
            self.systemd.stop(&self.scope, JOB_LIMIT).await?;
            return if self.theirs { Ok(self.systemd.stop(&self.unit, JOB_LIMIT).await?) } else { Ok(()) };
        }
        let drop_in = self.drop_in()?;
        write(&drop_in, LEAVE_RUNNING.as_bytes(), PUBLIC_FILE)?;
        let parted = async {
            self.systemd.reload().await?;
            if !self.moved {
                self.systemd.detach(&self.unit, &self.scope, JOB_LIMIT).await?;
            }
            self.systemd.stop(&self.unit, JOB_LIMIT).await
        };
        let parted = parted.await;
        remove_drop_in(&drop_in)?;
        self.systemd.reload().await?;
        Ok(parted?)
    }

    pub(super) async fn back(&self) -> anyhow::Result<()> {
        remove_drop_in(&self.drop_in()?)?;
        self.systemd.stop(&self.scope, JOB_LIMIT).await?;
        self.systemd.enable(&self.unit).await?;
        self.systemd.reload().await?;
        if self.runs {
            self.systemd.start(&self.unit, JOB_LIMIT).await?;
        }
        Ok(())
    }

    pub(super) async fn retire(&self) -> anyhow::Result<()> {
        self.systemd.stop(&self.scope, JOB_LIMIT).await?;
        if self.theirs && !is_ours(&fs::read_to_string(&self.file).unwrap_or_default()) {
            self.systemd.stop(&self.unit, JOB_LIMIT).await?;
            self.systemd.disable(&self.unit).await?;
            gone(fs::remove_file(&self.file), &self.file).map_or(Ok(()), |left| Err(anyhow::anyhow!(left)))?;
            self.systemd.reload().await?;
            self.systemd.reset_failed(&self.unit).await?;
        }
        Ok(())
    }

    /// Of the runtime directory, so that nothing of it outlives a boot.
    fn drop_in(&self) -> anyhow::Result<PathBuf> {
        let named = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_absolute());
        let runtime = named.unwrap_or_else(|| PathBuf::from(format!("/run/user/{}", Uid::effective())));
        Ok(runtime.join("systemd/user").join(format!("{}.d", self.unit)).join(DROP_IN))
    }
}

/// Whether a unit is that of a gateway of ours.
fn is_ours(text: &str) -> bool {
    directories::gateways().is_ok_and(|gateways| text.contains(&*gateways.to_string_lossy()))
}

fn remove_drop_in(path: &Path) -> anyhow::Result<()> {
    if let Some(left) = gone(fs::remove_file(path), path) {
        anyhow::bail!(left);
    }
    // Somebody may have put something there besides.
    let dir = path.parent().context("a drop-in is in a directory")?;
    let _ = fs::remove_dir(dir);
    Ok(())
}
