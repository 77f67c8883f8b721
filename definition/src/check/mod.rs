//! Checking a definition: every problem of a file in one run.

mod across;
mod endpoint;
mod fields;
pub(crate) mod keys;
mod qdr_listener;
mod service;
mod text;

use std::ops::Range;

use crate::definition::{CredentialName, Definition, Section};
use crate::problem::{Problem, Severity};
use crate::source::{Source, Span};
use crate::yaml::{self, Document};
use fields::Shape;

pub use text::check_bytes;

/// Largest definition file, in bytes.
pub const LARGEST_FILE: usize = 1 << 20;

/// Problems after these are counted, not listed.
const MOST_PROBLEMS: usize = 200;

/// How strictly a definition is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckOptions {
    /// Unknown keys are errors.
    pub strict: bool,
    /// AMQP listeners that other hosts can reach without authentication are warnings.
    pub allow_insecure_management: bool,
    /// Ports mean what they mean to `skupper gateway generate-bundle` 1.8: the local port is `service.ports[0]`,
    /// `target_ports` is not read, and keys in another spelling are ignored.
    pub compat_1_8: bool,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The definition; `None` when there are errors.
    pub definition: Option<Definition>,
    /// The problems, in the order of the file.
    pub problems: Vec<Problem>,
    /// Credentials that the definition names. Their files are for the caller to look for.
    pub credentials: Vec<CredentialUse>,
}

impl Checked {
    /// Whether any problem is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }
}

/// A place in the definition that names credentials, and the files that they must consist of.
///
/// The files stand in the folder `name` among the gateway's router certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialUse {
    /// Name of the folder.
    pub name: CredentialName,
    /// Names of the files needed: `tls.crt`, `tls.key`, `ca.crt`, or `ca.crt` alone.
    pub files: &'static [&'static str],
    /// The field, such as `forwards[0].service.tlscredentials`.
    pub path: String,
    /// Where it is.
    pub span: Span,
}

impl CredentialUse {
    /// The problem to report when some of the files do not exist.
    #[must_use]
    pub fn not_found(&self, missing: &[&str]) -> Problem {
        self.problem(Severity::Error, "credentials-not-found", &format!("{} not found", missing.join(", ")))
    }

    /// The problem to report when the files cannot be used.
    #[must_use]
    pub fn unusable(&self, why: &str) -> Problem {
        self.problem(Severity::Error, "credentials-unusable", why)
    }

    /// The problem to report when the certificate has expired: whoever connects refuses it, until it is renewed.
    #[must_use]
    pub fn expired(&self, what: &str) -> Problem {
        self.problem(Severity::Warning, "credentials-expired", what)
    }

    fn problem(&self, severity: Severity, code: &'static str, what: &str) -> Problem {
        let field = self.path.rsplit('.').next().unwrap_or_default();
        Problem {
            severity,
            code,
            path: self.path.clone(),
            message: format!("{field} \"{}\": {what}", self.name),
            help: None,
            span: self.span,
            related: Vec::new(),
        }
    }
}

/// Checks the text of a definition file.
///
/// `file_name` is used in messages about the file as a whole. Nothing is opened.
#[must_use]
pub fn check(file_name: &str, text: &str, options: CheckOptions) -> Checked {
    read(file_name, text, options).0
}

/// As [`check`], with the document that was checked; none when the text is not one.
pub(crate) fn read(file_name: &str, text: &str, options: CheckOptions) -> (Checked, Option<Document>) {
    let source = Source::new(text);
    let mut checker = Checker { source, options, problems: Vec::new(), more: None, credentials: Vec::new() };
    let document = checker.document(file_name);
    let definition = document.as_ref().and_then(|document| checker.definition(&document.root));
    (checker.finish(definition), document)
}

/// One run over one file.
struct Checker<'t> {
    source: Source<'t>,
    options: CheckOptions,
    problems: Vec<Problem>,
    /// Problems beyond [`MOST_PROBLEMS`].
    more: Option<More>,
    credentials: Vec<CredentialUse>,
}

/// Problems that are counted, not listed.
struct More {
    count: usize,
    worst: Severity,
    /// The newest of them, for its reporter to add to.
    unlisted: Problem,
}

const TOP: Shape = Shape {
    keys: keys::TOP,
    elsewhere: keys::ENDPOINT,
    where_else: "it belongs to an element of bindings or forwards",
};

