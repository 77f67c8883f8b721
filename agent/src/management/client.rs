//! An AMQP client that asks one management node.

use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use moorline_amqp::message::{APPLICATION_PROPERTIES, PROPERTIES, Properties, VALUE, encode_section, section};
use moorline_amqp::{Attach, Config, Connection, DeliveryState, End, Event, LinkId, Role, Sasl, Terminus, Value};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::member;

const NODE: &str = "$management";
/// Answers in flight; there is one.
const CREDIT: u32 = 10;
/// No answer of a router is longer.
const LONGEST_ANSWER: usize = 64 * 1024 * 1024;
/// Room for a read.
const READ: usize = 16 * 1024;
const SETTLED_OR_NOT: u8 = 2;
/// Longer than any command takes.
const IDLE: Duration = Duration::from_secs(600);

pub(super) struct Client<S> {
    stream: S,
    amqp: Connection,
    unused: Vec<u8>,
    requests: LinkId,
    replies: LinkId,
    reply_to: String,
    asked: u64,
    partial: Vec<u8>,
}

pub(super) struct Answer {
    correlation_id: Option<Value>,
    pub(super) status: i32,
    pub(super) description: String,
    pub(super) body: Value,
}

/// What the connection tells.
enum Seen {
    Attached(LinkId, Option<String>),
    Credit,
    Message(Vec<u8>),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// `sasl`: who we are to the router.
    pub(super) async fn open(stream: S, sasl: Sasl) -> anyhow::Result<Client<S>> {
        let config = Config {
            container_id: format!("moorline-{}", std::process::id()),
            hostname: None,
            max_frame_size: 65_536,
            channel_max: 0,
            handle_max: 7,
            idle_timeout: IDLE,
            incoming_window: 1000,
            output_limit: 1 << 20,
            max_unsettled: 100,
            capabilities: Vec::new(),
            properties: Vec::new(),
            sasl,
        };
        let mut amqp = Connection::client(config, Instant::now());
        let session = amqp.begin();
        let attach = |name: &str, role, source, target| Attach {
            name: name.to_owned(),
            role,
            source: Some(source),
            target: Some(target),
            snd_settle_mode: SETTLED_OR_NOT,
            rcv_settle_mode: 0,
            properties: Vec::new(),
        };
        let dynamic = Terminus { dynamic: true, ..Terminus::anonymous() };
        let none = || anyhow!("the connection takes no links");
        let replies = attach("replies", Role::Receiver, dynamic, Terminus::anonymous());
        let replies = amqp.attach(session, replies).ok_or_else(none)?;
        amqp.keep_credit(replies, CREDIT);
        let requests = attach("requests", Role::Sender, Terminus::anonymous(), Terminus::at(NODE));
        let requests = amqp.attach(session, requests).ok_or_else(none)?;
        let (unused, partial, reply_to) = (Vec::new(), Vec::new(), String::new());
        let mut client = Client { stream, amqp, unused, requests, replies, reply_to, asked: 0, partial };
        while client.reply_to.is_empty() || !client.amqp.can_start(client.requests) {
            if let Seen::Attached(link, Some(address)) = client.next().await?
                && link == client.replies
            {
                client.reply_to = address;
            }
        }
        Ok(client)
    }

    /// Asks, and waits for the answer, which bears the request's number.
    pub(super) async fn ask(&mut self, properties: &[(&str, &str)], body: &Value) -> anyhow::Result<Answer> {
        self.asked += 1;
        // skrouterd answers a number with one of another type.
        let number = Value::from(self.asked.to_string().as_str());
        let mut message = Vec::new();
        let head = Properties {
            to: Some(NODE.to_owned()),
            reply_to: Some(self.reply_to.clone()),
            correlation_id: Some(number.clone()),
            ..Properties::default()
        };
        head.encode(&mut message);
        let properties = properties.iter().map(|(name, value)| (Value::from(*name), Value::from(*value))).collect();
        encode_section(APPLICATION_PROPERTIES as u8, &Value::Map(properties), &mut message);
        encode_section(VALUE as u8, body, &mut message);
        while !self.amqp.can_start(self.requests) {
            self.next().await?;
        }
        let started = self.amqp.start(self.requests, &message, End::LastSettled);
        if !started.is_some_and(|(_, pushed)| pushed.done) {
            bail!("the request is too long");
        }
        loop {
            if let Seen::Message(message) = self.next().await? {
                let answer = Answer::read(&message).context("an answer cannot be read")?;
                if answer.correlation_id.as_ref() == Some(&number) {
                    return Ok(answer);
                }
            }
        }
    }

    async fn next(&mut self) -> anyhow::Result<Seen> {
        loop {
            let now = Instant::now();
            let bytes = std::mem::take(&mut self.unused);
            let mut rest = bytes.as_slice();
            let mut seen = None;
            while seen.is_none()
                && let Some(event) = self.amqp.poll_event(now, &mut rest)
            {
                match event {
                    Event::AttachConfirmed(link, attach) => {
                        seen = Some(Seen::Attached(link, attach.source.and_then(|source| source.address)));
                    }
                    Event::Credit(_) => seen = Some(Seen::Credit),
                    Event::Transfer { payload, more, delivery, settled, .. } => {
                        self.partial.extend_from_slice(payload);
                        if self.partial.len() > LONGEST_ANSWER {
                            bail!("the answer is longer than {LONGEST_ANSWER} bytes");
                        }
                        if !more && !settled {
                            self.amqp.dispose(delivery, Some(DeliveryState::Accepted), true);
                        }
                        if !more {
                            seen = Some(Seen::Message(std::mem::take(&mut self.partial)));
                        }
                    }
                    Event::Closed(closed) => bail!("the router closed the connection: {closed}"),
                    Event::Detached(_, error) => {
                        let why = error.map(|error| format!(": {error:?}")).unwrap_or_default();
                        bail!("the router closed the link{why}");
                    }
                    _ => {}
                }
            }
            self.unused = rest.to_vec();
            let waiting = self.amqp.output().to_vec();
            self.stream.write_all(&waiting).await?;
            // TLS may have taken it and kept it.
            self.stream.flush().await?;
            self.amqp.consume_output(now, waiting.len());
            if let Some(seen) = seen {
                return Ok(seen);
            }
            self.unused.reserve(READ);
            if self.stream.read_buf(&mut self.unused).await? == 0 {
                bail!("the router closed the connection");
            }
        }
    }
}

impl Answer {
    fn read(mut message: &[u8]) -> anyhow::Result<Answer> {
        let mut answer = Answer { correlation_id: None, status: 0, description: String::new(), body: Value::Null };
        while !message.is_empty() {
            let section = section(message)?.ok_or_else(|| anyhow!("it is not whole"))?;
            let mut value = section.value;
            match section.descriptor {
                PROPERTIES => answer.correlation_id = Properties::decode(value)?.correlation_id,
                APPLICATION_PROPERTIES => {
                    let properties = Value::decode(&mut value)?;
                    answer.status = match member(&properties, "statusCode") {
                        Some(Value::Int(status)) => *status,
                        other => bail!("its status is {other:?}"),
                    };
                    let description = member(&properties, "statusDescription").and_then(Value::as_str);
                    answer.description = description.unwrap_or_default().to_owned();
                }
                VALUE => answer.body = Value::decode(&mut value)?,
                _ => {}
            }
            message = message.get(section.len..).unwrap_or_default();
        }
        Ok(answer)
    }
}
