//! `moorline gateway adopt`: a gateway that Skupper's tools made on this host becomes one of ours, while it runs.

mod hand_over;

use std::rc::Rc;
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use moorline_bundle::Bundle;
use tokio::time::{Instant, sleep};

use super::derived::Derived;
use super::install::{DRAIN, Planned, block_on};
use super::verify::LOOK;
use crate::cli::closing;
use crate::failure::Failure;
use crate::installation::home::Home;
use crate::installation::keeper::{GatewayType, GatewayTypeParser};
use crate::installation::old::{self, Old, OldFiles};
use crate::installation::record::{Adoption, Options, Record};
use crate::installation::router::RouterChoice;
use crate::installation::step::Step;
use crate::installation::turn::Turn;
use crate::installation::wanted::{Parts, read_service_certificates, site_id};
use crate::output::{self, count, say};
use crate::{directories, doctor};

/// Take over a gateway that Skupper's own tools made on this host, while it runs
///
/// That is one of a bundle (launch.sh) or of `skupper gateway init` and `expose`, as a service or a container. A router of ours
/// starts beside its router and serves the same bindings; then each forward's port changes hands, and no new connection goes to
/// the old router any more. Those that are open there may finish first (--drain-timeout). Last the old gateway is
/// removed, its copies of the keys with it. When a step fails, those before it are taken back; after a kill the same command goes on.
#[derive(Debug, Args)]
#[command(after_long_help = closing!(
    "moorline gateway adopt                             the only one that there is",
    "moorline gateway adopt db01-jane --dry-run",
    "moorline gateway adopt db01-jane -t podman --drain-timeout 600",
))]
pub(crate) struct Arguments {
    /// Its name, or a directory: its own (config/skrouterd.json is in it), or where its bundle was unpacked
    #[arg(value_name = "GATEWAY")]
    gateway: Option<String>,

    /// What the gateway runs in [default: as it does now]
    #[arg(short = 't', long = "type", value_name = "TYPE", value_parser = GatewayTypeParser)]
    kind: Option<GatewayType>,

    /// The program that routes: embedded, skrouterd (the one on PATH) or skrouterd=PATH [default: embedded]
    ///
    /// See `moorline gateway apply --help`.
    #[arg(long, value_name = "ROUTER", value_parser = RouterChoice::parse)]
    router: Option<RouterChoice>,

    /// How long connections that are open at the old router may take to finish, in seconds, and later those of the new gateway
    /// when it stops
    #[arg(long, value_name = "SECONDS", default_value_t = DRAIN)]
    drain_timeout: u32,

    /// Leave the old gateway's directory, with its copies of the keys
    #[arg(long)]
    keep_files: bool,

