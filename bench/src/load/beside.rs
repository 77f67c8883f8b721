//! Small requests beside others who take all they can get, or nothing.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use anyhow::{Result, ensure};

use super::{Case, Load, Scene};
use crate::figure::Figure;
use crate::generator::WRITE;
use crate::generator::open::connect;
use crate::generator::requests::closed_loop;
use crate::generator::server::Order;
use crate::generator::streams::{Streams, Way};
use crate::window::during;

const CONNECTIONS: usize = 4;

pub(super) fn load() -> Load {
    Load {
        name: "beside",
        about: "Requests of 128 bytes over 4 connections in a closed loop: alone, beside a stream up or down that takes all it \
                can get, and beside two connections of which nobody reads, one for each way.",
        fresh: false,
        cases: vec![
            Case::new("alone", |scene| measure(scene, None)),
            Case::new("a stream up", |scene| measure(scene, Some(Way::Up))),
            Case::new("a stream down", |scene| measure(scene, Some(Way::Down))),
            Case::new("stalled readers", stalled),
        ],
    }
}

fn stalled(scene: &mut Scene<'_>) -> Result<Vec<Figure>> {
    let port = scene.chain.entry();
    let mut up = connect(port, Order::Stall)?;
    let down = connect(port, Order::Give)?;
    let swallowed = fill(&mut up)?;
    let mut figures = measure(scene, None)?;
    figures.push(Figure::new("bytes that a stalled stream takes, MB", swallowed as f64 / 1e6));
    drop(down);
    Ok(figures)
}

/// Writes until nobody takes any more for a while; answers how much was taken.
fn fill(stream: &mut TcpStream) -> Result<usize> {
    stream.set_write_timeout(Some(std::time::Duration::from_millis(300)))?;
    let (block, mut taken) = (vec![7; WRITE], 0);
    loop {
        match stream.write(&block) {
            Ok(count) => taken += count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Ok(taken),
            Err(error) => return Err(error.into()),
        }
    }
}

fn measure(scene: &mut Scene<'_>, beside: Option<Way>) -> Result<Vec<Figure>> {
    let port = scene.chain.entry();
    let streams = beside.map(|way| Streams::open(port, 1, way)).transpose()?;
    let down = AtomicU64::new(0);
    let counter = || scene.server.received() + down.load(Ordering::Relaxed);
    let (ran, spent) = during(scene.times, scene.chain, &counter, |phase| {
        thread::scope(|scope| {
            let streaming = scope.spawn(|| streams.map_or(Ok(()), |streams| streams.run(phase, &down)));
            let latencies = closed_loop(port, CONNECTIONS, phase);
            streaming.join().expect("the stream").and(latencies)
        })
    });
    let latencies = ran?;
    ensure!(latencies.count() > 0, "no request was answered");
    let mut figures = latencies.figures();
    if beside.is_some() {
        figures.push(Figure::new("the stream, Gb/s", spent.counted as f64 * 8.0 / 1e9 / spent.seconds));
    }
    figures.extend(spent.disturbance());
    Ok(figures)
}
