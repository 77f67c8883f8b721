//! What the verbs of an installed gateway share: its definition and token read, its steps planned.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use super::configuration;
use super::proxy::ProxyArguments;
use super::verify::verify;
use crate::definition_file::{DefinitionArguments, DefinitionFile, Source};
use crate::failure::{Blame, Failure};
use crate::installation::act::Acting;
use crate::installation::contact::Contact;
use crate::installation::found::Found;
use crate::installation::home::Home;
use crate::installation::keeper::{GatewayType, GatewayTypeParser, Keeper};
use crate::installation::old::Old;
use crate::installation::plan::plan;
use crate::installation::record::{Options, Record};
use crate::installation::router::RouterChoice;
use crate::installation::step::Step;
use crate::installation::turn::Turn;
use crate::installation::wanted::{Parts, UplinkWishes, Wanted};
use crate::output::{self, say};
use crate::token_file;

/// How long connections may take to finish when the gateway stops, in seconds, where nobody says it.
pub(super) const DRAIN: u32 = 10;

/// Which gateway, and how it is installed.
#[derive(Debug, Args)]
pub(crate) struct InstallArguments {
    #[command(flatten)]
    definition: DefinitionArguments,

    #[command(flatten)]
    how: HowArguments,
}

/// How a gateway is installed and links. What is not said stays as it is.
#[derive(Debug, Default, Args)]
pub(crate) struct HowArguments {
    /// The link token; a gateway that is installed keeps its link without one
    #[arg(long, value_name = "TOKEN")]
    token: Option<PathBuf>,

    /// What the gateway runs in
    ///
    /// [default: as before, at first service]
    #[arg(short = 't', long = "type", value_name = "TYPE", value_parser = GatewayTypeParser)]
    kind: Option<GatewayType>,

    /// The program that routes: embedded, skrouterd (the one on PATH) or skrouterd=PATH [default: as before, at first embedded]
    ///
    /// skrouterd is the network's own router, for a service the one that is installed on this host, for a container that of
    /// the network's image, which QDROUTERD_IMAGE or SKUPPER_IMAGE_REGISTRY name [default: quay.io/skupper/skupper-router]. It is
    /// asked and changed through a port of 127.0.0.1, which lets in who has a certificate of the network. It does not
    /// drain when it stops, and reads certificates when it starts.
    #[arg(long, value_name = "ROUTER", value_parser = RouterChoice::parse)]
    router: Option<RouterChoice>,

    /// The router's id is skupper-gateway-NAME, which no other router of the network may have
    ///
    /// [default: the host's name and the gateway's]
    #[arg(long, value_name = "NAME", value_parser = configuration::parse_suffix)]
    router_id_suffix: Option<String>,

    /// How long open connections may take to finish when the gateway stops, in seconds [default: as before, at first 10]
    #[arg(long, value_name = "SECONDS")]
    drain_timeout: Option<u32>,

    #[command(flatten)]
    proxy: ProxyArguments,
}

/// A gateway as the command line, its definition and what was said before have it.
pub(crate) struct Chosen {
    pub(crate) parts: Parts,
    pub(crate) kind: GatewayType,
    pub(crate) options: Options,
    /// It is not installed yet.
    pub(crate) first: bool,
    /// The site that it is linked to, if the token is another's.
    pub(crate) leaves: Option<String>,
}

/// A gateway, what is there of it, and the steps between.
pub(crate) struct Planned {
    pub(crate) wanted: Wanted,
    pub(super) found: Found,
    pub(crate) steps: Vec<Step>,
    keeper: Keeper,
    options: Options,
    /// What makes way for it.
    old: Option<Rc<Old>>,
}

impl InstallArguments {
    /// As if nothing else were said.
    pub(crate) fn of(
        file: PathBuf,
        token: Option<PathBuf>,
        kind: Option<GatewayType>,
        proxy: ProxyArguments,
    ) -> InstallArguments {
        let how = HowArguments { token, kind, proxy, ..HowArguments::default() };
        InstallArguments { definition: DefinitionArguments::of(file), how }
    }

    /// Reads what is wanted and looks at what is there. Changes nothing.
    pub(super) async fn plan(&self) -> Result<Planned, Failure> {
        let Chosen { parts, kind, options, .. } = self.choose()?;
        Planned::of(parts, kind, options).await
    }

    /// Reads what is wanted. Changes nothing.
    pub(crate) fn choose(&self) -> Result<Chosen, Failure> {
        let file = self.definition.read();
        file.show();
        self.how.choose(&file)
    }
}

impl HowArguments {
    /// As if nothing else were said.
    pub(crate) fn of(token: Option<PathBuf>, kind: Option<GatewayType>, router: Option<RouterChoice>) -> HowArguments {
        HowArguments { token, kind, router, ..HowArguments::default() }
    }

    /// Whether it says how a new gateway links.
    pub(super) fn links(&self) -> bool {
        self.token.is_some()
    }

    /// Reads what is wanted with a definition, whose problems were shown. Changes nothing.
    pub(crate) fn choose(&self, file: &DefinitionFile) -> Result<Chosen, Failure> {
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
        let home = Home::of(definition.name.as_str())?;
        let before = Record::read(&home)?;
        let kind = Record::keeps(before.as_ref(), self.kind)?;
        let site = token.as_ref().and_then(|token| token.generated_by.clone());
        let mut options = self.options(before.as_ref(), kind, token.is_some(), site)?;
        options.source = file.source.clone();
        let linked = before.as_ref().and_then(|record| record.options.site.clone());
        let leaves = linked.filter(|site| options.site.as_ref().is_some_and(|new| new != site));
        let recorded;
        let proxy = match self.proxy.url() {
            Some(_) => &self.proxy,
            None => {
                let password = home.proxy_password();
                recorded =
                    ProxyArguments::recorded(options.proxy.as_deref(), Some(password).filter(|path| path.exists()))?;
                &recorded
            }
        };
        let wishes = UplinkWishes { token, router_id_suffix: options.router_id_suffix.as_deref(), proxy };
        let parts = Parts::of_definition(file, definition, &wishes)?;
        let first = before.is_none();
        Ok(Chosen { parts, kind, options, first, leaves })
    }

