//! `moorline gateway status`: how installed gateways stand, from systemd and from their routers.

use clap::{Args, ValueEnum};
use moorline_systemd::logind::{self, Linger, User};
use serde_json::{Value, json};

use super::install::block_on;
use crate::cli::closing;
use crate::failure::Failure;
use crate::installation::home::Home;
use crate::installation::installed;
use crate::installation::keeper::unit::lingers;
use crate::installation::keeper::{GatewayType, Keeper};
use crate::installation::record::Record;
use crate::output::{count, say};

/// Show how installed gateways stand
///
/// Asks systemd and the routers that run. What ends with a logout is said. Exit code 0: all run and are linked to
/// their network; 3: one does not run, or there is none of the name; 4: one runs and is not linked.
#[derive(Debug, Args)]
#[command(after_long_help = closing!(
    "moorline gateway status",
    "moorline gateway status database --output json | jq .gateways[0].router.uplinks",
))]
pub(crate) struct Arguments {
    /// One gateway [default: all of this user's]
    #[arg(value_name = "NAME")]
    name: Option<String>,

    /// Text for people, or JSON on stdout for machines
    #[arg(long, short, value_name = "FORMAT", value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// A few lines a gateway
    Text,
    /// {"gateways": [{"name", "type", "running", "state", "restarts", "after_reboot", "linked", "router"}], "lingers"}: router is its whole state
    Json,
}

/// One gateway.
struct Standing {
    name: String,
    /// None: it is not installed.
    kind: Option<GatewayType>,
    running: bool,
    /// What its keeper says of it, in a word or two.
    words: String,
    restarts: u64,
    /// What keeps its container from running after a reboot.
    gaps: Vec<String>,
    /// The router's state, when it tells it.
    router: Option<Value>,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        block_on(self.status())
    }

    async fn status(&self) -> Result<(), Failure> {
        let names = match &self.name {
            Some(name) => vec![name.clone()],
            None => installed()?,
        };
        let mut standings = Vec::new();
        for name in names {
            standings.push(Standing::of(name).await?);
        }
        let lingers = lingers().await;
        match self.output {
            Output::Json => say(format_args!("{:#}", json_of(&standings, lingers))),
            Output::Text => tell(&standings, lingers),
        }
        if standings.iter().any(|standing| !standing.running) {
            return Err(Failure::NotRunning);
        }
        if standings.iter().any(|standing| !standing.is_linked()) {
            return Err(Failure::NotLinkedShown);
        }
        Ok(())
    }
}

impl Standing {
    async fn of(name: String) -> Result<Standing, Failure> {
        let home = Home::of(&name)?;
        let Some(record) = Record::read(&home)? else {
            let words = "it is not installed".to_owned();
            return Ok(Standing {
                name,
                kind: None,
                running: false,
                words,
                restarts: 0,
                gaps: Vec::new(),
                router: None,
            });
        };
        let mut gaps = Vec::new();
        let (running, words, restarts) = match record.kind.connect().await? {
            Keeper::Unit(keeper) => {
                let state = keeper.state(home.unit()).await?;
                (state.is_running(), format!("{} ({})", state.sub, state.result), u64::from(state.restarts))
            }
            Keeper::Container(keeper) => {
                gaps = keeper.gaps().await;
                match keeper.observe(&name).await? {
                    None => (false, "its container is gone".to_owned(), 0),
                    Some(found) => (found.running, format!("{:?}", found.state).to_lowercase(), found.restarts),
                }
            }
        };
        let router = record.contact(&home).status().await.ok();
        Ok(Standing { name, kind: Some(record.kind), running, words, restarts, gaps, router })
    }

    fn uplinks(&self) -> &[Value] {
        self.list("uplinks")
    }

    fn list(&self, name: &str) -> &[Value] {
        let list = self.router.as_ref().and_then(|router| router[name].as_array());
        list.map(Vec::as_slice).unwrap_or_default()
    }

