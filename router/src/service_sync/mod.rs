//! Service sync: sites tell each other which services they have, so that what is exposed at one is known at all.
//!
//! Each site says all of its services to everyone, every few seconds and when they change; what it says replaces what
//! it said before, and what has not been said for a while is forgotten. All of it is pure: the driver carries messages
//! and says what time it is.

mod announcer;
mod heard;
mod message;
mod service;

pub use service::{Service, offer};

use std::time::{Duration, Instant};

use announcer::Announcer;
use heard::Heard;
use message::{MAX_SERVICES, Unread};

/// Where every site announces its services.
pub const ADDRESS: &str = "mc/$skupper-service-sync";
/// Between two announcements of the same.
pub const INTERVAL: Duration = Duration::from_secs(5);

/// What one site announces, and what it has heard of the others.
#[derive(Debug, Default)]
pub struct ServiceSync {
    announcer: Option<Announcer>,
    heard: Heard,
    told_unreadable: bool,
    told_crowded: bool,
}

impl ServiceSync {
    /// Of the site `origin`; without one it announces nothing and hears all. `version` is what announcements name as
    /// the site's version of Skupper.
    pub fn new(origin: Option<String>, version: String) -> ServiceSync {
        let announcer = origin.map(|origin| Announcer::new(origin, version));
        ServiceSync { announcer, ..ServiceSync::default() }
    }

    /// From now on these are the site's services. Answers whether that is news to the others.
    pub fn offer(&mut self, services: Vec<Service>) -> bool {
        self.announcer.as_mut().is_some_and(|announcer| announcer.offer(services))
    }

    /// The site's services, as it announces them.
    pub fn announced(&self) -> &[Service] {
        self.announcer.as_ref().map(Announcer::services).unwrap_or_default()
    }

    /// There is something to announce, be it that nothing is left.
    pub fn is_speaking(&self) -> bool {
        self.announcer.as_ref().is_some_and(Announcer::is_speaking)
    }

    /// The message to send now.
    pub fn announcement(&mut self) -> Option<&[u8]> {
        self.announcer.as_mut()?.announcement()
    }

    /// A message has arrived. Answers what is to be warned of, each sort of it once.
    pub fn hear(&mut self, message: &[u8], now: Instant) -> Option<String> {
        let update = match message::decode(message) {
            Ok(update) => update,
            // Sites that speak it do not hear us either.
            Err(Unread::FirstForm) => return None,
            Err(Unread::Wrong(why)) => {
                let told = std::mem::replace(&mut self.told_unreadable, true);
                return (!told).then(|| format!("an announcement of services cannot be read: {why}"));
            }
        };
        if self.announcer.as_ref().is_some_and(|announcer| announcer.origin() == update.origin) {
            return None;
        }
        let crowded = self.heard.replace(update, now);
        if !crowded || std::mem::replace(&mut self.told_crowded, true) {
            return None;
        }
        Some("more services are announced than are remembered; those not heard of for longest are left out".to_owned())
    }

    /// What the other sites announce: the site, its service, and how long ago that was said. In order of sites.
    pub fn heard(&self, now: Instant) -> impl Iterator<Item = (&str, &Service, Duration)> {
        self.heard.services(now)
    }
}

#[cfg(test)]
mod tests;
