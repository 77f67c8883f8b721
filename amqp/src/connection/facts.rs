//! What can be told of a connection's links, for people.

use super::link::LinkState;
use super::{Connection, LinkId};
use crate::{DeliveryState, Role};
use std::ops::AddAssign;
use std::time::Instant;

/// Deliveries, and how they were settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct Tally {
    /// All, also those that are under way.
    pub deliveries: u64,
    /// Settled by their sender from the first frame on.
    pub presettled: u64,
    pub accepted: u64,
    pub rejected: u64,
    pub released: u64,
    pub modified: u64,
}

impl Tally {
    /// A delivery was settled so.
    pub(super) fn settle(&mut self, state: Option<&DeliveryState>) {
        let count = match state {
            Some(DeliveryState::Accepted) => &mut self.accepted,
            Some(DeliveryState::Rejected(_)) => &mut self.rejected,
            Some(DeliveryState::Released) => &mut self.released,
            Some(DeliveryState::Modified { .. }) => &mut self.modified,
            Some(_) | None => return,
        };
        *count += 1;
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.deliveries += other.deliveries;
        self.presettled += other.presettled;
        self.accepted += other.accepted;
        self.rejected += other.rejected;
        self.released += other.released;
        self.modified += other.modified;
    }
}

/// One link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkFacts<'a> {
    /// The link.
    pub id: LinkId,
    /// Counts up from 1 with the links of the connection.
    pub number: u64,
    /// Its name.
    pub name: &'a str,
    /// Ours.
    pub role: Role,
    /// Receiver: credit that is kept granted; sender: the credit that is left.
    pub capacity: u32,
    /// Credit that is left.
    pub credit: u32,
    /// Deliveries that are unfinished or unsettled.
    pub unsettled: u64,
    /// What became of its deliveries.
    pub tally: Tally,
}

impl Connection {
    /// The links that are up, in no order.
    pub fn links(&self) -> Vec<LinkFacts<'_>> {
        let up = self.links.iter().filter(|(_, link)| link.state == LinkState::Up);
        up.map(|(key, link)| LinkFacts {
            id: key.into(),
            number: link.number,
            name: &link.name,
            role: link.role,
            capacity: if link.role == Role::Receiver { link.keep } else { link.credit },
            credit: link.credit,
            unsettled: link.unsettled.into(),
            tally: link.tally,
        })
        .collect()
    }

    /// All deliveries, also those of links that are gone.
    pub fn tally(&self) -> Tally {
        self.links.values().fold(self.gone, |mut sum, link| {
            sum += link.tally;
            sum
        })
    }

    /// When the last delivery began to arrive.
    pub fn last_delivery(&self) -> Option<Instant> {
        self.last_delivery
    }
}
