//! An AMQP client on a socket that asks management nodes.

use std::time::{Duration, Instant};

use moorline_amqp::message::{APPLICATION_PROPERTIES, Properties, VALUE, encode_section, section};
use moorline_amqp::{
    Attach, Config, Connection, DeliveryState, End, Event, LinkId, Role, Sasl, SessionId, Terminus, Value,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Keeps a broken product from hanging the test.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Client {
    stream: TcpStream,
    amqp: Connection,
    unused: Vec<u8>,
    session: SessionId,
    replies: LinkId,
    reply_to: String,
    asked: u64,
}

/// What the connection tells.
enum Seen {
    Attached(LinkId, Option<String>),
    Credit,
    Message(Vec<u8>),
    Verdict(Option<DeliveryState>),
    Closed(String),
}

pub struct Answer {
    pub correlation_id: Option<Value>,
    pub status: Value,
    pub description: String,
    pub body: Value,
}

impl Client {
    pub async fn connect(port: u16) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let config = Config {
            container_id: "asker".to_owned(),
            hostname: None,
            max_frame_size: 16_384,
            channel_max: 4,
            handle_max: 63,
            idle_timeout: Duration::from_secs(60),
            incoming_window: 100,
            output_limit: 1 << 20,
            max_unsettled: 1000,
            capabilities: Vec::new(),
            properties: Vec::new(),
            // As the tools do when they are told no mechanism.
            sasl: Sasl::None,
        };
        let mut amqp = Connection::client(config, Instant::now());
        let session = amqp.begin();
        let source = Terminus { dynamic: true, ..Terminus::anonymous() };
        let attach = Client::link("replies", Role::Receiver, source, Terminus::anonymous());
        let replies = amqp.attach(session, attach).unwrap();
        amqp.keep_credit(replies, 10);
        let mut client =
            Client { stream, amqp, unused: Vec::new(), session, replies, reply_to: String::new(), asked: 0 };
        loop {
            if let Seen::Attached(link, Some(address)) = client.next().await
                && link == client.replies
            {
                client.reply_to = address;
                return client;
            }
        }
    }

    fn link(name: &str, role: Role, source: Terminus, target: Terminus) -> Attach {
        Attach {
            name: name.to_owned(),
            role,
            source: Some(source),
            target: Some(target),
            snd_settle_mode: 2,
            rcv_settle_mode: 0,
            properties: Vec::new(),
        }
    }

    /// A link to a target, once it may be used.
    pub async fn sender(&mut self, target: Option<&str>) -> LinkId {
        let name = format!("to-{target:?}");
        let target = target.map(Terminus::at).unwrap_or_default();
        let link = Client::link(&name, Role::Sender, Terminus::anonymous(), target);
        let link = self.amqp.attach(self.session, link).unwrap();
        while !self.amqp.can_start(link) {
            self.next().await;
        }
        link
    }

    /// Receives from an address.
    pub async fn receiver(&mut self, source: &str) {
        let attach = Client::link(source, Role::Receiver, Terminus::at(source), Terminus::anonymous());
        let link = self.amqp.attach(self.session, attach).unwrap();
        self.amqp.keep_credit(link, 10);
        while !matches!(self.next().await, Seen::Attached(attached, _) if attached == link) {}
    }

    /// The next message that comes, a text.
    pub async fn text(&mut self) -> String {
        loop {
            if let Seen::Message(message) = self.next().await {
                return Answer::read(&message).body.as_str().unwrap().to_owned();
            }
        }
    }

    /// Sends a text.
    pub async fn send_text(&mut self, link: LinkId, text: &str) {
        let mut message = Vec::new();
        encode_section(VALUE as u8, &Value::from(text), &mut message);
        let state = self.send(link, &message).await;
        assert_eq!(state, Some(DeliveryState::Accepted));
    }

    /// Sends a request as it is. What the router says of it.
    pub async fn send(&mut self, link: LinkId, message: &[u8]) -> Option<DeliveryState> {
        let (_, pushed) = self.amqp.start(link, message, End::Last).unwrap();
        assert!(pushed.done);
        loop {
            if let Seen::Verdict(state) = self.next().await {
                return state;
            }
        }
    }

    pub fn request(&mut self, to: Option<&str>, properties: &[(&str, &str)], body: &Value) -> Vec<u8> {
        self.asked += 1;
        let mut message = Vec::new();
        let head = Properties {
            to: to.map(str::to_owned),
            reply_to: Some(self.reply_to.clone()),
            correlation_id: Some(Value::Ulong(self.asked)),
            ..Properties::default()
        };
        head.encode(&mut message);
        let properties = properties.iter().map(|(name, value)| (Value::from(*name), Value::from(*value))).collect();
        encode_section(APPLICATION_PROPERTIES as u8, &Value::Map(properties), &mut message);
        encode_section(VALUE as u8, body, &mut message);
        message
    }

    /// Asks and waits for the answer, which bears the request's number.
    pub async fn ask(&mut self, link: LinkId, to: Option<&str>, properties: &[(&str, &str)], body: Value) -> Answer {
        let request = self.request(to, properties, &body);
        let (_, pushed) = self.amqp.start(link, &request, End::Last).unwrap();
        assert!(pushed.done);
        loop {
            if let Seen::Message(message) = self.next().await {
                let answer = Answer::read(&message);
                assert_eq!(answer.correlation_id, Some(Value::Ulong(self.asked)));
                return answer;
            }
        }
    }

    /// Waits until the router closes the connection, and answers why it does.
    pub async fn closed(&mut self) -> String {
        loop {
            if let Seen::Closed(why) = self.next().await {
                return why;
            }
        }
    }

    async fn next(&mut self) -> Seen {
        let mut partial = Vec::new();
        loop {
            let now = Instant::now();
            let bytes = std::mem::take(&mut self.unused);
            let mut rest = &bytes[..];
            let mut seen = None;
            while seen.is_none()
                && let Some(event) = self.amqp.poll_event(now, &mut rest)
            {
                seen = match event {
                    Event::AttachConfirmed(link, attach) => {
                        Some(Seen::Attached(link, attach.source.and_then(|source| source.address)))
                    }
                    Event::Credit(_) => Some(Seen::Credit),
                    Event::Disposition { state, settled: true, .. } => Some(Seen::Verdict(state)),
                    Event::Transfer { payload, more, delivery, settled, .. } => {
                        partial.extend_from_slice(payload);
                        if !more && !settled {
                            self.amqp.dispose(delivery, Some(DeliveryState::Accepted), true);
                        }
                        (!more).then(|| Seen::Message(std::mem::take(&mut partial)))
                    }
                    Event::Closed(closed) => Some(Seen::Closed(closed.to_string())),
                    Event::Detached(_, error) => panic!("detached: {error:?}"),
                    _ => None,
                };
            }
            self.unused = rest.to_vec();
            let waiting = self.amqp.output().to_vec();
            self.stream.write_all(&waiting).await.unwrap();
            self.amqp.consume_output(now, waiting.len());
            if let Some(seen) = seen {
                return seen;
            }
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.unused)).await.expect("no answer").unwrap();
            assert!(read > 0, "the router closed the connection");
        }
    }
}

