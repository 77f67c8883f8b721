//! What other sites have said, for as long as they go on saying it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Service;
use super::message::Update;

/// A site that has said nothing for so long is forgotten.
pub(super) const TTL: Duration = Duration::from_secs(3 * 60);
/// Sites that are remembered.
pub(super) const MAX_ORIGINS: usize = 256;
/// Services of all of them together.
pub(super) const MAX_TOTAL: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Heard {
    /// By name; none is without services.
    origins: BTreeMap<String, Origin>,
}

#[derive(Debug)]
struct Origin {
    at: Instant,
    services: Vec<Service>,
}

impl Heard {
    /// What a site says now is all that it has. Answers whether others had to make room.
    pub(super) fn replace(&mut self, update: Update, now: Instant) -> bool {
        self.origins.retain(|_, origin| !origin.is_stale(now));
        let Update { origin, services } = update;
        // The others are looked at without it, so that it is not the one to go.
        self.origins.remove(&origin);
        if services.is_empty() {
            return false;
        }
        let mut total = services.len() + self.origins.values().map(|origin| origin.services.len()).sum::<usize>();
        let mut crowded = false;
        while total > MAX_TOTAL || self.origins.len() >= MAX_ORIGINS {
            let Some(oldest) = self.origins.iter().min_by_key(|(_, origin)| origin.at).map(|(name, _)| name.clone())
            else {
                break;
            };
            total -= self.origins.remove(&oldest).map_or(0, |origin| origin.services.len());
            crowded = true;
        }
        self.origins.insert(origin, Origin { at: now, services });
        crowded
    }

    pub(super) fn services(&self, now: Instant) -> impl Iterator<Item = (&str, &Service, Duration)> {
        let fresh = self.origins.iter().filter(move |(_, origin)| !origin.is_stale(now));
        fresh.flat_map(move |(name, origin)| {
            let age = now.saturating_duration_since(origin.at);
            origin.services.iter().map(move |service| (name.as_str(), service, age))
        })
    }
}

impl Origin {
    fn is_stale(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) >= TTL
    }
}
