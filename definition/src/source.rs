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
}

impl<'t> Source<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { text, line_starts: std::iter::once(0).chain(breaks).collect() }
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
        self.text[self.line_start(line)..at].chars().count() + 1
    }

    /// The span of a byte range, brought inside the text and to character boundaries.
    pub(crate) fn span(&self, range: &Range<usize>) -> Span {
        let start = self.text.floor_char_boundary(range.start);
        let end = self.text.floor_char_boundary(range.end).max(start);
        let (line, end_line) = (self.line(start), self.line(end));
        Span { start, end, line, column: self.column(line, start), end_line, end_column: self.column(end_line, end) }
    }
}
