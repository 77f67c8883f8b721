//! Places in a text: byte offsets to lines and columns.

use std::ops::Range;

/// A stretch of a file. Lines and columns count from 1, columns in characters; bytes count from 0.
///
/// A byte order mark at the start of the file is not counted in anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// Line of the first byte.
    pub line: usize,
    /// Column of the first byte.
    pub column: usize,
    /// Line of `end`.
    pub end_line: usize,
    /// Column of `end`: one past the last character.
    pub end_column: usize,
}

/// A text, without its byte order mark, and where its lines start.
#[derive(Debug)]
pub(crate) struct Source<'t> {
    pub(crate) text: &'t str,
    line_starts: Vec<usize>,
    /// Characters that start before each [`STEP`] bytes: a file of one long line has many columns to count.
    chars_before: Vec<usize>,
}

const STEP: usize = 1024;

impl<'t> Source<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let mut chars_before = vec![0];
        let mut count = 0;
        for block in text.as_bytes().chunks(STEP) {
            count += starts(block);
            chars_before.push(count);
        }
        Self { text, line_starts: std::iter::once(0).chain(breaks).collect(), chars_before }
    }

    /// The line of a byte, from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= at)
    }

    /// Where a line starts; lines past the end start at the end.
    pub(crate) fn line_start(&self, line: usize) -> usize {
        self.line_starts.get(line.saturating_sub(1)).copied().unwrap_or(self.text.len())
    }

    /// The text of a line, without its line break.
    pub(crate) fn line_text(&self, line: usize) -> &'t str {
        let text = &self.text[self.line_start(line)..self.line_start(line + 1)];
        text.trim_end_matches(['\n', '\r'])
    }

    fn column(&self, line: usize, at: usize) -> usize {
        self.chars(at) - self.chars(self.line_start(line)) + 1
    }

    /// Characters before a byte.
    fn chars(&self, at: usize) -> usize {
        let step = at / STEP;
        let before = self.chars_before.get(step).copied().unwrap_or_default();
        before + starts(self.text.as_bytes().get(step * STEP..at).unwrap_or_default())
    }

    /// The span of a byte range, brought inside the text and to character boundaries.
    pub(crate) fn span(&self, range: &Range<usize>) -> Span {
        let start = self.text.floor_char_boundary(range.start);
        let end = self.text.floor_char_boundary(range.end).max(start);
        let (line, end_line) = (self.line(start), self.line(end));
        Span { start, end, line, column: self.column(line, start), end_line, end_column: self.column(end_line, end) }
    }
}

/// Characters that start in some bytes of a text.
fn starts(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_a_long_line_count_characters() {
        let text = format!("x\n{}", "ü€".repeat(2000));
        let source = Source::new(&text);
        for (index, (at, _)) in text.char_indices().enumerate().skip(2) {
            let span = source.span(&(at..text.len()));
            assert_eq!((span.line, span.column, span.end_column), (2, index - 1, 4001));
        }
    }
}
