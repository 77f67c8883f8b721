//! What the verbs of an installed gateway share: its definition and token read, its steps planned.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use moorline_systemd::{Manager, Scope};

use super::configuration;
use super::proxy::ProxyArguments;
use super::verify::verify;
use crate::definition_file::DefinitionArguments;
use crate::failure::{Blame, Failure};
use crate::installation::act::Acting;
use crate::installation::found::Found;
use crate::installation::plan::plan;
use crate::installation::record::Record;
use crate::installation::step::Step;
use crate::installation::wanted::{Parts, UplinkWishes, Wanted, Wishes};
use crate::output::{self, say};
use crate::token_file;

/// What holds the lock that changes take.
pub(super) const CHANGE: &str = "another change of a gateway";
/// For systemd to try a sandbox.
const SANDBOX_LIMIT: Duration = Duration::from_secs(5);

/// Which gateway, and how it links.
#[derive(Debug, Args)]
pub(super) struct InstallArguments {
    #[command(flatten)]
    definition: DefinitionArguments,

    /// The link token; a gateway that is installed keeps its link without one
    #[arg(long, value_name = "TOKEN")]
    token: Option<PathBuf>,

    /// The router's id is skupper-gateway-NAME, which no other router of the network may have
    ///
    /// [default: the host's name and the gateway's]
    #[arg(long, value_name = "NAME", value_parser = configuration::parse_suffix)]
    router_id_suffix: Option<String>,

    /// How long open connections may take to finish when the gateway stops, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    drain_timeout: u32,

    #[command(flatten)]
    proxy: ProxyArguments,
}

/// A gateway, what is there of it, and the steps between.
pub(super) struct Planned {
    pub(super) wanted: Wanted,
    pub(super) found: Found,
    pub(super) steps: Vec<Step>,
    pub(super) systemd: Manager,
}

impl InstallArguments {
    /// Reads what is wanted and looks at what is there. Changes nothing.
    pub(super) async fn plan(&self) -> Result<Planned, Failure> {
        let file = self.definition.read();
        file.show();
        let token = self.token.as_deref().map(token_file::read).transpose();
        let (definition, token) = match (file.definition(), token) {
            (Some(definition), Ok(token)) => (definition, token),
            (Some(_), Err(failure)) => return Err(failure),
            (None, Ok(_)) => return Err(Failure::InputShown),
            (None, Err(failure)) => {
                failure.show();
                return Err(Failure::InputShown);
            }
        };
        if let (Some(path), Some(token)) = (&self.token, &token) {
            token_file::warn(path, token);
        }
        let router_id_suffix = self.router_id_suffix.as_deref();
        let wishes = UplinkWishes { token, router_id_suffix, proxy: &self.proxy };
        let parts = Parts::of_definition(&file, definition, &wishes)?;
        Planned::of(parts, self.drain_timeout).await
    }
}

impl Planned {
    /// Looks at what is there. `drain`: how long connections may take to finish when the gateway stops, in seconds.
    pub(super) async fn of(parts: Parts, drain: u32) -> Result<Planned, Failure> {
        let systemd = Manager::connect(Scope::User).await.or_runtime()?;
        let version = systemd.version().await.or_runtime()?;
        let wishes = Wishes {
            drain: Duration::from_secs(drain.into()),
            release: Some(version.release),
            sandboxing: systemd.sandboxing(SANDBOX_LIMIT).await.or_runtime()?,
        };
        let wanted = Wanted::of(parts, &wishes)?;
        let found = Found::look(&wanted, &systemd).await?;
        let steps = plan(&wanted, &found)?;
        Ok(Planned { wanted, found, steps, systemd })
    }

    /// Takes the steps, then says what the router says, which may take `wait` seconds to link.
    pub(super) async fn carry_out(self, wait: u32) -> Result<(), Failure> {
        let Planned { wanted, found, steps, systemd } = self;
        let fresh = || Record::new(&wanted.gateway, wanted.unit.as_ref(), wanted.unit_file.clone());
        let record = found.record.clone().unwrap_or_else(fresh);
        if steps.is_empty() {
            say(format_args!("gateway {:?} is as it shall be: nothing to do", wanted.gateway));
        }
        let notes = Acting::new(&wanted, &systemd).run(&steps, record, |step| say(step)).await?;
        notes.iter().for_each(|note| output::warning(note));
        verify(&wanted.gateway, &wanted.home, wait).await
    }
}

/// Runs what asks systemd and routers.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the system gives no event queue")
        .or_runtime()?;
    runtime.block_on(work)
}
