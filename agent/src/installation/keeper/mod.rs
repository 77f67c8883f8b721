//! Who keeps a gateway's router running: systemd, or a container engine.

mod boot;
pub(crate) mod container;
mod fetch;
pub(crate) mod unit;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, Command, ValueEnum};
use moorline_containers::Kind;
use moorline_systemd::logind::{self, User};
use serde::{Deserialize, Serialize};

use super::home::Home;
use super::record::Record;
use super::router::Router;
use super::step::Step;
use crate::failure::Failure;
use crate::output;
use container::{ContainerKeeper, FoundContainer, WantedContainer};
use unit::{FoundUnit, UnitKeeper, WantedUnit};

/// What a gateway runs in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GatewayType {
    /// A service of the user's systemd; root's, of the machine's
    #[default]
    Service,
    /// A podman container
    Podman,
    /// A docker container
    Docker,
}

/// Reads a type, and says in Skupper's words what is none.
#[derive(Clone)]
pub(crate) struct GatewayTypeParser;

impl TypedValueParser for GatewayTypeParser {
    type Value = GatewayType;

    fn parse_ref(&self, command: &Command, _: Option<&Arg>, value: &OsStr) -> Result<GatewayType, clap::Error> {
        let text = value.to_string_lossy();
        GatewayType::from_str(&text, false).map_err(|_| {
            let words = format!("{text} is not a valid gateway type. Choose 'service', 'docker' or 'podman'.\n");
            clap::Error::raw(ErrorKind::InvalidValue, words).with_cmd(command)
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(GatewayType::value_variants().iter().filter_map(ValueEnum::to_possible_value)))
    }
}

/// A keeper that answers.
pub(crate) enum Keeper {
    Unit(UnitKeeper),
    Container(Box<ContainerKeeper>),
}

/// What shall be kept running.
#[derive(Clone)]
pub(crate) enum WantedKeeper {
    Unit(WantedUnit),
    Container(Box<WantedContainer>),
}

/// What a keeper has of the gateway.
pub(crate) enum FoundKeeper {
    Unit(FoundUnit),
    Container(FoundContainer),
}

/// A gateway, as far as its keeper wants to know it.
pub(crate) struct Gateway<'a> {
    pub(crate) name: &'a str,
    pub(crate) home: &'a Home,
    pub(crate) site_id: &'a str,
    pub(crate) router: &'a Router,
    /// A program of its own.
    pub(crate) program: Option<&'a [u8]>,
    /// Files that the router reads.
    pub(crate) read: &'a [PathBuf],
    /// Whether it listens on ports below 1024.
    pub(crate) low_ports: bool,
    /// How long connections may take to finish when it stops.
    pub(crate) drain: Duration,
}

impl GatewayType {
    pub(crate) fn name(self) -> &'static str {
        match self {
            GatewayType::Service => "service",
            GatewayType::Podman => "podman",
            GatewayType::Docker => "docker",
        }
    }

    /// Asks the keeper whether it is there.
    pub(crate) async fn connect(self) -> Result<Keeper, Failure> {
        let engine = match self {
            GatewayType::Service => return Ok(Keeper::Unit(UnitKeeper::connect().await?)),
            GatewayType::Podman => Kind::Podman,
            GatewayType::Docker => Kind::Docker,
        };
        Ok(Keeper::Container(Box::new(ContainerKeeper::connect(engine).await?)))
    }
}

impl Keeper {
    pub(crate) fn kind(&self) -> GatewayType {
        match self {
            Keeper::Unit(_) => GatewayType::Service,
            Keeper::Container(keeper) => keeper.kind,
        }
    }

    /// Where the router sees a file of the gateway's home.
    pub(crate) fn seen(&self, home: &Home, path: &Path) -> PathBuf {
        match self {
            Keeper::Unit(_) => unit::seen(home, path),
            Keeper::Container(_) => path.to_owned(),
        }
    }

    /// Its product and version.
    pub(crate) fn version(&self) -> String {
        match self {
            Keeper::Unit(keeper) => keeper.version(),
            Keeper::Container(keeper) => keeper.version(),
        }
    }

    pub(crate) fn wanted(&self, gateway: &Gateway<'_>) -> Result<WantedKeeper, Failure> {
        Ok(match self {
            Keeper::Unit(keeper) => WantedKeeper::Unit(keeper.wanted(gateway)?),
            Keeper::Container(keeper) => WantedKeeper::Container(Box::new(keeper.wanted(gateway)?)),
        })
    }

