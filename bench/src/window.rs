//! The window of a measurement: what was moved and spent in it.

use std::thread;
use std::time::{Duration, Instant};

use crate::chain::Chain;
use crate::figure::Figure;
use crate::generator::phase::Phase;
use crate::process;

/// How long to warm up, and how long to measure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) warm_up: Duration,
    pub(crate) window: Duration,
}

/// Numbers that say how good a measurement was, not who was good.
pub(crate) const STEAL: &str = "steal, %";
pub(crate) const OTHERS: &str = "others, %";

const LOOK: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(20);

/// What a window cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent {
    pub(crate) seconds: f64,
    /// By how much the counter grew.
    pub(crate) counted: u64,
    edge: f64,
    interior: f64,
    own: f64,
    /// Shares of the machine's time: taken by its host, used by none of those that are measured.
    stolen: f64,
    others: f64,
}

/// Runs `load` on a thread of its own through warm-up and window. A window in which nothing happens at all lasts until
/// something does, within reason: a short one on a busy machine. `counter` is read at both ends of the window.
pub(crate) fn during<T: Send>(
    times: Times,
    chain: &Chain,
    counter: &dyn Fn() -> u64,
    load: impl FnOnce(&Phase) -> T + Send,
) -> (T, Spent) {
    let phase = Phase::default();
    thread::scope(|scope| {
        let loading = scope.spawn(|| load(&phase));
        thread::sleep(times.warm_up);
        let window = Window::open(chain, counter());
        phase.begin();
        let nothing_yet = || !phase.has_counted() && counter() == window.counter;
        while window.began.elapsed() < times.window || (nothing_yet() && !loading.is_finished()) {
            thread::sleep(times.window.saturating_sub(window.began.elapsed()).max(LOOK));
            if window.began.elapsed() > PATIENCE {
                break;
            }
        }
        let spent = window.close(counter());
        phase.end();
        (loading.join().expect("the load"), spent)
    })
}

/// A window that is open.
pub(crate) struct Window {
    edge: Vec<u32>,
    interior: Vec<u32>,
    began: Instant,
    counter: u64,
    edge_cpu: Duration,
    interior_cpu: Duration,
    own_cpu: Duration,
    machine: process::Machine,
}

impl Window {
    /// Opens it; `counter` is what was counted so far.
    pub(crate) fn open(chain: &Chain, counter: u64) -> Self {
        let (edge, interior) = (chain.edge(), chain.interior());
        Self {
            edge_cpu: process::cpu(&edge),
            interior_cpu: process::cpu(&interior),
            own_cpu: process::own_cpu(),
            machine: process::machine(),
            began: Instant::now(),
            edge,
            interior,
            counter,
        }
    }

    pub(crate) fn close(self, counter: u64) -> Spent {
        let seconds = self.began.elapsed().as_secs_f64();
        let since = |now: Duration, before| now.saturating_sub(before).as_secs_f64();
        let machine = process::machine();
        let ticks = (machine.all - self.machine.all).max(1) as f64;
        let share = |now: u64, before: u64| now.saturating_sub(before) as f64 / ticks;
        let stolen = share(machine.stolen, self.machine.stolen);
        let busy = 1.0 - stolen - share(machine.idle, self.machine.idle);
        let cores = std::thread::available_parallelism().map_or(1.0, |cores| cores.get() as f64);
        let edge = since(process::cpu(&self.edge), self.edge_cpu);
        let interior = since(process::cpu(&self.interior), self.interior_cpu);
        let own = since(process::own_cpu(), self.own_cpu);
        let others = (busy - (edge + interior + own) / (seconds * cores)).max(0.0);
        Spent { seconds, counted: counter - self.counter, edge, interior, own, stolen, others }
    }
}

impl Spent {
    /// What each of `count` operations took of the processor, in microseconds: at the edge, at the interior.
    pub(crate) fn per_operation(&self, count: u64, names: [&'static str; 2]) -> Vec<Figure> {
        self.per(count as f64 / 1e6, names)
    }

    /// What each GB took of the processor, in seconds; the last is the load itself, both of its ends.
    pub(crate) fn per_gb(&self, bytes: u64) -> Vec<Figure> {
        let gb = bytes as f64 / 1e9;
        let mut figures = self.per(gb, ["edge CPU, s/GB", "interior CPU, s/GB"]);
        figures.push(Figure::new("load's own CPU, s/GB", self.own / gb));
        figures
    }

    fn per(&self, amount: f64, names: [&'static str; 2]) -> Vec<Figure> {
        let all = names.into_iter().zip([self.edge, self.interior]);
        all.filter(|(_, used)| *used > 0.0 && amount > 0.0)
            .map(|(name, used)| Figure::new(name, used / amount))
            .collect()
    }

    /// The share of one core that the edge used, in percent.
    pub(crate) fn edge_share(&self) -> f64 {
        self.edge / self.seconds * 100.0
    }

    /// How much of the machine was not there for those that are measured: its host took it, or others on it.
    pub(crate) fn disturbance(&self) -> [Figure; 2] {
        [Figure::new(STEAL, self.stolen * 100.0), Figure::new(OTHERS, self.others * 100.0)]
    }
}
