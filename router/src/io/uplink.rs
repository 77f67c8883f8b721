//! The uplinks: one is connected at a time, for ever tried again.

use std::pin::pin;
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
use super::uplinks::Uplink;
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

/// Keeps one of the uplinks up, until the router drains.
///
/// The first that can be linked serves, and the others stand by. When it fails, or is removed, the next is tried at
/// once.
pub(super) async fn run(driver: Rc<Driver>) {
    let uplinks = &driver.uplinks;
    loop {
        let Some((uplink, due)) = uplinks.next(Instant::now()) else {
            uplinks.changed.wait().await;
            continue;
        };
        tokio::select! {
            biased;
            // Another may be the next now.
            () = uplinks.changed.wait() => continue,
            () = sleep_until(due.into()) => {}
        }
        uplink.plan.renew();
        uplinks.connecting(&uplink);
        let setback = attempt(&driver, &uplink).await;
        if driver.draining.get() {
            uplinks.down(&uplink, "the router stops");
            return;
        }
        if !uplinks.has(&uplink) {
            continue;
        }
        let wait = uplinks.failed(&uplink, setback.failure, setback.was_up);
        uplinks.down(&uplink, &setback.cause);
        tell(&driver, &uplink, &setback, wait);
    }
}

fn tell(driver: &Driver, uplink: &Uplink, setback: &Setback, wait: Duration) {
    let (plan, cause) = (&uplink.plan, &setback.cause);
    let (name, host, port, retry_ms) = (&plan.name, &plan.target.host, plan.target.port, wait.as_millis() as u64);
    let before = uplink.told.replace(Some(cause.clone())).filter(|_| !setback.was_up);
    if before.as_ref() == Some(cause) {
        tracing::debug!(uplink = %name, %host, port, %cause, retry_ms, "still not linked");
        return;
    }
    if setback.was_up {
        tracing::warn!(uplink = %name, %host, port, %cause, retry_ms, "link to the network lost, connecting again");
    } else {
        tracing::warn!(
            uplink = %name, %host, port, %cause, retry_ms,
            "cannot link to the network, trying again until it works"
        );
    }
    driver.tell(Event::LinkFailed { uplink: name.clone(), cause: cause.clone() });
}

/// From the first packet to the end of the link.
async fn attempt(driver: &Rc<Driver>, uplink: &Rc<Uplink>) -> Setback {
    let plan = &uplink.plan;
    let connected = tokio::select! {
        biased;
        () = removed(driver, uplink) => return Setback::new(Failure::Absent, "it is removed".to_owned()),
        connected = plan.target.connect(None) => connected,
    };
    let transport = match connected {
        Ok((transport, _)) => transport,
        Err(TargetFailure::Absent(failure)) => return Setback::new(Failure::Absent, failure.to_string()),
        Err(TargetFailure::Proxy(ProxyFailure::Absent(cause))) => return Setback::new(Failure::Absent, cause),
        Err(TargetFailure::Proxy(ProxyFailure::Refused(cause))) => return Setback::new(Failure::Refused, cause),
        Err(TargetFailure::Tls(_, error)) => return Setback::transport(error),
    };
    let owner = Owner::Uplink(Rc::clone(uplink));
    let mut amqp =
        pin!(amqp_task::run(driver, transport, plan.spec.clone(), owner, Instant::now() + HANDSHAKE_LIMIT, ()));
    let ended = tokio::select! {
        biased;
        ended = &mut amqp => ended,
        () = removed(driver, uplink) => {
            if let Some(conn) = driver.uplink_connection(uplink) {
                driver.close_connection(conn, None);
            }
            amqp.await
        }
    };
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

/// Waits until an uplink is removed.
async fn removed(driver: &Driver, uplink: &Rc<Uplink>) {
    while driver.uplinks.has(uplink) {
        driver.uplinks.changed.wait().await;
    }
}
