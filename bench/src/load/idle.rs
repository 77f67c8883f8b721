//! Connections that are open and do nothing: what they cost while they are, and what is left of it afterwards.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Case, Load, Scene};
use crate::figure::Figure;
use crate::generator::open::open;
use crate::process::{anonymous, resident};
use crate::window::Window;

/// After how long it is asked what was given back.
const AFTERWARDS: Duration = Duration::from_secs(5);
const CLOSED: &str = "closed again";
/// What was allocated for the beginning of a program or connection may go again, before memory is looked at.
const SETTLE: Duration = Duration::from_secs(1);

pub(super) fn load() -> Load {
    Load {
        name: "idle",
        about: "Connections that echoed one byte and then do nothing. How fast they came is that of the last thousands, \
                eight at a time. What a connection takes, and what is given back, is of memory without the pages of the program's \
                file. What is left is asked 5 s after all were closed.",
        fresh: true,
        cases: vec![Case::new("idle", measure)],
    }
}

fn measure(scene: &mut Scene<'_>) -> Result<Vec<Figure>> {
    let (mut figures, mut connections) = (Vec::new(), Vec::new());
    scene.pause(SETTLE);
    let empty = memory(scene, "0 open", &mut figures);
    for count in [1000, 4000, 8000] {
        let count = scene.scale(count);
        let step = format!("{count} open");
        let missing = count - connections.len();
        let began = Instant::now();
        let (mut more, failed) = open(scene.chain.entry(), missing)?;
        connections.append(&mut more);
        let rate = missing as f64 / began.elapsed().as_secs_f64();
        figures.push(Figure::new("opened/s", rate).at(&step));
        figures.push(Figure::new("failed at first", failed as f64).at(&step));
        scene.pause(SETTLE);
        let full = memory(scene, &step, &mut figures);
        for (name, full, empty) in [
            ("edge memory, KiB/connection", full.edge, empty.edge),
            ("interior memory, KiB/connection", full.interior, empty.interior),
        ] {
            if empty > 0.0 {
                figures.push(Figure::new(name, (full - empty) / connections.len() as f64).at(&step));
            }
        }
        let window = Window::open(scene.chain, 0);
        thread::sleep(scene.times.window);
        let spent = window.close(0);
        if empty.edge > 0.0 {
            figures.push(Figure::new("edge CPU while idle, % of a core", spent.edge_share()).at(&step));
        }
    }
    let full = anonymous(&scene.chain.edge());
    drop(connections);
    scene.pause(AFTERWARDS);
    let left = memory(scene, CLOSED, &mut figures);
    if full > empty.edge {
        let back = (full - left.edge) / (full - empty.edge);
        figures.push(Figure::new("edge, given back, %", back * 100.0).at(CLOSED));
    }
    Ok(figures)
}

/// What the hops have in memory of their own, in KiB, and no page of a file; nothing where there is no hop.
struct Memory {
    edge: f64,
    interior: f64,
}

/// Looks at it, and notes it in MiB.
fn memory(scene: &Scene<'_>, step: &str, figures: &mut Vec<Figure>) -> Memory {
    let (edge, interior) = (scene.chain.edge(), scene.chain.interior());
    let own = Memory { edge: anonymous(&edge), interior: anonymous(&interior) };
    for (name, kibibytes) in [
        ("edge memory, MiB", resident(&edge)),
        ("interior memory, MiB", resident(&interior)),
        ("edge memory without its program's file, MiB", own.edge),
    ] {
        if kibibytes > 0.0 {
            figures.push(Figure::new(name, kibibytes / 1024.0).at(step));
        }
    }
    own
}
