//! The definition file: read, checked, and what is wrong with it shown.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use moorline_definition::router_config::CERTIFICATES_FOLDER;
use moorline_definition::{
    CheckOptions, Checked, CredentialUse, Definition, LARGEST_FILE, Problem, Protocol, Severity, Span, check_bytes,
    problems_json, render,
};
use moorline_router::io::Timestamp;
use moorline_router::io::tls::TlsFiles;
use serde::{Deserialize, Serialize};

use crate::output;

/// Which definition, and how strictly it is read.
#[derive(Debug, Args)]
pub(crate) struct DefinitionArguments {
    /// The gateway definition: YAML with name, bindings, forwards and qdr-listeners
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Unknown keys are errors, not warnings
    #[arg(long)]
    strict: bool,

    /// AMQP listeners that other hosts can reach without authentication are warnings, not errors
    ///
    /// Whoever reaches such a port can change the router: allow it only where the network is trusted.
    #[arg(long)]
    allow_insecure_management: bool,

    /// Read the file as another tool does
    #[arg(long, value_name = "TOOL", value_enum)]
    compat: Option<Compat>,

    /// Where the credentials are that the definition names, one folder each
    ///
    /// [default: skupper-router-certs beside FILE]
    #[arg(long, value_name = "DIR")]
    credentials_dir: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Compat {
    /// `skupper gateway generate-bundle` 1.8: the local port is service.ports, and target_ports is not read
    #[value(name = "skupper-1.8")]
    Skupper18,
}

/// Where a definition comes from, and how it is read: what a later change of it must know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Source {
    /// The user's own file; none: the gateway's copy is the only one.
    pub(crate) file: Option<PathBuf>,
    pub(crate) compat_1_8: bool,
    pub(crate) allow_insecure_management: bool,
}

/// A definition file that was read and checked.
#[derive(Debug)]
pub(crate) struct DefinitionFile {
    /// The file, as the user named it.
    pub(crate) name: String,
    /// Where the credentials are that the definition names.
    pub(crate) credentials_dir: PathBuf,
    pub(crate) source: Source,
    text: String,
    checked: Checked,
    /// Nothing but the opening of the file failed.
    unread: Option<Problem>,
}

impl DefinitionArguments {
    /// As if nothing else were said.
    pub(crate) fn of(file: PathBuf) -> DefinitionArguments {
        let (strict, allow_insecure_management) = (false, false);
        DefinitionArguments { file, strict, allow_insecure_management, compat: None, credentials_dir: None }
    }

    /// As it was read before.
    pub(crate) fn again(file: PathBuf, before: &Source) -> DefinitionArguments {
        DefinitionArguments {
            allow_insecure_management: before.allow_insecure_management,
            compat: before.compat_1_8.then_some(Compat::Skupper18),
            ..DefinitionArguments::of(file)
        }
    }

    /// Reads and checks the file, and looks for the credentials that it names. Changes nothing.
    pub(crate) fn read(&self) -> DefinitionFile {
        let name = self.file.display().to_string();
        let beside = || self.file.parent().unwrap_or(Path::new("")).join(CERTIFICATES_FOLDER);
        let credentials_dir = self.credentials_dir.clone().unwrap_or_else(beside);
        match bytes(&self.file) {
            Ok(bytes) => DefinitionFile::of(name, &bytes, credentials_dir, self.source(), self.strict),
            Err(error) => {
                let checked = Checked { definition: None, problems: Vec::new(), credentials: Vec::new() };
                let unread = Some(unreadable(&name, &error));
                let (source, text) = (Source::default(), String::new());
                DefinitionFile { name, credentials_dir, source, text, checked, unread }
            }
        }
    }

    fn source(&self) -> Source {
        Source {
            // What is no file, such as a pipe, is not there another time.
            file: self.file.canonicalize().ok().filter(|file| file.is_file()),
            compat_1_8: self.compat == Some(Compat::Skupper18),
            allow_insecure_management: self.allow_insecure_management,
        }
    }
}

impl DefinitionFile {
    /// Checks a text, and looks for the credentials that it names. `name`: what to call it.
    pub(crate) fn of(
        name: String,
        bytes: &[u8],
        credentials_dir: PathBuf,
        source: Source,
        strict: bool,
    ) -> DefinitionFile {
        let Source { compat_1_8, allow_insecure_management, .. } = source;
        let options = CheckOptions { strict, allow_insecure_management, compat_1_8 };
        let checked = with_credentials(check_bytes(&name, bytes, options), &credentials_dir);
        let text = String::from_utf8_lossy(bytes).into_owned();
        DefinitionFile { name, credentials_dir, source, text, checked, unread: None }
    }

    /// The definition; `None` when there are errors.
    pub(crate) fn definition(&self) -> Option<&Definition> {
        self.checked.definition.as_ref()
    }

