//! What the verbs of an installed gateway share: its definition and token read, its steps planned.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use super::configuration;
use super::proxy::ProxyArguments;
use super::verify::verify;
use crate::definition_file::DefinitionArguments;
use crate::failure::{Blame, Failure};
use crate::installation::act::Acting;
use crate::installation::found::Found;
use crate::installation::keeper::{GatewayType, Keeper};
use crate::installation::plan::plan;
use crate::installation::record::Record;
use crate::installation::step::Step;
use crate::installation::wanted::{Parts, UplinkWishes, Wanted};
use crate::output::{self, say};
use crate::token_file;

/// What holds the lock that changes take.
pub(super) const CHANGE: &str = "another change of a gateway";

/// Which gateway, and how it links.
#[derive(Debug, Args)]
pub(super) struct InstallArguments {
    #[command(flatten)]
    definition: DefinitionArguments,

    /// The link token; a gateway that is installed keeps its link without one
    #[arg(long, value_name = "TOKEN")]
    token: Option<PathBuf>,

    /// What the gateway runs in
    #[arg(short = 't', long = "type", value_name = "TYPE", value_enum, default_value_t)]
    kind: GatewayType,

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
    keeper: Keeper,
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
        Planned::of(parts, self.kind, self.drain_timeout).await
    }
}

impl Planned {
    /// Looks at what is there. `drain`: how long connections may take to finish when the gateway stops, in seconds.
    pub(super) async fn of(parts: Parts, kind: GatewayType, drain: u32) -> Result<Planned, Failure> {
        let keeper = kind.connect().await?;
        let wanted = Wanted::of(parts, &keeper, Duration::from_secs(drain.into()))?;
        let found = Found::look(&wanted, &keeper).await?;
        let steps = plan(&wanted, &found)?;
        Ok(Planned { wanted, found, steps, keeper })
    }

    /// Takes the steps, then says what the router says, which may take `wait` seconds to link.
    pub(super) async fn carry_out(self, wait: u32) -> Result<(), Failure> {
        let Planned { wanted, found, steps, keeper } = self;
        let fresh = || Record::new(&wanted.gateway, wanted.keeper.kind());
        let record = found.record.clone().unwrap_or_else(fresh);
        if steps.is_empty() {
            say(format_args!("gateway {:?} is as it shall be: nothing to do", wanted.gateway));
        }
        let notes = Acting::new(&wanted, &keeper).run(&steps, record, |step| say(step)).await?;
        notes.iter().for_each(|note| output::warning(note));
        if let Keeper::Container(keeper) = &keeper {
            keeper.gaps().await.iter().for_each(|gap| output::warning(gap));
        }
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
