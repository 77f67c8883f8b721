//! The management node: an endpoint at `$management` that answers, and changes the router when it is asked to.

mod changes;
mod source;

use std::rc::Rc;
use std::sync::Arc;

use moorline_amqp::{DeliveryState, End};
use tokio::sync::mpsc;

use super::driver::Driver;
use super::start::LogControl;
use crate::core::{EndpointEvent, EndpointId, MessageId};
use crate::management::{Change, Received, ReplyTo, Response, Status, Verdict, answer};
use source::Facts;

/// The name under which this router is asked.
const ADDRESS: &str = "$management";
/// No request is longer.
const REQUEST_LIMIT: usize = 256 * 1024;
/// Changes that may wait for the one before them: to listen, a host name may have to be resolved.
const WAITING_CHANGES: usize = 16;

/// Answers for the life of the router.
pub(super) async fn serve(driver: Rc<Driver>, log: Option<Arc<dyn LogControl>>) {
    let (endpoint, signal) = driver.add_endpoint();
    driver.core(|router, _| router.subscribe_local(endpoint, ADDRESS));
    let (changes, waiting) = mpsc::channel(WAITING_CHANGES);
    let node = Rc::new(Node { driver: Rc::clone(&driver), endpoint, log });
    driver.spawn(Rc::clone(&node).carry_out(waiting));
    loop {
        while let Some(event) = driver.core(|router, _| router.poll_endpoint(endpoint)) {
            match event {
                EndpointEvent::Arrived { message, .. } | EndpointEvent::Input(message) => {
                    if let Some(request) = node.take(message) {
                        node.answer(&request, &changes);
                    }
                }
                // Answers are settled when they are sent, and nothing is produced for.
                EndpointEvent::Aborted(_)
                | EndpointEvent::Room(_)
                | EndpointEvent::Outcome { .. }
                | EndpointEvent::Reachable { .. } => {}
            }
        }
        signal.wait().await;
    }
}

struct Node {
    driver: Rc<Driver>,
    endpoint: EndpointId,
    log: Option<Arc<dyn LogControl>>,
}

impl Node {
    /// A whole message, settled; none while it is still coming, or when it is too long.
    fn take(&self, message: MessageId) -> Option<Vec<u8>> {
        self.driver.core(|router, _| {
            let (bytes, whole) = router.message_input(message)?;
            let verdict = match (bytes.len() <= REQUEST_LIMIT, whole) {
                (false, _) => DeliveryState::Rejected(None),
                (true, true) => DeliveryState::Accepted,
                (true, false) => return None,
            };
            let request = (verdict == DeliveryState::Accepted).then(|| bytes.to_vec());
            router.settle_message(message, verdict);
            request
        })
    }

    fn answer(&self, message: &[u8], changes: &mpsc::Sender<(ReplyTo, Change)>) {
        let Received { reply_to, request } = match Received::read(message) {
            Ok(received) => received,
            Err(why) => {
                tracing::debug!("a management request is dropped: {why}");
                return;
            }
        };
        let verdict = match request {
            Ok(request) => answer(&request, &self.facts()),
            Err(response) => Verdict::Answer(response),
        };
        match verdict {
            Verdict::Answer(response) => self.send(&reply_to, &response),
            Verdict::Change(change) => {
                if let Err(full) = changes.try_send((reply_to, change)) {
                    let (reply_to, _) = full.into_inner();
                    let why = "too many changes wait for the one before them";
                    self.send(&reply_to, &Response::failed(Status::BadRequest, why));
                }
            }
        }
    }

    /// Carries changes out, one after the other.
    async fn carry_out(self: Rc<Self>, mut waiting: mpsc::Receiver<(ReplyTo, Change)>) {
        while let Some((reply_to, change)) = waiting.recv().await {
            let response = self.change(change).await.unwrap_or_else(|refusal| refusal);
            self.send(&reply_to, &response);
        }
    }

    fn facts(&self) -> Facts<'_> {
        Facts::new(&self.driver, self.log.as_deref())
    }

    fn send(&self, to: &ReplyTo, response: &Response) {
        if response.status as u16 >= Status::BadRequest as u16 {
            tracing::debug!(
                status = response.status as u16,
                "a management request is refused: {}",
                response.description
            );
        }
        let bytes = response.encode(to);
        // Settled: whoever asked and is gone is not waited for.
        self.driver.core(|router, _| router.send_message(self.endpoint, &to.address, &bytes, Some(End::LastSettled)));
    }
}
