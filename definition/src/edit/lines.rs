//! What the lines of a definition are, and which of them belong to an item of a block list.

use std::ops::Range;

use crate::source::Source;

impl<'t> Source<'t> {
    /// Where a line ends, without its line break.
    pub(super) fn line_end(&self, line: usize) -> usize {
        self.line_start(line) + self.line_text(line).len()
    }

    /// The line of a range's last byte.
    pub(super) fn last_line(&self, range: &Range<usize>) -> usize {
        self.line(range.end.saturating_sub(1).max(range.start))
    }

    /// Bytes between the start of a line and a place in it.
    pub(super) fn offset(&self, at: usize) -> usize {
        at - self.line_start(self.line(at))
    }

    /// Spaces at the start of a line.
    pub(super) fn indent(&self, line: usize) -> usize {
        let text = self.line_text(line);
        text.len() - text.trim_start_matches(' ').len()
    }

    /// The blanks at the start of a line. In brackets they may be tabs.
    pub(super) fn lead(&self, line: usize) -> &'t str {
        let text = self.line_text(line);
        &text[..text.len() - text.trim_start_matches([' ', '\t']).len()]
    }

    /// Whether a place is the first of its line that is not blank.
    pub(super) fn starts_line(&self, at: usize) -> bool {
        self.text[self.line_start(self.line(at))..at].trim().is_empty()
    }

    /// Whether nothing follows a place in its line, or a comment alone.
    pub(super) fn ends_line(&self, at: usize) -> bool {
        let rest = self.text[at..self.line_end(self.line(at)).max(at)].trim_start();
        rest.is_empty() || rest.starts_with('#')
    }

    pub(super) fn is_blank(&self, line: usize) -> bool {
        self.line_text(line).trim().is_empty()
    }

    pub(super) fn is_comment(&self, line: usize) -> bool {
        self.line_text(line).trim_start().starts_with('#')
    }

    pub(super) fn is_comment_at(&self, line: usize, column: usize) -> bool {
        self.is_comment(line) && self.indent(line) == column
    }

    /// The line break to write after a line: its own, else the one before it.
    pub(super) fn line_break(&self, line: usize) -> &'static str {
        let ended = |line: &usize| self.text[..self.line_start(line + 1)].ends_with('\n');
        let ended = [line, line.saturating_sub(1)].into_iter().find(ended);
        match ended {
            Some(line) if self.text[..self.line_start(line + 1)].ends_with("\r\n") => "\r\n",
            _ => "\n",
        }
    }

    /// The last of the comment lines under a line that are indented deeper than a column, else the line itself.
    pub(super) fn with_comments_below(&self, line: usize, column: usize) -> usize {
        let mut last = line;
        let end = self.line(self.text.len());
        for next in line + 1..=end {
            if self.is_comment(next) && self.indent(next) > column {
                last = next;
            } else if !self.is_blank(next) {
                break;
            }
        }
        last
    }

    /// The first of the comment lines directly above a line in a column, all of them below `after`.
    pub(super) fn with_comments_above(&self, line: usize, column: usize, after: usize) -> usize {
        let above = (after + 1..line).rev().take_while(|line| self.is_comment_at(*line, column));
        line - above.count()
    }

    /// The line of the `-` of an item, below `after`. What stands between the two is comments, an anchor or a tag.
    pub(super) fn dash(&self, item: usize, after: usize) -> Option<usize> {
        let is_dash = |line: &usize| {
            let rest = self.line_text(*line).trim_start_matches(' ').strip_prefix('-');
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
        };
        (after + 1..=self.line(item)).rev().find(is_dash)
    }

    /// Whole lines, with the line break that is no longer needed.
    pub(super) fn whole_lines(&self, first: usize, last: usize) -> Range<usize> {
        let (start, end) = (self.line_start(first), self.line_start(last + 1));
        // The file's last line has no break of its own: the one before it goes.
        let unended = end == self.text.len() && !self.text.ends_with('\n') && first > 1;
        if unended { self.line_end(first - 1)..end } else { start..end }
    }
}
