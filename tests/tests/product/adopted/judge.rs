//! A client that makes new connections all the time, and says which of them failed.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use moorline_tests::DEADLINE;

use crate::installed::host::echoes;

const PAUSE: Duration = Duration::from_millis(10);

/// Connects again and again until it is asked what it saw.
pub(super) struct Judge {
    stop: Arc<AtomicBool>,
    seen: JoinHandle<Vec<Seen>>,
}

struct Seen {
    began: Instant,
    ended: Instant,
    good: bool,
}

/// What became of all connections.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) good: usize,
    pub(super) failed: usize,
    /// The longest time without a good connection around one that failed.
    pub(super) gap: Duration,
}

impl Judge {
    pub(super) fn of(port: u16) -> Judge {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let seen = thread::spawn(move || {
            let mut seen = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let began = Instant::now();
                let good = echo(port);
                seen.push(Seen { began, ended: Instant::now(), good });
                thread::sleep(PAUSE);
            }
            seen
        });
        Judge { stop, seen }
    }

    pub(super) fn verdict(self) -> Verdict {
        self.stop.store(true, Ordering::Relaxed);
        let seen = self.seen.join().unwrap();
        let failed = seen.iter().filter(|seen| !seen.good).count();
        let mut gap = Duration::ZERO;
        let mut last_good = None;
        let mut failing = false;
        for one in &seen {
            failing |= !one.good;
            if one.good {
                if let Some(last) = last_good.filter(|_| failing) {
                    gap = gap.max(one.ended - last);
                }
                (last_good, failing) = (Some(one.began), false);
            }
        }
        Verdict { good: seen.len() - failed, failed, gap }
    }
}

/// A connection that the network sends to the old router in the instant in which that gives its server up ends at once, and
/// nobody but the network's routers could help it. Of those made all the time, that may be one.
pub(super) fn no_outage(verdict: &Verdict) {
    assert!(verdict.good > 100 && verdict.failed <= 1, "an outage: {verdict:?}");
}

fn echo(port: u16) -> bool {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let Ok(mut client) = TcpStream::connect_timeout(&address, DEADLINE) else { return false };
    client.set_read_timeout(Some(DEADLINE)).is_ok() && echoes(&mut client, b"hello")
}
