//! One gateway: what its keeper and its router say of it.

use std::fs;

use moorline_definition::router_config::parse;
use moorline_definition::{CheckOptions, check};
use serde_json::{Value, json};

use super::service::{self, Service};
use crate::failure::Failure;
use crate::installation::home::Home;
use crate::installation::keeper::{GatewayType, Keeper};
use crate::installation::record::Record;
use crate::installation::router::Router;
use crate::output::count;
use crate::tree::Tree;

/// How a gateway stands.
pub(crate) struct Standing {
    name: String,
    /// None: it is not installed.
    kind: Option<GatewayType>,
    running: bool,
    /// What its keeper says of it, in a word or two.
    words: String,
    restarts: u64,
    /// What keeps its container from running after a reboot.
    gaps: Vec<String>,
    bindings: Vec<Service>,
    forwards: Vec<Service>,
    /// The router's state, when it tells it.
    router: Option<Value>,
}

impl Standing {
    pub(crate) async fn of(name: String) -> Result<Standing, Failure> {
        let home = Home::of(&name)?;
        let mut standing = Standing::absent(name, "it is not installed".to_owned());
        let Some(record) = Record::read(&home)? else { return Ok(standing) };
        standing.kind = Some(record.kind);
        match record.kind.connect().await? {
            Keeper::Unit(keeper) => {
                let state = keeper.state(home.unit()).await?;
                standing.running = state.is_running();
                standing.words = format!("{} ({})", state.sub, state.result);
                standing.restarts = state.restarts.into();
            }
            Keeper::Container(keeper) => {
                standing.gaps = keeper.gaps().await;
                match keeper.observe(&standing.name).await? {
                    None => standing.words = "its container is gone".to_owned(),
                    Some(found) => {
                        standing.running = found.running;
                        standing.words = format!("{:?}", found.state).to_lowercase();
                        standing.restarts = found.restarts;
                    }
                }
            }
        }
        standing.router = record.contact(&home).status().await.ok();
        // Later releases do not tell their version.
        if let (Router::Skrouterd(skrouterd), Some(router)) = (&record.options.router, &mut standing.router)
            && router["version"].is_null()
        {
            router["version"] = skrouterd.version().await.ok().flatten().into();
        }
        let config = fs::read_to_string(home.config()).ok().and_then(|text| parse(&text, &|_| None).ok());
        if let Some(config) = config {
            let text = fs::read_to_string(home.definition()).ok();
            let source = &record.options.source;
            let options = CheckOptions {
                strict: false,
                allow_insecure_management: source.allow_insecure_management,
                compat_1_8: source.compat_1_8,
            };
            let definition = text.and_then(|text| check("", &text, options).definition);
            let router = standing.router.as_ref().unwrap_or(&Value::Null);
            [standing.bindings, standing.forwards] = service::of(&config, definition.as_ref(), router);
        }
        Ok(standing)
    }

    /// Of what cannot be asked, with the reason.
    pub(crate) fn absent(name: String, words: String) -> Standing {
        Standing {
            name,
            kind: None,
            running: false,
            words,
            restarts: 0,
            gaps: Vec::new(),
            bindings: Vec::new(),
            forwards: Vec::new(),
            router: None,
        }
    }

    pub(super) fn kind(&self) -> Option<GatewayType> {
        self.kind
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running
    }

    pub(crate) fn is_linked(&self) -> bool {
        self.uplinks().iter().any(|uplink| uplink["state"] == "up")
    }

    fn uplinks(&self) -> &[Value] {
        let list = self.router.as_ref().and_then(|router| router["uplinks"].as_array());
        list.map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "name": self.name,
            "type": self.kind,
            "running": self.running,
            "state": self.words,
            "restarts": self.restarts,
            "after_reboot": self.gaps,
            "linked": self.is_linked(),
            "bindings": self.bindings,
            "forwards": self.forwards,
            "router": self.router,
        })
    }

    /// Skupper's lines, and below them what it does not tell.
    pub(super) fn draw(&self, tree: &mut Tree) {
        if self.kind.is_none() {
            tree.add(Tree::new(format!("{}: {}", self.name, self.words)).bad());
            return;
        }
        let version = self.router.as_ref().and_then(|router| router["version"].as_str());
        let stopped = format!("Unknown ({} not running)", if self.is_a_service() { "service" } else { "container" });
        let version = version.map_or(stopped, str::to_owned);
        let kind = self.kind.unwrap_or_default().name();
        let gateway = tree.add(format!("{} type:{kind} version:{version}", self.name));
        if !self.running {
            gateway.add(Tree::new(format!("does not run: {}", self.words)).bad());
            return;
        }
        if self.restarts > 0 {
            let restarts = usize::try_from(self.restarts).unwrap_or(usize::MAX);
            gateway.add(format!("started anew {} by itself", count(restarts, "time")));
        }
        let trouble = match &self.router {
            None => Some("the router does not tell its state"),
            Some(router) if router["draining"] == true => Some("it is being stopped"),
            Some(_) => None,
        };
        gateway.leaves(trouble.map(|trouble| Tree::new(trouble).bad()));
        gateway.leaves(self.uplinks().iter().map(uplink_line));
        gateway.leaves(self.gaps.iter().map(|gap| Tree::new(gap).bad()));
        for (title, services) in [("Bindings:", &self.bindings), ("Forwards:", &self.forwards)] {
            if services.is_empty() {
                continue;
            }
            let list = gateway.add(title);
            for service in services {
                list.add(service.line()).leaves(service.facts());
            }
        }
    }

    fn is_a_service(&self) -> bool {
        self.kind.unwrap_or_default() == GatewayType::Service
    }
}

fn uplink_line(uplink: &Value) -> Tree {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let place = format!("{}:{}", text(&uplink["host"]), uplink["port"]);
    let end = uplink["certificate_not_after"].as_str();
    let end = end.map(|end| format!(", certificate until {end}")).unwrap_or_default();
    match text(&uplink["state"]).as_str() {
        "up" => Tree::new(format!("linked to {place} (router {}){end}", text(&uplink["peer"]["container"]))).good(),
        "standby" => format!("could link to {place}{end}").into(),
        _ => Tree::new(format!("not linked to {place}: {}{end}", text(&uplink["last_error"]))).bad(),
    }
}
