//! What is there against what is wanted: the steps. Pure.

use anyhow::anyhow;
use moorline_definition::router_config::{Entity, RouterConfig};
use moorline_systemd::logind::Linger;

use super::found::Found;
use super::live::Difference;
use super::step::Step;
use super::wanted::Wanted;
use crate::failure::Failure;

/// The steps from `found` to `wanted`, in order; none when nothing differs.
///
/// # Errors
/// A unit of that name which is not ours.
pub(crate) fn plan(wanted: &Wanted, found: &Found) -> Result<Vec<Step>, Failure> {
    let unit = wanted.unit.to_string();
    if found.record.is_none() && found.unit_text.is_some() {
        return Err(Failure::Input(anyhow!(
            "{} exists and is not ours: remove it, or give the gateway another name",
            wanted.unit_file.display()
        )));
    }
    let mut steps = Vec::new();
    for file in &wanted.files {
        let there = found.files.get(&file.path);
        if there != Some(&file.bytes) {
            steps.push(Step::Write { file: file.clone(), new: there.is_none() });
        }
    }
    let mut units_changed = found.unit.needs_reload;
    if found.unit_text.as_ref() != Some(&wanted.unit_text) {
        let (path, text) = (wanted.unit_file.clone(), wanted.unit_text.clone());
        steps.push(Step::WriteUnit { path, text, new: found.unit_text.is_none() });
        units_changed = true;
    }
    if !found.unit.is_enabled() {
        steps.push(Step::Enable { unit: unit.clone() });
        // A unit that was enabled is read anew, as the links are part of it.
        units_changed = true;
    }
    if units_changed {
        steps.push(Step::Reload);
    }
    if found.linger == Linger::Off {
        steps.push(Step::Linger);
    }
    steps.extend(run(wanted, found, unit));
    let kept = |path: &_| wanted.files.iter().any(|wanted| wanted.path == *path);
    let old = found.files.keys().filter(|path| !kept(*path));
    steps.extend(old.map(|path| Step::Remove { path: path.clone() }));
    Ok(steps)
}

/// What the router needs: a start, a restart, or changes while it runs.
fn run(wanted: &Wanted, found: &Found, unit: String) -> Vec<Step> {
    if !found.unit.is_running() {
        return vec![Step::Start { unit }];
    }
    let restart = |why: &str| vec![Step::Restart { unit: unit.clone(), why: why.to_owned() }];
    if found.unit_text.as_ref() != Some(&wanted.unit_text) {
        return restart("its unit has changed");
    }
    let programs = wanted.files.iter().filter(|file| file.runs);
    if programs.into_iter().any(|program| found.files.get(&program.path) != Some(&program.bytes)) {
        return restart("its program has changed");
    }
    let (Some(config), Some(services)) = (&found.config, &found.services) else {
        return restart("the router does not answer");
    };
    if identity(config) != identity(&wanted.config) {
        return restart("its identity or its link has changed");
    }
    let Difference { take, add } = Difference::between(services, &wanted.config);
    let uplink = |entity: &Entity| entity.place().0 == "sslProfile" && entity.place().1 == "conn1-profile";
    if add.iter().any(uplink) {
        return restart("its link has changed");
    }
    let take = take.into_iter().map(|entity| Step::Take { entity });
    take.chain(add.into_iter().map(|entity| Step::Add { entity })).collect()
}

/// What of a configuration a running router does not change. Certificates it renews by itself.
fn identity(config: &RouterConfig) -> RouterConfig {
    RouterConfig {
        listeners: Vec::new(),
        ssl_profiles: Vec::new(),
        tcp_listeners: Vec::new(),
        tcp_connectors: Vec::new(),
        http_listeners: Vec::new(),
        http_connectors: Vec::new(),
        ..config.clone()
    }
}
