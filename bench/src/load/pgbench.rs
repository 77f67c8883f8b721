//! The real use: a database behind the edge.

use anyhow::{Context, Result, bail};
use moorline_tests::postgres::client;

use super::{Case, Far, Load, Scene};
use crate::figure::Figure;
use crate::window::Window;

pub(super) fn load() -> Load {
    let cases = [("select only", true), ("read and write", false)].into_iter().flat_map(|(kind, select_only)| {
        [1, 8].map(|clients| {
            let name = format!("{kind}, {clients} client{}", if clients == 1 { "" } else { "s" });
            let mut case = Case::new(name, move |scene| measure(scene, clients, select_only));
            case.far = Far::Postgres;
            case
        })
    });
    Load {
        name: "pgbench",
        about: "pgbench against PostgreSQL at scale 10, without fsync; prepared by nobody, so each transaction is parsed. It runs \
                for twice a window.",
        fresh: false,
        cases: cases.collect(),
    }
}

fn measure(scene: &mut Scene<'_>, clients: u32, select_only: bool) -> Result<Vec<Figure>> {
    let seconds = (scene.times.window.as_secs_f64() * 2.0).ceil() as u32;
    let mut command = client("pgbench", "127.0.0.1", scene.chain.entry());
    command.args(["-n", "-j", "1", "-c", &clients.to_string(), "-T", &seconds.max(1).to_string()]);
    if select_only {
        command.arg("-S");
    }
    let window = Window::open(scene.chain, 0);
    let output = command.arg("postgres").output().context("start pgbench")?;
    let spent = window.close(0);
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("pgbench: {said}{}", String::from_utf8_lossy(&output.stderr));
    }
    let number = |begin: &str| -> Result<f64> {
        let line = said.lines().find_map(|line| line.strip_prefix(begin));
        let word = line.and_then(|line| line.split_ascii_whitespace().next());
        // Newer versions say of how many.
        let word = word.map(|word| word.split('/').next().unwrap_or(word));
        word.and_then(|word| word.parse().ok()).with_context(|| format!("pgbench does not say {begin:?}: {said}"))
    };
    let transactions = number("number of transactions actually processed: ")?;
    let mut figures = vec![
        Figure::new("transactions/s", number("tps = ")?),
        Figure::new("latency, ms", number("latency average = ")?),
    ];
    figures
        .extend(spent.per_operation(transactions as u64, ["edge CPU, µs/transaction", "interior CPU, µs/transaction"]));
    figures.extend(spent.disturbance());
    Ok(figures)
}
