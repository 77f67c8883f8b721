//! Writing values: primitives in their shortest form, lists that learn their size at the end, and [`Value`].

use super::Value;

pub(crate) fn put_null(out: &mut Vec<u8>) {
    out.push(0x40);
}

pub(crate) fn put_bool(out: &mut Vec<u8>, value: bool) {
    out.push(if value { 0x41 } else { 0x42 });
}

pub(crate) fn put_ubyte(out: &mut Vec<u8>, value: u8) {
    out.extend_from_slice(&[0x50, value]);
}

pub(crate) fn put_ushort(out: &mut Vec<u8>, value: u16) {
    put_code(out, 0x60, &value.to_be_bytes());
}

pub(crate) fn put_uint(out: &mut Vec<u8>, value: u32) {
    match u8::try_from(value) {
        Ok(0) => out.push(0x43),
        Ok(small) => out.extend_from_slice(&[0x52, small]),
        Err(_) => put_code(out, 0x70, &value.to_be_bytes()),
    }
}

pub(crate) fn put_ulong(out: &mut Vec<u8>, value: u64) {
    match u8::try_from(value) {
        Ok(0) => out.push(0x44),
        Ok(small) => out.extend_from_slice(&[0x53, small]),
        Err(_) => put_code(out, 0x80, &value.to_be_bytes()),
    }
}

pub(crate) fn put_binary(out: &mut Vec<u8>, value: &[u8]) {
    put_variable(out, 0xa0, value);
}

pub(crate) fn put_string(out: &mut Vec<u8>, value: &str) {
    put_variable(out, 0xa1, value.as_bytes());
}

pub(crate) fn put_symbol(out: &mut Vec<u8>, value: &str) {
    put_variable(out, 0xa3, value.as_bytes());
}

pub(crate) fn put_descriptor(out: &mut Vec<u8>, descriptor: u64) {
    out.push(0);
    put_ulong(out, descriptor);
}

/// One symbol bare, several as an array, none as null: a field with `multiple=true` (1.4).
pub(crate) fn put_symbols(out: &mut Vec<u8>, symbols: &[String]) {
    match symbols {
        [] => put_null(out),
        [one] => put_symbol(out, one),
        several => put_symbol_array(out, several.iter().map(String::as_str)),
    }
}

/// An array of symbols, however many.
pub(crate) fn put_symbol_array<'s>(out: &mut Vec<u8>, symbols: impl Iterator<Item = &'s str>) {
    let symbols: Vec<Value> = symbols.map(|symbol| Value::Symbol(symbol.to_owned())).collect();
    put_value(out, &Value::Array(symbols));
}

fn put_code(out: &mut Vec<u8>, code: u8, bytes: &[u8]) {
    out.push(code);
    out.extend_from_slice(bytes);
}

/// A length or count of something that is in memory and was checked to be, or is far, below four gigabytes.
fn wide(len: usize) -> [u8; 4] {
    u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes()
}

fn put_variable(out: &mut Vec<u8>, code: u8, bytes: &[u8]) {
    match u8::try_from(bytes.len()) {
        Ok(len) => out.extend_from_slice(&[code, len]),
        Err(_) => put_code(out, code + 0x10, &wide(bytes.len())),
    }
    out.extend_from_slice(bytes);
}

/// Writes a compound value: `code` is its 8-bit constructor, 0x10 more the 32-bit one. `write` returns the count.
fn put_compound(out: &mut Vec<u8>, code: u8, write: impl FnOnce(&mut Vec<u8>) -> usize) {
    out.extend_from_slice(&[code, 0, 0]);
    let inside = out.len();
    let count = write(out);
    let size = out.len() - inside;
    match (u8::try_from(size + 1), u8::try_from(count)) {
        (Ok(size), Ok(count)) => out[inside - 2..inside].copy_from_slice(&[size, count]),
        _ => {
            let mut head = [code + 0x10; 9];
            head[1..5].copy_from_slice(&wide(size + 4));
            head[5..].copy_from_slice(&wide(count));
            out.splice(inside - 3..inside, head);
        }
    }
}

/// Writes a list field by field; nulls at the end are left out.
pub(crate) fn put_list(out: &mut Vec<u8>, write: impl FnOnce(&mut ListWriter<'_>)) {
    let start = out.len();
    let mut total = 0;
    put_compound(out, 0xc0, |out| {
        let end = out.len();
        let mut list = ListWriter { out, count: 0, solid: 0, end };
        write(&mut list);
        let ListWriter { solid, end, .. } = list;
        out.truncate(end);
        total = solid;
        solid
    });
    if total == 0 {
        out.truncate(start);
        out.push(0x45);
    }
}

/// The fields of a list that is being written.
pub(crate) struct ListWriter<'o> {
    out: &'o mut Vec<u8>,
    count: usize,
    /// Fields up to the last that is not null, and where it ends.
    solid: usize,
    end: usize,
}

