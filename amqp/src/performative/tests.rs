//! Frames of real routers, byte for byte.

use super::attach::{decode_attach, encode_attach};
use super::disposition::{Disposition, put_disposition};
use super::ending::{Detach, decode_ending, put_close, put_end};
use super::flow::Flow;
use super::open::{Begin, Open, decode_open};
use super::sasl::{decode_init, decode_mechanisms, decode_outcome, put_init, put_mechanisms, put_outcome};
use super::transfer::{Tail, Transfer, put_transfer, transfer_len};
use super::{Condition, Role};
use crate::codec::descriptor::*;
use crate::codec::read::Reader;
use crate::frame::{Frame, Layer, looks_like, put, split};
use crate::{Terminus, Value};

const TRACES: [&str; 2] =
    [include_str!("../../tests/data/edge-legacy.txt"), include_str!("../../tests/data/edge-lite.txt")];

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap()).collect()
}

/// All frames of the traces, without the protocol headers.
fn frames() -> Vec<Vec<u8>> {
    let lines = TRACES.iter().flat_map(|trace| trace.lines()).filter(|line| !line.starts_with('#'));
    lines.map(|line| unhex(&line[2..])).filter(|frame| !frame.starts_with(b"AMQP")).collect()
}

/// Decodes a frame and encodes it again.
fn again(frame: Frame<'_>) -> Vec<u8> {
    let mut reader = Reader::new(frame.body);
    let mut out = Vec::new();
    let kind = reader.descriptor().unwrap();
    put(&mut out, frame.layer, frame.channel, |out| match kind {
        BEGIN => Begin::decode(&mut reader).unwrap().encode(out),
        FLOW => Flow::decode(&mut reader).unwrap().encode(out),
        ATTACH => {
            let remote = decode_attach(&mut reader).unwrap();
            assert_eq!(remote.initial_delivery_count, 0);
            let mut attach = remote.attach;
            attach.role = if attach.role == Role::Sender { Role::Receiver } else { Role::Sender };
            for terminus in [&mut attach.source, &mut attach.target] {
                // What the encoder adds by itself.
                let policy = terminus.as_mut().unwrap().expiry_policy.take_if(|policy| policy == "link-detach");
                assert!(policy.is_some() || terminus.as_ref().unwrap().expiry_policy.is_some());
            }
            encode_attach(&attach, remote.handle, "link-detach", out);
        }
        TRANSFER => {
            let at = frame.body.windows(2).position(|window| window == [0xa0, 8]).unwrap() + 2;
            let tag = u64::from_le_bytes(frame.body[at..at + 8].try_into().unwrap());
            let transfer = Transfer::decode(&mut reader).unwrap();
            let tail = match (transfer.more, transfer.settled) {
                (true, false) => Tail::More,
                (false, true) => Tail::LastSettled,
                _ => Tail::Last,
            };
            put_transfer(out, transfer.handle, transfer.delivery_id.unwrap(), tag, tail);
            out.extend_from_slice(reader.rest());
        }
        DISPOSITION => {
            let disposition = Disposition::decode(&mut reader).unwrap();
            assert_eq!(disposition.first, disposition.last);
            put_disposition(out, disposition.role, disposition.first, disposition.state.as_ref(), disposition.settled);
        }
        SASL_MECHANISMS => {
            put_mechanisms(out, decode_mechanisms(&mut reader).unwrap().iter().map(String::as_str));
        }
        SASL_INIT => {
            let (mechanism, response) = decode_init(&mut reader).unwrap();
            put_init(out, mechanism, response);
        }
        SASL_OUTCOME => put_outcome(out, decode_outcome(&mut reader).unwrap()),
        other => panic!("{other:#x}"),
    });
    out
}

#[test]
fn routers_frames_come_out_as_they_went_in() {
    let mut count = 0;
    for bytes in frames() {
        let frame = split(&bytes, 16_384).unwrap().unwrap();
        assert_eq!(frame.len, bytes.len());
        // Routers write their open in the long forms, which cost it 30 bytes.
        if Reader::new(frame.body).descriptor() == Ok(OPEN) {
            continue;
        }
        assert_eq!(again(frame), bytes);
        count += 1;
    }
    assert_eq!(count, 137);
}

#[test]
fn routers_opens_are_read_and_written() {
    let opens: Vec<_> = frames()
        .iter()
        .filter_map(|bytes| {
            let mut reader = Reader::new(split(bytes, 16_384).unwrap().unwrap().body);
            (reader.descriptor() == Ok(OPEN)).then(|| decode_open(&mut reader).unwrap())
        })
        .collect();
    assert_eq!(opens.len(), 4);
    for (open, channel_max) in opens {
        assert_eq!((channel_max, open.max_frame_size, open.idle_timeout_ms), (32_767, 16_384, 8_000));
        assert_eq!(open.offered_capabilities[1], "qd.streaming-links");
        assert_eq!(open.properties[3], (Value::Symbol("qd.annotations-version".into()), Value::Int(2)));
        let properties = open.properties.iter().map(|(key, value)| (key.as_str().unwrap().to_owned(), value.clone()));
        let ours = Open {
            container_id: &open.container_id,
            hostname: open.hostname.as_deref(),
            max_frame_size: open.max_frame_size,
            channel_max,
            idle_timeout_ms: open.idle_timeout_ms,
            capabilities: &open.offered_capabilities,
            properties: &properties.collect::<Vec<_>>(),
        };
        let mut bytes = Vec::new();
        ours.encode(&mut bytes);
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.descriptor(), Ok(OPEN));
        assert_eq!(decode_open(&mut reader), Ok((open, channel_max)));
    }
}

