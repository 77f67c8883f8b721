//! Connect, one byte there and back, close.

use anyhow::{Result, ensure};

use super::{Case, Load, Scene};
use crate::figure::Figure;
use crate::generator::churn::churn;
use crate::generator::open::open;
use crate::window::during;

pub(super) fn load() -> Load {
    let cases = [0, 4000, 8000].map(|others| Case::new(format!("{others} open"), move |scene| measure(scene, others)));
    Load {
        name: "connect",
        about: "Connections of one byte there and back, eight at a time, beside others that are open and idle.",
        fresh: true,
        cases: cases.into(),
    }
}

fn measure(scene: &mut Scene<'_>, others: usize) -> Result<Vec<Figure>> {
    let port = scene.chain.entry();
    let (_others, _) = open(port, scene.scale(others))?;
    let ((latencies, failed), spent) = during(scene.times, scene.chain, &|| 0, |phase| churn(port, phase));
    ensure!(latencies.count() > 0, "no connection came about");
    let mut figures = vec![Figure::new("connections/s", latencies.count() as f64 / spent.seconds)];
    figures.extend(latencies.figures());
    figures.extend(spent.per_operation(latencies.count(), ["edge CPU, µs/connection", "interior CPU, µs/connection"]));
    figures.push(Figure::new("failed", failed as f64));
    figures.extend(spent.disturbance());
    Ok(figures)
}
