//! What is due, and when: a file that was written, one that went, one that failed, and all of them now and then.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use moorline_router::io::Timestamp;
use tokio::time::{Instant, sleep};

use super::board::{Board, Line};
use super::directory::{Look, Print, look};
use super::expiry::{self, Warned};
use super::keep::{self, Defaults, Entry, Kept, came_from, lost, records};
use super::pages::certificate_end;
use crate::failure::Failure;
use crate::installation::record::Record;

/// How often the directory is looked at, and how long a file must have been quiet: it may be half written.
const LOOK: Duration = Duration::from_secs(1);
const QUIET: Duration = Duration::from_millis(300);
/// The first pause after a failure. Each next is twice as long, up to the last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(60);

/// Keeps the gateways, and remembers what it did.
pub(super) struct Keeping {
    board: Rc<Board>,
    defaults: Defaults,
    /// Whether it shall end.
    ending: Rc<Cell<bool>>,
    /// The last look.
    seen: Look,
    /// The last attempt for each definition, and for each gateway that shall go.
    files: BTreeMap<PathBuf, Attempt>,
    leaving: BTreeMap<String, Attempt>,
    /// When all is compared, though no file has changed.
    next: Instant,
    warned: BTreeMap<String, Warned>,
}

struct Attempt {
    /// Of what.
    print: Option<Print>,
    failures: u32,
    /// When the next is due.
    next: Instant,
    /// What was said of it.
    said: Option<String>,
    /// What others did not allow.
    gaps: Vec<String>,
}

impl Keeping {
    pub(super) fn new(board: Rc<Board>, defaults: Defaults, ending: Rc<Cell<bool>>) -> Keeping {
        Keeping {
            board,
            defaults,
            ending,
            seen: Look::new(),
            files: BTreeMap::new(),
            leaving: BTreeMap::new(),
            next: Instant::now(),
            warned: BTreeMap::new(),
        }
    }

    /// Keeps them until it shall end: then what is being changed is changed first. `told`: what to call it.
    pub(super) async fn run(mut self, told: impl Fn(&str)) {
        let mut last = String::new();
        while !self.ending.get() {
            match self.settled().await {
                Ok((settled, all)) => self.pass(&settled, &all).await,
                // A directory that is not there has no word on what shall go.
                Err(error) => {
                    self.trouble(Some(format!("{error:#}; all gateways stay as they are")));
                    self.next = Instant::now();
                }
            }
            let words = self.board.trouble().unwrap_or_else(|| self.words());
            if words != last {
                told(&words);
                last = words;
            }
            if !self.ending.get() {
                sleep(LOOK).await;
            }
        }
    }

    /// The definitions that are quiet, and all that are there.
    async fn settled(&mut self) -> anyhow::Result<(Look, Look)> {
        let dir = self.board.directory.clone();
        let first = look(&dir)?;
        if first == self.seen {
            return Ok((first.clone(), first));
        }
        sleep(QUIET).await;
        let second = look(&dir)?;
        let quiet = second.iter().filter(|(path, print)| first.get(*path) == Some(print));
        let settled = quiet.map(|(path, print)| (path.clone(), print.clone())).collect();
        let mut all = second.clone();
        // One that went just now may come back: editors write so.
        all.extend(first);
        self.seen = second;
        Ok((settled, all))
    }

    /// Does what is due.
    async fn pass(&mut self, settled: &Look, all: &Look) {
        let now = Instant::now();
        let mut due: BTreeSet<PathBuf> = settled
            .iter()
            .filter(|(path, print)| {
                self.files.get(*path).is_none_or(|last| last.print.as_ref() != Some(print) || last.next <= now)
            })
            .map(|(path, _)| path.clone())
            .collect();
        let went = self.files.keys().any(|path| !all.contains_key(path));
        let leaves = self.leaving.values().any(|attempt| attempt.next <= now);
        if due.is_empty() && !went && !leaves && now < self.next {
            return;
        }
        self.next = now + self.interval();
        self.files.retain(|path, _| all.contains_key(path));
        self.board.retain(|path| all.contains_key(path));
        let records = match records() {
            Ok(records) => records,
            Err(failure) => return self.trouble(failure.words()),
        };
        self.trouble(None);
        let entries: Vec<Entry> = settled.keys().map(|path| Entry::read(path, &records)).collect();
        if all.len() == settled.len() {
            due.extend(self.leave(&entries, &records).await);
        } else {
            // What is being written may define what seems to go.
            self.next = now;
        }
        for entry in entries.iter().filter(|entry| due.contains(&entry.path)) {
            if self.ending.get() {
                return;
            }
            let outcome = match self.other_of(entry, &entries, &records) {
                Some(other) => Err(Failure::Input(anyhow::anyhow!(
                    "{}: {} defines the same gateway",
                    entry.path.display(),
                    other.display()
                ))),
                None => {
                    let gaps = self.files.get(&entry.path).map(|last| last.gaps.clone()).unwrap_or_default();
                    entry.keep(&self.board.directory, &self.defaults, &gaps).await
                }
            };
            self.note(entry, settled.get(&entry.path).cloned(), outcome, &records);
        }
        self.expiries();
    }

