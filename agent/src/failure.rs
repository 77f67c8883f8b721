//! How a command ends when it does not end well: whose fault it is decides the exit code.

use std::process::ExitCode;

use crate::output;

/// Why a command did not do what it was asked for.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What the user gave cannot be used: exit code 2.
    Input(anyhow::Error),
    /// What the user gave is good, and it did not work: exit code 1.
    Runtime(anyhow::Error),
    /// The gateway runs, and is not linked to the network: exit code 4.
    NotLinked(anyhow::Error),
    /// As [`Failure::Runtime`], and everything was said already.
    Shown,
    /// As [`Failure::NotLinked`], and everything was said already.
    NotLinkedShown,
    /// A gateway does not run, and everything was said already: exit code 3.
    NotRunning,
    /// As [`Failure::Input`], and everything was said already.
    InputShown,
}

impl Failure {
    /// Says it, and answers the exit code.
    pub(crate) fn report(self) -> ExitCode {
        self.show();
        match self {
            Self::Runtime(_) | Self::Shown => ExitCode::from(1),
            Self::NotRunning => ExitCode::from(3),
            Self::NotLinked(_) | Self::NotLinkedShown => ExitCode::from(4),
            Self::Input(_) | Self::InputShown => ExitCode::from(2),
        }
    }

    /// Says it on stderr.
    pub(crate) fn show(&self) {
        if let Some(words) = self.words() {
            output::error(&words);
        }
    }

    /// What is to be said; none when it was said already.
    pub(crate) fn words(&self) -> Option<String> {
        match self {
            Self::Input(error) | Self::Runtime(error) | Self::NotLinked(error) => Some(words(error)),
            Self::InputShown | Self::NotLinkedShown | Self::NotRunning | Self::Shown => None,
        }
    }
}

/// The error and its causes, without those whose words were said already.
fn words(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if said.is_empty() {
            said = cause;
        } else if !said.contains(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}

/// An error that nobody judged is a failure of the moment.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Runtime(error)
    }
}

/// Says whose fault an error is.
pub(crate) trait Blame<T> {
    /// What the user gave cannot be used.
    fn or_input(self) -> Result<T, Failure>;
    /// It did not work.
    fn or_runtime(self) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> Blame<T> for Result<T, E> {
    fn or_input(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::Input(error.into()))
    }

    fn or_runtime(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::Runtime(error.into()))
    }
}
