//! Bytes to [`Value`].

use super::read::{Reader, utf8};
use super::{DecodeError, MAX_DEPTH, Value};

pub(super) fn value(bytes: &mut &[u8]) -> Result<Value, DecodeError> {
    let mut decoder = Decoder { reader: Reader::new(bytes), budget: bytes.len().saturating_mul(VALUE_COST) };
    let value = decoder.value(0)?;
    *bytes = decoder.reader.rest();
    Ok(value)
}

/// What a value costs of the budget.
const VALUE_COST: usize = 8;

struct Decoder<'a> {
    reader: Reader<'a>,
    /// What may still be made, eight for each byte of input. A value costs eight and takes at least one byte, except
    /// the elements of an array of zero-width values (1.6.24 allows four billion of them in ten bytes). A byte of a
    /// descriptor that an array's elements share costs one in each. So memory stays in proportion to the input.
    budget: usize,
}

/// What tells the type of the elements of an array.
struct Constructor {
    /// Descriptors, outermost first.
    descriptors: Vec<Value>,
    /// Encoded length of the descriptors.
    descriptors_len: usize,
    code: u8,
}

impl Decoder<'_> {
    fn spend(&mut self, amount: usize) -> Result<(), DecodeError> {
        self.budget = self.budget.checked_sub(amount).ok_or(DecodeError("more values than the bytes justify"))?;
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<Value, DecodeError> {
        if depth > MAX_DEPTH {
            return Err(DecodeError("values nest too deep"));
        }
        self.spend(VALUE_COST)?;
        match self.reader.byte()? {
            0 => {
                let descriptor = self.value(depth + 1)?;
                let described = self.value(depth + 1)?;
                Ok(Value::Described(Box::new(descriptor), Box::new(described)))
            }
            code => self.body(code, depth),
        }
    }

    fn body(&mut self, code: u8, depth: usize) -> Result<Value, DecodeError> {
        let reader = &mut self.reader;
        Ok(match code {
            0x40 => Value::Null,
            0x41 => Value::Bool(true),
            0x42 => Value::Bool(false),
            0x56 => match reader.byte()? {
                0 => Value::Bool(false),
                1 => Value::Bool(true),
                _ => return Err(DecodeError("a boolean is neither 0 nor 1")),
            },
            0x50 => Value::Ubyte(reader.byte()?),
            0x60 => Value::Ushort(u16::from_be_bytes(reader.fixed()?)),
            0x43 => Value::Uint(0),
            0x52 => Value::Uint(u32::from(reader.byte()?)),
            0x70 => Value::Uint(u32::from_be_bytes(reader.fixed()?)),
            0x44 => Value::Ulong(0),
            0x53 => Value::Ulong(u64::from(reader.byte()?)),
            0x80 => Value::Ulong(u64::from_be_bytes(reader.fixed()?)),
            0x51 => Value::Byte(i8::from_be_bytes(reader.fixed()?)),
            0x61 => Value::Short(i16::from_be_bytes(reader.fixed()?)),
            0x54 => Value::Int(i32::from(i8::from_be_bytes(reader.fixed()?))),
            0x71 => Value::Int(i32::from_be_bytes(reader.fixed()?)),
            0x55 => Value::Long(i64::from(i8::from_be_bytes(reader.fixed()?))),
            0x81 => Value::Long(i64::from_be_bytes(reader.fixed()?)),
            0x72 => Value::Float(f32::from_be_bytes(reader.fixed()?)),
            0x82 => Value::Double(f64::from_be_bytes(reader.fixed()?)),
            0x74 => Value::Decimal32(reader.fixed()?),
            0x84 => Value::Decimal64(reader.fixed()?),
            0x94 => Value::Decimal128(reader.fixed()?),
            0x73 => Value::Char(
                char::from_u32(u32::from_be_bytes(reader.fixed()?)).ok_or(DecodeError("a char is not Unicode"))?,
            ),
            0x83 => Value::Timestamp(i64::from_be_bytes(reader.fixed()?)),
            0x98 => Value::Uuid(reader.fixed()?),
            0xa0 | 0xb0 => Value::Binary(reader.variable(code)?.to_vec()),
            0xa1 | 0xb1 => Value::String(utf8(reader.variable(code)?)?.to_owned()),
            0xa3 | 0xb3 => Value::Symbol(utf8(reader.variable(code)?)?.to_owned()),
            0x45 => Value::List(Vec::new()),
            0xc0 | 0xd0 => Value::List(
                self.compound(code, |decoder, count| (0..count).map(|_| decoder.value(depth + 1)).collect())?,
            ),
            0xc1 | 0xd1 => Value::Map(self.compound(code, |decoder, count| {
                if count % 2 != 0 {
                    return Err(DecodeError("a map has a key without a value"));
                }
                (0..count / 2).map(|_| Ok((decoder.value(depth + 1)?, decoder.value(depth + 1)?))).collect()
            })?),
            0xe0 | 0xf0 => Value::Array(self.compound(code, |decoder, count| decoder.elements(count, depth + 1))?),
            _ => return Err(DecodeError("unknown constructor")),
        })
    }

    /// Runs `read` over the inside of a list, map or array, which it must use up.
    fn compound<T>(
        &mut self,
        code: u8,
        read: impl FnOnce(&mut Decoder<'_>, usize) -> Result<Vec<T>, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let mut inner = Decoder { reader: Reader::new(self.reader.variable(code)?), budget: self.budget };
        let count = inner.reader.size(code & 0x10 != 0)?;
        let items = read(&mut inner, count)?;
        if !inner.reader.rest().is_empty() {
            return Err(DecodeError("bytes are left over inside a compound value"));
        }
        self.budget = inner.budget;
        Ok(items)
    }

    fn elements(&mut self, count: usize, depth: usize) -> Result<Vec<Value>, DecodeError> {
        if depth > MAX_DEPTH {
            return Err(DecodeError("values nest too deep"));
        }
        let constructor = self.array_constructor(depth)?;
        let mut values = Vec::new();
        for _ in 0..count {
            self.spend(VALUE_COST + constructor.descriptors_len)?;
            let depth = depth + constructor.descriptors.len();
            let inner = self.body(constructor.code, depth)?;
            values.push(
                constructor
                    .descriptors
                    .iter()
                    .rev()
                    .fold(inner, |inner, descriptor| Value::Described(Box::new(descriptor.clone()), Box::new(inner))),
            );
        }
        Ok(values)
    }

    fn array_constructor(&mut self, depth: usize) -> Result<Constructor, DecodeError> {
        let before = self.reader.rest().len();
        let mut descriptors = Vec::new();
        loop {
            match self.reader.byte()? {
                0 if depth + descriptors.len() >= MAX_DEPTH => return Err(DecodeError("values nest too deep")),
                0 => descriptors.push(self.value(depth + 1)?),
                code => {
                    let descriptors_len = before - self.reader.rest().len() - 1;
                    return Ok(Constructor { descriptors, descriptors_len, code });
                }
            }
        }
    }
}
