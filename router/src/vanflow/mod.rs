//! Flow records: what this router tells the network's console of itself, its services and their traffic.
//!
//! A source announces itself to collectors (beacon), says that it is alive (heartbeat) and sends records of what there
//! is: first all of each, later what has changed, at last its end. Nothing is sent, and nothing written down, while
//! nobody listens. All of it is pure: the driver says what there is, and what time it is.
//!
//! Networks of routers 2.x and 3.x want different records ([`Dialect`]): before 3 each end of a connection has one of
//! its own that names the other; since then the listener's router has one, to which the connector's router adds.

mod attribute;
mod describe;
mod ledger;
mod message;
mod recorder;

pub use attribute::{Attribute, Datum, Kind};
pub use describe::{Dialect, Link, Moment, Request, RouterFacts, Service};
pub use ledger::{Audience, Entry, Ledger, Writer};
pub use message::{Addition, BEACONS, Said, Source, Statement, additions, additions_to, asks_for_everything};
pub use recorder::{Recorder, Round};