pub async fn query(client: &mut Client, link: LinkId, to: Option<&str>, kind: &str) -> Vec<Value> {
    let kind = format!("io.skupper.router.{kind}");
    let everything = map([("attributeNames", Value::List(Vec::new()))]);
    let answer = client.ask(link, to, &[("operation", "QUERY"), ("entityType", &kind)], everything).await;
    assert_eq!(answer.status, Value::Int(200), "{kind}: {}", answer.description);
    answer.rows()
}

pub async fn create(client: &mut Client, link: LinkId, kind: &str, attributes: Value) -> Answer {
    client.ask(link, None, &[("operation", "CREATE"), ("type", kind)], attributes).await
}

pub async fn delete(client: &mut Client, link: LinkId, kind: &str, name: &str) -> Answer {
    client.ask(link, None, &[("operation", "DELETE"), ("type", kind), ("name", name)], Value::Null).await
}

pub fn text(text: &str) -> Value {
    Value::from(text)
}

impl Answer {
    fn read(mut message: &[u8]) -> Answer {
        let mut answer =
            Answer { correlation_id: None, status: Value::Null, description: String::new(), body: Value::Null };
        while !message.is_empty() {
            let section = section(message).unwrap().unwrap();
            let mut value = section.value;
            match section.descriptor {
                moorline_amqp::message::PROPERTIES => {
                    answer.correlation_id = Properties::decode(value).unwrap().correlation_id;
                }
                APPLICATION_PROPERTIES => {
                    let properties = Value::decode(&mut value).unwrap();
                    answer.status = member(&properties, "statusCode").clone();
                    answer.description = member(&properties, "statusDescription").as_str().unwrap().to_owned();
                }
                VALUE => answer.body = Value::decode(&mut value).unwrap(),
                _ => {}
            }
            message = &message[section.len..];
        }
        answer
    }

    /// The rows of a query, as maps.
    pub fn rows(&self) -> Vec<Value> {
        let (Value::List(names), Value::List(rows)) =
            (member(&self.body, "attributeNames"), member(&self.body, "results"))
        else {
            panic!("no results: {:?}", self.body);
        };
        let row = |row: &Value| match row {
            Value::List(values) => Value::Map(names.iter().cloned().zip(values.iter().cloned()).collect()),
            other => panic!("no row: {other:?}"),
        };
        rows.iter().map(row).collect()
    }
}

/// A member of a map; null when there is none.
pub fn member<'v>(map: &'v Value, name: &str) -> &'v Value {
    let Value::Map(pairs) = map else { panic!("not a map: {map:?}") };
    pairs.iter().find(|(key, _)| key.as_str() == Some(name)).map_or(&Value::Null, |(_, value)| value)
}

/// A map with these members.
pub fn map<'a>(members: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::Map(members.into_iter().map(|(name, value)| (name.into(), value)).collect())
}
