//! As many bytes as go through.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, ensure};

use super::{Case, Load, Scene};
use crate::figure::Figure;
use crate::generator::streams::{Streams, Way};
use crate::process::resident;
use crate::window::during;

pub(super) fn load() -> Load {
    let ways = [("up", Way::Up), ("down", Way::Down), ("both ways", Way::Both)];
    let cases = ways.into_iter().flat_map(|(name, way)| {
        [1, 8, 64].map(|count| Case::new(format!("{count} {name}"), move |scene| measure(scene, count, way)))
    });
    Load {
        name: "bulk",
        about: "Streams that carry as much as goes through, in blocks of 128 KiB; counted where they arrive. Up is from \
                client to server, so the edge decrypts.",
        fresh: false,
        cases: cases.collect(),
    }
}

/// One for other shapes of the network: streams up.
pub(super) fn case(count: usize) -> Case {
    Case::new(format!("{count} up"), move |scene| measure(scene, count, Way::Up))
}

fn measure(scene: &mut Scene<'_>, count: usize, way: Way) -> Result<Vec<Figure>> {
    let streams = Streams::open(scene.chain.entry(), count, way)?;
    let down = AtomicU64::new(0);
    let counter = || scene.server.received() + down.load(Ordering::Relaxed);
    let (ran, spent) = during(scene.times, scene.chain, &counter, |phase| streams.run(phase, &down));
    ran?;
    ensure!(spent.counted > 0, "no byte arrived in {:.1} s", spent.seconds);
    let mut figures = vec![Figure::new("Gb/s", spent.counted as f64 * 8.0 / 1e9 / spent.seconds)];
    figures.extend(spent.per_gb(spent.counted));
    let memory = resident(&scene.chain.edge());
    if memory > 0.0 {
        figures.push(Figure::new("edge memory afterwards, MiB", memory / 1024.0));
    }
    figures.extend(spent.disturbance());
    Ok(figures)
}