    /// Show the steps, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// How long to wait for the link to the network, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    wait: u32,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        block_on(self.adopt())
    }

    async fn adopt(&self) -> Result<(), Failure> {
        let turn = if self.dry_run { None } else { Some(Turn::take()?) };
        let files = self.choose().await?;
        let old = Rc::new(Old::find(&files).await?);
        let home = Home::of(&files.name)?;
        let before = Record::read(&home)?;
        let adoption = before.as_ref().and_then(|record| record.options.adoption.clone());
        if before.is_some() && adoption.as_ref().is_none_or(|adoption| adoption.directory != files.directory) {
            return Err(Failure::Input(anyhow!(
                "gateway {:?} is installed already, and is not what {} was: `moorline gateway delete {0}` makes room",
                files.name,
                files.directory.display()
            )));
        }
        if adoption.is_none_or(|adoption| !adoption.done) {
            let planned = self.plan(&files, &home, before.as_ref(), &old).await?;
            let Some(turn) = &turn else {
                planned.foretell();
                self.foretell_end(&old);
                return Ok(());
            };
            planned.carry_out(turn, self.wait).await?;
            self.drain(&old).await;
        } else if self.dry_run {
            self.foretell_end(&old);
            return Ok(());
        }
        self.end(&old, &home).await
    }

    /// The one that is meant.
    async fn choose(&self) -> Result<OldFiles, Failure> {
        let mut found = match &self.gateway {
            None => old::all()?,
            Some(word) => match Bundle::name_in(word.as_ref()) {
                // Where a bundle was unpacked says whose it is, and is not what runs: it is neither read nor removed.
                Ok(name) => old::called(&name)?,
                Err(_) => old::at(word)?,
            },
        };
        if found.len() == 1 {
            return OldFiles::read(found.remove(0));
        }
        let places = directories::data()?.join("skupper");
        if found.is_empty() {
            let which = self.gateway.as_ref().map_or_else(String::new, |word| format!(" {word:?}"));
            return Err(Failure::Input(anyhow!(
                "Skupper's tools made no gateway{which} in {0}/bundle or {0}/cluster; what they made elsewhere is adopted by its \
                 directory",
                places.display()
            )));
        }
        let mut described = Vec::new();
        for directory in found {
            let shown = directory.display().to_string();
            described.push(match OldFiles::read(directory) {
                Ok(files) => Old::find(&files).await?.described(),
                Err(failure) => format!("{shown} ({})", failure.words().unwrap_or_default()),
            });
        }
        Err(Failure::Input(anyhow!("say which, by its name or directory:\n  {}", described.join("\n  "))))
    }

    /// Looks at all, and changes nothing.
    async fn plan(
        &self,
        files: &OldFiles,
        home: &Home,
        before: Option<&Record>,
        old: &Rc<Old>,
    ) -> Result<Planned, Failure> {
        let kind = self.kind.or(before.map(|record| record.kind)).or(old.kind()).unwrap_or_default();
        let kind = Record::keeps(before, Some(kind))?;
        let router = RouterChoice::router(self.router.as_ref(), before.map(|record| &record.options.router), kind)?;
        let site_id = if home.site_id().exists() { site_id(home)? } else { files.site_id.clone() };
        let derived = Derived::of(files.config_in(home)?, &files.name, home, &site_id)?;
        let parts = Parts {
            gateway: files.name.clone(),
            home: home.clone(),
            site_id,
            definition: derived.definition,
            service_certificates: read_service_certificates(&derived.config, &files.certificates())?,
            config: derived.config,
            credentials: files.credentials.clone(),
            proxy_password: None,
            program: None,
        };
        let options = Options {
            drain_timeout: self.drain_timeout,
            router_id_suffix: derived.router_id_suffix,
            router,
            source: derived.source,
            adoption: Some(Adoption { directory: files.directory.clone(), done: false }),
            ..Options::default()
        };
        let services = if old.runs() { old.router.services().await } else { None };
        if let Some(services) = &services {
            hand_over::strangers(services, &files.config);
        }
        let whole = Planned::beside(parts.clone(), kind, options.clone(), Some(Rc::clone(old))).await?;
        let runs = whole.found.keeper.runs();
        if !runs {
            doctor::beside(&parts).await?;
        }
        let mut planned = match &services {
            // Its ports are the old router's yet, and a router does not start without them.
            Some(services) if whole.starts() => {
                let config = hand_over::without_ports(&parts.config);
                let part = Parts { config, ..parts };
                let mut planned = Planned::beside(part, kind, options, Some(Rc::clone(old))).await?;
                planned.steps.push(Step::Link { wait: self.wait });
                planned.steps.extend(whole.config_step());
                let ports = hand_over::ports(&whole.wanted.config, &planned.wanted.config);
                planned.steps.extend(hand_over::steps(ports, services));
                planned
            }
            Some(services) => {
                let mut planned = whole;
                planned.steps = hand_over::steps(planned.steps, services);
                planned
            }
            None => whole,
        };
        if !runs && (old.runs() || old.has_name(kind)) {
            let files = planned.steps.iter().take_while(|step| matches!(step, Step::Write { .. })).count();
            planned.steps.splice(files..files, hand_over::makes_way(old, kind, services.is_some()));
        }
        Ok(planned)
    }

    async fn drain(&self, old: &Old) {
        let deadline = Instant::now() + Duration::from_secs(self.drain_timeout.into());
        let Some(open) = old.router.connections().await.filter(|open| *open > 0) else { return };
        let open = count(open, "connection");
        say(format_args!("{:<8} {open} of the old router, for {} s at most", "drain", self.drain_timeout));
        loop {
            let Some(open) = old.router.connections().await.filter(|open| *open > 0) else { return };
            if Instant::now() >= deadline {
                return output::warning(&format!("{} of the old router end now", count(open, "connection")));
            }
            sleep(LOOK).await;
        }
    }

    fn foretell_end(&self, old: &Old) {
        if old.runs() {
            say(format_args!(
                "{:<8} open connections of the old router, for {} s at most",
                "drain", self.drain_timeout
            ));
        }
        self.removals(old).for_each(|what| say(format_args!("{:<8} {what}", "remove")));
    }

    fn removals(&self, old: &Old) -> impl Iterator<Item = String> {
        let directory = (!self.keep_files).then(|| format!("{} with its copies of the keys", old.directory.display()));
        old.rest().into_iter().chain(directory)
    }

    /// Takes the old gateway away.
    async fn end(&self, old: &Old, home: &Home) -> Result<(), Failure> {
        self.removals(old).for_each(|what| say(format_args!("{:<8} {what}", "remove")));
        let mut left = old.retire().await;
        if left.is_empty() {
            if let Some(mut record) = Record::read(home)? {
                record.options.adoption = Some(Adoption { directory: old.directory.clone(), done: true });
                record.write(home)?;
            }
            if !self.keep_files {
                left.extend(old.remove_files());
            }
        }
        if !left.is_empty() {
            return Err(Failure::Runtime(anyhow!(
                "gateway {:?} is adopted, but of the old one there is still\n  {}\nthe same command tries again",
                old.name,
                left.join("\n  ")
            )));
        }
        let kept = if self.keep_files {
            format!("; {} keeps its copies of the keys", old.directory.display())
        } else {
            String::new()
        };
        say(format_args!("gateway {:?} is adopted{kept}", old.name));
        Ok(())
    }
}
