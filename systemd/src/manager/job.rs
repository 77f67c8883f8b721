use futures_util::StreamExt;
use zbus::message::Type;
use zbus::zvariant::OwnedObjectPath;
use zbus::{MatchRule, MessageStream};

use super::proxy::{JobRemoved, ManagerProxy};

/// How a job ended that did not do what it was for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobResult {
    /// Another job took its place, or somebody cancelled it.
    Canceled,
    /// It took longer than systemd allows for it.
    TimedOut,
    /// The unit failed.
    Failed,
    /// Another unit that it needs failed.
    Dependency,
    /// Nothing was to be done in the unit's state.
    Skipped,
    /// Any other, in systemd's word.
    Other(String),
}

/// How many ends of jobs may wait to be looked at. When there are more, the connection waits; none is lost.
const QUEUE: usize = 64;

/// The jobs that end from now on.
pub(super) struct Jobs(MessageStream);

impl Jobs {
    /// To be called before the job is asked for: it may end before its name is known here.
    pub(super) async fn watch(proxy: &ManagerProxy<'static>) -> zbus::Result<Jobs> {
        let connection = proxy.inner().connection();
        let rule = MatchRule::builder().msg_type(Type::Signal).path(proxy.inner().path().clone())?;
        let rule = rule.interface(proxy.inner().interface().clone())?.member("JobRemoved")?;
        let rule = rule.sender(proxy.inner().destination().clone())?.build();
        MessageStream::for_match_rule(rule, connection, Some(QUEUE)).await.map(Jobs)
    }

    /// Waits for the end of `job`; `None` is success.
    pub(super) async fn end_of(mut self, job: &OwnedObjectPath) -> zbus::Result<Option<JobResult>> {
        while let Some(message) = self.0.next().await {
            let Some(signal) = JobRemoved::from_message(message?) else { continue };
            let ended = signal.args()?;
            if ended.job() == job {
                return Ok(result(ended.result()));
            }
        }
        Err(zbus::Error::InputOutput(std::sync::Arc::new(std::io::ErrorKind::ConnectionAborted.into())))
    }
}

fn result(word: &str) -> Option<JobResult> {
    Some(match word {
        "done" => return None,
        "canceled" => JobResult::Canceled,
        "timeout" => JobResult::TimedOut,
        "failed" => JobResult::Failed,
        "dependency" => JobResult::Dependency,
        "skipped" => JobResult::Skipped,
        other => JobResult::Other(other.to_owned()),
    })
}

impl std::fmt::Display for JobResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            JobResult::Canceled => "cancelled by another job",
            JobResult::TimedOut => "not done in the time that systemd allows",
            JobResult::Failed => "failed",
            JobResult::Dependency => "a unit that it needs failed",
            JobResult::Skipped => "skipped",
            JobResult::Other(word) => word,
        })
    }
}
