//! What the chains have to carry. Each load is a file: its cases, and how one is measured.

mod beside;
mod bindings;
mod bulk;
mod connect;
mod idle;
mod local;
mod pgbench;
mod recovery;
mod request;
mod schedule;

use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::chain::Chain;
use crate::competitor::Shape;
use crate::figure::Figure;
use crate::generator::server::Server;
use crate::window::Times;

/// A load.
pub(crate) struct Load {
    pub(crate) name: &'static str,
    /// What a reader of the report should know of it.
    pub(crate) about: &'static str,
    /// Whether each measurement has a chain of its own, because of what it does to it or counts from its start.
    pub(crate) fresh: bool,
    pub(crate) cases: Vec<Case>,
}

/// One way to measure under a load.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) shape: Shape,
    pub(crate) far: Far,
    pub(crate) measure: Measure,
}

/// Which server is at the far end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Far {
    /// The load's own.
    Load,
    Postgres,
}

type Measure = Box<dyn Fn(&mut Scene<'_>) -> Result<Vec<Figure>>>;

/// What a measurement has at hand.
pub(crate) struct Scene<'a> {
    /// It serves already.
    pub(crate) chain: &'a mut Chain,
    pub(crate) server: &'a Server,
    pub(crate) times: Times,
    /// A small run that only shows that all works: a hundredth of connections, services and pauses.
    pub(crate) small: bool,
}

impl Scene<'_> {
    /// A number of connections or services, as large as the run.
    pub(crate) fn scale(&self, count: usize) -> usize {
        if self.small { count / 100 } else { count }
    }

    /// Lets time pass, as much of it as the run has.
    pub(crate) fn pause(&self, duration: Duration) {
        thread::sleep(if self.small { duration / 100 } else { duration });
    }
}

impl Case {
    fn new(name: impl Into<String>, measure: impl Fn(&mut Scene<'_>) -> Result<Vec<Figure>> + 'static) -> Self {
        Self { name: name.into(), shape: Shape::Two, far: Far::Load, measure: Box::new(measure) }
    }
}

/// All of them, in the order in which they are run.
pub(crate) fn all() -> Vec<Load> {
    vec![
        bulk::load(),
        request::load(),
        schedule::load(),
        connect::load(),
        idle::load(),
        beside::load(),
        recovery::load(),
        pgbench::load(),
        local::load(),
        bindings::load(),
    ]
}
