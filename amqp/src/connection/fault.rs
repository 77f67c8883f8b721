//! What a peer did wrong, and how much of the connection ends because of it.

use super::link::LinkKey;
use super::{Closed, Connection, Phase};
use crate::codec::DecodeError;
use crate::performative::ending::put_close;
use crate::{Condition, Event, SessionId};

pub(super) const DECODE_ERROR: &str = "amqp:decode-error";
pub(super) const FRAMING_ERROR: &str = "amqp:connection:framing-error";
pub(super) const INVALID_FIELD: &str = "amqp:invalid-field";
pub(super) const NOT_ALLOWED: &str = "amqp:not-allowed";
pub(super) const RESOURCE_LIMIT: &str = "amqp:resource-limit-exceeded";
pub(super) const HANDLE_IN_USE: &str = "amqp:session:handle-in-use";
pub(super) const UNATTACHED_HANDLE: &str = "amqp:session:unattached-handle";
pub(super) const WINDOW_VIOLATION: &str = "amqp:session:window-violation";
pub(super) const TRANSFER_LIMIT: &str = "amqp:link:transfer-limit-exceeded";

/// An error of the peer.
#[derive(Debug)]
pub(super) enum Fault {
    /// Closes the connection.
    Connection(Condition),
    /// Ends a session: our channel.
    Session(u16, Condition),
    /// Detaches a link.
    Link(LinkKey, Condition),
}

impl Fault {
    pub(super) fn connection(condition: &str, description: impl Into<String>) -> Fault {
        Fault::Connection(Condition::new(condition, description))
    }

    pub(super) fn session(session: u16, condition: &str, description: impl Into<String>) -> Fault {
        Fault::Session(session, Condition::new(condition, description))
    }

    pub(super) fn link(link: LinkKey, condition: &str, description: impl Into<String>) -> Fault {
        Fault::Link(link, Condition::new(condition, description))
    }
}

impl From<DecodeError> for Fault {
    fn from(error: DecodeError) -> Fault {
        Fault::connection(DECODE_ERROR, error.to_string())
    }
}

impl Connection {
    pub(super) fn fail(&mut self, fault: Fault) {
        match fault {
            Fault::Connection(condition) => {
                // Not a second time: nothing may follow a close (2.7.9).
                if self.open_sent && self.phase != Phase::Closing {
                    self.output.amqp(0, |out| put_close(out, Some(&condition)));
                }
                self.finish(Closed::Protocol(condition));
            }
            Fault::Session(session, condition) => {
                self.send_end(session, Some(&condition));
                self.clear_session(session, Some(Some(&condition)));
                self.events.push_back(Event::SessionDown(SessionId(session), Some(condition)));
            }
            Fault::Link(link, condition) => self.fail_link(link, condition),
        }
    }

    /// The connection is over.
    pub(super) fn finish(&mut self, closed: Closed) {
        if self.phase != Phase::Done {
            self.forget_everything();
            self.phase = Phase::Done;
            self.events.push_back(Event::Closed(closed));
        }
    }
}
