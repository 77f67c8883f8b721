//! Every type there and back, every form that may be read, and what must not be.

use super::read::{Reader, value_len};
use super::{DecodeError, Value};

fn encoded(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.encode(&mut bytes);
    bytes
}

fn decoded(mut bytes: &[u8]) -> Result<Value, DecodeError> {
    let value = Value::decode(&mut bytes)?;
    assert!(bytes.is_empty(), "{} bytes are left", bytes.len());
    Ok(value)
}

fn text(len: usize) -> String {
    "é".repeat(len / 2)
}

/// One or more values of each type.
fn samples() -> Vec<Value> {
    let map = Value::Map(vec![(Value::Symbol("k".into()), Value::Uint(7)), (Value::Int(-1), Value::List(vec![]))]);
    let described = Value::Described(Box::new(Value::Ulong(0x75)), Box::new(Value::Binary(vec![1, 2])));
    vec![
        Value::Null,
        Value::Bool(true),
        Value::Bool(false),
        Value::Ubyte(200),
        Value::Ushort(60_000),
        Value::Uint(0),
        Value::Uint(255),
        Value::Uint(256),
        Value::Uint(u32::MAX),
        Value::Ulong(0),
        Value::Ulong(255),
        Value::Ulong(256),
        Value::Ulong(u64::MAX),
        Value::Byte(-128),
        Value::Short(-30_000),
        Value::Int(-128),
        Value::Int(127),
        Value::Int(128),
        Value::Int(i32::MIN),
        Value::Long(-128),
        Value::Long(-129),
        Value::Long(i64::MAX),
        Value::Float(-1.5),
        Value::Double(f64::MAX),
        Value::Decimal32([1, 2, 3, 4]),
        Value::Decimal64([5; 8]),
        Value::Decimal128([6; 16]),
        Value::Char('€'),
        Value::Timestamp(-1),
        Value::Uuid([9; 16]),
        Value::Binary(vec![]),
        Value::Binary(vec![7; 255]),
        Value::Binary(vec![7; 256]),
        Value::String(text(254)),
        Value::String(text(256)),
        Value::Symbol("amqp:open:list".into()),
        Value::Symbol("s".repeat(70_000)),
        Value::List(vec![]),
        Value::List(vec![Value::Null, Value::Uint(0), map.clone()]),
        Value::List(vec![Value::Null; 255]),
        Value::List(vec![Value::Null; 256]),
        Value::List(vec![Value::String(text(300))]),
        Value::Map(vec![]),
        map.clone(),
        Value::Map(vec![(Value::Uint(1), Value::Binary(vec![0; 300]))]),
        described.clone(),
        Value::Described(Box::new(Value::Symbol("a:b".into())), Box::new(described.clone())),
        Value::Array(vec![]),
        Value::List(vec![Value::Array(vec![Value::Symbol("x".into())]), described, map]),
    ]
}

#[test]
fn every_type_there_and_back() {
    for value in samples() {
        let bytes = encoded(&value);
        assert_eq!(decoded(&bytes), Ok(value.clone()));
        assert_eq!(value_len(&bytes), Ok(Some(bytes.len())), "{value:?}");
        for cut in 0..bytes.len().min(600) {
            assert!(decoded(&bytes[..cut]).is_err());
            assert_eq!(value_len(&bytes[..cut]), Ok(None));
        }
    }
}

#[test]
fn arrays_of_every_type_there_and_back() {
    for value in samples() {
        for count in [1, 2, 300] {
            let array = Value::Array(vec![value.clone(); count]);
            // Nulls take no bytes in an array, so more of them than bytes are refused.
            if value == Value::Null && count > 2 {
                assert!(decoded(&encoded(&array)).is_err());
            } else {
                assert!(decoded(&encoded(&array)) == Ok(array), "{count} of {value:?}");
            }
        }
    }
    let wide_and_narrow = Value::Array(vec![Value::Uint(1), Value::Uint(70_000)]);
    assert_eq!(decoded(&encoded(&wide_and_narrow)), Ok(wide_and_narrow));
    let nested = Value::Array(vec![Value::Array(vec![Value::Byte(1)]), Value::Array(vec![Value::Char('x')])]);
    assert_eq!(decoded(&encoded(&nested)), Ok(nested));
    // Mixed elements have no array form.
    let mixed = vec![Value::Uint(1), Value::Null];
    assert_eq!(decoded(&encoded(&Value::Array(mixed.clone()))), Ok(Value::List(mixed)));
}

#[test]
fn the_shortest_form_is_written() {
    assert_eq!(encoded(&Value::Uint(0)), [0x43]);
    assert_eq!(encoded(&Value::Uint(9)), [0x52, 9]);
    assert_eq!(encoded(&Value::Ulong(0)), [0x44]);
    assert_eq!(encoded(&Value::Ulong(9)), [0x53, 9]);
    assert_eq!(encoded(&Value::Int(-2)), [0x54, 0xfe]);
    assert_eq!(encoded(&Value::Long(-2)), [0x55, 0xfe]);
    assert_eq!(encoded(&Value::Bool(true)), [0x41]);
    assert_eq!(encoded(&Value::List(vec![])), [0x45]);
    assert_eq!(encoded(&Value::List(vec![Value::Null])), [0xc0, 2, 1, 0x40]);
    assert_eq!(encoded(&Value::Map(vec![])), [0xc1, 1, 0]);
    assert_eq!(encoded(&Value::Array(vec![Value::Uint(1), Value::Uint(2)])), [0xe0, 4, 2, 0x52, 1, 2]);
    assert_eq!(encoded(&Value::Array(vec![Value::Bool(true)])), [0xe0, 3, 1, 0x56, 1]);
}

