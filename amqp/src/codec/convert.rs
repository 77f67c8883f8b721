//! What has one obvious AMQP type becomes a [`Value`] of it.

use super::Value;

macro_rules! becomes {
    ($($rust:ty => $variant:ident),* $(,)?) => {
        $(impl From<$rust> for Value {
            fn from(value: $rust) -> Value {
                Value::$variant(value)
            }
        })*
    };
}

becomes! {
    bool => Bool,
    u32 => Uint,
    u64 => Ulong,
    i32 => Int,
    i64 => Long,
    String => String,
    Vec<Value> => List,
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::String(text.to_owned())
    }
}

/// What is absent is null.
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}
