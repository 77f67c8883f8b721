//! What the agent serves over HTTP: health, readiness, metrics and state of all gateways of this user.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use moorline_router::io::tls::TlsFiles;
use moorline_router::io::{Page, Pages, Timestamp};
use moorline_router::metrics::CONTENT_TYPE;
use moorline_systemd::logind::Linger;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::task::spawn_local;
use tokio::time::{Instant, timeout};

use super::board::{Board, Line};
use super::expiry::days_left;
use super::metrics::{self, OfGateway};
use crate::failure::Failure;
use crate::gateway::status::standing::Standing;
use crate::installation::home::Home;
use crate::installation::keeper::unit::lingers;
use crate::installation::record::Record;
use crate::installation::router::Router;
use crate::installation::{installed, live};

const JSON: &str = "application/json";
/// For all gateways to be asked, and how many at once.
const PATIENCE: Duration = Duration::from_secs(20);
const AT_ONCE: usize = 8;
/// Who asks again within this time gets the same answer: many who ask are no load on systemd and routers.
const FRESH: Duration = Duration::from_secs(1);

/// The pages of an agent.
pub(super) struct AgentPages {
    board: Rc<Board>,
    last: RefCell<Option<(Instant, Rc<Vec<Seen>>)>>,
    /// One looks at a time.
    turn: Mutex<()>,
}

/// A gateway, or a file that defines none yet.
struct Seen {
    name: Option<String>,
    running: bool,
    linked: bool,
    certificate_end: Option<Timestamp>,
    state: Value,
    metrics: Option<String>,
}

impl Pages for AgentPages {
    fn paths(&self) -> Vec<&'static str> {
        vec!["/healthz", "/readyz", "/metrics", "/status"]
    }

    async fn page(&self, path: &str) -> Page {
        if path == "/healthz" {
            return Page::text("ok\n");
        }
        let seen = match timeout(PATIENCE, self.look()).await {
            Ok(Ok(seen)) => seen,
            Ok(Err(failure)) => return Page::unavailable(failure.words().unwrap_or_default() + "\n"),
            Err(_) => return Page::unavailable("the gateways do not answer in time\n"),
        };
        match path {
            "/readyz" => self.readiness(&seen),
            "/metrics" => Page::new(CONTENT_TYPE, self.metrics(&seen)),
            _ => Page::new(JSON, format!("{:#}\n", self.status(&seen).await)),
        }
    }
}

impl AgentPages {
    pub(super) fn new(board: Rc<Board>) -> AgentPages {
        AgentPages { board, last: RefCell::default(), turn: Mutex::default() }
    }

    async fn look(&self) -> Result<Rc<Vec<Seen>>, Failure> {
        let _turn = self.turn.lock().await;
        if let Some((at, seen)) = &*self.last.borrow()
            && at.elapsed() < FRESH
        {
            return Ok(Rc::clone(seen));
        }
        let mut seen = Vec::new();
        for names in installed()?.chunks(AT_ONCE) {
            let asked: Vec<_> = names.iter().map(|name| spawn_local(Seen::of(name.clone()))).collect();
            for answer in asked {
                seen.extend(answer.await.ok());
            }
        }
        let is_there =
            |seen: &[Seen], line: &Line| seen.iter().any(|seen| line.gateway.is_some() && seen.name == line.gateway);
        for line in self.board.lines().into_values() {
            if !is_there(&seen, &line) {
                seen.push(Seen::absent(line.gateway, "it is not installed".to_owned()));
            }
        }
        let seen = Rc::new(seen);
        *self.last.borrow_mut() = Some((Instant::now(), Rc::clone(&seen)));
        Ok(seen)
    }

    fn readiness(&self, seen: &[Seen]) -> Page {
        let mut why: Vec<String> = self.board.trouble().into_iter().collect();
        for seen in seen.iter().filter(|seen| !seen.running || !seen.linked) {
            let name = seen.name.as_deref().unwrap_or("a gateway without a name");
            why.push(format!("{name}: {}", if seen.running { "not linked to the network" } else { "does not run" }));
        }
        if why.is_empty() { Page::text("ready\n") } else { Page::unavailable(why.join("\n") + "\n") }
    }

