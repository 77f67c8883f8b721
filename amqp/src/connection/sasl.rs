//! Protocol headers (2.2) and the SASL layer (5.3).

use super::fault::{FRAMING_ERROR, Fault};
use super::{Closed, Connection, Phase, Sasl};
use crate::codec::descriptor;
use crate::codec::read::Reader;
use crate::frame::{AMQP_HEADER, SASL_HEADER, looks_like};
use crate::performative::sasl::{
    decode_init, decode_mechanisms, decode_outcome, put_init, put_mechanisms, put_outcome,
};

const OUTCOME_OK: u8 = 0;
const OUTCOME_AUTH: u8 = 1;

impl Connection {
    pub(super) fn on_header(&mut self, header: [u8; 8]) -> Result<(), Fault> {
        let sasl_first = self.phase == Phase::FirstHeader && self.speaks_sasl();
        match header {
            SASL_HEADER if sasl_first => {
                self.phase = Phase::Sasl;
                if !self.client {
                    self.offer_mechanisms();
                }
                Ok(())
            }
            AMQP_HEADER if !sasl_first || self.sasl_optional() => {
                if sasl_first {
                    self.sasl_user = Some("anonymous".to_owned());
                }
                if !self.open_sent {
                    self.send_open();
                }
                self.phase = Phase::Opening;
                Ok(())
            }
            other => self.wrong_header(other, sasl_first),
        }
    }

    fn wrong_header(&mut self, header: [u8; 8], sasl_first: bool) -> Result<(), Fault> {
        if !self.client {
            // 2.2: a server answers with the header that it wants before it closes.
            self.output.raw(if sasl_first { &SASL_HEADER } else { &AMQP_HEADER });
        }
        if header == AMQP_HEADER {
            self.finish(Closed::Sasl("the peer leaves SASL out, which is required".to_owned()));
            return Ok(());
        }
        let seen = if header == SASL_HEADER { "SASL".to_owned() } else { looks_like(header) };
        let wanted = if sasl_first { "SASL" } else { "AMQP 1.0" };
        // No close frame: the layers are not in agreement, so there is nothing to put it into.
        self.open_sent = false;
        Err(Fault::connection(FRAMING_ERROR, format!("the peer speaks {seen} where {wanted} is expected")))
    }

    fn speaks_sasl(&self) -> bool {
        match &self.config.sasl {
            Sasl::None => false,
            Sasl::Server(_) => !self.client,
            Sasl::External | Sasl::Anonymous { .. } | Sasl::Plain { .. } => self.client,
        }
    }

    fn sasl_optional(&self) -> bool {
        matches!(&self.config.sasl, Sasl::Server(server) if server.optional && !self.client)
    }

    pub(super) fn on_sasl_frame(&mut self, body: &[u8]) -> Result<(), Fault> {
        let mut reader = Reader::new(body);
        let kind = reader.descriptor()?;
        match kind {
            descriptor::SASL_MECHANISMS if self.client && !self.sasl_init_sent => {
                let offered = decode_mechanisms(&mut reader)?;
                self.choose_mechanism(&offered);
            }
            descriptor::SASL_OUTCOME if self.client && self.sasl_init_sent => {
                let code = decode_outcome(&mut reader)?;
                self.on_outcome(code);
            }
            descriptor::SASL_INIT if !self.client => {
                let (mechanism, response) = decode_init(&mut reader)?;
                self.authenticate(mechanism, response);
            }
            descriptor::SASL_CHALLENGE if self.client => {
                self.finish(Closed::Sasl("the peer sent a challenge, which no mechanism of ours has".to_owned()));
            }
            other => {
                return Err(Fault::connection(FRAMING_ERROR, format!("SASL frame {other:#x} is out of place")));
            }
        }
        Ok(())
    }

    fn choose_mechanism(&mut self, offered: &[String]) {
        let (mechanism, response) = match &self.config.sasl {
            Sasl::External => ("EXTERNAL", Vec::new()),
            Sasl::Anonymous { trace } => ("ANONYMOUS", trace.clone().into_bytes()),
            // RFC 4616: no authorisation identity, NUL, user, NUL, password.
            Sasl::Plain { user, password } => ("PLAIN", [b"\0", user.as_bytes(), b"\0", password.as_bytes()].concat()),
            Sasl::None | Sasl::Server(_) => return,
        };
        if offered.iter().any(|name| name == mechanism) {
            self.output.sasl(|out| put_init(out, mechanism, &response));
            self.sasl_init_sent = true;
        } else {
            let offer = if offered.is_empty() { "nothing".to_owned() } else { offered.join(", ") };
            self.finish(Closed::Sasl(format!("the peer offers {offer}, not {mechanism}")));
        }
    }

    fn on_outcome(&mut self, code: u8) {
        match code {
            OUTCOME_OK => {
                self.phase = Phase::AmqpHeader;
                self.send_open();
            }
            OUTCOME_AUTH => self.finish(Closed::Sasl("the peer does not accept our identity".to_owned())),
            code => self.finish(Closed::Sasl(format!("the peer reports a system error (outcome {code})"))),
        }
    }

    fn offer_mechanisms(&mut self) {
        let Sasl::Server(server) = &self.config.sasl else { return };
        let offers =
            [("EXTERNAL", server.external), ("PLAIN", server.plain.is_some()), ("ANONYMOUS", server.anonymous)];
        self.output.raw(&SASL_HEADER);
        self.output.sasl(|out| put_mechanisms(out, offers.iter().filter(|(_, on)| *on).map(|(name, _)| *name)));
    }

    fn authenticate(&mut self, mechanism: &str, response: &[u8]) {
        let Sasl::Server(server) = &self.config.sasl else { return };
        let user = match mechanism {
            "EXTERNAL" if server.external => Some("EXTERNAL".to_owned()),
            "ANONYMOUS" if server.anonymous => Some("anonymous".to_owned()),
            "PLAIN" => server.plain.as_ref().and_then(|check| {
                let (user, password) = plain(response)?;
                check(user, password).then(|| user.to_owned())
            }),
            _ => None,
        };
        let code = if user.is_some() { OUTCOME_OK } else { OUTCOME_AUTH };
        self.output.sasl(|out| put_outcome(out, code));
        if user.is_some() {
            self.sasl_user = user;
            self.phase = Phase::AmqpHeader;
        } else {
            // The name comes from the wire and is unbounded: only known ones are repeated.
            let known = ["EXTERNAL", "ANONYMOUS", "PLAIN"].into_iter().find(|&known| known == mechanism);
            let text = format!("{} was refused", known.unwrap_or("a mechanism that is not offered"));
            self.finish(Closed::Sasl(text));
        }
    }
}

/// User and password of a PLAIN response. Nobody may act for somebody else.
fn plain(response: &[u8]) -> Option<(&str, &str)> {
    let mut parts = std::str::from_utf8(response).ok()?.split('\0');
    let (acting_for, user, password) = (parts.next()?, parts.next()?, parts.next()?);
    let plausible = parts.next().is_none() && (acting_for.is_empty() || acting_for == user);
    plausible.then_some((user, password))
}