    /// The file's text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Shows all problems on stderr, in the style of a compiler.
    pub(crate) fn show(&self) {
        match &self.unread {
            Some(problem) => output::error(&problem.message),
            None => {
                output::tell(&render(&self.checked.problems, &self.name, &self.text, output::coloured(&io::stderr())))
            }
        }
    }

    /// All problems, each in a line that says where: `FILE:LINE:COLUMN: error: ...`.
    pub(crate) fn lines(&self) -> Vec<String> {
        if let Some(problem) = &self.unread {
            return vec![problem.message.clone()];
        }
        let line = |problem: &Problem| {
            let Span { line, column, .. } = problem.span;
            // The line is said already.
            let words = if problem.path.is_empty() { problem.message.clone() } else { problem.to_string() };
            format!("{}:{line}:{column}: {}: {words}", self.name, problem.severity.as_str())
        };
        self.checked.problems.iter().map(line).collect()
    }

    /// All problems for machines.
    pub(crate) fn json(&self) -> serde_json::Value {
        match &self.unread {
            Some(problem) => problems_json(std::slice::from_ref(problem), &self.name),
            None => problems_json(&self.checked.problems, &self.name),
        }
    }

    /// `FILE: good: 1 binding, 0 forwards`, or `FILE: bad: 2 errors, 1 warning`.
    pub(crate) fn verdict(&self) -> String {
        let number =
            |severity: Severity| self.checked.problems.iter().filter(|problem| problem.severity == severity).count();
        let warnings = match number(Severity::Warning) {
            0 => String::new(),
            warnings => format!(", {}", output::count(warnings, "warning")),
        };
        let name = &self.name;
        match self.definition() {
            Some(definition) => {
                let bindings = output::count(definition.bindings.len(), "binding");
                let forwards = output::count(definition.forwards.len(), "forward");
                format!("{name}: good: {bindings}, {forwards}{warnings}")
            }
            None => format!("{name}: bad: {}{warnings}", output::count(number(Severity::Error).max(1), "error")),
        }
    }

    /// What is good and still worth knowing: where services of HTTP protocols work.
    pub(crate) fn note(&self) -> Option<String> {
        let definition = self.definition()?;
        let endpoints = definition.bindings.iter().chain(&definition.forwards);
        let http = endpoints.filter(|endpoint| endpoint.service.protocol != Protocol::Tcp);
        let names: BTreeSet<String> = http.map(|endpoint| endpoint.service.address.to_string()).collect();
        let them = Vec::from_iter(names.iter().map(String::as_str)).join(", ");
        (!names.is_empty()).then(|| {
            format!(
                "note: {them}: `protocol: http` and `http2` work only in networks of 2.x routers; \
                 with 3.x routers use `protocol: tcp` at both ends, which carries HTTP as well\n"
            )
        })
    }

    /// Whether the file could be read at all.
    pub(crate) fn was_read(&self) -> bool {
        self.unread.is_none()
    }
}

/// At most one byte more than a definition may have; the check says that it is too long.
fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST_FILE as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unreadable(name: &str, error: &io::Error) -> Problem {
    Problem {
        severity: Severity::Error,
        code: "unreadable",
        path: String::new(),
        message: format!("Failed to read gateway config file: open {name}: {}", output::reason(error)),
        help: None,
        span: Span { start: 0, end: 0, line: 1, column: 1, end_line: 1, end_column: 1 },
        related: Vec::new(),
    }
}

/// Adds a problem for each place that names credentials which are not there or which a router could not use.
fn with_credentials(mut checked: Checked, dir: &Path) -> Checked {
    let found: Vec<Problem> = checked.credentials.iter().filter_map(|used| credential_problem(used, dir)).collect();
    if found.iter().any(|problem| problem.severity == Severity::Error) {
        checked.definition = None;
    }
    checked.problems.extend(found);
    checked.problems.sort_by_key(|problem| (problem.span.start, problem.severity));
    checked
}

fn credential_problem(used: &CredentialUse, dir: &Path) -> Option<Problem> {
    let folder = dir.join(used.name.as_str());
    let absent: Vec<&str> = used.files.iter().copied().filter(|file| !folder.join(file).is_file()).collect();
    if !absent.is_empty() {
        let help = format!("looked in {}; --credentials-dir names another place", folder.display());
        return Some(Problem { help: Some(help), ..used.not_found(&absent) });
    }
    let file = |name: &str| used.files.contains(&name).then(|| folder.join(name));
    let files =
        TlsFiles { profile: used.name.to_string(), ca: file("ca.crt"), own: file("tls.crt").zip(file("tls.key")) };
    // Read and put together as the router does it, so that what is good here starts there.
    match files.load().and_then(|identity| identity.check().map(|()| identity.not_after())) {
        Err(error) => Some(used.unusable(&error.to_string())),
        Ok(Some(end)) if end < Timestamp::now() => {
            Some(used.expired(&format!("the certificate {} has expired since {end}", folder.join("tls.crt").display())))
        }
        Ok(_) => None,
    }
}