impl ListWriter<'_> {
    pub(crate) fn null(&mut self) {
        put_null(self.out);
        self.count += 1;
    }

    pub(crate) fn nulls(&mut self, count: usize) {
        for _ in 0..count {
            self.null();
        }
    }

    /// A field that `write` puts.
    pub(crate) fn with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(self.out);
        self.count += 1;
        self.solid = self.count;
        self.end = self.out.len();
    }

    /// A field that `write` puts, or null.
    pub(crate) fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Vec<u8>, T)) {
        match value {
            Some(value) => self.with(|out| write(out, value)),
            None => self.null(),
        }
    }

    pub(crate) fn uint(&mut self, value: u32) {
        self.with(|out| put_uint(out, value));
    }

    pub(crate) fn flag(&mut self, value: bool) {
        self.with(|out| put_bool(out, value));
    }

    pub(crate) fn string(&mut self, value: Option<&str>) {
        self.option(value, put_string);
    }

    pub(crate) fn symbol(&mut self, value: Option<&str>) {
        self.option(value, put_symbol);
    }
}

pub(crate) fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => put_null(out),
        Value::Bool(value) => put_bool(out, *value),
        Value::Uint(value) => put_uint(out, *value),
        Value::Ulong(value) => put_ulong(out, *value),
        Value::Binary(bytes) => put_binary(out, bytes),
        Value::String(text) => put_string(out, text),
        Value::Symbol(text) => put_symbol(out, text),
        Value::List(values) if values.is_empty() => out.push(0x45),
        Value::List(values) => put_values(out, values),
        Value::Map(pairs) => put_compound(out, 0xc1, |out| {
            for (key, value) in pairs {
                put_value(out, key);
                put_value(out, value);
            }
            pairs.len() * 2
        }),
        Value::Array(values) => {
            let elements: Vec<&Value> = values.iter().collect();
            match array_code(&elements) {
                Some(_) => put_compound(out, 0xe0, |out| put_elements(out, &elements)),
                None => put_values(out, values),
            }
        }
        Value::Described(descriptor, value) => {
            out.push(0);
            put_value(out, descriptor);
            put_value(out, value);
        }
        // What is left has the same encoding inside an array, behind its constructor.
        scalar => {
            let code = array_code(&[scalar]).unwrap_or(0x40);
            out.push(code);
            put_body(out, code, scalar);
        }
    }
}

fn put_values(out: &mut Vec<u8>, values: &[Value]) {
    put_compound(out, 0xc0, |out| {
        values.iter().for_each(|value| put_value(out, value));
        values.len()
    });
}

/// The shortest constructor that holds every element, `None` if they are not of one type. For described elements 0.
fn array_code(elements: &[&Value]) -> Option<u8> {
    let Some(first) = elements.first() else { return Some(0x40) };
    let kind = std::mem::discriminant(*first);
    if elements.iter().any(|element| std::mem::discriminant(*element) != kind) {
        return None;
    }
    let narrow = |fits: &dyn Fn(&Value) -> bool, small, large| {
        if elements.iter().all(|element| fits(element)) { small } else { large }
    };
    Some(match first {
        Value::Null => 0x40,
        Value::Bool(_) => 0x56,
        Value::Ubyte(_) => 0x50,
        Value::Ushort(_) => 0x60,
        Value::Uint(_) => narrow(&|e| matches!(e, Value::Uint(0..=255)), 0x52, 0x70),
        Value::Ulong(_) => narrow(&|e| matches!(e, Value::Ulong(0..=255)), 0x53, 0x80),
        Value::Byte(_) => 0x51,
        Value::Short(_) => 0x61,
        Value::Int(_) => narrow(&|e| matches!(e, Value::Int(-128..=127)), 0x54, 0x71),
        Value::Long(_) => narrow(&|e| matches!(e, Value::Long(-128..=127)), 0x55, 0x81),
        Value::Float(_) => 0x72,
        Value::Double(_) => 0x82,
        Value::Decimal32(_) => 0x74,
        Value::Decimal64(_) => 0x84,
        Value::Decimal128(_) => 0x94,
        Value::Char(_) => 0x73,
        Value::Timestamp(_) => 0x83,
        Value::Uuid(_) => 0x98,
        Value::Binary(_) => narrow(&|e| matches!(e, Value::Binary(b) if b.len() < 256), 0xa0, 0xb0),
        Value::String(_) => narrow(&|e| matches!(e, Value::String(s) if s.len() < 256), 0xa1, 0xb1),
        Value::Symbol(_) => narrow(&|e| matches!(e, Value::Symbol(s) if s.len() < 256), 0xa3, 0xb3),
        Value::List(_) => 0xd0,
        Value::Map(_) => 0xd1,
        // An array without a form of its own is a list elsewhere, but cannot be one among arrays.
        Value::Array(_) => elements.iter().all(|e| encodes_as_array(e)).then_some(0xf0)?,
        Value::Described(descriptor, _) => {
            let same = |e: &&Value| matches!(e, Value::Described(d, _) if d == descriptor);
            array_code(&inner(elements)).filter(|_| elements.iter().all(same)).map(|_| 0)?
        }
    })
}

