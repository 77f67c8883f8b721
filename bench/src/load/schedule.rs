//! Requests at a fixed rate, whatever becomes of those before.

use anyhow::{Result, ensure};

use super::{Case, Load, Scene};
use crate::figure::Figure;
use crate::generator::schedule::fixed_rate;
use crate::window::during;

const CONNECTIONS: usize = 16;

pub(super) fn load() -> Load {
    let cases = [1000, 5000].map(|rate| Case::new(format!("{rate}/s"), move |scene| measure(scene, rate)));
    Load {
        name: "schedule",
        about: "Requests of 128 bytes at a fixed rate over 16 connections. A time is counted from when the request was due, \
                so that a stall is seen by all who would have asked in it.",
        fresh: false,
        cases: cases.into(),
    }
}

fn measure(scene: &mut Scene<'_>, rate: u32) -> Result<Vec<Figure>> {
    let port = scene.chain.entry();
    let (latencies, spent) =
        during(scene.times, scene.chain, &|| 0, |phase| fixed_rate(port, CONNECTIONS, rate, phase));
    let latencies = latencies?;
    ensure!(latencies.count() > 0, "no request was answered");
    let mut figures = latencies.figures();
    figures.extend(spent.per_operation(latencies.count(), ["edge CPU, µs/request", "interior CPU, µs/request"]));
    figures.extend(spent.disturbance());
    Ok(figures)
}
