//! A collector of flow records, as strict about types as the network's own.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use moorline_amqp::message::{self, Properties};
use moorline_amqp::{Attach, Config, Connection, End, Event, Incoming, LinkId, Role, Sasl, SessionId, Terminus, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What one source has said of one thing: numbers as they are, words as they are.
pub type Record = BTreeMap<u32, Value>;

pub struct Collector {
    stream: TcpStream,
    amqp: Connection,
    session: SessionId,
    inbox: Vec<u8>,
    partial: HashMap<Incoming, Vec<u8>>,
    senders: HashMap<LinkId, String>,
    links: usize,
    pub beacons: Vec<String>,
    pub heartbeats: Vec<String>,
    /// All that was said of each record, in order.
    pub said: Vec<(String, Record)>,
}

impl Collector {
    /// Listens for sources; asks each for everything.
    pub async fn connect(port: u16) -> Collector {
        let stream = crate::network::dial(port).await;
        let config = Config {
            container_id: "collector".into(),
            hostname: None,
            max_frame_size: 16384,
            channel_max: 10,
            handle_max: 100,
            idle_timeout: Duration::from_secs(60),
            incoming_window: 100,
            output_limit: 1 << 20,
            max_unsettled: 1_000,
            capabilities: Vec::new(),
            properties: Vec::new(),
            sasl: Sasl::Anonymous { trace: "collector".into() },
        };
        let mut amqp = Connection::client(config, Instant::now());
        let session = amqp.begin();
        let mut collector = Collector {
            stream,
            amqp,
            session,
            inbox: Vec::new(),
            partial: HashMap::new(),
            senders: HashMap::new(),
            links: 0,
            beacons: Vec::new(),
            heartbeats: Vec::new(),
            said: Vec::new(),
        };
        collector.listen("mc/sfe.all");
        collector
    }

    /// Reads until what was said is as wanted.
    pub async fn until(&mut self, wanted: impl Fn(&Collector) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !wanted(self) {
            assert!(Instant::now() < deadline, "never said: {:#?}", self.records());
            self.step().await;
        }
    }

    /// Each record as it is now, by its identity.
    pub fn records(&self) -> BTreeMap<String, Record> {
        let mut records: BTreeMap<String, Record> = BTreeMap::new();
        for (_, said) in &self.said {
            let Some(Value::String(identity)) = said.get(&1) else { panic!("no identity: {said:?}") };
            records.entry(identity.clone()).or_default().extend(said.clone());
        }
        records
    }

    /// Those of one kind that say all this.
    pub fn find(&self, kind: u32, says: &[(u32, &str)]) -> Vec<Record> {
        let matches = |record: &Record| {
            record.get(&0) == Some(&Value::Uint(kind))
                && says.iter().all(|(key, text)| record.get(key).and_then(Value::as_str) == Some(text))
        };
        self.records().into_values().filter(matches).collect()
    }

    fn attach(&mut self, role: Role, address: &str) -> LinkId {
        self.links += 1;
        let (source, target) = match role {
            Role::Receiver => (Terminus::at(address), Terminus::anonymous()),
            Role::Sender => (Terminus::anonymous(), Terminus::at(address)),
        };
        let name = format!("link-{}", self.links);
        let (source, target) = (Some(source), Some(target));
        let attach =
            Attach { name, role, source, target, snd_settle_mode: 2, rcv_settle_mode: 0, properties: Vec::new() };
        self.amqp.attach(self.session, attach).unwrap()
    }

    fn listen(&mut self, address: &str) {
        let link = self.attach(Role::Receiver, address);
        self.amqp.keep_credit(link, 100);
    }

    async fn step(&mut self) {
        while !self.amqp.output().is_empty() {
            let n = self.stream.write(self.amqp.output()).await.unwrap();
            self.amqp.consume_output(Instant::now(), n);
        }
        let mut buffer = [0; 16 * 1024];
        if let Ok(read) = tokio::time::timeout(Duration::from_millis(50), self.stream.read(&mut buffer)).await {
            let n = read.unwrap();
            assert!(n > 0, "the router hung up");
            self.inbox.extend_from_slice(&buffer[..n]);
        }
        let bytes = std::mem::take(&mut self.inbox);
        let mut rest = &bytes[..];
        let mut whole = Vec::new();
        let mut credited = Vec::new();
        while let Some(event) = self.amqp.poll_event(Instant::now(), &mut rest) {
            match event {
                Event::Transfer { delivery, more, payload, settled, .. } => {
                    assert!(settled, "records ask for no outcome");
                    self.partial.entry(delivery).or_default().extend_from_slice(payload);
                    if !more {
                        whole.extend(self.partial.remove(&delivery));
                    }
                }
                Event::Credit(link) => credited.push(link),
                Event::Closed(closed) => panic!("closed: {closed}"),
                _ => {}
            }
        }
        self.inbox = rest.to_vec();
        for message in whole {
            self.hear(&message);
        }
        for link in credited {
            self.ask(link);
        }
    }

    fn ask(&mut self, link: LinkId) {
        if let Some(direct) = self.senders.remove(&link) {
            let (to, subject) = (Some(direct), Some("FLUSH".to_owned()));
            let mut bytes = Vec::new();
            Properties { to, subject, ..Properties::default() }.encode(&mut bytes);
            self.amqp.start(link, &bytes, End::LastSettled).unwrap();
        }
    }

    fn hear(&mut self, message: &[u8]) {
        let (mut properties, mut said, mut body) = (Properties::default(), HashMap::new(), Value::Null);
        let mut rest = message;
        while let Some(section) = message::section(rest).unwrap() {
            rest = &rest[section.len..];
            let mut value = section.value;
            match section.descriptor {
                message::PROPERTIES => properties = Properties::decode(section.value).unwrap(),
                message::APPLICATION_PROPERTIES => {
                    let Value::Map(pairs) = Value::decode(&mut value).unwrap() else { panic!("a map") };
                    for (key, value) in pairs {
                        let Value::Symbol(key) = key else { panic!("a key is a symbol: {key:?}") };
                        said.insert(key, value);
                    }
                }
                message::VALUE => body = Value::decode(&mut value).unwrap(),
                other => panic!("a section {other:x} that clients are not to see"),
            }
        }
        let to = properties.to.unwrap();
        let text = |key: &str| said[key].as_str().unwrap().to_owned();
        match properties.subject.as_deref() {
            Some("BEACON") => {
                assert_eq!((&*to, &said["v"]), ("mc/sfe.all", &Value::Uint(1)));
                let (id, address, direct) = (text("id"), text("address"), text("direct"));
                assert_eq!((&address, &direct), (&format!("mc/sfe.{id}"), &format!("sfe.{id}")));
                if !self.beacons.contains(&id) {
                    self.listen(&address);
                    self.listen(&format!("{address}.flows"));
                    let link = self.attach(Role::Sender, &direct);
                    self.senders.insert(link, direct);
                }
                self.beacons.push(id);
            }
            Some("HEARTBEAT") => {
                assert!(matches!(said["now"], Value::Ulong(_)));
                assert_eq!(to, format!("mc/sfe.{}", text("id")));
                self.heartbeats.push(text("id"));
            }
            Some("RECORD") => {
                let Value::List(records) = body else { panic!("records are a list: {body:?}") };
                self.said.extend(records.into_iter().map(|record| (to.clone(), strictly(record))));
            }
            other => panic!("subject {other:?}"),
        }
    }
}

/// A record, if the network's collector would take all of it: it falls over a key that is no uint, and drops values of
/// other types.
fn strictly(record: Value) -> Record {
    let Value::Map(pairs) = record else { panic!("a record is a map: {record:?}") };
    let pair = |(key, value): (Value, Value)| {
        let Value::Uint(key) = key else { panic!("a key is a uint: {key:?}") };
        match (key, &value) {
            (0, Value::Uint(_)) | (1.., Value::String(_) | Value::Ulong(_)) => (key, value),
            _ => panic!("{key}: {value:?}"),
        }
    };
    pairs.into_iter().map(pair).collect()
}