    fn is_linked(&self) -> bool {
        self.uplinks().iter().any(|uplink| uplink["state"] == "up")
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "type": self.kind,
            "running": self.running,
            "state": self.words,
            "restarts": self.restarts,
            "after_reboot": self.gaps,
            "linked": self.is_linked(),
            "router": self.router,
        })
    }

    fn tell(&self) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if !self.running {
            say(format_args!("gateway {:?} does not run: {}", self.name, self.words));
            return;
        }
        let restarts = match self.restarts {
            0 => String::new(),
            restarts => format!(", after {}", count(usize::try_from(restarts).unwrap_or(usize::MAX), "restart")),
        };
        let kind = self.kind.unwrap_or_default().name();
        say(format_args!("gateway {:?} runs as {kind}{restarts}", self.name));
        self.gaps.iter().for_each(|gap| say(format_args!("  {gap}")));
        let Some(router) = &self.router else {
            say("  the router does not tell its state");
            return;
        };
        for uplink in self.uplinks() {
            let place = format!("{}:{}", text(&uplink["host"]), uplink["port"]);
            let end = uplink["certificate_not_after"].as_str();
            let end = end.map(|end| format!(", certificate until {end}")).unwrap_or_default();
            match text(&uplink["state"]).as_str() {
                "up" => say(format_args!("  linked to {place} (router {}){end}", text(&uplink["peer"]["container"]))),
                _ => say(format_args!("  not linked to {place}: {}{end}", text(&uplink["last_error"]))),
            }
        }
        for binding in self.list("connectors") {
            let error =
                binding["last_error"].as_str().map(|error| format!(", last error: {error}")).unwrap_or_default();
            let place = format!("{}:{}", text(&binding["host"]), binding["port"]);
            say(format_args!("  binding {} -> {place}: {}{error}", text(&binding["address"]), traffic(binding)));
        }
        for forward in self.list("listeners") {
            let state = match text(&forward["state"]).as_str() {
                "listening" => traffic(forward),
                "failed" => format!("cannot be opened: {}", text(&forward["error"])),
                _ => "closed: the network has no server for it".to_owned(),
            };
            let place = format!("{}:{}", text(&forward["host"]), forward["port"]);
            say(format_args!("  forward {} <- {place}: {state}", text(&forward["address"])));
        }
        for (list, arrow) in [("http_connectors", "binding"), ("http_listeners", "forward")] {
            for bridge in self.list(list) {
                let place = format!("{}:{}", text(&bridge["host"]), bridge["port"]);
                let state = match text(&bridge["state"]).as_str() {
                    "failed" => format!("cannot be opened: {}", text(&bridge["last_error"])),
                    "waiting" => "closed: the network has no server for it".to_owned(),
                    // skrouterd does not count them.
                    _ => bridge["requests"].as_u64().map_or("served".to_owned(), |all| format!("{all} requests")),
                };
                say(format_args!("  {arrow} {} at {place}: {state}", text(&bridge["address"])));
            }
        }
        if router["draining"] == true {
            say("  it is being stopped");
        }
    }
}

fn traffic(service: &Value) -> String {
    let open = service["open_flows"].as_u64().unwrap_or_default();
    let all = service["counts"]["connections"].as_u64().unwrap_or_default();
    format!("{open} open of {}", count(usize::try_from(all).unwrap_or(usize::MAX), "connection"))
}

fn json_of(standings: &[Standing], lingers: Linger) -> Value {
    let lingers = match lingers {
        Linger::On => Some(true),
        Linger::Off => Some(false),
        Linger::Unknown => None,
    };
    json!({ "gateways": standings.iter().map(Standing::json).collect::<Vec<_>>(), "lingers": lingers })
}

fn tell(standings: &[Standing], lingers: Linger) {
    if standings.is_empty() {
        say("no gateway is installed");
        return;
    }
    standings.iter().for_each(Standing::tell);
    let by_systemd = standings.iter().any(|standing| standing.kind == Some(GatewayType::Service));
    if by_systemd && lingers == Linger::Off {
        say(format_args!("they end when you log out: {}", logind::enable_command(&User::current())));
    }
}