#[test]
fn every_form_is_read() {
    let forms: [(&[u8], Value); 22] = [
        (b"\x56\x01", Value::Bool(true)),
        (b"\x56\x00", Value::Bool(false)),
        (b"\x70\x00\x00\x00\x01", Value::Uint(1)),
        (b"\x80\x00\x00\x00\x00\x00\x00\x00\x01", Value::Ulong(1)),
        (b"\x71\xff\xff\xff\xff", Value::Int(-1)),
        (b"\x81\xff\xff\xff\xff\xff\xff\xff\xff", Value::Long(-1)),
        (b"\xb0\x00\x00\x00\x01x", Value::Binary(b"x".to_vec())),
        (b"\xb1\x00\x00\x00\x01x", Value::String("x".into())),
        (b"\xb3\x00\x00\x00\x01x", Value::Symbol("x".into())),
        (b"\xc0\x01\x00", Value::List(vec![])),
        (b"\xd0\x00\x00\x00\x04\x00\x00\x00\x00", Value::List(vec![])),
        (b"\xd0\x00\x00\x00\x05\x00\x00\x00\x01\x40", Value::List(vec![Value::Null])),
        (b"\xd1\x00\x00\x00\x06\x00\x00\x00\x02\x43\x41", Value::Map(vec![(Value::Uint(0), Value::Bool(true))])),
        (b"\xf0\x00\x00\x00\x06\x00\x00\x00\x01\x50\x07", Value::Array(vec![Value::Ubyte(7)])),
        (b"\xe0\x02\x00\x40", Value::Array(vec![])),
        (b"\xe0\x02\x01\x41", Value::Array(vec![Value::Bool(true)])),
        (b"\xe0\x02\x01\x43", Value::Array(vec![Value::Uint(0)])),
        (b"\xe0\x02\x01\x44", Value::Array(vec![Value::Ulong(0)])),
        (b"\xe0\x02\x01\x45", Value::Array(vec![Value::List(vec![])])),
        (b"\xe0\x04\x01\xc0\x01\x00", Value::Array(vec![Value::List(vec![])])),
        (b"\xe0\x05\x01\xa3\x02ab", Value::Array(vec![Value::Symbol("ab".into())])),
        (
            b"\xe0\x05\x01\x00\x53\x75\x43",
            Value::Array(vec![Value::Described(Box::new(Value::Ulong(0x75)), Box::new(Value::Uint(0)))]),
        ),
    ];
    for (bytes, value) in forms {
        assert_eq!(decoded(bytes), Ok(value), "{bytes:02x?}");
    }
}

#[test]
fn what_is_malformed_is_refused() {
    let bad: [&[u8]; 16] = [
        b"",
        b"\x00",
        b"\x00\x53\x75",
        b"\x3f",
        b"\x46",
        b"\x56\x02",
        b"\x73\x00\x11\x00\x00",
        b"\xa1\x02\xff\xff",
        b"\xc0\x01\x01",
        b"\xc0\x02\x01",
        b"\xc0\x03\x01\x40\x40",
        b"\xc1\x02\x01\x40",
        b"\xb0\xff\xff\xff\xff\x00",
        b"\xd0\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xd0\x00\x00\x00\x00",
        b"\xc0\x00",
    ];
    for bytes in bad {
        assert!(decoded(bytes).is_err(), "{bytes:02x?}");
    }
}

#[test]
fn memory_stays_in_proportion() {
    // Four billion elements that take no bytes.
    assert!(decoded(b"\xf0\x00\x00\x00\x05\xff\xff\xff\xff\x40").is_err());
    assert!(decoded(b"\xf0\x00\x00\x00\x07\xff\xff\xff\xff\x00\x43\x45").is_err());
    // Many such arrays, each of them below a limit of its own.
    let inner: &[u8] = b"\xe0\x02\xff\x43";
    let mut list = vec![0xd0];
    list.extend((4 + 1_000 * inner.len() as u32).to_be_bytes());
    list.extend(1_000_u32.to_be_bytes());
    list.extend(inner.repeat(1_000));
    assert!(decoded(&list).is_err());
    // A long descriptor that many elements share.
    let mut array = vec![0xf0];
    let body = [&[0x00, 0xa3, 255][..], &[b'x'; 255], &[0x50], &[1; 250]].concat();
    array.extend((4 + body.len() as u32).to_be_bytes());
    array.extend(250_u32.to_be_bytes());
    array.extend(body);
    assert!(decoded(&array).is_err());
}

#[test]
fn depth_is_bounded() {
    for deep in [b"\x00".repeat(100_000), [0xc0, 0xff, 0x01].repeat(50_000), [0xe0, 0xff, 0x01].repeat(50_000)] {
        assert!(decoded(&deep).is_err());
        assert!(value_len(&deep).is_err() || deep[0] != 0);
    }
    let nest = |depth: usize| (0..depth).fold(Value::Null, |value, _| Value::List(vec![value]));
    assert!(decoded(&encoded(&nest(16))).is_ok());
    assert!(decoded(&encoded(&nest(17))).is_err());
}

#[test]
fn fields_read_as_none_when_null_or_missing() {
    let mut fields = Reader::new(b"\xc0\x0a\x05\x40\x43\x52\x07\x40\xa3\x01x\x40").list().unwrap();
    assert_eq!(fields.uint(), Ok(None));
    assert_eq!(fields.uint(), Ok(Some(0)));
    assert_eq!(fields.uint(), Ok(Some(7)));
    assert_eq!(fields.text(), Ok(None));
    assert_eq!(fields.symbols(), Ok(vec!["x".to_owned()]));
    assert_eq!(fields.raw(), Ok(None));
    assert_eq!(fields.flag(), Ok(false));
    assert!(Reader::new(b"\xc0\x02\x05\x40").list().is_err());
}