    /// What is not said again stays; how it links is said anew with a new token.
    fn options(
        &self,
        before: Option<&Record>,
        kind: GatewayType,
        anew: bool,
        site: Option<String>,
    ) -> Result<Options, Failure> {
        let before = before.map(|record| &record.options);
        let link = before.filter(|_| !anew);
        Ok(Options {
            drain_timeout: self.drain_timeout.or(before.map(|options| options.drain_timeout)).unwrap_or(DRAIN),
            router_id_suffix: self.router_id_suffix.clone().or_else(|| link?.router_id_suffix.clone()),
            proxy: self.proxy.url().or_else(|| link?.proxy.clone()),
            router: RouterChoice::router(self.router.as_ref(), before.map(|options| &options.router), kind)?,
            source: Source::default(),
            site: site.or_else(|| link?.site.clone()),
            adoption: before.and_then(|options| options.adoption.clone()),
        })
    }
}

impl Planned {
    /// Looks at what is there.
    pub(crate) async fn of(parts: Parts, kind: GatewayType, options: Options) -> Result<Planned, Failure> {
        Planned::beside(parts, kind, options, None).await
    }

    /// The same for a gateway before which another makes way: what runs under its name is as good as gone.
    pub(super) async fn beside(
        mut parts: Parts,
        kind: GatewayType,
        options: Options,
        old: Option<Rc<Old>>,
    ) -> Result<Planned, Failure> {
        let router = options.router.clone();
        router.fit(&mut parts.config).await?;
        let keeper = kind.connect().await?;
        if let Keeper::Unit(keeper) = &keeper {
            keeper.try_sandbox().await?;
        }
        let drain = Duration::from_secs(options.drain_timeout.into());
        let wanted = Wanted::of(parts, &keeper, router, drain)?;
        let mut found = Found::look(&wanted, &keeper).await?;
        if old.as_ref().is_some_and(|old| old.has_name(kind)) {
            found.keeper.vacate();
        }
        let steps = plan(&wanted, &found)?;
        Ok(Planned { wanted, found, steps, keeper, options, old })
    }

    /// The router's configuration as it shall be in its file.
    pub(super) fn config_step(&self) -> Option<Step> {
        let path = self.wanted.home.config();
        let file = self.wanted.files.iter().find(|file| file.path == path)?;
        Some(Step::Write { file: file.clone(), new: false })
    }

    /// Says what the steps are.
    pub(super) fn foretell(&self) {
        if self.steps.is_empty() {
            say(format_args!("gateway {:?} is as the definition says: nothing to do", self.wanted.gateway));
        }
        self.steps.iter().for_each(say);
    }

    /// Nothing is to be done, and nothing to be kept that is not on record; what others must allow counts only if
    /// `allowed`.
    pub(crate) fn is_done(&self, allowed: bool) -> bool {
        let others = |step: &Step| matches!(step, Step::Linger | Step::AtBoot { .. });
        let kept = self.found.record.as_ref().is_some_and(|record| record.options == self.options);
        kept && self.steps.iter().all(|step| !allowed && others(step))
    }

    /// Takes the steps, then says what the router says, which may take `wait` seconds to link.
    pub(super) async fn carry_out(self, turn: &Turn, wait: u32) -> Result<(), Failure> {
        let gateway = self.wanted.gateway.clone();
        if self.steps.is_empty() {
            say(format_args!("gateway {gateway:?} is as it shall be: nothing to do"));
        }
        let (contact, notes) = self.act(turn, |step| say(step)).await?;
        notes.iter().for_each(|note| output::warning(note));
        verify(&gateway, &contact, wait).await
    }

    /// Whether its router begins, anew or for the first time.
    pub(super) fn starts(&self) -> bool {
        let starts = |step: &Step| matches!(step, Step::Start { .. } | Step::Restart { .. } | Step::Replace { .. });
        self.steps.iter().any(starts)
    }

    /// Has the router started anew, whatever else is to be done.
    pub(super) fn restart(&mut self) {
        if !self.starts() {
            let (name, why) = (self.wanted.keeper.name(), "it was asked for".to_owned());
            self.steps.push(Step::Restart { name, why });
        }
    }

    /// Takes the steps, and tells of each before it begins. Besides how to ask the router: what it cannot rely on.
    pub(crate) async fn act(self, turn: &Turn, tell: impl Fn(&Step)) -> Result<(Contact, Vec<String>), Failure> {
        let Planned { wanted, found, steps, keeper, options, old } = self;
        let acting = Acting::new(&wanted, &keeper, old.as_deref());
        let mut notes = acting.run(&steps, found.record.clone(), options, turn.made(), tell).await?;
        if let Keeper::Container(keeper) = &keeper {
            notes.extend(keeper.gaps().await);
        }
        Ok((wanted.contact(), notes))
    }
}

/// Runs what asks systemd and routers.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the system gives no event queue")
        .or_runtime()?;
    runtime.block_on(work)
}
