//! The head of a message between routers: router annotations and properties, read from the first bytes of a
//! delivery, and written for the two TCP encapsulations.

use super::types::Encapsulation;
use moorline_amqp::Value;
use moorline_amqp::codec::DecodeError;
use moorline_amqp::message::{self, Properties, Section};

/// Descriptor of the router annotations: `SKPR--RA` in ASCII.
const ROUTER_ANNOTATIONS: u64 = 0x534b_5052_2d2d_5241;
/// The delivery may be forwarded before its end is there.
pub(super) const STREAMING: u32 = 0x01;
/// The routers' own flow control inside a message is off: the ends do it.
pub(super) const UNTHROTTLED: u32 = 0x04;
/// The one content type that marks lite; legacy has none.
const LITE_CONTENT_TYPE: &str = "application/octet-stream";
/// Application property of that name.
const ALPN: &str = "alpn";
/// 3.x routers mark their lite streams so.
const VERSION_MARK: &str = "V";
/// More head than this is nobody's message.
pub(super) const MAX_HEAD: usize = 64 * 1024;
/// There are fewer kinds of sections. A head is read again with each piece of it, so it must not have many.
const MAX_SECTIONS: usize = 8;

/// Router annotations, always the first section.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Annotations {
    pub(super) flags: u32,
    pub(super) to_override: Option<String>,
    pub(super) ingress: Option<String>,
    pub(super) trace: Vec<String>,
    pub(super) mesh: Option<String>,
}

/// What stands before the body.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Head {
    pub(super) annotations: Option<Annotations>,
    pub(super) properties: Properties,
    /// Where the annotations end.
    pub(super) annotations_len: usize,
    /// Where the body begins; for lite, behind the empty value section.
    pub(super) body: usize,
}

/// Why a head cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeadError {
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error("the message head is longer than {MAX_HEAD} bytes")]
    TooLong,
    #[error("the message head has more than {MAX_SECTIONS} sections")]
    TooManySections,
    #[error("invalid router annotations")]
    Annotations,
}

impl Head {
    /// `None`: more bytes are needed (and `ended` is false). A legacy head ends with its properties, since no body may
    /// follow for a while; a lite head with its empty value section.
    pub(super) fn parse(bytes: &[u8], ended: bool) -> Result<Option<Head>, HeadError> {
        let mut head = Head::default();
        let mut at = 0;
        for _ in 0..MAX_SECTIONS {
            let rest = bytes.get(at..).unwrap_or_default();
            let started = message::section_start(rest)?.map(|(descriptor, _)| descriptor);
            let body_begins = match started {
                None => ended,
                Some(message::DATA | message::SEQUENCE | message::FOOTER) => true,
                Some(message::VALUE) => !head.is_lite(),
                Some(_) => false,
            };
            if body_begins {
                return Ok(Some(Head { body: at, ..head }));
            }
            let Some(section) = message::section(rest)? else {
                return match ended {
                    true => Err(DecodeError("message ends inside a section").into()),
                    false if bytes.len() > MAX_HEAD => Err(HeadError::TooLong),
                    false => Ok(None),
                };
            };
            at += section.len;
            match section.descriptor {
                ROUTER_ANNOTATIONS => {
                    head.annotations = Some(Annotations::decode(section)?);
                    head.annotations_len = at;
                }
                message::PROPERTIES => {
                    head.properties = Properties::decode(section.value)?;
                    if !head.is_lite() {
                        return Ok(Some(Head { body: at, ..head }));
                    }
                }
                message::VALUE => return Ok(Some(Head { body: at, ..head })),
                _ => {}
            }
        }
        Err(HeadError::TooManySections)
    }

    /// What the client of a listener speaks in TLS, as it was agreed on there; the server is asked to speak it too.
    ///
    /// Legacy has it behind what [`Head::parse`] reads, where routers write it in the same breath.
    pub(super) fn alpn(&self, bytes: &[u8]) -> Option<String> {
        self.application_property(bytes, ALPN)?.as_str().map(str::to_owned)
    }

    fn application_property(&self, bytes: &[u8], name: &str) -> Option<Value> {
        let mut head = sections(bytes.get(self.annotations_len..)?).take(MAX_SECTIONS);
        let is_body = |descriptor: u64| matches!(descriptor, message::DATA | message::SEQUENCE | message::VALUE);
        let found = head.find(|(kind, _)| *kind == message::APPLICATION_PROPERTIES || is_body(*kind))?.1;
        let Value::Map(properties) = found else { return None };
        properties.into_iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)
    }

    /// Routers that it has passed.
    pub(super) fn trace(&self) -> &[String] {
        self.annotations.as_ref().map(|annotations| annotations.trace.as_slice()).unwrap_or_default()
    }

    /// The TCP encapsulation, if this is a TCP stream: lite says so, all else is taken for legacy, as routers do.
    pub(super) fn encapsulation(&self) -> Encapsulation {
        if self.is_lite() { Encapsulation::Lite } else { Encapsulation::Legacy }
    }

    /// A lite stream whose flow is left to the routers between: so do routers before 2.6, which neither keep a window
    /// nor say how far their sockets have taken ours. Who writes the version mark does both, whatever the routers do.
    pub(super) fn is_throttled(&self, bytes: &[u8]) -> bool {
        let throttled = self.annotations.as_ref().is_some_and(|annotations| annotations.flags & UNTHROTTLED == 0);
        self.is_lite() && throttled && self.application_property(bytes, VERSION_MARK).is_none()
    }

    fn is_lite(&self) -> bool {
        self.properties.content_type.as_deref() == Some(LITE_CONTENT_TYPE)
    }
}

