//! What a look at something says.

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Good,
    /// The gateway would run, and not as well as it could.
    Warning,
    /// The gateway would not run, or not link.
    Bad,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Finding {
    /// What was looked at, in a word or two.
    pub(crate) subject: String,
    pub(crate) verdict: Verdict,
    /// What is so, and what that means.
    pub(crate) words: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<String>,
}

impl Finding {
    pub(crate) fn good(subject: impl Into<String>, words: impl Into<String>) -> Finding {
        Finding { subject: subject.into(), verdict: Verdict::Good, words: words.into(), remedy: None }
    }

    pub(crate) fn warning(subject: impl Into<String>, words: impl Into<String>, remedy: impl Into<String>) -> Finding {
        let remedy = Some(remedy.into());
        Finding { subject: subject.into(), verdict: Verdict::Warning, words: words.into(), remedy }
    }

    pub(crate) fn bad(subject: impl Into<String>, words: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::Bad, ..Finding::warning(subject, words, remedy) }
    }

    /// Two lines at most.
    pub(crate) fn text(&self) -> String {
        let mark = match self.verdict {
            Verdict::Good => "good   ",
            Verdict::Warning => "warning",
            Verdict::Bad => "BAD    ",
        };
        let remedy = self.remedy.as_ref().map(|remedy| format!("\n         -> {remedy}")).unwrap_or_default();
        format!("{mark}  {}: {}{remedy}", self.subject, self.words)
    }

    /// For somebody who did not ask.
    pub(crate) fn sentence(&self) -> String {
        let remedy = self.remedy.as_ref().map(|remedy| format!(": {remedy}")).unwrap_or_default();
        format!("{}: {}{remedy}", self.subject, self.words)
    }
}
