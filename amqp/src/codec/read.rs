//! Reading encoded values in place: fields of a list, without a tree of values.

use super::{DecodeError, MAX_DEPTH, Value, descriptor};

const SHORT: DecodeError = DecodeError("a value reaches past the end");

/// Length of the encoded value at the front of `bytes`, its constructor included; `None` when it is not complete.
/// Does not look into compound values, so it costs nothing for long ones (1.2: a constructor's first half tells the width).
pub(crate) fn value_len(bytes: &[u8]) -> Result<Option<usize>, DecodeError> {
    let mut at = 0_usize;
    // A described value is two values in a row: the descriptor and what it describes.
    let mut wanted = 1_usize;
    while wanted > 0 {
        let Some(&constructor) = bytes.get(at) else { return Ok(None) };
        at += 1;
        if constructor == 0 {
            wanted += 1;
            if wanted > MAX_DEPTH {
                return Err(DecodeError("descriptors nest too deep"));
            }
            continue;
        }
        let Some(width) = body_len(constructor, bytes.get(at..).unwrap_or_default())? else { return Ok(None) };
        at = at.checked_add(width).ok_or(SHORT)?;
        wanted -= 1;
    }
    Ok((at <= bytes.len()).then_some(at))
}

/// Length of what follows a constructor: its size field, if it has one, and the data.
fn body_len(constructor: u8, body: &[u8]) -> Result<Option<usize>, DecodeError> {
    Ok(match constructor >> 4 {
        0x4 => Some(0),
        0x5 => Some(1),
        0x6 => Some(2),
        0x7 => Some(4),
        0x8 => Some(8),
        0x9 => Some(16),
        0xa | 0xc | 0xe => body.first().map(|&size| 1 + usize::from(size)),
        0xb | 0xd | 0xf => match body.first_chunk::<4>() {
            Some(&size) => Some((u32::from_be_bytes(size) as usize).checked_add(4).ok_or(SHORT)?),
            None => None,
        },
        _ => return Err(DecodeError("unknown constructor")),
    })
}

/// A position in encoded bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes }
    }

    /// What has not been read.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.bytes.split_at_checked(len).ok_or(SHORT)?;
        self.bytes = rest;
        Ok(taken)
    }

    pub(crate) fn fixed<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.bytes.split_first_chunk::<N>().ok_or(SHORT)?;
        self.bytes = rest;
        Ok(*taken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(self.fixed::<1>()?[0])
    }

    /// A size or a count: one byte, or four when `wide`.
    pub(crate) fn size(&mut self, wide: bool) -> Result<usize, DecodeError> {
        Ok(if wide { u32::from_be_bytes(self.fixed()?) as usize } else { usize::from(self.byte()?) })
    }

    /// The bytes of a variable-width value, behind its constructor.
    pub(crate) fn variable(&mut self, constructor: u8) -> Result<&'a [u8], DecodeError> {
        let len = self.size(constructor & 0x10 != 0)?;
        self.take(len)
    }

    /// A whole value, still encoded.
    pub(crate) fn value(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = value_len(self.bytes)?.ok_or(SHORT)?;
        self.take(len)
    }

    /// `0x00` and a descriptor that the engine knows as a number.
    pub(crate) fn descriptor(&mut self) -> Result<u64, DecodeError> {
        if self.byte()? != 0 {
            return Err(DecodeError("a described type is expected"));
        }
        match self.byte()? {
            0x44 => Ok(0),
            0x53 => Ok(u64::from(self.byte()?)),
            0x80 => Ok(u64::from_be_bytes(self.fixed()?)),
            symbol @ (0xa3 | 0xb3) => {
                descriptor::named(self.variable(symbol)?).ok_or(DecodeError("unknown symbolic descriptor"))
            }
            _ => Err(DecodeError("a descriptor is neither ulong nor symbol")),
        }
    }

    /// A list, whose fields are then read in order.
    pub(crate) fn list(&mut self) -> Result<Fields<'a>, DecodeError> {
        let constructor = self.byte()?;
        let wide = match constructor {
            0x45 => return Ok(Fields { reader: Reader::new(&[]), left: 0 }),
            0xc0 => false,
            0xd0 => true,
            _ => return Err(DecodeError("a list is expected")),
        };
        let mut reader = Reader::new(self.variable(constructor)?);
        let left = reader.size(wide)?;
        if left > reader.bytes.len() {
            return Err(DecodeError("a list counts more fields than it has bytes"));
        }
        Ok(Fields { reader, left })
    }
}

/// The fields of a list, from the left. A field that is null or missing at the end reads as `None`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a> {
    reader: Reader<'a>,
    left: usize,
}