#[test]
fn truncated_frames_are_incomplete_or_errors() {
    for bytes in frames() {
        for cut in 0..bytes.len() {
            assert_eq!(split(&bytes[..cut], 16_384), Ok(None));
        }
        let body = split(&bytes, 16_384).unwrap().unwrap().body;
        for cut in 0..body.len() {
            let mut reader = Reader::new(&body[..cut]);
            // Whatever it is, it is no panic.
            match reader.descriptor() {
                Ok(TRANSFER) => drop(Transfer::decode(&mut reader)),
                Ok(ATTACH) => assert!(decode_attach(&mut reader).is_err()),
                Ok(FLOW) => assert!(Flow::decode(&mut reader).is_err()),
                _ => {}
            }
        }
    }
}

#[test]
fn fields_that_are_missing_or_too_many_are_tolerated() {
    let mut reader = Reader::new(b"\xc0\x08\x05\x43\x40\x40\x40\x40\xa1\x00");
    let transfer = Transfer::decode(&mut reader).unwrap();
    assert_eq!(transfer, Transfer { handle: 0, delivery_id: None, settled: false, more: false, aborted: false });
    let mut reader = Reader::new(b"\xc0\x0e\x0d\x43\x43\x40\x43\x41\x42\x40\x40\x40\x41\x42\x43\x44rest");
    let transfer = Transfer::decode(&mut reader).unwrap();
    assert_eq!(transfer, Transfer { handle: 0, delivery_id: Some(0), settled: true, more: false, aborted: true });
    assert_eq!(reader.rest(), b"rest");
    assert!(Transfer::decode(&mut Reader::new(b"\x45")).is_err());
    let mut reader = Reader::new(b"\x00\xa3\x0famqp:begin:list\xc0\x06\x04\x40\x43\x52\x01\x43");
    assert_eq!(reader.descriptor(), Ok(BEGIN));
    assert_eq!(Begin::decode(&mut reader).unwrap().handle_max, u32::MAX);
    let mut reader = Reader::new(b"\xd0\x00\x00\x00\x04\x00\x00\x00\x00");
    assert_eq!(decode_ending(&mut reader), Ok(None));
    assert!(decode_open(&mut Reader::new(b"\x45")).is_err());
}

#[test]
fn a_transfer_is_as_long_as_it_was_reckoned() {
    for value in [0, 1, 255, 256, u32::MAX] {
        let mut out = Vec::new();
        put_transfer(&mut out, value, value, 1, Tail::More);
        assert_eq!(out.len(), transfer_len(value, value));
    }
    let mut out = Vec::new();
    put_transfer(&mut out, 1, 2, 3, Tail::Aborted);
    let mut reader = Reader::new(&out);
    reader.descriptor().unwrap();
    let transfer = Transfer::decode(&mut reader).unwrap();
    assert!(transfer.aborted && transfer.settled && !transfer.more);
}

#[test]
fn endings_carry_their_error() {
    let condition = Condition::new("amqp:internal-error", "y".repeat(1_000));
    for error in [None, Some(&condition)] {
        for write in [put_end, put_close] {
            let mut out = Vec::new();
            write(&mut out, error);
            let mut reader = Reader::new(&out);
            reader.descriptor().unwrap();
            assert_eq!(decode_ending(&mut reader).unwrap().as_ref(), error);
        }
        let detach = Detach { handle: 300, closed: true, error: error.cloned() };
        let mut out = Vec::new();
        detach.encode(&mut out);
        let mut reader = Reader::new(&out);
        assert_eq!(reader.descriptor(), Ok(DETACH));
        assert_eq!(Detach::decode(&mut reader), Ok(detach));
    }
}

#[test]
fn a_coordinator_is_seen_and_a_null_terminus_is_none() {
    let attach = b"\xc0\x11\x07\xa1\x01a\x43\x42\x40\x40\x40\x00\x53\x30\xc0\x03\x01\xa3\x00";
    let remote = decode_attach(&mut Reader::new(attach)).unwrap();
    assert_eq!(remote.attach.source, None);
    assert_eq!(remote.attach.target, Some(Terminus { coordinator: true, ..Terminus::default() }));
    assert_eq!(remote.attach.role, Role::Receiver);
}

#[test]
fn bad_frames_say_why() {
    let cases: [(&[u8], &str); 5] = [
        (b"\0\0\0\x07\x02\0\0\0", "shorter"),
        (b"\0\0\x40\x01\x02\0\0\0", "longer"),
        (b"\0\0\0\x08\x01\0\0\0", "offset"),
        (b"\0\0\0\x08\x03\0\0\0", "offset"),
        (b"\0\0\0\x08\x02\x02\0\0", "type 2"),
    ];
    for (bytes, word) in cases {
        assert!(split(bytes, 16_384).unwrap_err().contains(word));
    }
    let extended = split(b"\0\0\0\x0d\x03\0\0\x05XXXXy", 16_384).unwrap().unwrap();
    assert_eq!(extended, Frame { layer: Layer::Amqp, channel: 5, body: b"y", len: 13 });
    assert!(looks_like(*b"SSH-2.0-").contains("SSH") && looks_like([0; 8]).contains("unknown"));
}
