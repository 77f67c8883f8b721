//! The uplinks: one is connected at a time, for ever tried again.

use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::time::sleep_until;

use super::amqp_task;
use super::backoff::Failure;
use super::driver::{Driver, Owner};
use super::proxy::ProxyFailure;
use super::target::{Target, TargetFailure};
use super::tls::Renewal;
use super::transport::TransportError;
use super::turns::Turns;
use super::{Event, Timestamp};
use crate::core::ConnectionSpec;

/// Time for SASL and AMQP's open.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// A `connector` of role edge, checked.
#[derive(Debug)]
pub(super) struct UplinkPlan {
    pub(super) name: String,
    pub(super) target: Target,
    /// What the network reckons its use at.
    pub(super) cost: u64,
    pub(super) spec: ConnectionSpec,
}

impl UplinkPlan {
    /// When our certificate expires.
    pub(super) fn certificate_not_after(&self) -> Option<Timestamp> {
        self.target.tls.as_ref().and_then(|tls| tls.profile().identity().not_after())
    }

    /// Renewed files are used at once: the old ones may be why the last attempt failed.
    fn renew(&self) {
        let renewed = self.target.tls.as_ref().map(|tls| tls.profile().renew());
        if let Some(Renewal::Unusable(problem)) = renewed {
            tracing::warn!(uplink = %self.name, %problem, "certificate files cannot be used, the old ones stay in use");
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
        match &error {
            TransportError::Tls(cause) => Setback::new(Failure::Refused, cause.clone()),
            TransportError::Lost(_) | TransportError::BrokenOff => Setback::new(Failure::CutOff, error.to_string()),
        }
    }
}

/// Keeps one of the uplinks up, until the router drains. `plans`: the preferred ones first.
///
/// The first that can be linked serves, and the others stand by. When it fails the next is tried at once.
pub(super) async fn run(driver: Rc<Driver>, plans: Vec<UplinkPlan>) {
    let mut turns = Turns::new(plans.len());
    let mut told: Vec<Option<String>> = vec![None; plans.len()];
    loop {
        let (index, due) = turns.next(Instant::now());
        let Some(plan) = plans.get(index) else { return };
        sleep_until(due.into()).await;
        driver.uplinks.connecting(index);
        let setback = attempt(&driver, index, plan).await;
        if driver.draining.get() {
            driver.uplinks.down(index, "the router stops");
            return;
        }
        if setback.was_up {
            told[index] = None;
        }
        let wait = turns.failed(index, setback.failure, setback.was_up, Instant::now());
        driver.uplinks.down(index, &setback.cause);
        tell(&driver, plan, &setback, wait, &mut told[index]);
    }
}

fn tell(driver: &Driver, plan: &UplinkPlan, setback: &Setback, wait: Duration, told: &mut Option<String>) {
    let (uplink, cause) = (&plan.name, &setback.cause);
    let (host, port, retry_ms) = (&plan.target.host, plan.target.port, wait.as_millis() as u64);
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
async fn attempt(driver: &Rc<Driver>, index: usize, plan: &UplinkPlan) -> Setback {
    plan.renew();
    driver.uplinks.certificate(index, plan.certificate_not_after());
    let transport = match plan.target.connect(None).await {
        Ok((transport, _)) => transport,
        Err(TargetFailure::Absent(failure)) => return Setback::new(Failure::Absent, failure.to_string()),
        Err(TargetFailure::Proxy(ProxyFailure::Absent(cause))) => return Setback::new(Failure::Absent, cause),
        Err(TargetFailure::Proxy(ProxyFailure::Refused(cause))) => return Setback::new(Failure::Refused, cause),
        Err(TargetFailure::Tls(_, error)) => return Setback::transport(error),
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