impl<'a> Fields<'a> {
    fn constructor(&mut self) -> Result<Option<u8>, DecodeError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        Ok(Some(self.reader.byte()?).filter(|&constructor| constructor != 0x40))
    }

    pub(crate) fn uint(&mut self) -> Result<Option<u32>, DecodeError> {
        Ok(match self.constructor()? {
            None => None,
            Some(0x43) => Some(0),
            Some(0x52) => Some(u32::from(self.reader.byte()?)),
            Some(0x70) => Some(u32::from_be_bytes(self.reader.fixed()?)),
            Some(_) => return Err(DecodeError("a field is not a uint")),
        })
    }

    pub(crate) fn ulong(&mut self) -> Result<Option<u64>, DecodeError> {
        Ok(match self.constructor()? {
            None => None,
            Some(0x44) => Some(0),
            Some(0x53) => Some(u64::from(self.reader.byte()?)),
            Some(0x80) => Some(u64::from_be_bytes(self.reader.fixed()?)),
            Some(_) => return Err(DecodeError("a field is not a ulong")),
        })
    }

    pub(crate) fn ushort(&mut self) -> Result<Option<u16>, DecodeError> {
        Ok(match self.constructor()? {
            None => None,
            Some(0x60) => Some(u16::from_be_bytes(self.reader.fixed()?)),
            Some(_) => return Err(DecodeError("a field is not a ushort")),
        })
    }

    pub(crate) fn ubyte(&mut self) -> Result<Option<u8>, DecodeError> {
        Ok(match self.constructor()? {
            None => None,
            Some(0x50) => Some(self.reader.byte()?),
            Some(_) => return Err(DecodeError("a field is not a ubyte")),
        })
    }

    /// A boolean; null and missing read as `false`, the default of all of ours.
    pub(crate) fn flag(&mut self) -> Result<bool, DecodeError> {
        Ok(match self.constructor()? {
            None | Some(0x42) => false,
            Some(0x41) => true,
            Some(0x56) => match self.reader.byte()? {
                0 => false,
                1 => true,
                _ => return Err(DecodeError("a boolean is neither 0 nor 1")),
            },
            Some(_) => return Err(DecodeError("a field is not a boolean")),
        })
    }

    pub(crate) fn binary(&mut self) -> Result<Option<&'a [u8]>, DecodeError> {
        Ok(match self.constructor()? {
            None => None,
            Some(binary @ (0xa0 | 0xb0)) => Some(self.reader.variable(binary)?),
            Some(_) => return Err(DecodeError("a field is not binary")),
        })
    }

    /// A string or a symbol: peers mix them up (skupper-router writes `content-type` as a string).
    pub(crate) fn text(&mut self) -> Result<Option<&'a str>, DecodeError> {
        Ok(match self.constructor()? {
            None => None,
            Some(text @ (0xa1 | 0xb1 | 0xa3 | 0xb3)) => Some(utf8(self.reader.variable(text)?)?),
            Some(_) => return Err(DecodeError("a field is not text")),
        })
    }

    /// A value of any type, still encoded.
    pub(crate) fn raw(&mut self) -> Result<Option<&'a [u8]>, DecodeError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        Ok(Some(self.reader.value()?).filter(|value| value.first() != Some(&0x40)))
    }

    pub(crate) fn skip(&mut self, fields: usize) -> Result<(), DecodeError> {
        for _ in 0..fields {
            self.raw()?;
        }
        Ok(())
    }

    /// A value of any type.
    pub(crate) fn value(&mut self) -> Result<Option<Value>, DecodeError> {
        self.raw()?.map(|mut bytes| Value::decode(&mut bytes)).transpose()
    }

    /// A map; null and missing read as an empty one.
    pub(crate) fn map(&mut self) -> Result<Vec<(Value, Value)>, DecodeError> {
        match self.value()? {
            None => Ok(Vec::new()),
            Some(Value::Map(pairs)) => Ok(pairs),
            Some(_) => Err(DecodeError("a field is not a map")),
        }
    }

    /// A field with `multiple=true`: one symbol, or an array of them (1.4).
    pub(crate) fn symbols(&mut self) -> Result<Vec<String>, DecodeError> {
        let symbols = match self.value()? {
            None => Vec::new(),
            Some(Value::Array(values) | Value::List(values)) => values,
            Some(value) => vec![value],
        };
        symbols
            .into_iter()
            .map(|symbol| match symbol {
                Value::Symbol(text) | Value::String(text) => Ok(text),
                _ => Err(DecodeError("a field is not a symbol")),
            })
            .collect()
    }
}

pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, DecodeError> {
    std::str::from_utf8(bytes).map_err(|_| DecodeError("text is not UTF-8"))
}