    /// Deletes the gateways whose files went, or define others now. The answer is what else is due then.
    async fn leave(&mut self, entries: &[Entry], records: &[Record]) -> Vec<PathBuf> {
        let dir = self.board.directory.clone();
        let now = Instant::now();
        let mut due = Vec::new();
        let wanted = |name: &str| entries.iter().any(|entry| entry.seems_to_define(name));
        for record in records.iter().filter(|record| !wanted(&record.gateway)) {
            let name = &record.gateway;
            let renamed = entries.iter().find(|entry| entry.gateway().is_some() && came_from(record, &entry.path));
            let gone = |record: &Record| lost(record, &dir);
            if let Some(entry) = renamed {
                // Only for a gateway that can be.
                if entry.choose(&dir, &self.defaults).is_err() {
                    continue;
                }
            } else if !gone(record) {
                continue;
            }
            if self.leaving.get(name).is_some_and(|attempt| attempt.next > now) {
                continue;
            }
            let outcome = match renamed {
                Some(entry) => keep::delete(name, |record| came_from(record, &entry.path)).await,
                None => keep::delete(name, gone).await,
            };
            match outcome {
                Ok(()) => {
                    self.leaving.remove(name);
                    self.board.count(name, |counts| counts.applied += 1);
                    due.extend(renamed.map(|entry| entry.path.clone()));
                }
                Err(failure) => {
                    let words = failure.words().unwrap_or_default();
                    let (attempt, new) = self.failed(self.leaving.get(name), None, words.clone());
                    if new {
                        tracing::error!(gateway = %name, "{words}");
                    }
                    self.leaving.insert(name.clone(), attempt);
                    self.board.count(name, |counts| counts.failures += 1);
                }
            }
        }
        let installed = |name: &String| records.iter().any(|record| record.gateway == *name);
        self.leaving.retain(|name, _| installed(name) && !wanted(name));
        due
    }

    /// Another file that defines the same gateway, and is the one that counts.
    fn other_of<'e>(&self, entry: &Entry, entries: &'e [Entry], records: &[Record]) -> Option<&'e Path> {
        let name = entry.gateway()?;
        let mut same = entries.iter().filter(|other| other.gateway() == Some(name));
        let record = records.iter().find(|record| record.gateway == name);
        let owner = |other: &&Entry| record.is_some_and(|record| came_from(record, &other.path));
        let counts = same.clone().find(owner).or_else(|| same.next())?;
        (counts.path != entry.path).then_some(&counts.path)
    }

    /// Remembers how it went, and says what is new of it.
    fn note(&mut self, entry: &Entry, print: Option<Print>, outcome: Result<Kept, Failure>, records: &[Record]) {
        let kept = records.iter().find(|record| came_from(record, &entry.path)).map(|record| record.gateway.as_str());
        let gateway = entry.gateway().or(kept).map(str::to_owned);
        let name = gateway.clone().unwrap_or_default();
        let last = self.files.get(&entry.path);
        let (attempt, problem) = match outcome {
            Ok(Kept { steps, gaps, problem }) => {
                if steps > 0 {
                    tracing::info!(gateway = %name, "{}: applied", entry.path.display());
                    self.board.count(&name, |counts| counts.applied += 1);
                }
                // Each once: what is wrong, what others did not allow, and warnings of the definition.
                let new = |words: &&String| last.is_none_or(|last| last.said.as_ref() != Some(words));
                let news = problem.iter().filter(new).cloned();
                let gone = gaps.iter().filter(|gap| !last.is_some_and(|last| last.gaps.contains(gap))).cloned();
                let written = last.is_none_or(|last| last.print != print);
                let warnings = if written { entry.file.lines() } else { Vec::new() };
                news.chain(gone).chain(warnings).for_each(|line| tracing::warn!(gateway = %name, "{line}"));
                let next = Instant::now() + self.interval();
                (Attempt { print, failures: 0, next, said: problem.clone(), gaps }, problem)
            }
            Err(failure) => {
                let words = failure.words().unwrap_or_default();
                let (attempt, new) = self.failed(last, print, words.clone());
                if new {
                    words.lines().for_each(|line| tracing::error!(gateway = %name, "{line}"));
                }
                if gateway.is_some() {
                    self.board.count(&name, |counts| counts.failures += 1);
                }
                (attempt, Some(words))
            }
        };
        self.files.insert(entry.path.clone(), attempt);
        self.board.set(&entry.path, Line { gateway, problem });
    }

    /// The next attempt after a failure, and whether it is another than the last.
    fn failed(&self, last: Option<&Attempt>, print: Option<Print>, words: String) -> (Attempt, bool) {
        let same = last.filter(|last| last.print == print);
        let failures = same.map_or(0, |last| last.failures).saturating_add(1);
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures - 1)).min(LAST_PAUSE);
        let new = same.is_none_or(|last| last.said.as_ref() != Some(&words));
        let gaps = last.map(|last| last.gaps.clone()).unwrap_or_default();
        (Attempt { print, failures, next: Instant::now() + pause, said: Some(words), gaps }, new)
    }

    /// Says which certificates expire soon.
    fn expiries(&mut self) {
        let now = Timestamp::now().unix();
        for record in records().unwrap_or_default() {
            let name = record.gateway;
            let Some(end) = certificate_end(&name) else { continue };
            if let Some(warned) = expiry::due(end.unix(), now, self.warned.get(&name).copied()) {
                let days = expiry::days_left(end.unix(), now);
                tracing::warn!(gateway = %name, days, "a certificate of the gateway expires at {end}: put a new token beside its definition");
                self.warned.insert(name, warned);
            }
        }
    }

    fn trouble(&self, words: Option<String>) {
        if let Some(new) = words.as_ref().filter(|new| self.board.trouble().as_ref() != Some(new)) {
            tracing::error!("{new}");
        }
        self.board.set_trouble(words);
    }

    /// How it stands, in short.
    fn words(&self) -> String {
        let lines = self.board.lines();
        let bad = lines.values().filter(|line| line.problem.is_some()).count();
        let definitions = crate::output::count(lines.len(), "definition");
        if bad == 0 { format!("keeps {definitions}") } else { format!("keeps {definitions}, {bad} with a problem") }
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(self.board.interval.into())
    }
}
