//! The sections of messages, as routers write them.

use moorline_amqp::Value;
use moorline_amqp::message::{DATA, FOOTER, PROPERTIES, Properties, VALUE, encode_section, section, section_start};

/// The first frame of a stream by an edge: router annotations, properties, application properties, data.
const STREAM: &[u8] = b"\x00\x80SKPR--RA\xd0\x00\x00\x00\x1a\x00\x00\x00\x05\x52\x05\x40\x40\x45\xa1\x0fvjVg32m6GuH0gNS\
\x00\x53\x73\xd0\x00\x00\x00\x3b\x00\x00\x00\x07\x40\x40\xa1\x04echo\x40\xa1\x11amqp:/_edge/e/tmp\x40\xa1\x18application/octet-stream\
\x00\x53\x75\xa0\x05hello\x00\x53\x75\xb0\x00\x00\x00\x03abc";

#[test]
fn a_stream_is_read_section_by_section() {
    let mut bytes = STREAM;
    let annotations = section(bytes).unwrap().unwrap();
    assert_eq!(annotations.descriptor, 0x534b_5052_2d2d_5241);
    let Value::List(fields) = Value::decode(&mut &annotations.value[..]).unwrap() else { panic!() };
    assert_eq!(fields[0], Value::Uint(5));
    bytes = &bytes[annotations.len..];
    let properties = section(bytes).unwrap().unwrap();
    assert_eq!(properties.descriptor, PROPERTIES);
    let seen = Properties::decode(properties.value).unwrap();
    assert_eq!(seen.to.as_deref(), Some("echo"));
    assert_eq!(seen.reply_to.as_deref(), Some("amqp:/_edge/e/tmp"));
    assert_eq!(seen.content_type.as_deref(), Some("application/octet-stream"));
    bytes = &bytes[properties.len..];
    for body in [&b"hello"[..], b"abc"] {
        let data = section(bytes).unwrap().unwrap();
        assert_eq!(data.descriptor, DATA);
        assert_eq!(Value::decode(&mut &data.value[..]), Ok(Value::Binary(body.to_vec())));
        bytes = &bytes[data.len..];
    }
    assert_eq!(section(bytes), Ok(None));
}

#[test]
fn what_is_not_complete_is_waited_for() {
    let first = section(STREAM).unwrap().unwrap().len;
    for cut in 0..first {
        assert_eq!(section(&STREAM[..cut]), Ok(None));
        let start = section_start(&STREAM[..cut]).unwrap();
        assert_eq!(start, (cut >= 10).then_some((0x534b_5052_2d2d_5241, 10)));
    }
    // Data that will be long: the start is known at once.
    assert_eq!(section_start(b"\x00\x53\x75"), Ok(Some((DATA, 3))));
    assert_eq!(section(b"\x00\x53\x75\xb0\xff\xff\xff\xff"), Ok(None));
    assert_eq!(section_start(b"\x00\xa3\x10amqp:data:binary\xa0"), Ok(Some((DATA, 19))));
    assert_eq!(section_start(b"\x00\x80\0\0\0\0\0\0\0\x78"), Ok(Some((FOOTER, 10))));
}

#[test]
fn what_is_no_section_is_an_error() {
    for bytes in [&b"\x40"[..], b"\x00\x40", b"\x00\x00\x53\x75", b"\x00\xa3\x01x", b"\x00\x53\x75\x20"] {
        assert!(section(bytes).is_err(), "{bytes:02x?}");
    }
    assert!(Properties::decode(b"\x40").is_err());
    assert!(Properties::decode(b"\xc0\x03\x03\x40\x40\x43").is_err());
}

#[test]
fn properties_there_and_back() {
    for size in [10, 300, 70_000] {
        let properties = Properties {
            message_id: Some(Value::Ulong(7)),
            user_id: Some(vec![1, 2]),
            to: Some("x".repeat(size)),
            subject: Some("subject".to_owned()),
            reply_to: None,
            correlation_id: Some(Value::Uuid([3; 16])),
            content_type: Some("application/octet-stream".to_owned()),
            content_encoding: Some("gzip".to_owned()),
            group_id: Some("group".to_owned()),
        };
        let mut bytes = Vec::new();
        properties.encode(&mut bytes);
        let read = section(&bytes).unwrap().unwrap();
        assert_eq!((read.descriptor, read.len), (PROPERTIES, bytes.len()));
        assert_eq!(Properties::decode(read.value), Ok(properties));
    }
}

#[test]
fn properties_are_short_and_their_content_type_is_a_string() {
    let mut bytes = Vec::new();
    Properties { to: Some("a".to_owned()), ..Properties::default() }.encode(&mut bytes);
    assert_eq!(bytes, b"\x00\x53\x73\xc0\x06\x03\x40\x40\xa1\x01a");
    bytes.clear();
    Properties { content_type: Some("b".to_owned()), ..Properties::default() }.encode(&mut bytes);
    assert_eq!(bytes, b"\x00\x53\x73\xc0\x0a\x07\x40\x40\x40\x40\x40\x40\xa1\x01b");
    bytes.clear();
    Properties::default().encode(&mut bytes);
    assert_eq!(bytes, b"\x00\x53\x73\x45");
    // Symbol and string are both read.
    let symbol = Properties::decode(b"\xc0\x0a\x07\x40\x40\x40\x40\x40\x40\xa3\x01b").unwrap();
    assert_eq!(symbol.content_type.as_deref(), Some("b"));
}

#[test]
fn sections_are_written() {
    let mut bytes = Vec::new();
    encode_section(VALUE as u8, &Value::Null, &mut bytes);
    encode_section(DATA as u8, &Value::Binary(b"x".to_vec()), &mut bytes);
    assert_eq!(bytes, b"\x00\x53\x77\x40\x00\x53\x75\xa0\x01x");
}