    async fn status(&self, seen: &[Seen]) -> Value {
        let lingers = match lingers().await {
            Linger::On => Some(true),
            Linger::Off => Some(false),
            Linger::Unknown => None,
        };
        let now = Timestamp::now().unix();
        let mut lines: BTreeMap<_, _> = self.board.lines();
        let mut gateways = Vec::new();
        for seen in seen {
            // Of two files for one gateway both are told.
            let mut of: Vec<_> =
                lines.iter().filter(|(_, line)| line.gateway == seen.name).map(|(file, _)| file.clone()).collect();
            if seen.name.is_none() {
                of.truncate(1);
            }
            let mut state = seen.state.clone();
            let told: Vec<_> = of.iter().filter_map(|file| Some((file, lines.remove(file)?.problem))).collect();
            state["file"] = told.first().map(|(file, _)| file.display().to_string()).into();
            let problems: Vec<String> = told.into_iter().filter_map(|(_, problem)| problem).collect();
            state["problem"] = (!problems.is_empty()).then(|| problems.join("\n")).into();
            state["certificate_days_left"] = seen.certificate_end.map(|end| days_left(end.unix(), now)).into();
            gateways.push(state);
        }
        json!({
            "agent": {
                "version": env!("CARGO_PKG_VERSION"),
                "directory": self.board.directory,
                "interval": self.board.interval,
                "problem": self.board.trouble(),
            },
            "gateways": gateways,
            "lingers": lingers,
        })
    }

    fn metrics(&self, seen: &[Seen]) -> String {
        let (lines, counts) = (self.board.lines(), self.board.counts());
        let own = seen.iter().filter_map(|seen| {
            let name = seen.name.clone()?;
            let counts = counts.get(&name).copied().unwrap_or_default();
            Some(OfGateway {
                running: seen.running,
                linked: seen.linked,
                problem: lines.values().any(|line| line.gateway == seen.name && line.problem.is_some()),
                applied: counts.applied,
                failures: counts.failures,
                certificate_end: seen.certificate_end.map(Timestamp::unix),
                name,
            })
        });
        let routers = seen.iter().filter_map(|seen| Some((seen.name.clone()?, seen.metrics.clone()?)));
        metrics::merge(&metrics::own(own.collect()), &Vec::from_iter(routers))
    }
}

impl Seen {
    async fn of(name: String) -> Seen {
        let standing = match Standing::of(name.clone()).await {
            Ok(standing) => standing,
            Err(failure) => return Seen::absent(Some(name), failure.words().unwrap_or_default()),
        };
        Seen {
            running: standing.is_running(),
            linked: standing.is_linked(),
            certificate_end: certificate_end(&name),
            state: standing.json(),
            metrics: metrics_of(&name).await,
            name: Some(name),
        }
    }

    /// What is not installed, or cannot be asked.
    fn absent(name: Option<String>, words: String) -> Seen {
        let mut state = Standing::absent(String::new(), words).json();
        state["name"] = name.clone().into();
        Seen { name, running: false, linked: false, certificate_end: None, state, metrics: None }
    }
}

/// What its router counts; skrouterd has no socket to ask.
async fn metrics_of(name: &str) -> Option<String> {
    let home = Home::of(name).ok()?;
    let record = Record::read(&home).ok()??;
    if record.options.router != Router::Embedded {
        return None;
    }
    live::metrics(&record.contact(&home).status_socket()).await.ok()
}

/// When the first of a gateway's certificates expires, those of its services included.
pub(super) fn certificate_end(gateway: &str) -> Option<Timestamp> {
    let profiles = std::fs::read_dir(Home::of(gateway).ok()?.certificates()).ok()?;
    let end = |dir: std::path::PathBuf| {
        let file = |name: &str| Some(dir.join(name)).filter(|file| file.is_file());
        let own = Some((file("tls.crt")?, file("tls.key")?));
        TlsFiles { profile: String::new(), ca: None, own }.load().ok()?.not_after()
    };
    profiles.flatten().filter_map(|profile| end(profile.path())).min()
}
