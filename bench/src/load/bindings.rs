//! An edge with many services: its start, and what it takes to know them.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::{Case, Load, Scene};
use crate::chain::Addition;
use crate::competitor::Shape;
use crate::figure::Figure;
use crate::generator::manage::create_connector;
use crate::generator::open::connect_through;
use crate::generator::requests::closed_loop;
use crate::process::resident;
use crate::window::during;

const POLL: Duration = Duration::from_millis(2);
/// How long an added service may take.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn load() -> Load {
    let cases = [1, 100, 10_000].map(|count| {
        let mut case = Case::new(format!("{count} bindings"), measure);
        case.shape = Shape::Many(count);
        case
    });
    Load {
        name: "bindings",
        about: "An edge with many connectors, killed and started again while its interior runs. It is up when connections to 16 \
                addresses from the first to the last all go through. Requests are those of one connection. One more connector is \
                then created through management, and serves when a connection to its address goes through.",
        fresh: true,
        cases: cases.into(),
    }
}

/// One more, live.
fn add(addition: &Addition) -> Result<Figure> {
    let attributes: Vec<_> = addition.connector.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let began = Instant::now();
    create_connector(addition.door, &attributes)?;
    while let Err(error) = connect_through(addition.entry) {
        if began.elapsed() > PATIENCE {
            bail!("what was added does not serve: {error}");
        }
        thread::sleep(POLL);
    }
    Ok(Figure::new("one more serves after, ms", began.elapsed().as_secs_f64() * 1000.0))
}

fn measure(scene: &mut Scene<'_>) -> Result<Vec<Figure>> {
    let Some(edge) = &mut scene.chain.near_server else { return Ok(Vec::new()) };
    edge.kill();
    edge.start();
    let began = Instant::now();
    scene.chain.wait_until_it_serves(POLL)?;
    let mut figures = vec![Figure::new("up after, s", began.elapsed().as_secs_f64())];
    for (name, processes) in
        [("edge memory, MiB", scene.chain.edge()), ("interior memory, MiB", scene.chain.interior())]
    {
        figures.push(Figure::new(name, resident(&processes) / 1024.0));
    }
    let port = scene.chain.entry();
    let (latencies, spent) = during(scene.times, scene.chain, &|| 0, |phase| closed_loop(port, 1, phase));
    figures.extend(latencies?.figures());
    figures.extend(spent.disturbance());
    figures.extend(scene.chain.addition.as_ref().map(add).transpose()?);
    Ok(figures)
}
