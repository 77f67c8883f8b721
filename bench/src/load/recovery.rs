//! The far end is killed and comes back: how soon does a connection go through again?

use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::{Case, Load, Scene};
use crate::figure::Figure;

const POLL: Duration = Duration::from_millis(2);
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn load() -> Load {
    let cases = [0, 3, 12].map(|down| Case::new(format!("{down} s"), move |scene| measure(scene, down)));
    Load {
        name: "recovery",
        about: "The interior is killed (SIGKILL) and started again after some seconds. Counted from when its listener for edges \
                takes connections again until a new client's byte comes back; asked each 2 ms.",
        fresh: true,
        cases: cases.into(),
    }
}

fn measure(scene: &mut Scene<'_>, down: u64) -> Result<Vec<Figure>> {
    let Some(uplink) = scene.chain.uplink else { return Ok(Vec::new()) };
    if let Some(interior) = &mut scene.chain.near_client {
        interior.kill();
    }
    scene.pause(Duration::from_secs(down));
    if let Some(interior) = &mut scene.chain.near_client {
        interior.start();
    }
    let started = Instant::now();
    while TcpStream::connect(("127.0.0.1", uplink)).is_err() {
        if started.elapsed() > PATIENCE {
            bail!("the interior does not listen again");
        }
        thread::sleep(POLL);
    }
    let listens = Instant::now();
    scene.chain.wait_until_it_serves(POLL)?;
    let millis = |since: Instant| since.elapsed().as_secs_f64() * 1e3;
    let after = millis(listens);
    Ok(vec![Figure::new("serves after, ms", after), Figure::new("from its start, ms", millis(started))])
}