/// The sections of a message that are whole.
pub(super) fn sections(bytes: &[u8]) -> impl Iterator<Item = (u64, Value)> {
    message::sections(bytes)
        .map_while(|section| Some((section.descriptor, Value::decode(&mut { section.value }).ok()?)))
}

impl Annotations {
    fn decode(section: Section<'_>) -> Result<Annotations, HeadError> {
        let mut bytes = section.value;
        let Value::List(fields) = Value::decode(&mut bytes)? else { return Err(HeadError::Annotations) };
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let (Some(Value::Uint(flags)), Some(Value::List(trace))) = (fields.first(), fields.get(3)) else {
            return Err(HeadError::Annotations);
        };
        Ok(Annotations {
            flags: *flags,
            to_override: text(fields.get(1)),
            ingress: text(fields.get(2)),
            trace: trace.iter().filter_map(|id| text(Some(id))).collect(),
            mesh: text(fields.get(4)),
        })
    }

    /// Appends the section.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let text = |value: &Option<String>| value.clone().map_or(Value::Null, Value::String);
        let trace = self.trace.iter().cloned().map(Value::String).collect();
        let mut fields =
            vec![Value::Uint(self.flags), text(&self.to_override), text(&self.ingress), Value::List(trace)];
        if let Some(mesh) = &self.mesh {
            fields.push(Value::String(mesh.clone()));
        }
        // The descriptor does not fit one byte, so this section is written by hand.
        out.extend_from_slice(&[0x00, 0x80]);
        out.extend_from_slice(&ROUTER_ANNOTATIONS.to_be_bytes());
        Value::List(fields).encode(out);
    }

    /// Annotations of a TCP stream that begins here.
    fn of_stream(mesh: Option<&str>, ingress: Option<String>, throttled: bool) -> Annotations {
        Annotations {
            flags: if throttled { STREAMING } else { STREAMING | UNTHROTTLED },
            trace: ingress.iter().cloned().collect(),
            ingress,
            mesh: mesh.map(str::to_owned),
            ..Annotations::default()
        }
    }
}

/// What a new TCP stream says of itself.
pub(super) struct StreamHead<'a> {
    pub(super) to: &'a str,
    /// On the way to the connector; none on the way back.
    pub(super) reply_to: Option<&'a str>,
    /// Legacy only: who the client is, `<ip:port>@<site id>`.
    pub(super) subject: &'a str,
    pub(super) flow_id: &'a str,
    /// See [`Head::alpn`].
    pub(super) alpn: Option<&'a str>,
    pub(super) mesh: Option<&'a str>,
    /// A hub puts its own node in, an edge leaves that to the interior.
    pub(super) ingress: Option<String>,
    /// See [`Head::is_throttled`].
    pub(super) throttled: bool,
}

impl StreamHead<'_> {
    /// Appends everything that precedes the payload.
    pub(super) fn encode(&self, encapsulation: Encapsulation, out: &mut Vec<u8>) {
        Annotations::of_stream(self.mesh, self.ingress.clone(), self.throttled).encode(out);
        let mut properties = Properties {
            to: Some(self.to.to_owned()),
            reply_to: self.reply_to.map(str::to_owned),
            ..Properties::default()
        };
        let flow_id = Value::String(self.flow_id.to_owned());
        let alpn = self.alpn.map(|alpn| (Value::String(ALPN.to_owned()), Value::String(alpn.to_owned())));
        match encapsulation {
            Encapsulation::Lite => {
                if self.reply_to.is_some() {
                    properties.correlation_id = Some(flow_id);
                }
                properties.content_type = Some(LITE_CONTENT_TYPE.to_owned());
                properties.encode(out);
                // 3.x routers write this version mark, 2.x ones do not look at it.
                let version = (Value::String(VERSION_MARK.to_owned()), Value::Uint(1));
                let all = Value::Map([version].into_iter().chain(alpn).collect());
                message::encode_section(message::APPLICATION_PROPERTIES as u8, &all, out);
                message::encode_section(message::VALUE as u8, &Value::Null, out);
            }
            Encapsulation::Legacy => {
                properties.subject = Some(self.subject.to_owned());
                properties.encode(out);
                let flow = (Value::Symbol(":flowid".to_owned()), flow_id);
                let all = Value::Map([flow].into_iter().chain(alpn).collect());
                message::encode_section(message::APPLICATION_PROPERTIES as u8, &all, out);
            }
        }
    }
}

