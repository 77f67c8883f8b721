//! What this site says.

use super::Service;
use super::message::encode;

/// How often a site that has nothing more says so: a message may be lost.
const FAREWELLS: u8 = 3;

#[derive(Debug)]
pub(super) struct Announcer {
    origin: String,
    version: String,
    services: Vec<Service>,
    /// What is sent, again and again.
    message: Vec<u8>,
    /// Announcements of nothing that are still to be sent.
    farewells: u8,
}

impl Announcer {
    pub(super) fn new(origin: String, version: String) -> Announcer {
        Announcer { origin, version, services: Vec::new(), message: Vec::new(), farewells: 0 }
    }

    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    pub(super) fn services(&self) -> &[Service] {
        &self.services
    }

    pub(super) fn offer(&mut self, services: Vec<Service>) -> bool {
        if services == self.services {
            return false;
        }
        self.message = encode(&self.origin, &self.version, &services);
        // Sites forget a service when the next message of its origin does not name it; silence alone takes minutes.
        self.farewells = if services.is_empty() { FAREWELLS } else { 0 };
        self.services = services;
        true
    }

    pub(super) fn is_speaking(&self) -> bool {
        !self.services.is_empty() || self.farewells > 0
    }

    pub(super) fn announcement(&mut self) -> Option<&[u8]> {
        let speaks = self.is_speaking();
        self.farewells = self.farewells.saturating_sub(1);
        speaks.then_some(&*self.message)
    }
}
