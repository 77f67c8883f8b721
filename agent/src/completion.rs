//! What a shell offers for a word that is being typed: the names of gateways and services as they are now.

use std::fs;
use std::io::{self, ErrorKind};
use std::time::Duration;

use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::Shells;
use moorline_definition::{CheckOptions, Section, check};

use crate::cli;
use crate::gateway::install::block_on;
use crate::installation::home::Home;
use crate::installation::installed;
use crate::service::announced;

/// The variable by which the scripts of `moorline docs completions` ask.
const ASKS: &str = "COMPLETE";
/// A router that is slower has nothing to offer: somebody waits at a prompt.
const PATIENCE: Duration = Duration::from_millis(500);

/// Answers a shell and ends the process, if it is one that asks.
pub(crate) fn answer() {
    if std::env::var_os(ASKS).is_some() {
        CompleteEnv::with_factory(cli::command).var(ASKS).complete();
    }
}

/// The gateways of this user.
pub(crate) fn gateways() -> ArgValueCandidates {
    ArgValueCandidates::new(|| candidates(installed().unwrap_or_default()))
}

/// The services that gateways of this user have servers for.
pub(crate) fn bound() -> ArgValueCandidates {
    ArgValueCandidates::new(|| candidates(services(Section::Bindings)))
}

/// The services that gateways of this user forward.
pub(crate) fn forwarded() -> ArgValueCandidates {
    ArgValueCandidates::new(|| candidates(services(Section::Forwards)))
}

/// The services that sites announce to gateways of this user.
pub(crate) fn of_network() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let names = block_on(async {
            let mut names = Vec::new();
            for home in homes() {
                let asked = tokio::time::timeout(PATIENCE, announced(&home)).await;
                names.extend(asked.ok().and_then(Result::ok).unwrap_or_default().into_iter().map(|one| one.address));
            }
            Ok(names)
        });
        candidates(names.unwrap_or_default())
    })
}

fn candidates(mut names: Vec<String>) -> Vec<CompletionCandidate> {
    names.sort();
    names.dedup();
    names.into_iter().map(CompletionCandidate::new).collect()
}

fn homes() -> impl Iterator<Item = Home> {
    installed().unwrap_or_default().into_iter().filter_map(|name| Home::of(&name).ok())
}

fn services(section: Section) -> Vec<String> {
    let definitions = homes().filter_map(|home| {
        let text = fs::read_to_string(home.definition()).ok()?;
        check("", &text, CheckOptions { allow_insecure_management: true, ..CheckOptions::default() }).definition
    });
    definitions
        .flat_map(|definition| {
            let endpoints = definition.endpoints(section).iter();
            endpoints.map(|endpoint| endpoint.service.address.to_string()).collect::<Vec<_>>()
        })
        .collect()
}

/// The script that makes a shell ask this program, as it was called.
///
/// # Errors
/// There is no such shell.
pub(crate) fn script(shell: &str, out: &mut Vec<u8>) -> io::Result<()> {
    let called = std::env::args().next().unwrap_or_default();
    let shells = Shells::builtins();
    let completer = shells.completer(shell).ok_or(ErrorKind::Unsupported)?;
    let name = cli::command().get_name().to_owned();
    completer.write_registration(ASKS, &name, &name, &called, out)
}
