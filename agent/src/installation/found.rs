//! What is on this host of a gateway. Nothing here changes anything.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context;
use moorline_definition::router_config::{RouterConfig, parse};
use zeroize::Zeroizing;

use super::contact::Contact;
use super::home::Home;
use super::keeper::{FoundKeeper, Keeper};
use super::live::Services;
use super::record::Record;
use super::wanted::Wanted;
use crate::failure::{Blame, Failure};

/// What was observed.
pub(crate) struct Found {
    pub(crate) record: Option<Record>,
    /// Files of the home that hold configuration or certificates.
    pub(crate) files: BTreeMap<PathBuf, Zeroizing<Vec<u8>>>,
    pub(crate) keeper: FoundKeeper,
    /// The configuration in its file; a record of a restart says when the router has another.
    pub(crate) config: Option<RouterConfig>,
    /// What it serves; none: it does not run, or does not answer.
    pub(crate) services: Option<Services>,
}

impl Found {
    pub(crate) async fn look(wanted: &Wanted, keeper: &Keeper) -> Result<Found, Failure> {
        let home = &wanted.home;
        let found = keeper.look(&wanted.keeper).await?;
        let files = home_files(home)?;
        let config = files.get(&home.config()).and_then(|bytes| parse(&String::from_utf8_lossy(bytes), &|_| None).ok());
        let record = Record::read(home)?;
        let services = match &record {
            Some(record) if found.runs() => services(&record.contact(home)).await,
            _ => None,
        };
        Ok(Found { record, files, keeper: found, config, services })
    }
}

async fn services(contact: &Contact) -> Option<Services> {
    let mut router = contact.management().await.ok()?;
    Services::of(&mut router).await.ok()
}

/// Configuration and certificates; sockets and locks are not looked at.
fn home_files(home: &Home) -> Result<BTreeMap<PathBuf, Zeroizing<Vec<u8>>>, Failure> {
    let mut found = BTreeMap::new();
    for path in [home.definition(), home.site_id(), home.program(), home.proxy_password()] {
        add(&mut found, path)?;
    }
    let config = home.config();
    for dir in [config.parent().unwrap_or(home.path()), &home.certificates()] {
        add_all(&mut found, dir)?;
    }
    Ok(found)
}

fn add_all(found: &mut BTreeMap<PathBuf, Zeroizing<Vec<u8>>>, dir: &Path) -> Result<(), Failure> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("list {}", dir.display())).or_runtime(),
    };
    for entry in entries {
        let entry = entry.with_context(|| format!("list {}", dir.display())).or_runtime()?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            add_all(found, &entry.path())?;
        } else {
            add(found, entry.path())?;
        }
    }
    Ok(())
}

fn add(found: &mut BTreeMap<PathBuf, Zeroizing<Vec<u8>>>, path: PathBuf) -> Result<(), Failure> {
    match fs::read(&path) {
        Ok(bytes) => {
            found.insert(path, Zeroizing::new(bytes));
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())).or_runtime(),
    }
}
