//! What is there against what is wanted: the steps. Pure.

use moorline_definition::router_config::{Entity, RouterConfig, UPLINK_PROFILE};

use super::found::Found;
use super::keeper::{FoundKeeper, WantedKeeper};
use super::live::Difference;
use super::step::Step;
use super::wanted::{HomeFile, Wanted};
use crate::failure::Failure;

/// The steps from `found` to `wanted`, in order; none when nothing differs.
///
/// # Errors
/// A unit or container of that name which is not ours.
pub(crate) fn plan(wanted: &Wanted, found: &Found) -> Result<Vec<Step>, Failure> {
    let mut steps = Vec::new();
    for file in &wanted.files {
        let there = found.files.get(&file.path);
        if there != Some(&file.bytes) {
            steps.push(Step::Write { file: file.clone(), new: there.is_none() });
        }
    }
    let ours = found.record.is_some();
    match (&wanted.keeper, &found.keeper) {
        (WantedKeeper::Unit(wanted), FoundKeeper::Unit(found)) => wanted.plan(found, ours, &mut steps)?,
        (WantedKeeper::Container(wanted), FoundKeeper::Container(found)) => wanted.plan(found, ours, &mut steps)?,
        _ => {}
    }
    steps.extend(run(wanted, found));
    let kept = |path: &_| wanted.files.iter().any(|wanted| wanted.path == *path);
    let old = found.files.keys().filter(|path| !kept(*path));
    steps.extend(old.map(|path| Step::Remove { path: path.clone() }));
    Ok(steps)
}

/// What the router needs: a start, a new start, or changes while it runs.
fn run(wanted: &Wanted, found: &Found) -> Vec<Step> {
    let name = wanted.keeper.name();
    match (&wanted.keeper, &found.keeper) {
        (WantedKeeper::Container(wanted), FoundKeeper::Container(found)) => {
            if let Some(why) = wanted.outdated(found) {
                return vec![Step::Replace { name, why: why.to_owned() }];
            }
        }
        (WantedKeeper::Unit(wanted), FoundKeeper::Unit(found)) if found.state.is_running() => {
            if let Some(why) = wanted.outdated(found) {
                return vec![Step::Restart { name, why: why.to_owned() }];
            }
        }
        _ => {}
    }
    if !found.keeper.runs() {
        return vec![Step::Start { name }];
    }
    if let Some(why) = found.record.as_ref().and_then(|record| record.restart.clone()) {
        return vec![Step::Restart { name, why }];
    }
    let restart = |why: &str| vec![Step::Restart { name: name.clone(), why: why.to_owned() }];
    let mut programs = wanted.files.iter().filter(|file| file.runs());
    if programs.any(|program| found.files.get(&program.path) != Some(&program.bytes)) {
        return restart("its program has changed");
    }
    let changed = |file: &HomeFile| found.files.get(&file.path).is_some_and(|there| *there != file.bytes);
    let certificate = |file: &HomeFile| file.path.starts_with(wanted.home.certificates());
    let password = |file: &HomeFile| file.path == wanted.home.proxy_password();
    if wanted.reads_once() && wanted.files.iter().any(|file| (certificate(file) || password(file)) && changed(file)) {
        return restart("its certificates have changed");
    }
    let (Some(config), Some(services)) = (&found.config, &found.services) else {
        return restart("the router does not answer");
    };
    if identity(config) != identity(&wanted.config) {
        return restart("its identity or its link has changed");
    }
    let Difference { take, add } = Difference::between(services, &wanted.config);
    let uplink = |entity: &Entity| entity.place() == ("sslProfile", UPLINK_PROFILE);
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
