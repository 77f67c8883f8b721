//! Tells a router of a new service while it runs, as its management takes it over AMQP.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use moorline_amqp::message::{APPLICATION_PROPERTIES, Properties, VALUE, encode_section};
use moorline_amqp::{Attach, Config, Connection, End, Event, Role, Sasl, Terminus, Value};

const NODE: &str = "$management";
/// How long the router may take to let us in.
const PATIENCE: Duration = Duration::from_secs(5);

/// Has a `tcpConnector` created. Whether that was done shows at the service itself, so no answer is asked for.
pub(crate) fn create_connector(door: u16, attributes: &[(&str, &str)]) -> Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", door))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut amqp = Connection::client(config(), Instant::now());
    let session = amqp.begin();
    let attach = Attach {
        name: "requests".to_owned(),
        role: Role::Sender,
        source: Some(Terminus::anonymous()),
        target: Some(Terminus::at(NODE)),
        snd_settle_mode: 2,
        rcv_settle_mode: 0,
        properties: Vec::new(),
    };
    let Some(requests) = amqp.attach(session, attach) else { bail!("no link") };
    let (mut unused, mut read) = (Vec::new(), [0; 4096]);
    while !amqp.can_start(requests) {
        send(&mut amqp, &mut stream)?;
        let count = stream.read(&mut read)?;
        if count == 0 {
            bail!("the router closed the connection");
        }
        unused.extend_from_slice(&read[..count]);
        let mut rest = unused.as_slice();
        while let Some(event) = amqp.poll_event(Instant::now(), &mut rest) {
            if let Event::Closed(closed) = event {
                bail!("the router closed the connection: {closed}");
            }
        }
        unused = rest.to_vec();
    }
    if amqp.start(requests, &request(attributes), End::LastSettled).is_none_or(|(_, pushed)| !pushed.done) {
        bail!("the router takes no request");
    }
    amqp.close(None);
    send(&mut amqp, &mut stream)?;
    // What is unread when a socket is dropped resets it, before all that was sent has arrived.
    while stream.read(&mut read)? > 0 {}
    Ok(())
}

fn request(attributes: &[(&str, &str)]) -> Vec<u8> {
    let map = |pairs: &[(&str, &str)]| {
        Value::Map(pairs.iter().map(|(name, value)| (Value::from(*name), Value::from(*value))).collect())
    };
    let mut message = Vec::new();
    let head = Properties {
        to: Some(NODE.to_owned()),
        // Routers drop what names nobody to be answered. Nobody listens there.
        reply_to: Some("bench.nobody".to_owned()),
        correlation_id: Some(Value::from("1")),
        ..Properties::default()
    };
    head.encode(&mut message);
    let operation = [("operation", "CREATE"), ("type", "io.skupper.router.tcpConnector")];
    encode_section(APPLICATION_PROPERTIES as u8, &map(&operation), &mut message);
    encode_section(VALUE as u8, &map(attributes), &mut message);
    message
}

fn send(amqp: &mut Connection, stream: &mut TcpStream) -> Result<()> {
    let waiting = amqp.output().to_vec();
    stream.write_all(&waiting)?;
    amqp.consume_output(Instant::now(), waiting.len());
    Ok(())
}

fn config() -> Config {
    Config {
        container_id: "bench".to_owned(),
        hostname: None,
        max_frame_size: 16_384,
        channel_max: 0,
        handle_max: 7,
        idle_timeout: Duration::ZERO,
        incoming_window: 100,
        output_limit: 1 << 20,
        max_unsettled: 100,
        capabilities: Vec::new(),
        properties: Vec::new(),
        sasl: Sasl::Anonymous { trace: "anonymous@bench".to_owned() },
    }
}
