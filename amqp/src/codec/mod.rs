//! AMQP 1.0 types: values, and their encoding (part 1 of the specification).

mod convert;
mod decode;
pub(crate) mod descriptor;
pub(crate) mod encode;
pub(crate) mod read;
#[cfg(test)]
mod tests;

/// One AMQP value of any type.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// Absent.
    #[default]
    Null,
    /// `boolean`.
    Bool(bool),
    /// `ubyte`.
    Ubyte(u8),
    /// `ushort`.
    Ushort(u16),
    /// `uint`.
    Uint(u32),
    /// `ulong`.
    Ulong(u64),
    /// `byte`.
    Byte(i8),
    /// `short`.
    Short(i16),
    /// `int`.
    Int(i32),
    /// `long`.
    Long(i64),
    /// `float`.
    Float(f32),
    /// `double`.
    Double(f64),
    /// `decimal32`, its bits as they are on the wire.
    Decimal32([u8; 4]),
    /// `decimal64`, its bits as they are on the wire.
    Decimal64([u8; 8]),
    /// `decimal128`, its bits as they are on the wire.
    Decimal128([u8; 16]),
    /// `char`.
    Char(char),
    /// `timestamp`, milliseconds since the Unix epoch.
    Timestamp(i64),
    /// `uuid`.
    Uuid([u8; 16]),
    /// `binary`.
    Binary(Vec<u8>),
    /// `string`.
    String(String),
    /// `symbol`.
    Symbol(String),
    /// `list`.
    List(Vec<Value>),
    /// `map`, in the order of the wire.
    Map(Vec<(Value, Value)>),
    /// `array`: all elements of one type.
    Array(Vec<Value>),
    /// A described value: descriptor, value.
    Described(Box<Value>, Box<Value>),
}

/// Bytes that are not AMQP.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed AMQP encoding: {0}")]
pub struct DecodeError(pub &'static str);

/// How deep values may nest, described values and compound ones together.
pub(crate) const MAX_DEPTH: usize = 16;

impl Value {
    /// Appends the shortest encoding of this value. An array's elements are of one type by definition; one with
    /// mixed elements has no encoding as an array and is written as a list.
    pub fn encode(&self, out: &mut Vec<u8>) {
        encode::put_value(out, self);
    }

    /// Reads one value from the front of `bytes` and moves `bytes` past it. Depth and sizes are bounded.
    pub fn decode(bytes: &mut &[u8]) -> Result<Value, DecodeError> {
        decode::value(bytes)
    }

    /// The text of a string or symbol.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) | Value::Symbol(text) => Some(text),
            _ => None,
        }
    }
}
