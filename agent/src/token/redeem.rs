//! `moorline token redeem`: a claim becomes a link token.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, anyhow};
use clap::Args;
use hyper::StatusCode;
use moorline_bundle::files::{self, StagedFile};
use moorline_bundle::{ClaimToken, LinkToken, Token, expiry};
use moorline_router::io::TrialStage;
use moorline_router::io::tls::{TlsFiles, TlsIdentity};

use super::exchange::{Exchange, LARGEST_ANSWER, Refusal};
use crate::cli::closing;
use crate::failure::{Blame, Failure};
use crate::gateway::install::block_on;
use crate::gateway::proxy::ProxyArguments;
use crate::output::{self, say};
use crate::signals::Signals;
use crate::{directories, host, token_file};

/// Where hosts keep the authorities that they trust: Debian and its family, Red Hat's, SUSE, Alpine.
const AUTHORITIES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Exchange a claim token for a link token, at the site that made it
///
/// A claim token, which `skupper token create FILE` makes, carries a password instead of certificates. The site gives
/// certificates for it, only for some minutes and often only once. This asks for them, checks them, and puts the link
/// token in the place of the claim. Until then nothing is changed; a link token is left as it is.
///
/// The site is asked over TLS and must prove by its certificate that it made the claim. It certifies the id of this
/// site: $SKUPPER_SITE_ID, else a random one.
#[derive(Debug, Args)]
#[command(after_long_help = closing!(
    "moorline token redeem claim.yaml",
    "moorline token redeem claim.yaml --output token.yaml --proxy http://proxy.example.com:3128",
))]
pub(crate) struct Arguments {
    /// The claim token
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Write the link token to another file, which must not exist, and leave FILE as it is
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// How long the site may take to answer, all attempts together, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    timeout: u32,

    #[command(flatten)]
    proxy: ProxyArguments,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let claim = match token_file::read_either(&self.file)? {
            Token::Claim(claim) => claim,
            Token::Link(_) => {
                say(format_args!("{} is a link token already: there is nothing to redeem", self.file.display()));
                return Ok(());
            }
        };
        let destination = self.destination()?;
        if let Some(expiration) = claim.expiration.filter(|moment| *moment < SystemTime::now()) {
            let expired = expiry::rfc3339(expiration);
            let file = self.file.display();
            output::warning(&format!(
                "{file}: by its own account it expired on {expired}; the site is asked all the same"
            ));
        }
        let proxy = self.proxy.profile()?;
        let trust = trust(&claim)?;
        let site_id = host::site(host::new_id).unwrap_or_default();
        let exchange = Exchange {
            claim: &claim,
            site_id: &site_id,
            trust: &trust,
            proxy: proxy.as_ref(),
            limit: Duration::from_secs(self.timeout.into()),
        };
        // What comes may come once: its place is taken before it is asked for.
        let staged = StagedFile::reserve(destination, LARGEST_ANSWER).or_runtime()?;
        let answer = block_on(async {
            let mut signals = Signals::catch().context("signals cannot be caught").or_runtime()?;
            tokio::select! {
                answer = exchange.run() => answer.map_err(|refusal| self.refused(&claim, &refusal)),
                signal = signals.ending() => Err(Failure::Runtime(anyhow!(
                    "{signal}: nothing was written; if the site had been asked already, the claim may be used up"
                ))),
            }
        })?;
        let redeemed = claim.redeemed(&site_id, &answer, SystemTime::now());
        let (token, text) = redeemed.map_err(|fault| {
            let file = self.file.display();
            Failure::Runtime(anyhow!(
                "{file}: what {} answers is no link token that can be used: {fault}; {file} is as it was, and the claim \
                 may be used up: {NEW}",
                claim.url
            ))
        })?;
        let written = staged.rewrite(text.as_bytes()).and_then(|()| staged.put_in_place());
        if let Err(error) = written {
            return Err(saved_elsewhere(destination, &text, error.into()));
        }
        self.tell(destination, &token);
        Ok(())
    }

    fn destination(&self) -> Result<&Path, Failure> {
        match &self.output {
            Some(output) if output.symlink_metadata().is_ok() => Err(Failure::Input(anyhow!(
                "{} exists: remove it, or name another file; without --output the claim's own is replaced",
                output.display()
            ))),
            Some(output) => Ok(output),
            // What was read may be a pipe, or a device.
            None if !self.file.is_file() => Err(Failure::Input(anyhow!(
                "{} is no file that can be replaced: name one with --output",
                self.file.display()
            ))),
            None => Ok(&self.file),
        }
    }

    fn tell(&self, destination: &Path, token: &LinkToken) {
        let site = token.generated_by.as_deref().map(|site| format!(" of site {site}")).unwrap_or_default();
        say(format_args!("Claim redeemed: connection token{site} written to {}", destination.display()));
        token_file::warn(destination, token);
    }

    /// The cause and the next step. Who was not asked, or could not write down that the claim is used, has not used it.
    fn refused(&self, claim: &ClaimToken, refusal: &Refusal) -> Failure {
        let (file, url, site) = (self.file.display(), &claim.url, claim.url.endpoint());
        match refusal {
            Refusal::NotReached(failure) => {
                let step = match failure.stage {
                    TrialStage::Reach => {
                        "see that the name is right and no firewall is between; behind a proxy: --proxy"
                    }
                    TrialStage::Proxy => "see that the proxy is right, and lets this host out to that port",
                    TrialStage::Tls | TrialStage::Router => {
                        "see that the URL leads to the site that made the claim, and that the clocks of both are right"
                    }
                };
                Failure::Runtime(anyhow!("the site at {site} was not asked: {failure}; {step}. {UNUSED}"))
            }
            Refusal::Unasked(cause) => Failure::Runtime(anyhow!("the site at {site} was not asked: {cause}. {UNUSED}")),
            Refusal::Lost(cause) => Failure::Runtime(anyhow!(
                "{url} was asked, and there is no answer that can be used: {cause}; {file} is as it was. Try again; if the \
                 claim is unknown then, it was used up: {NEW}"
            )),
            Refusal::Said(status, said) => self.said(claim, *status, said),
        }
    }

    fn said(&self, claim: &ClaimToken, status: StatusCode, said: &str) -> Failure {
        let (file, url) = (self.file.display(), &claim.url);
        let answer = match said {
            "" => status.as_u16().to_string(),
            said => format!("{}: {said}", status.as_u16()),
        };
        match status {
            StatusCode::NOT_FOUND => {
                let why = match claim.expiration.filter(|moment| *moment < SystemTime::now()) {
                    Some(moment) => format!(
                        "it expired on {} (this host's clock says {})",
                        expiry::rfc3339(moment),
                        expiry::rfc3339(SystemTime::now())
                    ),
                    None => "unknown, expired or used up".to_owned(),
                };
                Failure::Input(anyhow!("{file}: the site has no such claim ({answer}): {why}; {NEW}"))
            }
            StatusCode::FORBIDDEN => Failure::Input(anyhow!(
                "{file}: the site refuses the claim ({answer}): the password is not the one that it knows; copy the file \
                 again. {UNUSED}"
            )),
            StatusCode::BAD_REQUEST => Failure::Runtime(anyhow!(
                "{url}: the site does not take the request ({answer}); see that it is a site of Skupper 1.5 to 1.9. {UNUSED}"
            )),
            StatusCode::METHOD_NOT_ALLOWED => Failure::Runtime(anyhow!(
                "{url}: who answers there takes no claims ({answer}); see that the URL leads to the site's port for claims. \
                 {UNUSED}"
            )),
            StatusCode::SERVICE_UNAVAILABLE => Failure::Runtime(anyhow!(
                "{url}: the site cannot do it now ({answer}), also after several attempts; try again later. {UNUSED}"
            )),
            status if status.is_server_error() => Failure::Runtime(anyhow!(
                "{url}: the site failed ({answer}); its service controller's log says why. Try again; if the claim is \
                 unknown then, it was used up: {NEW}"
            )),
            _ => Failure::Runtime(anyhow!(
                "{url}: a site answers 200 or says why not, and this is {answer}; see that the URL leads to the site that \
                 made the claim, and past no login. Try again; if the claim is unknown then, it was used up: {NEW}"
            )),
        }
    }
}

