//! A run: repetitions of loads of cases, in each the competitors one after the other in an order of chance.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use moorline_tests::postgres::{Postgres, pgbench};

use crate::chain::Chain;
use crate::cipher;
use crate::competitor::{Competitor, Ports, Site};
use crate::figure::{Failure, Figure, Record};
use crate::generator::open::ask_postgres;
use crate::generator::server::Server;
use crate::load::{Case, Far, Load, Scene};
use crate::machine::Machine;
use crate::report::{Described, DescribedLoad, Results};
use crate::window::Times;

/// What is still under way after a load ends is no part of the next.
const DRAIN: Duration = Duration::from_millis(300);
const POLL: Duration = Duration::from_millis(20);

/// What is to be done.
pub(crate) struct Run {
    pub(crate) site: Site,
    pub(crate) competitors: Vec<Competitor>,
    pub(crate) loads: Vec<Load>,
    pub(crate) repetitions: u32,
    pub(crate) times: Times,
    pub(crate) small: bool,
}

impl Run {
    /// Does it all; says on stderr how far it is. `keep` gets what is there after each load.
    pub(crate) fn run(self, keep: impl Fn(&Results) -> Result<()>) -> Result<()> {
        let ends = FarEnds { server: Server::start().context("the server of the load")?, postgres: OnceCell::new() };
        let described = self.competitors.iter().map(|competitor| self.describe(competitor, &ends.server)).collect();
        let mut results = Results {
            machine: Machine::this(),
            competitors: described,
            loads: self.loads.iter().map(|load| DescribedLoad { name: load.name, about: load.about }).collect(),
            repetitions: self.repetitions,
            seconds: self.times.window.as_secs_f64(),
            records: Vec::new(),
            failures: Vec::new(),
        };
        for repetition in 0..self.repetitions {
            for load in &self.loads {
                eprintln!("repetition {repetition}: {}", load.name);
                self.repeat(repetition, load, &ends, &mut results);
                keep(&results)?;
            }
        }
        Ok(())
    }

    fn describe(&self, competitor: &Competitor, server: &Server) -> Described {
        let cipher = match &competitor.version {
            Ok(_) => cipher::in_use(competitor, &self.site, server),
            Err(_) => Ok(None),
        };
        let cipher = cipher.unwrap_or_else(|error| Some(format!("{error:#}")));
        let (version, missing) = match &competitor.version {
            Ok(version) => (Some(version.clone()), None),
            Err(reason) => (None, Some(format!("left out: {reason}"))),
        };
        Described { name: competitor.name, version, cipher, missing }
    }

    fn repeat(&self, repetition: u32, load: &Load, ends: &FarEnds, results: &mut Results) {
        let (mut chains, mut broken) = (BTreeMap::new(), BTreeSet::new());
        let mut before = None;
        for case in &load.cases {
            if before.replace((case.shape, case.far)) != Some((case.shape, case.far)) {
                chains.clear();
            }
            let mut order: Vec<&Competitor> = self.competitors.iter().filter(|one| one.version.is_ok()).collect();
            fastrand::shuffle(&mut order);
            for competitor in order {
                if broken.contains(competitor.name) {
                    continue;
                }
                match self.measure(competitor, case, ends, &mut chains) {
                    Ok(figures) => results.records.extend(figures.into_iter().map(|figure| Record {
                        repetition,
                        load: load.name,
                        case: figure.step.clone().unwrap_or_else(|| case.name.clone()),
                        competitor: competitor.name,
                        figure,
                    })),
                    Err(error) => {
                        eprintln!("{}, {}, {}: {error:#}", load.name, case.name, competitor.name);
                        results.failures.push(Failure {
                            repetition,
                            load: load.name,
                            case: case.name.clone(),
                            competitor: competitor.name,
                            reason: format!("{error:#}"),
                        });
                        // Whatever state it is in, the next case has another; one that does not even start has none.
                        if chains.remove(competitor.name).is_none() {
                            broken.insert(competitor.name);
                        }
                    }
                }
                if load.fresh {
                    chains.remove(competitor.name);
                }
                thread::sleep(if self.small { Duration::ZERO } else { DRAIN });
            }
        }
    }

    fn measure(
        &self,
        competitor: &Competitor,
        case: &Case,
        ends: &FarEnds,
        chains: &mut BTreeMap<&'static str, Chain>,
    ) -> Result<Vec<Figure>> {
        if !chains.contains_key(competitor.name) {
            let Some(chain) = self.start(competitor, case, ends)? else { return Ok(Vec::new()) };
            chains.insert(competitor.name, chain);
        }
        let Some(chain) = chains.get_mut(competitor.name) else { return Ok(Vec::new()) };
        (case.measure)(&mut Scene { chain, server: &ends.server, times: self.times, small: self.small })
    }

    /// A chain that serves; `None` where the competitor has none of that shape.
    fn start(&self, competitor: &Competitor, case: &Case, ends: &FarEnds) -> Result<Option<Chain>> {
        let target = match case.far {
            Far::Load => ends.server.port(),
            Far::Postgres => ends.postgres(),
        };
        let Some(mut chain) = competitor.chain(&self.site, case.shape, Ports::to(target))? else { return Ok(None) };
        chain.start();
        match case.far {
            Far::Load => chain.wait_until_it_serves(POLL)?,
            Far::Postgres => chain.wait_until(POLL, ask_postgres)?,
        }
        Ok(Some(chain))
    }
}

/// The servers behind the chains.
struct FarEnds {
    server: Server,
    /// Started when it is needed.
    postgres: OnceCell<Postgres>,
}

impl FarEnds {
    /// The port of a database that has what pgbench asks for.
    fn postgres(&self) -> u16 {
        let postgres = self.postgres.get_or_init(|| {
            let postgres = Postgres::start();
            drop(pgbench(postgres.port(), &["-i", "-s", "10", "-q"]));
            postgres
        });
        postgres.port()
    }
}
