//! What an unquoted word means: the rules of yaml.v3, which read definitions before us.

use crate::problem::quote;

/// A scalar as written.
#[derive(Clone, Debug)]
pub(crate) struct Scalar {
    /// The text after escapes and folding.
    pub(crate) text: String,
    /// Whether it stood there without quotes.
    pub(crate) plain: bool,
    /// The suffix of a `!!tag`, such as `str`.
    pub(crate) tag: Option<String>,
}

/// What a scalar means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Resolved {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text,
}

impl Scalar {
    pub(crate) fn resolve(&self) -> Resolved {
        match self.tag.as_deref() {
            Some("str" | "binary") => Resolved::Text,
            Some("int") => integer(&self.text).map_or(Resolved::Text, Resolved::Int),
            Some("null") => Resolved::Null,
            _ if self.plain => resolve_plain(&self.text),
            _ => Resolved::Text,
        }
    }

    /// A boolean. yaml.v3 also takes these words of YAML 1.1, quoted or not, where a boolean is wanted.
    pub(crate) fn as_bool(&self) -> Option<bool> {
        match self.resolve() {
            Resolved::Bool(value) => Some(value),
            Resolved::Text => match self.text.as_str() {
                "y" | "Y" | "yes" | "on" => Some(true),
                "n" | "N" | "no" | "off" => Some(false),
                _ => None,
            },
            Resolved::Null | Resolved::Int(_) | Resolved::Float(_) => None,
        }
    }

    /// An integer; `5432.0` is one too.
    pub(crate) fn as_integer(&self) -> Option<i128> {
        match self.resolve() {
            Resolved::Int(value) => Some(value),
            #[expect(clippy::cast_possible_truncation, reason = "whole, and far inside the range of i128")]
            Resolved::Float(value) if value.fract() == 0.0 && value.abs() < 1e15 => Some(value as i128),
            _ => None,
        }
    }

    pub(crate) fn description(&self) -> String {
        match self.resolve() {
            Resolved::Null => "null".to_owned(),
            Resolved::Bool(value) => format!("boolean {value}"),
            Resolved::Int(_) => format!("integer {}", self.text),
            Resolved::Float(_) => format!("number {}", self.text),
            Resolved::Text => format!("string {}", quote(&self.text)),
        }
    }
}

fn resolve_plain(text: &str) -> Resolved {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Resolved::Null,
        "true" | "True" | "TRUE" => return Resolved::Bool(true),
        "false" | "False" | "FALSE" => return Resolved::Bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Resolved::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Resolved::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Resolved::Float(f64::NAN),
        _ => {}
    }
    if let Some(value) = integer(text) {
        return Resolved::Int(value);
    }
    let starts_like_a_number =
        text.trim_start_matches(['-', '+']).starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let only_number_characters =
        text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '-' | '+' | '_'));
    if starts_like_a_number
        && only_number_characters
        && let Ok(value) = text.replace('_', "").parse()
    {
        return Resolved::Float(value);
    }
    Resolved::Text
}

/// Decimal, `0x`, `0o`, `0b`, and a leading `0` for octal, with `_` between digits.
fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) || digits.len() > 40 {
        return None;
    }
    let digits = digits.replace('_', "");
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = if let Some(hex) = lower.strip_prefix("0x") {
        (16, hex)
    } else if let Some(octal) = lower.strip_prefix("0o") {
        (8, octal)
    } else if let Some(binary) = lower.strip_prefix("0b") {
        (2, binary)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..])
    } else {
        (10, lower.as_str())
    };
    if digits.starts_with(['-', '+']) {
        return None;
    }
    let value = i128::from_str_radix(digits, radix).ok()?;
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_mean_what_yaml_v3_says() {
        let cases = [
            ("", Resolved::Null),
            ("~", Resolved::Null),
            ("true", Resolved::Bool(true)),
            ("yes", Resolved::Text),
            ("5432", Resolved::Int(5432)),
            ("-1", Resolved::Int(-1)),
            ("0x10", Resolved::Int(16)),
            ("010", Resolved::Int(8)),
            ("0o17", Resolved::Int(15)),
            ("1_000", Resolved::Int(1000)),
            ("09", Resolved::Float(9.0)),
            ("1.5", Resolved::Float(1.5)),
            ("5432.0", Resolved::Float(5432.0)),
            ("database:5432", Resolved::Text),
            ("1.2.3.4", Resolved::Text),
            ("10.0.0", Resolved::Text),
            ("-", Resolved::Text),
        ];
        for (text, expected) in cases {
            assert_eq!(resolve_plain(text), expected, "{text:?}");
        }
    }
}
