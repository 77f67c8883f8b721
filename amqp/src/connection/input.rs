//! Bytes in, events out: cuts the input into headers and frames and hands them to whom they concern.

use super::fault::{FRAMING_ERROR, Fault, INVALID_FIELD, NOT_ALLOWED};
use super::{Closed, Connection, Phase};
use crate::Event;
use crate::codec::descriptor;
use crate::codec::read::Reader;
use crate::frame::{self, Layer, MIN_MAX_FRAME_SIZE};
use crate::performative::ending::{decode_ending, put_close};
use crate::performative::open::decode_open;
use std::time::Instant;

/// What became of the front of the input.
pub(super) enum Taken<'a> {
    /// It is not complete.
    Nothing,
    /// It was consumed; what it caused, if anything, is in the event queue.
    Quietly,
    /// It was consumed and is this event.
    Event(Event<'a>),
}

impl Connection {
    /// Takes whole frames from the front of `input` until one event is there. `None`: nothing more in these bytes;
    /// what is left in `input` is the beginning of a frame, to be given again with more behind it (it is never longer
    /// than `max_frame_size`), or the output is over its limit ([`Connection::wants_input`] says so).
    /// Events that do not come from input (time-outs, begin/attach bookkeeping) come out here too.
    pub fn poll_event<'a>(&mut self, now: Instant, input: &mut &'a [u8]) -> Option<Event<'a>> {
        // What the last call left is given again: only more than that is news.
        if input.len() > self.leftover {
            self.last_received = now;
        }
        let event = self.next_event(input);
        self.leftover = input.len();
        event
    }

    fn next_event<'a>(&mut self, input: &mut &'a [u8]) -> Option<Event<'a>> {
        loop {
            // Queued events first: input is not read while there are any, so one frame's worth bounds the queue.
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if self.phase == Phase::Done {
                *input = &[];
                return None;
            }
            if !self.wants_input() {
                return None;
            }
            let taken = match self.phase {
                Phase::FirstHeader | Phase::AmqpHeader => self.take_header(input),
                _ => self.take_frame(input),
            };
            match taken {
                Ok(Taken::Nothing) => return None,
                Ok(Taken::Quietly) => {}
                Ok(Taken::Event(event)) => return Some(event),
                Err(fault) => self.fail(fault),
            }
        }
    }

    fn take_header<'a>(&mut self, input: &mut &'a [u8]) -> Result<Taken<'a>, Fault> {
        let Some((header, rest)) = input.split_first_chunk::<8>() else { return Ok(Taken::Nothing) };
        *input = rest;
        self.on_header(*header)?;
        Ok(Taken::Quietly)
    }

    fn take_frame<'a>(&mut self, input: &mut &'a [u8]) -> Result<Taken<'a>, Fault> {
        let frame = frame::split(input, self.config.max_frame_size);
        let Some(frame) = frame.map_err(|text| Fault::connection(FRAMING_ERROR, text))? else {
            return Ok(Taken::Nothing);
        };
        *input = input.get(frame.len..).unwrap_or_default();
        match (frame.layer, self.phase == Phase::Sasl) {
            (Layer::Sasl, true) => self.on_sasl_frame(frame.body)?,
            (Layer::Amqp, false) => return self.on_amqp_frame(frame.channel, frame.body),
            (layer, _) => {
                return Err(Fault::connection(
                    FRAMING_ERROR,
                    format!("a frame of the {layer:?} layer is out of place"),
                ));
            }
        }
        Ok(Taken::Quietly)
    }

    fn on_amqp_frame<'a>(&mut self, channel: u16, body: &'a [u8]) -> Result<Taken<'a>, Fault> {
        if body.is_empty() {
            return Ok(Taken::Quietly);
        }
        let mut reader = Reader::new(body);
        let performative = reader.descriptor();
        if self.phase == Phase::Closing {
            if performative == Ok(descriptor::CLOSE) {
                self.finish(Closed::Local);
            }
            return Ok(Taken::Quietly);
        }
        let performative = performative?;
        let early = self.phase != Phase::Up && !matches!(performative, descriptor::OPEN | descriptor::CLOSE);
        if early {
            return Err(Fault::connection(NOT_ALLOWED, format!("performative {performative:#x} before the open")));
        }
        match performative {
            descriptor::TRANSFER => return self.on_transfer(channel, &mut reader),
            descriptor::FLOW => self.on_flow(channel, &mut reader)?,
            descriptor::DISPOSITION => self.on_disposition(channel, &mut reader)?,
            descriptor::ATTACH => self.on_attach(channel, &mut reader)?,
            descriptor::DETACH => self.on_detach(channel, &mut reader)?,
            descriptor::BEGIN => self.on_begin(channel, &mut reader)?,
            descriptor::END => self.on_end(channel, &mut reader)?,
            descriptor::OPEN => self.on_open(&mut reader)?,
            descriptor::CLOSE => {
                let error = decode_ending(&mut reader)?;
                self.output.amqp(0, |out| put_close(out, None));
                self.finish(Closed::Remote(error));
            }
            other => {
                return Err(Fault::connection(NOT_ALLOWED, format!("{other:#x} is not a performative")));
            }
        }
        Ok(Taken::Quietly)
    }

    fn on_open(&mut self, reader: &mut Reader<'_>) -> Result<(), Fault> {
        if self.phase == Phase::Up {
            return Err(Fault::connection(NOT_ALLOWED, "a second open"));
        }
        let (open, channel_max) = decode_open(reader)?;
        if open.max_frame_size < MIN_MAX_FRAME_SIZE {
            let text = format!("a max-frame-size of {} is below {MIN_MAX_FRAME_SIZE}", open.max_frame_size);
            return Err(Fault::connection(INVALID_FIELD, text));
        }
        self.phase = Phase::Up;
        self.channel_limit = self.channel_limit.min(channel_max);
        // A peer without a limit must not make us build frames beyond what may wait.
        let most = self.config.output_limit.max(MIN_MAX_FRAME_SIZE as usize);
        self.frame_limit = (open.max_frame_size as usize).min(most);
        self.remote = Some(open.clone());
        self.events.push_back(Event::Opened(Box::new(open)));
        self.begin_waiting_sessions();
        Ok(())
    }
}
