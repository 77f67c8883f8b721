//! `moorline token inspect`: what is in a token, without its secrets.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum};
use moorline_bundle::{Certificate, ClaimToken, Endpoint, LinkToken, Token, expiry};
use serde_json::{Value, json};

use crate::cli::closing;
use crate::failure::Failure;
use crate::output::{count, say};
use crate::token_file;

/// Show what is in a token: where it leads, whose it is, until when it is good
///
/// Shows no secret: neither the private key nor a claim's password. Asks nobody: how often a claim may still be redeemed
/// is the site's to know.
#[derive(Debug, Args)]
#[command(after_long_help = closing!(
    "moorline token inspect token.yaml",
    "moorline token inspect token.yaml --output json | jq .days_left",
))]
pub(crate) struct Arguments {
    /// The token, of either kind
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Text for people, or JSON on stdout for machines
    #[arg(long, short, value_name = "FORMAT", value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// A line for each fact
    Text,
    /// {"kind", "name", "path", "site", "version", "cost", "authorities"}; of a cert token also "edge", "inter_router",
    /// "certificate" and "days_left", of a claim "url", "claim", "expires", "expired" and "uses"
    Json,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let token = token_file::read_either(&self.file)?;
        let path = self.file.display().to_string();
        match self.output {
            Output::Json => say(format_args!("{:#}", json_of(&token, &path))),
            Output::Text => {
                for (at, (key, value)) in lines_of(&token, &path).iter().enumerate() {
                    // As Skupper's `token status` begins.
                    let indent = if at == 0 { "" } else { "  " };
                    say(format_args!("{indent}{key}: {}", plain(value)));
                }
            }
        }
        Ok(())
    }
}

type Line = (&'static str, String);

fn lines_of(token: &Token, path: &str) -> Vec<Line> {
    match token {
        Token::Link(token) => lines_of_link(token, path),
        Token::Claim(claim) => lines_of_claim(claim, path),
    }
}

fn lines_of_link(token: &LinkToken, path: &str) -> Vec<Line> {
    let mut lines = beginning(&token.name, path, "cert", token.site_version.as_deref());
    lines.push(("site", or_unknown(token.generated_by.as_deref())));
    lines.push(("edge", format!("{}, where a gateway links", token.edge)));
    if let Some(inter_router) = &token.inter_router {
        lines.push(("inter-router", format!("{inter_router}, for interior routers alone")));
    }
    lines.push(("cost", token.cost.map_or_else(|| "1, as the token says none".to_owned(), |cost| cost.to_string())));
    if let Some(certificate) = Certificate::all_of(token.credentials.cert_pem()).first() {
        lines.push(("certificate", format!("{}, issued by {}", certificate.subject, certificate.issuer)));
        let names = certificate.names.join(", ");
        lines.push(("names", if names.is_empty() { "none, as it is a client's".to_owned() } else { names }));
        lines.push(("valid", span(certificate)));
    }
    lines.extend(lines_of_authorities(token.credentials.ca_pem()));
    lines.push(("good for", count(usize::try_from(days_left(token)).unwrap_or(usize::MAX), "more day")));
    lines
}

fn lines_of_claim(claim: &ClaimToken, path: &str) -> Vec<Line> {
    let mut lines = beginning(&claim.name, path, "claim", claim.site_version.as_deref());
    lines.push((
        "expiry",
        match claim.expiration {
            None => "the token says none".to_owned(),
            Some(moment) if is_past(moment) => format!("{} (past, by this host's clock)", expiry::rfc3339(moment)),
            Some(moment) => expiry::rfc3339(moment),
        },
    ));
    lines.push(("site", or_unknown(claim.generated_by.as_deref())));
    lines.push(("url", claim.url.to_string()));
    lines.push(("claim", claim.url.claim()));
    lines.push(("uses", "unknown, the site counts them".to_owned()));
    if let Some(cost) = claim.cost {
        lines.push(("cost", cost.to_string()));
    }
    match &claim.ca_pem {
        Some(pem) => lines.extend(lines_of_authorities(pem)),
        None => lines.push(("CA", "none in the token: those that this host trusts".to_owned())),
    }
    lines.push(("next", format!("moorline token redeem {path}")));
    lines
}

/// As Skupper's `token status` has it.
fn beginning(name: &str, path: &str, kind: &str, version: Option<&str>) -> Vec<Line> {
    vec![
        ("Token Name", name.to_owned()),
        ("path", path.to_owned()),
        ("type", kind.to_owned()),
        ("version", or_unknown(version)),
    ]
}

fn lines_of_authorities(pem: &str) -> impl Iterator<Item = Line> {
    Certificate::all_of(pem).into_iter().flat_map(|authority| {
        let valid = span(&authority);
        [
            ("CA", authority.subject),
            ("CA valid", valid),
            ("CA fingerprint", format!("SHA256 {}", authority.fingerprint)),
        ]
    })
}

fn json_of(token: &Token, path: &str) -> Value {
    match token {
        Token::Link(token) => json!({
            "kind": "cert",
            "name": token.name,
            "path": path,
            "site": token.generated_by,
            "version": token.site_version,
            "cost": token.cost,
            "edge": json_of_endpoint(&token.edge),
            "inter_router": token.inter_router.as_ref().map(json_of_endpoint),
            "certificate": Certificate::all_of(token.credentials.cert_pem()).first().map(json_of_certificate),
            "authorities": json_of_authorities(token.credentials.ca_pem()),
            "days_left": days_left(token),
        }),
        Token::Claim(claim) => json!({
            "kind": "claim",
            "name": claim.name,
            "path": path,
            "site": claim.generated_by,
            "version": claim.site_version,
            "cost": claim.cost,
            "url": claim.url.to_string(),
            "claim": claim.url.claim(),
            "expires": claim.expiration.map(expiry::rfc3339),
            "expired": claim.expiration.map(is_past),
            "uses": null,
            "authorities": json_of_authorities(claim.ca_pem.as_deref().unwrap_or_default()),
        }),
    }
}

fn json_of_endpoint(endpoint: &Endpoint) -> Value {
    json!({ "host": endpoint.host(), "port": endpoint.port() })
}

fn json_of_authorities(pem: &str) -> Vec<Value> {
    Certificate::all_of(pem).iter().map(json_of_certificate).collect()
}

fn json_of_certificate(certificate: &Certificate) -> Value {
    json!({
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "names": certificate.names,
        "not_before": expiry::rfc3339(certificate.validity.not_before),
        "not_after": expiry::rfc3339(certificate.validity.not_after),
        "sha256": certificate.fingerprint,
    })
}

fn span(certificate: &Certificate) -> String {
    let validity = certificate.validity;
    format!("{} to {}", expiry::rfc3339(validity.not_before), expiry::rfc3339(validity.not_after))
}

/// Whole days until the first of its certificates ends.
fn days_left(token: &LinkToken) -> u64 {
    const DAY: u64 = 24 * 60 * 60;
    let left = token.credentials.not_after().duration_since(SystemTime::now());
    left.unwrap_or(Duration::ZERO).as_secs() / DAY
}

fn is_past(moment: SystemTime) -> bool {
    moment < SystemTime::now()
}

fn or_unknown(text: Option<&str>) -> String {
    text.unwrap_or("unknown").to_owned()
}

/// Without what a terminal would obey.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