fn encodes_as_array(value: &Value) -> bool {
    matches!(value, Value::Array(values) if array_code(&values.iter().collect::<Vec<_>>()).is_some())
}

fn inner<'v>(elements: &[&'v Value]) -> Vec<&'v Value> {
    let described = |element: &&'v Value| match *element {
        Value::Described(_, value) => Some(&**value),
        _ => None,
    };
    elements.iter().filter_map(described).collect()
}

/// Constructor and elements of an array; gives their count.
fn put_elements(out: &mut Vec<u8>, elements: &[&Value]) -> usize {
    match (array_code(elements), elements.first()) {
        (Some(0), Some(Value::Described(descriptor, _))) => {
            out.push(0);
            put_value(out, descriptor);
            put_elements(out, &inner(elements));
        }
        (code, _) => {
            let code = code.unwrap_or(0x40);
            out.push(code);
            elements.iter().for_each(|element| put_body(out, code, element));
        }
    }
    elements.len()
}

/// A value without its constructor, in the form that `code` asks for.
fn put_body(out: &mut Vec<u8>, code: u8, value: &Value) {
    match value {
        Value::Null | Value::Described(..) => {}
        Value::Bool(value) => out.push(u8::from(*value)),
        Value::Ubyte(value) => out.push(*value),
        Value::Ushort(value) => out.extend_from_slice(&value.to_be_bytes()),
        Value::Uint(value) => put_tail(out, code, &value.to_be_bytes()),
        Value::Ulong(value) => put_tail(out, code, &value.to_be_bytes()),
        Value::Byte(value) => out.extend_from_slice(&value.to_be_bytes()),
        Value::Short(value) => out.extend_from_slice(&value.to_be_bytes()),
        Value::Int(value) => put_tail(out, code, &value.to_be_bytes()),
        Value::Long(value) => put_tail(out, code, &value.to_be_bytes()),
        Value::Float(value) => out.extend_from_slice(&value.to_be_bytes()),
        Value::Double(value) => out.extend_from_slice(&value.to_be_bytes()),
        Value::Decimal32(bits) => out.extend_from_slice(bits),
        Value::Decimal64(bits) => out.extend_from_slice(bits),
        Value::Decimal128(bits) => out.extend_from_slice(bits),
        Value::Char(value) => out.extend_from_slice(&u32::from(*value).to_be_bytes()),
        Value::Timestamp(value) => out.extend_from_slice(&value.to_be_bytes()),
        Value::Uuid(bytes) => out.extend_from_slice(bytes),
        Value::Binary(bytes) => put_sized(out, code, bytes),
        Value::String(text) | Value::Symbol(text) => put_sized(out, code, text.as_bytes()),
        Value::List(values) => put_wide(out, |out| {
            values.iter().for_each(|value| put_value(out, value));
            values.len()
        }),
        Value::Map(pairs) => put_wide(out, |out| {
            for (key, value) in pairs {
                put_value(out, key);
                put_value(out, value);
            }
            pairs.len() * 2
        }),
        Value::Array(values) => put_wide(out, |out| put_elements(out, &values.iter().collect::<Vec<_>>())),
    }
}

/// An integer: the last byte only if `code` is the one-byte form.
fn put_tail(out: &mut Vec<u8>, code: u8, bytes: &[u8]) {
    let skip = if code >> 4 == 5 { bytes.len() - 1 } else { 0 };
    out.extend(bytes.iter().skip(skip));
}

fn put_sized(out: &mut Vec<u8>, code: u8, bytes: &[u8]) {
    match u8::try_from(bytes.len()) {
        Ok(len) if code >> 4 == 0xa => out.push(len),
        _ => out.extend_from_slice(&wide(bytes.len())),
    }
    out.extend_from_slice(bytes);
}

/// Size and count in four bytes each, then the inside.
fn put_wide(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> usize) {
    let start = out.len();
    out.extend_from_slice(&[0; 8]);
    let count = write(out);
    let size = out.len() - start - 4;
    out[start..start + 4].copy_from_slice(&wide(size));
    out[start + 4..start + 8].copy_from_slice(&wide(count));
}
