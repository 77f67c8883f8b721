//! A gateway that stays on this host: what its definition wants there, what is there, and the steps between the two.
//!
//! [`wanted`] reads, [`found`] observes, [`plan`] compares (pure), [`act`] carries out and undoes, [`live`] asks the
//! router, [`keeper`] is who keeps it running. There is no other way to change an installed gateway.

pub(crate) mod act;
pub(crate) mod found;
pub(crate) mod home;
pub(crate) mod keeper;
pub(crate) mod live;
pub(crate) mod plan;
pub(crate) mod record;
pub(crate) mod step;
pub(crate) mod wanted;

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use crate::failure::{Blame, Failure};
use crate::gateway::configuration;
use home::Home;

/// The arguments with which this program is a gateway's router.
fn router_arguments(home: &Home, drain: Duration) -> Result<Vec<String>, Failure> {
    let text = configuration::text;
    Ok(vec![
        "router".to_owned(),
        "--config".to_owned(),
        text(&home.config())?,
        "--status-socket".to_owned(),
        text(&home.status_socket())?,
        "--management-socket".to_owned(),
        text(&home.management_socket())?,
        "--drain-timeout".to_owned(),
        drain.as_secs().to_string(),
    ])
}

/// The text of a file; none where there is no file.
fn read_text(path: &Path) -> Result<Option<String>, Failure> {
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
