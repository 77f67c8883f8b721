//! Problems for people, with the lines that they are about, and for machines.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::{Value, json};

use crate::problem::{Problem, Severity};
use crate::source::{Source, Span};

/// Bytes of a line shown on each side of a problem; a generated file may be one line.
const LONGEST_EXCERPT: usize = 400;

/// Shows problems with the lines that they are about, as a compiler does. Ends with a newline unless empty.
///
/// `text` is the text that was checked. `colour` adds terminal escapes.
#[must_use]
pub fn render(problems: &[Problem], file_name: &str, text: &str, colour: bool) -> String {
    let source = Source::new(text);
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() }.decor_style(DecorStyle::Ascii);
    let mut shown = String::new();
    for problem in problems {
        if !shown.is_empty() {
            shown.push('\n');
        }
        shown.push_str(&one(problem, file_name, &source, &renderer));
        shown.push('\n');
    }
    shown
}

fn one(problem: &Problem, file_name: &str, source: &Source<'_>, renderer: &Renderer) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = if problem.path.is_empty() { problem.message.clone() } else { problem.to_string() };
    let mut group = Group::with_title(level.primary_title(visible(&title)).id(problem.code));
    // One excerpt a place: the lines between far places say nothing.
    for (index, (span, label)) in places(problem).into_iter().enumerate() {
        let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        let (excerpt, start) = excerpt(source, span);
        let inside = clamp(span, start, excerpt.len());
        let snippet = Snippet::source(excerpt)
            .path(file_name.to_owned())
            .line_start(span.line)
            .fold(false)
            .annotation(kind.span(inside).label(label.to_owned()));
        group = group.element(snippet);
    }
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(visible(help)));
    }
    renderer.render(&[group])
}

fn places(problem: &Problem) -> Vec<(&Span, &str)> {
    let related = problem.related.iter().map(|(span, label)| (span, label.as_str()));
    std::iter::once((&problem.span, "")).chain(related).collect()
}

/// The lines of a span, without control characters, and the byte where they start.
fn excerpt(source: &Source<'_>, span: &Span) -> (String, usize) {
    let line_start = source.line_start(span.line);
    let start = source.text.floor_char_boundary(line_start.max(span.start.saturating_sub(LONGEST_EXCERPT)));
    let line = source.line_start(span.line) + source.line_text(span.line).len();
    let end = source.text.floor_char_boundary(line.min(span.start.saturating_add(LONGEST_EXCERPT)));
    let text = source.text.get(start..end.max(start)).unwrap_or_default();
    // Same length, so that places stay right.
    let text = text.chars().map(|c| if c.is_ascii_control() && c != '\t' { ' ' } else { c }).collect();
    (text, start)
}

fn clamp(span: &Span, start: usize, len: usize) -> Range<usize> {
    let from = span.start.saturating_sub(start).min(len);
    from..span.end.saturating_sub(start).clamp(from, len)
}

/// Nothing from a file may reach the terminal as an escape.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Problems as JSON, in a shape that stays the same from release to release:
///
/// ```json
/// {"file": "gateway.yaml", "ok": false, "problems": [{"severity": "error", "code": "required", "path": "name",
///   "message": "required", "help": null, "line": 1, "column": 1, "end_line": 1, "end_column": 9}]}
/// ```
///
/// `ok` is whether no problem is an error. Lines and columns count from 1, columns in characters; the end is one
/// past the last character.
#[must_use]
pub fn problems_json(problems: &[Problem], file_name: &str) -> Value {
    let list: Vec<Value> = problems
        .iter()
        .map(|problem| {
            json!({
                "severity": problem.severity.as_str(),
                "code": problem.code,
                "path": problem.path,
                "message": problem.message,
                "help": problem.help,
                "line": problem.span.line,
                "column": problem.span.column,
                "end_line": problem.span.end_line,
                "end_column": problem.span.end_column,
            })
        })
        .collect();
    let ok = problems.iter().all(|problem| problem.severity != Severity::Error);
    json!({ "file": file_name, "ok": ok, "problems": list })
}
