//! Data through the network and back: a greeting, then bytes that nobody could guess, each one compared.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use fastrand::Rng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::echo_server::GREETING;

const MEBIBYTES: usize = 8;
/// What goes each way after the greeting.
pub(super) const BYTES: usize = MEBIBYTES << 20;
const CHUNK: usize = 64 << 10;
const LIMIT: Duration = Duration::from_secs(8);

/// What a round trip took.
#[derive(Clone, Copy, Debug)]
pub(super) struct RoundTrip {
    greeting: Duration,
    bulk: Duration,
}

impl fmt::Display for RoundTrip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = MEBIBYTES as f64 / self.bulk.as_secs_f64();
        write!(
            f,
            "greeted in {:.1} ms; {MEBIBYTES} MiB there and back in {:.2} s, {rate:.0} MiB/s each way, every byte compared",
            self.greeting.as_secs_f64() * 1e3,
            self.bulk.as_secs_f64()
        )
    }
}

/// Through a port that leads to the echo server.
pub(super) async fn run(port: SocketAddr) -> anyhow::Result<RoundTrip> {
    timeout(LIMIT, trip(port)).await.with_context(|| format!("not done within {} s", LIMIT.as_secs()))?
}

async fn trip(port: SocketAddr) -> anyhow::Result<RoundTrip> {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(port).await.with_context(|| format!("connect to {port}"))?;
    let mut greeting = vec![0; GREETING.len()];
    stream.read_exact(&mut greeting).await.context("read the server's greeting")?;
    if greeting != GREETING.as_bytes() {
        bail!("the server's greeting arrived changed: {:?}", String::from_utf8_lossy(&greeting));
    }
    let greeted = begun.elapsed();
    let begun = Instant::now();
    let (mut from, mut to) = stream.split();
    let seed = fastrand::u64(..);
    tokio::try_join!(send(&mut to, seed), compare(&mut from, seed))?;
    Ok(RoundTrip { greeting: greeted, bulk: begun.elapsed() })
}

async fn send(to: &mut (impl AsyncWriteExt + Unpin), seed: u64) -> anyhow::Result<()> {
    let mut random = Rng::with_seed(seed);
    let mut chunk = vec![0; CHUNK];
    for _ in 0..BYTES / CHUNK {
        random.fill(&mut chunk);
        to.write_all(&chunk).await.context("send")?;
    }
    to.shutdown().await.context("end what is sent")
}

async fn compare(from: &mut (impl AsyncReadExt + Unpin), seed: u64) -> anyhow::Result<()> {
    let mut random = Rng::with_seed(seed);
    let (mut sent, mut came) = (vec![0; CHUNK], vec![0; CHUNK]);
    for chunk in 0..BYTES / CHUNK {
        let place = chunk * CHUNK;
        random.fill(&mut sent);
        from.read_exact(&mut came).await.with_context(|| format!("read what comes back, after {place} bytes"))?;
        if sent != came {
            bail!("what came back is not what was sent, between bytes {place} and {}", place + CHUNK);
        }
    }
    match from.read(&mut came).await.context("read the end of what comes back")? {
        0 => Ok(()),
        more => bail!("{more} bytes came back that were never sent"),
    }
}
