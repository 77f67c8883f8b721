//! `moorline doctor`: whether a gateway would run here, and why not.

mod finding;
mod host;
mod way;

use std::path::PathBuf;

use anyhow::anyhow;
use clap::{Args, ValueEnum};
use serde_json::json;

use finding::{Finding, Verdict};
use way::Way;

use crate::cli::closing;
use crate::failure::Failure;
use crate::gateway::install::{Chosen, InstallArguments, block_on};
use crate::gateway::proxy::ProxyArguments;
use crate::installation::keeper::{GatewayType, GatewayTypeParser};
use crate::installation::wanted::Parts;
use crate::output::{count, say};

/// See whether a gateway would run on this host and link to its network, and what to do if not
///
/// Looks at systemd and the container engines, lingering, free space, the clock and SELinux. With a definition also at its
/// ports and who has them, at the servers of its bindings, at the certificates of its token, and at the way to the network:
/// name, connection, proxy, TLS in both directions. Changes nothing. Exit code 1: the gateway would not run, or not link.
#[derive(Debug, Args)]
#[command(after_long_help = closing!(
    "moorline doctor",
    "moorline doctor database.yaml --token db.token -t podman",
    "moorline doctor database.yaml                      of a gateway that is installed",
))]
pub(crate) struct Arguments {
    /// The gateway definition
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// The link token; a gateway that is installed has one already
    #[arg(long, value_name = "TOKEN", requires = "file")]
    token: Option<PathBuf>,

    /// What the gateway would run in
    ///
    /// [default: as it is installed, else service; without FILE all of them]
    #[arg(short = 't', long = "type", value_name = "TYPE", value_parser = GatewayTypeParser, requires = "file")]
    kind: Option<GatewayType>,

    #[command(flatten)]
    proxy: ProxyArguments,

    /// Text for people, or JSON on stdout for machines
    #[arg(long, short, value_name = "FORMAT", value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// A line or two for each thing
    Text,
    /// {"findings": [{"subject", "verdict", "words", "remedy"}]}: a verdict is good, warning or bad
    Json,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        block_on(self.look())
    }

    async fn look(self) -> Result<(), Failure> {
        let findings = match self.file {
            None => anywhere().await,
            Some(file) => {
                let Chosen { parts, kind, first, .. } =
                    InstallArguments::of(file, self.token, self.kind, self.proxy).choose()?;
                let mut findings = host::look(kind).await;
                let way = Way::of(&parts, !first);
                findings.extend(way.ports());
                findings.extend(way.servers().await);
                findings.push(way.certificates());
                findings.extend(way.uplinks().await);
                findings
            }
        };
        match self.output {
            Output::Json => say(format_args!("{:#}", json!({ "findings": findings }))),
            Output::Text => tell(&findings),
        }
        let bad = findings.iter().any(|finding| finding.verdict == Verdict::Bad);
        if bad { Err(Failure::Shown) } else { Ok(()) }
    }
}

/// The host for whatever a gateway may run in: one that is there is enough.
async fn anywhere() -> Vec<Finding> {
    let mut findings = Vec::new();
    for kind in [GatewayType::Service, GatewayType::Podman, GatewayType::Docker] {
        findings.push(host::keeper(kind).await);
    }
    if findings.iter().any(|finding| finding.verdict == Verdict::Good) {
        // The others are nobody's trouble.
        for finding in findings.iter_mut().filter(|finding| finding.verdict == Verdict::Bad) {
            finding.verdict = Verdict::Warning;
        }
    }
    findings.extend(host::rest(GatewayType::Service).await);
    findings
}

fn tell(findings: &[Finding]) {
    findings.iter().for_each(|finding| say(finding.text()));
    let number = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    match (number(Verdict::Bad), number(Verdict::Warning)) {
        (0, 0) => say("nothing is in the way"),
        (0, warnings) => say(format_args!("nothing is in the way; {}", count(warnings, "warning"))),
        (bad, _) => say(format_args!("{} in the way", count(bad, "thing"))),
    }
}

/// What must be so before a gateway takes another's place: there is room for it, and it can link to the network.
pub(crate) async fn beside(parts: &Parts) -> Result<(), Failure> {
    let mut findings = vec![host::space()];
    findings.extend(Way::of(parts, true).uplinks().await);
    refuse(&findings)
}

/// What must be so before a gateway is installed for the first time: its ports are free, and there is room for it. Whether
/// its keeper answers and its network can be reached is found out by the installation itself.
pub(crate) fn before(parts: &Parts) -> Result<(), Failure> {
    let findings = [Way::of(parts, false).ports(), vec![host::space()]].concat();
    refuse(&findings)
}

fn refuse(findings: &[Finding]) -> Result<(), Failure> {
    match findings.iter().find(|finding| finding.verdict == Verdict::Bad) {
        Some(bad) => Err(Failure::Runtime(anyhow!("{}; nothing was changed", bad.sentence()))),
        None => Ok(()),
    }
}