impl Checker<'_> {
    fn report(
        &mut self,
        severity: Severity,
        code: &'static str,
        path: &str,
        at: &Range<usize>,
        message: impl Into<String>,
    ) -> &mut Problem {
        let message = message.into();
        let related = Vec::new();
        if let (true, Some(last)) = (self.problems.len() >= MOST_PROBLEMS, self.problems.last()) {
            let worst = self.more.as_ref().map_or(severity, |more| more.worst.min(severity));
            let count = self.more.as_ref().map_or(0, |more| more.count) + 1;
            // Not shown, so its place need not be found.
            let (path, span) = (String::new(), last.span);
            let unlisted = Problem { severity, code, path, message, help: None, span, related };
            return &mut self.more.insert(More { count, worst, unlisted }).unlisted;
        }
        let span = self.source.span(at);
        let problem = Problem { severity, code, path: path.to_owned(), message, help: None, span, related };
        self.problems.push(problem);
        let last = self.problems.len() - 1;
        &mut self.problems[last]
    }

    fn error(&mut self, code: &'static str, path: &str, at: &Range<usize>, message: impl Into<String>) -> &mut Problem {
        self.report(Severity::Error, code, path, at, message)
    }

    fn warning(
        &mut self,
        code: &'static str,
        path: &str,
        at: &Range<usize>,
        message: impl Into<String>,
    ) -> &mut Problem {
        self.report(Severity::Warning, code, path, at, message)
    }

    fn document(&mut self, file_name: &str) -> Option<Document> {
        if let Some((at, message)) = text::unreadable(self.source.text) {
            self.error("text", "", &at, message);
            return None;
        }
        match yaml::load(&self.source) {
            Ok(Some(document)) if !document.root.is_null() => Some(document),
            Ok(_) => {
                let problem = self.error("empty", "", &(0..0), format!("{file_name} holds no definition"));
                problem.help = Some("a definition needs at least a name".to_owned());
                None
            }
            Err(error) => {
                self.error(error.code, "", &error.at, error.message).help = error.help;
                None
            }
        }
    }

    fn definition(&mut self, root: &yaml::Node) -> Option<Definition> {
        if !matches!(root.value, yaml::Value::Map(_)) {
            let message = "top level must be a mapping with name, bindings, forwards, qdr-listeners";
            let at = self.first_line(&root.at);
            self.error("top-level", "", &at, message).help = Some(format!("found {}", root.description()));
            return None;
        }
        let fields = self.fields(root, "", &TOP)?;
        self.required(&fields, "name", "");
        let name = self.gateway_name(&fields);
        let bindings = self.endpoints(&fields, Section::Bindings);
        let forwards = self.endpoints(&fields, Section::Forwards);
        let listeners = self.qdr_listeners(&fields);
        self.across(&bindings, &forwards, &listeners);
        Some(Definition {
            name: name?,
            bindings: endpoint::all(bindings)?,
            forwards: endpoint::all(forwards)?,
            qdr_listeners: listeners.into_iter().map(|found| found.listener).collect::<Option<_>>()?,
        })
    }

    fn gateway_name(&mut self, fields: &fields::Fields<'_>) -> Option<crate::GatewayName> {
        let before = self.problems.len();
        let name = self.parsed(fields, "name", "name");
        if name.is_none()
            && let Some(problem) = self.problems.get_mut(before).filter(|problem| problem.code == "name")
        {
            let rule = "Gateway name must consist of lower case letters, numerals and '-'. Must start with a letter.";
            problem.help = Some(rule.to_owned());
        }
        name.map(|found| found.value)
    }

    /// A range cut at the end of its first line, where the rest would say nothing.
    fn first_line(&self, at: &Range<usize>) -> Range<usize> {
        let line = self.source.line(at.start);
        let end = self.source.line_start(line) + self.source.line_text(line).len();
        at.start..at.end.min(end).max(at.start)
    }

    fn finish(mut self, definition: Option<Definition>) -> Checked {
        self.problems.sort_by_key(|problem| (problem.span.start, problem.severity));
        if let Some(more) = &self.more {
            let end = self.source.text.len();
            let message = format!("{} more problems are not listed", more.count);
            let span = self.source.span(&(end..end));
            self.problems.push(Problem {
                severity: more.worst,
                code: "more-problems",
                path: String::new(),
                message,
                help: None,
                span,
                related: Vec::new(),
            });
        }
        let failed = self.problems.iter().any(|problem| problem.severity == Severity::Error);
        Checked { definition: definition.filter(|_| !failed), problems: self.problems, credentials: self.credentials }
    }
}
