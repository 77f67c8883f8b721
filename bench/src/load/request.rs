//! Requests of 128 bytes and answers as long, each connection asking again when it is answered.

use anyhow::{Result, ensure};

use super::{Case, Load, Scene};
use crate::figure::Figure;
use crate::generator::requests::closed_loop;
use crate::window::during;

pub(super) fn load() -> Load {
    Load {
        name: "request",
        about: "Requests of 128 bytes and answers as long, in a closed loop: each connection asks again when it is answered.",
        fresh: false,
        cases: vec![case(1), case(16)],
    }
}

/// One for any shape of the network.
pub(super) fn case(connections: usize) -> Case {
    let name = format!("{connections} connection{}", if connections == 1 { "" } else { "s" });
    Case::new(name, move |scene| measure(scene, connections))
}

fn measure(scene: &mut Scene<'_>, connections: usize) -> Result<Vec<Figure>> {
    let port = scene.chain.entry();
    let (latencies, spent) = during(scene.times, scene.chain, &|| 0, |phase| closed_loop(port, connections, phase));
    let latencies = latencies?;
    ensure!(latencies.count() > 0, "no request was answered");
    let mut figures = latencies.figures();
    figures.push(Figure::new("requests/s", latencies.count() as f64 / spent.seconds));
    figures.extend(spent.per_operation(latencies.count(), ["edge CPU, µs/request", "interior CPU, µs/request"]));
    figures.extend(spent.disturbance());
    Ok(figures)
}
