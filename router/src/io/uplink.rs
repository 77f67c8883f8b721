//! The uplinks: one is connected at a time, for ever tried again.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use tokio::time::{sleep, timeout};

use super::amqp_task;
use super::backoff::{Backoff, Failure};
use super::connect::{CONNECT_LIMIT, connect};
use super::driver::{Driver, Owner};
use super::tls::{Expected, TlsFiles};
use super::transport::{Transport, TransportError};
use super::{Event, Timestamp};
use crate::core::ConnectionSpec;

/// Time for TLS, and once more for SASL and AMQP's open.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// A `connector` of role edge, checked.
#[derive(Debug)]
pub(super) struct UplinkPlan {
    pub(super) name: String,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Option<UplinkTls>,
    pub(super) spec: ConnectionSpec,
}

/// The certificates of an uplink: read again for each attempt, so that renewed files are used without a restart.
#[derive(Debug)]
pub(super) struct UplinkTls {
    pub(super) files: TlsFiles,
    pub(super) expected: Expected,
    pub(super) config: Arc<ClientConfig>,
    pub(super) not_after: Option<Timestamp>,
}

impl UplinkTls {
    fn reload(&mut self, uplink: &str) {
        let loaded = self.files.load().and_then(|identity| {
            let config = identity.client(self.expected.verify_hostname)?;
            Ok((config, identity.not_after()))
        });
        match loaded {
            Ok((config, not_after)) => {
                self.config = config;
                self.not_after = not_after;
            }
            // In the middle of a renewal the files may not fit together; the next attempt reads them again.
            Err(error) => {
                tracing::debug!(%uplink, %error, "certificates cannot be read again, the old ones are used");
            }
        }
    }
}

/// One failed attempt, or the loss of a link.
struct Setback {
    failure: Failure,
    cause: String,
    was_up: bool,
}

impl Setback {
    fn new(failure: Failure, cause: String) -> Setback {
        Setback { failure, cause, was_up: false }
    }

    fn transport(error: TransportError) -> Setback {
        match error {
            TransportError::Tls(cause) => Setback::new(Failure::Refused, cause),
            TransportError::Lost(cause) => Setback::new(Failure::CutOff, cause),
        }
    }
}

/// Keeps one of the uplinks up, until the router drains.
pub(super) async fn run(driver: Rc<Driver>, mut plans: Vec<UplinkPlan>) {
    let mut backoffs: Vec<Backoff> = plans.iter().map(|_| Backoff::new(fastrand::Rng::new())).collect();
    let mut told: Vec<Option<String>> = vec![None; plans.len()];
    let count = plans.len();
    let mut index = 0;
    while let Some(plan) = plans.get_mut(index) {
        driver.uplinks.connecting(index);
        let setback = attempt(&driver, index, plan).await;
        if driver.draining.get() {
            driver.uplinks.down(index, "the router stops");
            return;
        }
        if setback.was_up {
            backoffs[index].reset();
            told[index] = None;
        }
        let wait = backoffs[index].wait(setback.failure);
        driver.uplinks.down(index, &setback.cause);
        tell(&driver, plan, &setback, wait, &mut told[index]);
        index = (index + 1) % count;
        sleep(wait).await;
    }
}

fn tell(driver: &Driver, plan: &UplinkPlan, setback: &Setback, wait: Duration, told: &mut Option<String>) {
    let (uplink, cause) = (&plan.name, &setback.cause);
    let (host, port, retry_ms) = (&plan.host, plan.port, wait.as_millis() as u64);
    if told.as_ref() == Some(cause) {
        tracing::debug!(%uplink, %host, port, %cause, retry_ms, "still not linked");
        return;
    }
    if setback.was_up {
        tracing::warn!(%uplink, %host, port, %cause, retry_ms, "link to the network lost, connecting again");
    } else {
        tracing::warn!(%uplink, %host, port, %cause, retry_ms, "cannot link to the network, trying again until it works");
    }
    driver.tell(Event::LinkFailed { uplink: uplink.clone(), cause: cause.clone() });
    *told = Some(cause.clone());
}

/// From the first packet to the end of the link.
async fn attempt(driver: &Rc<Driver>, index: usize, plan: &mut UplinkPlan) -> Setback {
    let stream = match connect(&plan.host, plan.port, CONNECT_LIMIT).await {
        Ok((stream, _)) => stream,
        Err(failure) => return Setback::new(Failure::Absent, failure.to_string()),
    };
    let transport = match &mut plan.tls {
        None => Transport::plain(stream),
        Some(tls) => {
            tls.reload(&plan.name);
            driver.uplinks.certificate(index, tls.not_after);
            let name = tls.expected.name.clone();
            let shaking = Transport::connect(stream, Arc::clone(&tls.config), name);
            match timeout(HANDSHAKE_LIMIT, shaking).await {
                Ok(Ok(transport)) => transport,
                Ok(Err(error)) => return Setback::transport(error),
                Err(_) => {
                    let words = "the other end did not finish the TLS handshake in time";
                    return Setback::new(Failure::CutOff, words.to_owned());
                }
            }
        }
    };
    let ended = amqp_task::run(
        driver,
        transport,
        plan.spec.clone(),
        Owner::Uplink(index),
        Instant::now() + HANDSHAKE_LIMIT,
        (),
    )
    .await;
    Setback {
        was_up: ended.peer.is_some(),
        failure: match ended.peer {
            Some(_) => Failure::Absent,
            None if ended.cut_off => Failure::CutOff,
            None => Failure::Refused,
        },
        cause: ended.cause,
    }
}
