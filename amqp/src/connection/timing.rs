//! Idle time-outs, both ways (2.4.5).

use super::fault::RESOURCE_LIMIT;
use super::{Closed, Connection, Phase};
use crate::Condition;
use crate::performative::ending::put_close;
use std::time::{Duration, Instant};

/// Heartbeats come no faster than this, whatever the peer asks for.
const FASTEST_HEARTBEAT: Duration = Duration::from_millis(50);

impl Connection {
    /// Call when [`Connection::poll_timeout`] has passed: sends a heartbeat, or finds the peer dead.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.dead_at().is_some_and(|at| now >= at) {
            if self.open_sent && self.phase != Phase::Closing {
                let condition = Condition::new(RESOURCE_LIMIT, "nothing heard within the idle time-out");
                self.output.amqp(0, |out| put_close(out, Some(&condition)));
            }
            return self.finish(Closed::Idle);
        }
        if self.heartbeat_at().is_some_and(|at| now >= at) {
            self.output.amqp(0, |_| {});
        }
    }

    /// When [`Connection::handle_timeout`] is to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.dead_at(), self.heartbeat_at()].into_iter().flatten().min()
    }

    fn dead_at(&self) -> Option<Instant> {
        let watched = self.phase != Phase::Done && !self.config.idle_timeout.is_zero();
        self.last_received.checked_add(self.config.idle_timeout).filter(|_| watched)
    }

    /// Half of what the peer allows after the last byte; none while output waits, which will do as well.
    fn heartbeat_at(&self) -> Option<Instant> {
        let remote = self.remote.as_ref().filter(|_| self.phase == Phase::Up)?;
        if remote.idle_timeout_ms == 0 || self.output.pending() > 0 {
            return None;
        }
        let pause = Duration::from_millis(u64::from(remote.idle_timeout_ms)) / 2;
        self.last_sent.checked_add(pause.max(FASTEST_HEARTBEAT))
    }
}
