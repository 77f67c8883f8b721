//! The task that announces this site's services and hears those of the others.

use std::rc::Rc;
use std::time::{Duration, Instant};

use moorline_amqp::{DeliveryState, End};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::driver::Driver;
use super::signal::Signal;
use super::status::HeardService;
use crate::core::{EndpointEvent, EndpointId};
use crate::service_sync::{ADDRESS, INTERVAL, offer};

/// Between two looks at what is configured, which management changes.
const LOOK: Duration = Duration::from_millis(250);

/// Runs as long as the router.
pub(super) async fn run(driver: Rc<Driver>) {
    let (endpoint, signal) = driver.add_endpoint();
    driver.core(|router, _| router.subscribe(endpoint, ADDRESS));
    let mut exchange = Exchange { driver, endpoint, signal, reachable: false, faults: Vec::new() };
    let (mut looks, mut rounds) = (every(LOOK), every(INTERVAL));
    loop {
        let speaks = exchange.driver.service_sync.borrow().is_speaking();
        let news = tokio::select! {
            biased;
            () = exchange.signal.wait() => exchange.listen(),
            _ = looks.tick() => exchange.offer(),
            _ = rounds.tick(), if speaks && exchange.reachable => {
                exchange.announce();
                false
            }
        };
        if news {
            rounds.reset_immediately();
        }
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

struct Exchange {
    driver: Rc<Driver>,
    endpoint: EndpointId,
    signal: Rc<Signal>,
    /// Somebody hears our announcements.
    reachable: bool,
    /// What was warned of.
    faults: Vec<String>,
}

impl Exchange {
    /// Hears what has happened. Answers whether somebody begins to listen, who is to wait for nothing.
    fn listen(&mut self) -> bool {
        let (mut new, mut warnings) = (false, Vec::new());
        self.driver.core(|router, now| {
            while let Some(event) = router.poll_endpoint(self.endpoint) {
                match event {
                    EndpointEvent::Reachable { reachable, .. } => {
                        new |= reachable;
                        self.reachable = reachable;
                    }
                    EndpointEvent::Arrived { message, .. } => {
                        // Multicast messages are whole when they arrive.
                        let state = match router.message_input(message) {
                            Some((bytes, true)) => {
                                warnings.extend(self.driver.service_sync.borrow_mut().hear(bytes, now));
                                DeliveryState::Accepted
                            }
                            _ => DeliveryState::Rejected(None),
                        };
                        router.settle_message(message, state);
                    }
                    EndpointEvent::Input(_)
                    | EndpointEvent::Aborted(_)
                    | EndpointEvent::Room(_)
                    | EndpointEvent::Outcome { .. } => {}
                }
            }
        });
        for warning in warnings {
            self.driver.warn(warning);
        }
        new
    }

    /// Looks at what is configured. Answers whether there is news for others.
    fn offer(&mut self) -> bool {
        let (services, faults) = offer(&self.driver.configured.borrow());
        if faults != self.faults {
            faults
                .iter()
                .filter(|fault| !self.faults.contains(fault))
                .for_each(|fault| self.driver.warn(fault.clone()));
            self.faults = faults;
        }
        let count = services.len();
        let news = self.driver.service_sync.borrow_mut().offer(services);
        if news {
            tracing::info!(count, "services announced to the network have changed");
            // From here on the network tells whether anybody listens.
            self.driver.core(|router, _| router.produce(self.endpoint, ADDRESS));
        }
        news
    }

    fn announce(&mut self) {
        self.driver.core(|router, _| {
            let mut sync = self.driver.service_sync.borrow_mut();
            if let Some(message) = sync.announcement() {
                router.send_message(self.endpoint, ADDRESS, message, Some(End::LastSettled));
            }
            if !sync.is_speaking() {
                router.unproduce(self.endpoint, ADDRESS);
                self.reachable = false;
            }
        });
    }
}

impl Driver {
    /// What other sites announce now.
    pub(super) fn heard_services(&self) -> Vec<HeardService> {
        let sync = self.service_sync.borrow();
        let heard = sync.heard(Instant::now()).map(|(origin, service, age)| HeardService {
            origin: origin.to_owned(),
            service: service.clone(),
            seconds_since_heard: age.as_secs(),
        });
        heard.collect()
    }
}