    /// What is there. Changes nothing.
    pub(crate) async fn look(&self, wanted: &WantedKeeper) -> Result<FoundKeeper, Failure> {
        match (self, wanted) {
            (Keeper::Unit(keeper), WantedKeeper::Unit(wanted)) => Ok(FoundKeeper::Unit(keeper.look(wanted).await?)),
            (Keeper::Container(keeper), WantedKeeper::Container(wanted)) => {
                Ok(FoundKeeper::Container(keeper.look(wanted).await?))
            }
            _ => Err(other_keeper()),
        }
    }

    /// Carries a step of its own out. Where that is denied and the gateway runs all the same, the answer is why.
    pub(crate) async fn act(&self, step: &Step, wanted: &WantedKeeper) -> anyhow::Result<Option<String>> {
        match (self, wanted) {
            (_, _) if *step == Step::Linger => {
                let denied = logind::enable_linger(&User::current()).await.err();
                return Ok(denied.map(|fault| format!("your services end when you log out: {fault}")));
            }
            (Keeper::Unit(keeper), WantedKeeper::Unit(wanted)) => keeper.act(step, wanted).await?,
            (Keeper::Container(keeper), WantedKeeper::Container(wanted)) => return keeper.act(step, wanted).await,
            _ => anyhow::bail!("{}", WRONG),
        }
        Ok(None)
    }

    /// Takes back what was started, made and enabled, but not what was read again.
    pub(crate) async fn undo(&self, step: &Step, wanted: &WantedKeeper) -> anyhow::Result<()> {
        match (self, wanted) {
            (_, _) if *step == Step::Linger => Ok(logind::disable_linger(&User::current()).await?),
            (Keeper::Unit(keeper), WantedKeeper::Unit(wanted)) => keeper.undo(step, wanted).await,
            (Keeper::Container(keeper), WantedKeeper::Container(wanted)) => keeper.undo(step, wanted).await,
            _ => anyhow::bail!("{}", WRONG),
        }
    }

    /// Has everything read again, after files were put back.
    pub(crate) async fn reread(&self, done: &[&Step], wanted: &WantedKeeper) -> Vec<String> {
        match (self, wanted) {
            (Keeper::Unit(keeper), WantedKeeper::Unit(wanted)) => keeper.reread(done, wanted).await,
            (Keeper::Container(keeper), WantedKeeper::Container(wanted)) => keeper.reread(done, wanted).await,
            _ => vec![WRONG.to_owned()],
        }
    }

    /// Stops the gateway and takes away what was made for it. What could not be taken away.
    pub(crate) async fn remove(&self, record: &Record) -> Result<Vec<String>, Failure> {
        let left = match self {
            Keeper::Unit(keeper) => keeper.remove(record).await?,
            Keeper::Container(keeper) => keeper.remove(record).await?,
        };
        if record.linger
            && let Err(fault) = logind::disable_linger(&User::current()).await
        {
            output::warning(&format!("your services still run without a login: {fault}"));
        }
        Ok(left)
    }
}

impl WantedKeeper {
    pub(crate) fn kind(&self) -> GatewayType {
        match self {
            WantedKeeper::Unit(_) => GatewayType::Service,
            WantedKeeper::Container(wanted) => wanted.kind,
        }
    }

    /// The unit's name, or the container's.
    pub(crate) fn name(&self) -> String {
        match self {
            WantedKeeper::Unit(wanted) => wanted.name.to_string(),
            WantedKeeper::Container(wanted) => wanted.name(),
        }
    }

    /// Files that it makes outside of the gateway's home.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        match self {
            WantedKeeper::Unit(wanted) => wanted.files.clone(),
            WantedKeeper::Container(wanted) => wanted.files.clone(),
        }
    }
}

impl FoundKeeper {
    /// What is there makes way first.
    pub(crate) fn vacate(&mut self) {
        match self {
            FoundKeeper::Unit(found) => found.vacate(),
            FoundKeeper::Container(found) => found.container = None,
        }
    }

    pub(crate) fn runs(&self) -> bool {
        match self {
            FoundKeeper::Unit(found) => found.state.is_running(),
            FoundKeeper::Container(found) => found.container.as_ref().is_some_and(|found| found.running),
        }
    }
}

const WRONG: &str = "another keeper was asked; this is a defect of Moorline, please report it";

fn other_keeper() -> Failure {
    Failure::Runtime(anyhow::anyhow!("{WRONG}"))
}
