//! Checks of a file before it is read as YAML.

use std::ops::Range;

use super::{CheckOptions, Checked, LARGEST_FILE, check};
use crate::problem::{Problem, Severity};
use crate::source::Source;

/// Checks the bytes of a definition file: as [`check`], for files that may not even be text.
#[must_use]
pub fn check_bytes(file_name: &str, bytes: &[u8], options: CheckOptions) -> Checked {
    let (valid, message) = match std::str::from_utf8(bytes) {
        Ok(text) => return check(file_name, text, options),
        Err(_) if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) => {
            (0, "the file is UTF-16; save it as UTF-8".to_owned())
        }
        Err(error) => {
            let at = error.valid_up_to();
            let byte = bytes.get(at).copied().unwrap_or_default();
            (at, format!("the file is not UTF-8 text: byte 0x{byte:02x} is not part of any character"))
        }
    };
    // The part before the bad byte is text.
    let text = std::str::from_utf8(&bytes[..valid]).unwrap_or_default();
    let source = Source::new(text);
    let end = source.text.len();
    let problem = Problem {
        severity: Severity::Error,
        code: "text",
        path: String::new(),
        message,
        help: None,
        span: source.span(&(end..end)),
        related: Vec::new(),
    };
    Checked { definition: None, problems: vec![problem], credentials: Vec::new() }
}

/// Why a text is refused before it is read as YAML.
pub(super) fn unreadable(text: &str) -> Option<(Range<usize>, String)> {
    if text.len() > LARGEST_FILE {
        let message = format!("the file is {} bytes long; a definition has at most {LARGEST_FILE}", text.len());
        return Some((0..0, message));
    }
    let refused = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{85}');
    let (at, c) = text.char_indices().find(|(_, c)| refused(*c))?;
    let what =
        if c == '\0' { "a NUL byte".to_owned() } else { format!("the control character U+{:04X}", u32::from(c)) };
    Some((at..at + c.len_utf8(), format!("{what} is not allowed in a definition")))
}