const UNUSED: &str = "The claim is not used up by this";
const NEW: &str =
    "have a new one made, with `skupper token create FILE`, or with `-t cert` one that needs no redeeming";

/// Whom the site's certificate must answer to: the token's own authorities and no others, else those of this host.
fn trust(claim: &ClaimToken) -> Result<TlsIdentity, Failure> {
    if let Some(pem) = &claim.ca_pem {
        return TlsIdentity::from_pem("the claim token", pem.as_bytes(), None).or_input();
    }
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let found = named.or_else(|| AUTHORITIES.iter().map(PathBuf::from).find(|path| path.is_file()));
    let list = found.ok_or_else(|| {
        Failure::Runtime(anyhow!(
            "the token names no authority (`ca.crt`), and this host has no list of those that it trusts: install \
             ca-certificates, or name a PEM file in SSL_CERT_FILE"
        ))
    })?;
    TlsFiles { profile: "this host".to_owned(), ca: Some(list), own: None }.load().or_runtime()
}

/// A token that was had once and cannot be written where it belongs is kept where it can.
fn saved_elsewhere(destination: &Path, text: &str, cause: anyhow::Error) -> Failure {
    let dir = directories::runtime();
    let name = destination.file_name().unwrap_or_default();
    let refuge = dir.join(name);
    let saved = files::private_dir(&dir).and_then(|()| files::write_secret(&refuge, text.as_bytes()));
    Failure::Runtime(match saved {
        Ok(()) => cause.context(format!(
            "the claim is redeemed, and the connection token could not be written to {}: it is saved as {}, move it from there",
            destination.display(),
            refuge.display()
        )),
        Err(also) => cause.context(format!(
            "the claim is redeemed, and the connection token could be written neither to {} nor elsewhere ({also}): it is lost; {NEW}",
            destination.display()
        )),
    })
}
