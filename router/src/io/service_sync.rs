//! The task that announces this site's services and hears those of the others.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use moorline_amqp::{DeliveryState, End};
use tokio::task::spawn_blocking;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::driver::Driver;
use super::signal::Signal;
use super::status::HeardService;
use crate::core::{EndpointEvent, EndpointId};
use crate::service_sync::{ADDRESS, INTERVAL, MAX_OFFER, Service, offer};

/// Between two looks at the file of services.
const LOOK: Duration = Duration::from_secs(1);

/// Runs as long as the router. `file` says what there is to announce.
pub(super) async fn run(driver: Rc<Driver>, file: Option<PathBuf>) {
    let (endpoint, signal) = driver.add_endpoint();
    driver.core(|router, _| router.subscribe(endpoint, ADDRESS));
    let mut exchange = Exchange { driver, endpoint, signal, reachable: false };
    let mut offered = file.map(OfferFile::new);
    let (mut looks, mut rounds) = (every(LOOK), every(INTERVAL));
    loop {
        let speaks = exchange.driver.service_sync.borrow().is_speaking();
        let news = tokio::select! {
            biased;
            () = exchange.signal.wait() => exchange.listen(),
            services = next_offer(&mut offered, &mut looks, &exchange.driver) => exchange.offer(services),
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

    /// Takes over what the file says. Answers whether that is news to others.
    fn offer(&self, services: Vec<Service>) -> bool {
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

/// The next change of the file; never without one.
async fn next_offer(file: &mut Option<OfferFile>, looks: &mut Interval, driver: &Driver) -> Vec<Service> {
    let Some(file) = file else { return std::future::pending().await };
    loop {
        looks.tick().await;
        match file.look().await {
            Look::Same => {}
            Look::New(services) => return services,
            Look::Unusable(problem) => {
                let name = file.path.display();
                driver.warn(format!("services of {name} cannot be announced, the former stay: {problem}"));
            }
        }
    }
}

/// The file that says which services are ours.
struct OfferFile {
    path: PathBuf,
    /// What was found last: contents are compared, so that it does not matter how the file was replaced.
    found: Option<Result<Option<String>, String>>,
}

enum Look {
    Same,
    New(Vec<Service>),
    Unusable(String),
}

impl OfferFile {
    fn new(path: PathBuf) -> OfferFile {
        OfferFile { path, found: None }
    }

    async fn look(&mut self) -> Look {
        let path = self.path.clone();
        // Off this thread: a disk may be slow.
        let Ok(found) = spawn_blocking(move || read(&path)).await else { return Look::Same };
        if self.found.as_ref() == Some(&found) {
            return Look::Same;
        }
        let services = match &found {
            Ok(None) => Ok(Vec::new()),
            Ok(Some(text)) => offer(text),
            Err(problem) => Err(problem.clone()),
        };
        self.found = Some(found);
        services.map_or_else(Look::Unusable, Look::New)
    }
}

/// The file's text; none when it is missing: then there is nothing to announce.
fn read(path: &Path) -> Result<Option<String>, String> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let mut text = String::new();
    // One byte more than it may have tells that it has more.
    file.take(MAX_OFFER as u64 + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    Ok(Some(text))
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