/// Notes in the annotations that the message has passed this hub.
pub(super) fn pass_by(annotations: &mut Annotations, own_node: &str) {
    annotations.ingress.get_or_insert_with(|| own_node.to_owned());
    annotations.trace.push(own_node.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head_of(encapsulation: Encapsulation, throttled: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        let head = StreamHead {
            to: "database:5432",
            reply_to: Some("amqp:/_edge/e/temp.1"),
            subject: "10.0.0.1:4@site",
            flow_id: "abcde:1",
            alpn: Some("h2"),
            mesh: Some("123456789012345"),
            ingress: None,
            throttled,
        };
        head.encode(encapsulation, &mut bytes);
        bytes
    }

    fn head(encapsulation: Encapsulation) -> Vec<u8> {
        head_of(encapsulation, false)
    }

    #[test]
    fn a_lite_stream_says_who_limits_it() {
        use Encapsulation::{Legacy, Lite};
        let unmarked = |mut bytes: Vec<u8>| {
            let at = bytes.windows(3).position(|three| three == [0xa1, 1, b'V']).unwrap();
            bytes[at + 2] = b'v';
            bytes
        };
        let throttled = |bytes: &[u8]| Head::parse(bytes, false).unwrap().unwrap().is_throttled(bytes);
        assert!(!throttled(&head_of(Lite, true)), "one of ours keeps windows");
        assert!(throttled(&unmarked(head_of(Lite, true))));
        assert!(!throttled(&unmarked(head_of(Lite, false))));
        assert!(!throttled(&head_of(Legacy, true)));
    }

    #[test]
    fn round_trip_at_every_cut() {
        for encapsulation in [Encapsulation::Lite, Encapsulation::Legacy] {
            let bytes = head(encapsulation);
            let parsed = Head::parse(&bytes, false).unwrap().unwrap();
            assert_eq!(parsed.encapsulation(), encapsulation);
            assert_eq!(parsed.properties.to.as_deref(), Some("database:5432"));
            assert_eq!(parsed.properties.reply_to.as_deref(), Some("amqp:/_edge/e/temp.1"));
            assert_eq!(parsed.alpn(&bytes).as_deref(), Some("h2"));
            let without = bytes.windows(2).rposition(|two| two == b"h2").unwrap();
            assert_eq!(parsed.alpn(&bytes[..without]), None);
            let annotations = parsed.annotations.as_ref().unwrap();
            assert_eq!((annotations.flags, annotations.mesh.as_deref()), (5, Some("123456789012345")));
            for cut in 0..parsed.body {
                assert_eq!(Head::parse(&bytes[..cut], false).unwrap(), None, "{encapsulation:?} cut {cut}");
            }
            if encapsulation == Encapsulation::Lite {
                assert_eq!(parsed.body, bytes.len());
            }
        }
    }

    #[test]
    fn a_hub_adds_itself_and_keeps_the_rest() {
        let bytes = head(Encapsulation::Lite);
        let parsed = Head::parse(&bytes, false).unwrap().unwrap();
        let mut annotations = parsed.annotations.clone().unwrap();
        pass_by(&mut annotations, "0/hub");
        let mut out = Vec::new();
        annotations.encode(&mut out);
        out.extend_from_slice(&bytes[parsed.annotations_len..]);
        let again = Head::parse(&out, false).unwrap().unwrap();
        assert_eq!(again.trace(), ["0/hub"]);
        let annotations = again.annotations.unwrap();
        assert_eq!(annotations.ingress.as_deref(), Some("0/hub"));
        assert_eq!(annotations.mesh.as_deref(), Some("123456789012345"));
    }

    #[test]
    fn a_head_of_countless_sections_is_refused() {
        let header = [0x00, 0x53, 0x70, 0x45];
        assert_eq!(Head::parse(&header.repeat(7), false).unwrap(), None);
        assert_eq!(Head::parse(&header.repeat(1000), false), Err(HeadError::TooManySections));
    }

    #[test]
    fn a_message_without_a_body_is_complete_at_its_end() {
        let mut bytes = Vec::new();
        let flow = Value::Map(vec![(Value::Symbol("meshid".into()), Value::String("m".into()))]);
        message::encode_section(message::APPLICATION_PROPERTIES as u8, &flow, &mut bytes);
        assert_eq!(Head::parse(&bytes, false).unwrap(), None);
        assert_eq!(Head::parse(&bytes, true).unwrap().unwrap().body, bytes.len());
        assert!(Head::parse(&bytes[..bytes.len() - 1], true).is_err());
    }
}
