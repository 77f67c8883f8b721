//! A gateway that stays on this host: what its definition wants there, what is there, and the steps between the two.
//!
//! [`wanted`] reads, [`found`] observes, [`plan`] compares (pure), [`act`] carries out and undoes, [`live`] asks the
//! router, [`keeper`] is who keeps it running. There is no other way to change an installed gateway.

pub(crate) mod act;
pub(crate) mod contact;
pub(crate) mod found;
pub(crate) mod home;
pub(crate) mod keeper;
pub(crate) mod live;
pub(crate) mod old;
pub(crate) mod plan;
pub(crate) mod record;
pub(crate) mod router;
mod skrouterd;
pub(crate) mod step;
pub(crate) mod turn;
pub(crate) mod wanted;

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use crate::failure::{Blame, Failure};
use crate::gateway::configuration;
use home::Home;
use keeper::GatewayType;

/// The arguments with which this program is a gateway's router. `config`: where that finds its configuration.
fn router_arguments(home: &Home, kind: GatewayType, config: &Path, drain: Duration) -> Result<Vec<String>, Failure> {
    let text = configuration::text;
    Ok(vec![
        "router".to_owned(),
        "--config".to_owned(),
        text(config)?,
        "--status-socket".to_owned(),
        text(&home.status_socket(kind))?,
        "--management-socket".to_owned(),
        text(&home.management_socket(kind))?,
        "--drain-timeout".to_owned(),
        drain.as_secs().to_string(),
    ])
}

/// The text of a file; none where there is no file.
pub(crate) fn read_text(path: &Path) -> Result<Option<String>, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())).or_runtime(),
    }
}

/// Why something is still there; that it was not is none.
pub(crate) fn gone(outcome: io::Result<()>, path: &Path) -> Option<String> {
    match outcome {
        Err(error) if error.kind() != ErrorKind::NotFound => Some(format!("{}: {error}", path.display())),
        _ => None,
    }
}

/// Removes all of a gateway's home. The record goes last, so that what is left over is still known to be ours.
pub(crate) fn remove_home(home: &Home, left: &mut Vec<String>) {
    let record = home.record();
    let entries = fs::read_dir(home.path()).map(|entries| entries.flatten().map(|entry| entry.path()).collect());
    for path in entries.unwrap_or_else(|_| Vec::new()) {
        if path == record {
            continue;
        }
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        left.extend(gone(removed, &path));
    }
    if left.is_empty() {
        left.extend(gone(fs::remove_file(&record), &record));
        left.extend(gone(fs::remove_dir(home.path()), home.path()));
    }
}

/// The gateways of this user that have a record.
pub(crate) fn installed() -> Result<Vec<String>, Failure> {
    let entries = fs::read_dir(crate::directories::gateways()?);
    let entries = entries.map(|entries| entries.flatten().collect::<Vec<_>>()).unwrap_or_default();
    let mut names: Vec<String> = entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| Home::of(name).is_ok_and(|home| home.record().exists()));
    names.sort();
    Ok(names)
}
