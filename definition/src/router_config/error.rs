//! What can be wrong with a router configuration, and where.

use std::fmt;

/// Everything that is wrong with one router configuration; never empty.
///
/// Displays one problem a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", list(.problems))]
pub struct RouterConfigError {
    /// The problems, in the order of the file.
    pub problems: Vec<ConfigProblem>,
}

fn list(problems: &[ConfigProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

impl From<ConfigProblem> for RouterConfigError {
    fn from(problem: ConfigProblem) -> Self {
        Self { problems: vec![problem] }
    }
}

/// The entity, and its attribute, that a problem is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Line on which the entity starts, from 1; 0 when the configuration was not read from a text.
    pub line: usize,
    /// Entity kind, such as `tcpConnector`.
    pub entity: String,
    /// The entity's name (`prefix` of an address, `module` of a log); empty when it has none.
    pub name: String,
    /// Attribute name in camelCase.
    pub attribute: &'static str,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        f.write_str(&self.entity)?;
        if !self.name.is_empty() {
            write!(f, " {:?}", self.name)?;
        }
        write!(f, ": {}", self.attribute)
    }
}

/// One problem of a router configuration. Lines and columns count from 1, columns in bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigProblem {
    /// The text is not JSON.
    #[error("line {line}, column {column}: invalid JSON for router configuration: {message}")]
    Syntax {
        /// Line in the text as given.
        line: usize,
        /// Column in the text as given, before variables were expanded.
        column: usize,
        /// The JSON parser's words.
        message: String,
    },
    /// A variable has no value.
    #[error("line {line}, column {column}: variable {name} is not set")]
    UnsetVariable {
        /// The variable's name.
        name: String,
        /// Line of the `$`.
        line: usize,
        /// Column of the `$`.
        column: usize,
    },
    /// A Go template placeholder was never filled in.
    #[error(
        "line {line}, column {column}: {placeholder} was left in: this is the template that Skupper keeps in the \
         cluster, not a router configuration"
    )]
    Placeholder {
        /// The placeholder, such as `{{.RouterID}}`.
        placeholder: String,
        /// Line of its first brace.
        line: usize,
        /// Column of its first brace.
        column: usize,
    },
    /// The JSON is not an array of `["<entity>", {attributes}]`.
    #[error("line {line}: Invalid JSON for router configuration, expected {expected} got {got}")]
    Shape {
        /// Line where the wrong value starts.
        line: usize,
        /// What should be there.
        expected: &'static str,
        /// What is there.
        got: String,
    },
    /// There is no `router` entity.
    #[error("no router entity")]
    NoRouter,
    /// There is more than one `router` entity.
    #[error("line {line}: a second router entity")]
    SecondRouter {
        /// Line where the second one starts.
        line: usize,
    },
    /// An attribute is missing.
    #[error("{place}: required")]
    Missing {
        /// The attribute that should be there.
        place: Place,
    },
    /// An attribute has the wrong type or value.
    #[error("{place}: expected {expected}, found {found}")]
    Value {
        /// The attribute.
        place: Place,
        /// What it may be.
        expected: &'static str,
        /// Its value, as JSON.
        found: String,
    },
    /// Two entities of one kind have one name.
    #[error("{place}: another {} has this name", .place.entity)]
    Duplicate {
        /// The second of them.
        place: Place,
    },
    /// An `sslProfile` or `proxyProfile` is named that does not exist.
    #[error("{place}: there is no {} {profile:?}", .place.attribute)]
    UnknownProfile {
        /// The attribute that names it.
        place: Place,
        /// The name.
        profile: String,
    },
}

impl ConfigProblem {
    /// The line that the problem is on, or that its entity starts on, from 1; 0 when there is none.
    #[must_use]
    pub fn line(&self) -> usize {
        match self {
            Self::Syntax { line, .. }
            | Self::UnsetVariable { line, .. }
            | Self::Placeholder { line, .. }
            | Self::Shape { line, .. }
            | Self::SecondRouter { line } => *line,
            Self::NoRouter => 0,
            Self::Missing { place }
            | Self::Value { place, .. }
            | Self::Duplicate { place }
            | Self::UnknownProfile { place, .. } => place.line,
        }
    }
}
