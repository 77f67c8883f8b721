//! `moorline gateway adopt`: a gateway that Skupper's tools made on this host becomes one of ours, while it runs.

use std::rc::Rc;
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use moorline_bundle::Bundle;
use moorline_definition::router_config::{Entity, RouterConfig};
use tokio::time::{Instant, sleep};

use super::derived::Derived;
use super::install::{DRAIN, Planned, block_on};
use super::verify::LOOK;
use crate::cli::closing;
use crate::failure::Failure;
use crate::installation::home::Home;
use crate::installation::keeper::{GatewayType, GatewayTypeParser};
use crate::installation::live::Services;
use crate::installation::old::{self, Old, OldFiles};
use crate::installation::record::{Adoption, Options, Record};
use crate::installation::router::RouterChoice;
use crate::installation::step::Step;
use crate::installation::turn::Turn;
use crate::installation::wanted::{Parts, read_service_certificates, site_id};
use crate::output::{self, count, say};
use crate::{directories, doctor};

const FORWARDS: [&str; 2] = ["tcpListener", "httpListener"];
const BINDINGS: [&str; 2] = ["tcpConnector", "httpConnector"];
const DOORS: [&str; 1] = ["listener"];

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
            Some(word) => match old::at(word)? {
                found if found.is_empty() => {
                    // Where a bundle was unpacked says whose it is.
                    let name = Bundle::name_in(word.as_ref()).ok();
                    name.map(|name| old::at(&name)).transpose()?.unwrap_or_default()
                }
                found => found,
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
            strangers(services, &files.config);
        }
        let whole = Planned::beside(parts.clone(), kind, options.clone(), Some(Rc::clone(old))).await?;
        let runs = whole.found.keeper.runs();
        if !runs {
            doctor::beside(&parts).await?;
        }
        let mut planned = match &services {
            // Its ports are the old router's yet, and a router does not start without them.
            Some(services) if whole.starts() => {
                let mut part = parts;
                part.config.listeners.clear();
                part.config.tcp_listeners.clear();
                part.config.http_listeners.clear();
                let mut planned = Planned::beside(part, kind, options, Some(Rc::clone(old))).await?;
                planned.steps.push(Step::Link { wait: self.wait });
                planned.steps.extend(whole.config_step());
                let add = |kinds| entities(&whole.wanted.config, kinds).map(|entity| Step::Add { entity });
                let steps = add(&FORWARDS).chain(add(&DOORS)).collect();
                planned.steps.extend(handing_over(steps, services));
                planned
            }
            Some(services) => {
                let mut planned = whole;
                planned.steps = handing_over(std::mem::take(&mut planned.steps), services);
                planned
            }
            None => whole,
        };
        if !runs && (old.runs() || old.has_name(kind)) {
            let first = planned.steps.iter().position(|step| !matches!(step, Step::Write { .. }));
            let steps = &mut planned.steps;
            steps.splice(
                first.unwrap_or(steps.len())..first.unwrap_or(steps.len()),
                makes_way(old, kind, services.is_some()),
            );
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
        let directory = (!self.keep_files).then(|| old.directory.display().to_string());
        old.rest().into_iter().chain(directory)
    }

    /// Takes the old gateway away.
    async fn end(&self, old: &Old, home: &Home) -> Result<(), Failure> {
        self.removals(old).for_each(|what| say(format_args!("{:<8} {what}", "remove")));
        let mut left = old.retire().await;
        if !self.keep_files && left.is_empty() {
            left.extend(old.remove_files());
        }
        if !left.is_empty() {
            return Err(Failure::Runtime(anyhow!(
                "gateway {:?} is adopted, but of the old one there is still\n  {}\nthe same command tries again",
                old.name,
                left.join("\n  ")
            )));
        }
        if let Some(mut record) = Record::read(home)? {
            record.options.adoption = Some(Adoption { directory: old.directory.clone(), done: true });
            record.write(home)?;
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

fn entities<'c>(config: &RouterConfig, kinds: &'c [&str]) -> impl Iterator<Item = Entity> + use<'c> {
    config.entities().into_iter().filter(|entity| kinds.contains(&entity.place().0))
}

/// The same steps, in which the old router gives up each port before ours opens it, and servers when ours serves them.
fn handing_over(steps: Vec<Step>, services: &Services) -> Vec<Step> {
    let held = services.configured(&[FORWARDS.as_slice(), &DOORS].concat());
    let mut handing = Vec::new();
    let mut doors = Vec::new();
    for step in steps {
        let Step::Add { entity } = &step else {
            handing.push(step);
            continue;
        };
        let kind = entity.place().0;
        // The port for management changes hands last: it is what the old router is asked through.
        let to = if DOORS.contains(&kind) { &mut doors } else { &mut handing };
        if !BINDINGS.contains(&kind) {
            let port = entity.attributes().get("port").map(plain);
            let of_port = |held: &&Entity| held.attributes().get("port").map(plain) == port;
            to.extend(held.iter().find(of_port).map(|held| Step::Release { entity: held.clone() }));
        }
        to.push(step);
    }
    handing.extend(services.configured(&BINDINGS).into_iter().map(|entity| Step::Release { entity }));
    handing.extend(doors);
    handing
}

/// Numbers and texts are the same to routers.
fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// How the old gateway gives its name or its ports away before ours starts.
fn makes_way(old: &Old, kind: GatewayType, answers: bool) -> Option<Step> {
    let (name, then) = old.names();
    match (old.runs(), answers) {
        (true, true) => old.has_name(kind).then_some(Step::Aside { name, then }),
        (true, false) => {
            let why = "its router does not answer: its connections end, and new ones wait until the new router runs";
            Some(Step::Halt { name, why: why.to_owned() })
        }
        (false, _) => Some(Step::Halt { name, why: "it does not run".to_owned() }),
    }
}

/// What runs and is in no file cannot be taken over.
fn strangers(services: &Services, config: &RouterConfig) {
    let known = config.entities();
    let unknown = |entity: &Entity| !known.iter().any(|known| known.place() == entity.place());
    for entity in
        services.configured(&[FORWARDS.as_slice(), &BINDINGS].concat()).iter().filter(|entity| unknown(entity))
    {
        let (kind, name) = entity.place();
        output::warning(&format!("the old router has a {kind} {name} that is not in its file: it is not taken over"));
    }
}
