//! A gateway that another tool made on this host, which makes way for one of ours.
//!
//! Its router is asked through the port that Skupper's tools give it for that. It keeps running while ours starts: a
//! service goes on in a scope of systemd's ([`mod@unit`]), a container under another name ([`container`]).

mod container;
mod files;
mod router;
mod unit;

use std::fs;
use std::path::PathBuf;

use moorline_containers::Kind;

use super::gone;
use super::keeper::GatewayType;
use crate::failure::Failure;
use container::OldContainer;
pub(crate) use files::{OldFiles, all, at, called};
pub(crate) use router::OldRouter;
use unit::OldUnit;

/// What is added to a gateway's name for what ran under it before.
const OLD: &str = "adopted";

/// A gateway as another tool has it.
pub(crate) struct Old {
    pub(crate) name: String,
    pub(crate) directory: PathBuf,
    keeper: Option<OldKeeper>,
    pub(crate) router: OldRouter,
}

enum OldKeeper {
    Unit(OldUnit),
    Container(Box<OldContainer>),
}

impl Old {
    /// Looks for what runs it. Changes nothing.
    pub(crate) async fn find(files: &OldFiles) -> Result<Old, Failure> {
        let (name, directory) = (files.name.clone(), files.directory.clone());
        let mut keeper = OldUnit::find(&name, &directory).await?.map(OldKeeper::Unit);
        for kind in [Kind::Podman, Kind::Docker] {
            if keeper.is_none() {
                let found = OldContainer::find(kind, &name, &directory).await?;
                keeper = found.map(|found| OldKeeper::Container(Box::new(found)));
            }
        }
        Ok(Old { name, directory, keeper, router: OldRouter::of(files) })
    }

    /// What it runs in; none: nothing of it is left but its files.
    pub(crate) fn kind(&self) -> Option<GatewayType> {
        Some(match self.keeper.as_ref()? {
            OldKeeper::Unit(_) => GatewayType::Service,
            OldKeeper::Container(container) => container.kind,
        })
    }

    pub(crate) fn runs(&self) -> bool {
        match &self.keeper {
            None => false,
            Some(OldKeeper::Unit(unit)) => unit.runs(),
            Some(OldKeeper::Container(container)) => container.running,
        }
    }

    /// Whether it has the name that a gateway of ours of this type gets.
    pub(crate) fn has_name(&self, kind: GatewayType) -> bool {
        self.kind() == Some(kind)
            && match &self.keeper {
                None => false,
                Some(OldKeeper::Unit(unit)) => unit.has_name(),
                Some(OldKeeper::Container(container)) => container.has_name(),
            }
    }

    /// In a few words, for a list.
    pub(crate) fn described(&self) -> String {
        let runs = if self.runs() { "runs" } else { "does not run" };
        let kind = self.kind().map_or_else(String::new, |kind| format!("{}, ", kind.name()));
        format!("{} ({kind}{runs}, {})", self.name, self.directory.display())
    }

    /// Its unit or container, as it is called now and as it is called then.
    pub(crate) fn names(&self) -> (String, String) {
        match &self.keeper {
            None => (self.name.clone(), String::new()),
            Some(OldKeeper::Unit(unit)) => unit.names(),
            Some(OldKeeper::Container(container)) => container.names(),
        }
    }

    /// Gives its name away, and runs on unless it is to `stop`.
    pub(crate) async fn aside(&self, stop: bool) -> anyhow::Result<()> {
        match &self.keeper {
            None => Ok(()),
            Some(OldKeeper::Unit(unit)) => unit.aside(stop).await,
            Some(OldKeeper::Container(container)) => container.aside(stop).await,
        }
    }

    /// Takes that back, after its files are what they were.
    pub(crate) async fn back(&self) -> anyhow::Result<()> {
        match &self.keeper {
            None => Ok(()),
            Some(OldKeeper::Unit(unit)) => unit.back().await,
            Some(OldKeeper::Container(container)) => container.back().await,
        }
    }

    /// What is taken away of it besides its directory, in words.
    pub(crate) fn rest(&self) -> Option<String> {
        match self.keeper.as_ref()? {
            OldKeeper::Unit(unit) => Some(unit.rest()),
            OldKeeper::Container(container) => Some(container.rest()),
        }
    }

    /// Stops it and takes away its unit or container, as its own tool would: what is ours by now stays. What is left.
    pub(crate) async fn retire(&self) -> Vec<String> {
        let retired = match &self.keeper {
            None => return Vec::new(),
            Some(OldKeeper::Unit(unit)) => unit.retire().await,
            Some(OldKeeper::Container(container)) => container.retire().await,
        };
        retired.err().map(|error| format!("{error:#}")).into_iter().collect()
    }

    /// Takes away its directory, with the copies of the keys in it.
    pub(crate) fn remove_files(&self) -> Option<String> {
        gone(fs::remove_dir_all(&self.directory), &self.directory)
    }
}
