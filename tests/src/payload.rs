//! Bytes that cannot arrive wrong unnoticed.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::OnceLock;

use aws_lc_rs::digest::{Context, SHA256, digest};

const BLOCK: usize = 256 * 1024;

/// One MiB of noise, the same in every run.
fn noise() -> &'static [u8] {
    static NOISE: OnceLock<Vec<u8>> = OnceLock::new();
    NOISE.get_or_init(|| {
        let mut rng = fastrand::Rng::with_seed(0x6d6f_6f72);
        (0..1 << 20).map(|_| rng.u8(..)).collect()
    })
}

/// `length` bytes that differ for each `seed`.
#[must_use]
pub fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut out = vec![0; length];
    fastrand::Rng::with_seed(seed).fill(&mut out);
    out
}

/// What was sent or received: how much, and its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// Bytes.
    pub length: u64,
    /// SHA-256 in hexadecimal.
    pub digest: String,
}

/// SHA-256 in hexadecimal.
#[must_use]
pub fn digest_of(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Writes `length` bytes, in which no two blocks are alike.
pub fn send(to: &mut impl Write, seed: u64, length: u64) -> io::Result<Sum> {
    let noise = noise();
    let mut context = Context::new(&SHA256);
    let mut left = length;
    let mut block = seed;
    while left > 0 {
        let take = usize::try_from(left.min(BLOCK as u64)).unwrap_or(BLOCK);
        // A prime step through the noise: a lost, doubled or exchanged block changes the digest.
        let at = usize::try_from(block.wrapping_mul(7919) % (noise.len() - BLOCK) as u64).unwrap_or(0);
        let part = &noise[at..at + take];
        context.update(part);
        to.write_all(part)?;
        left -= take as u64;
        block = block.wrapping_add(1);
    }
    Ok(Sum { length, digest: hex(context.finish().as_ref()) })
}

/// Reads to the end.
pub fn receive(from: &mut impl Read) -> io::Result<Sum> {
    receive_at_most(from, u64::MAX)
}

/// Reads to the end, or until `length` bytes are there.
pub fn receive_at_most(from: &mut impl Read, length: u64) -> io::Result<Sum> {
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; BLOCK];
    let mut total = 0;
    while total < length {
        let room = usize::try_from((length - total).min(BLOCK as u64)).unwrap_or(BLOCK);
        match from.read(&mut buffer[..room]) {
            Ok(0) => break,
            Ok(n) => {
                context.update(&buffer[..n]);
                total += n as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Sum { length: total, digest: hex(context.finish().as_ref()) })
}
