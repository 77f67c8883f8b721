//! Whether an engine's containers run again after a boot, and the unit of systemd's that starts them.

use std::path::PathBuf;

use moorline_containers::{Engine, reboot, reboot::Gap};
use moorline_systemd::logind::{self, Linger, User};
use moorline_systemd::unit::{UnitName, user_unit_directory};
use moorline_systemd::{Manager, Scope};

use crate::directories;
use crate::failure::{Blame, Failure};
use crate::installation::step::Step;

/// What is missing for containers to run again after a boot.
pub(super) struct Missing {
    pub(super) gaps: Vec<Gap>,
    linger: Linger,
}

impl Missing {
    pub(super) async fn of(engine: &Engine) -> anyhow::Result<Missing> {
        let user = User::current();
        let linger = logind::linger(&user).await.unwrap_or(Linger::Unknown);
        let (systemd, _) = unit(engine).await?;
        Ok(Missing { gaps: reboot::gaps(engine.facts(), &systemd, &user, linger).await?, linger })
    }

    /// What this user can do about it. The rest stays for an administrator.
    pub(super) fn steps(&self) -> impl Iterator<Item = Step> {
        self.gaps.iter().filter_map(|gap| match gap {
            Gap::Disabled { unit, denied: false, .. } => Some(Step::AtBoot { unit: unit.to_string() }),
            Gap::NoLinger { .. } if self.linger == Linger::Off => Some(Step::Linger),
            _ => None,
        })
    }
}

pub(super) async fn enable(engine: &Engine) -> anyhow::Result<()> {
    let (systemd, unit) = unit(engine).await?;
    systemd.enable(&unit).await?;
    // systemd remembers what it was asked about before.
    Ok(systemd.reload().await?)
}

pub(super) async fn disable(engine: &Engine) -> anyhow::Result<()> {
    let (systemd, unit) = unit(engine).await?;
    systemd.disable(&unit).await?;
    Ok(systemd.reload().await?)
}

/// Where an ordinary user's systemd has the unit's link.
pub(super) fn links(engine: &Engine) -> Result<Vec<PathBuf>, Failure> {
    let (scope, unit) = reboot::unit(engine.facts()).or_runtime()?;
    Ok(match scope {
        Scope::User => {
            vec![user_unit_directory(&directories::config()?).join("default.target.wants").join(unit.as_ref())]
        }
        Scope::System => Vec::new(),
    })
}

async fn unit(engine: &Engine) -> anyhow::Result<(Manager, UnitName)> {
    let (scope, unit) = reboot::unit(engine.facts())?;
    Ok((Manager::connect(scope).await?, unit))
}
