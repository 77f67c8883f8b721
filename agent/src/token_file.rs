//! Tokens: read, checked, and what should be known of them said early.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};
use std::{fs, io};

use anyhow::anyhow;
use moorline_bundle::{LinkToken, Token, expiry, files, token};
use zeroize::Zeroizing;

use crate::failure::{Blame, Failure};
use crate::output;

/// Less than this before its end, an expiry is said at every start.
pub(crate) const EXPIRES_SOON: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Reads a link token and checks all of it; a claim is refused with the next step. Changes nothing.
pub(crate) fn read(path: &Path) -> Result<LinkToken, Failure> {
    let (name, bytes) = load(path)?;
    LinkToken::parse(&name, &bytes, SystemTime::now()).or_input()
}

/// Reads a token of either kind. Changes nothing.
pub(crate) fn read_either(path: &Path) -> Result<Token, Failure> {
    let (name, bytes) = load(path)?;
    Token::parse(&name, &bytes, SystemTime::now()).or_input()
}

fn load(path: &Path) -> Result<(String, Zeroizing<Vec<u8>>), Failure> {
    let name = path.display().to_string();
    if let Err(error) = fs::File::open(path) {
        let reason = output::reason(&error);
        return Err(Failure::Input(anyhow!("Failed to read link token: open {name}: {reason}")));
    }
    // One byte more than any token has, so that the parser says that it is none.
    let bytes = files::read_bounded(path, token::LARGEST as u64 + 1).map(Zeroizing::new).or_input()?;
    Ok((name, bytes))
}

/// Says what the owner of a good token should do about it.
pub(crate) fn warn(path: &Path, token: &LinkToken) {
    if others_can_read(path).unwrap_or(false) {
        let path = path.display();
        output::warning(&format!("{path}: others can read this token and link in its name: chmod 600 {path}"));
    }
    let not_after = token.credentials.not_after();
    if not_after < SystemTime::now() + EXPIRES_SOON {
        let end = expiry::rfc3339(not_after);
        output::warning(&format!("{}: its certificates end on {end}: make a new token before", path.display()));
    }
}

fn others_can_read(path: &Path) -> io::Result<bool> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o044 != 0)
}
