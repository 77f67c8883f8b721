//! Connect, one byte there and back, close: over and over, eight at a time.

use std::thread;
use std::time::Instant;

use super::latency::Latencies;
use super::open::connect_through;
use super::phase::Phase;

const CLIENTS: usize = 8;

/// Connects until the phase is over; answers how long each connection of the window took, and how many failed.
pub(crate) fn churn(port: u16, phase: &Phase) -> (Latencies, u64) {
    let client = || {
        let (mut latencies, mut failed) = (Latencies::new(), 0);
        while !phase.is_over() {
            let start = Instant::now();
            let connected = connect_through(port).is_ok();
            if phase.counts() && connected {
                latencies.record(start.elapsed());
            } else if phase.counts() {
                failed += 1;
            }
        }
        (latencies, failed)
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        let (mut all, mut failures) = (Latencies::new(), 0);
        for client in clients {
            let (latencies, failed) = client.join().expect("a client");
            all.merge(&latencies);
            failures += failed;
        }
        (all, failures)
    })
}
