//! A listener and a connector of one address on one router: what is much goes from socket to socket past the core.

use std::collections::HashSet;
use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::network::{Network, bridge, dial, echo_server, exchange, free_port, logged, run, until};
use moorline_router::io::RouterHandle;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const ENOUGH: Duration = Duration::from_secs(20);

fn pattern(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|n| (n.wrapping_mul(31) ^ (n >> 9) ^ seed) as u8).collect()
}

/// A router without a network, and the port that leads to the server.
fn joined(address: &str, server: u16) -> (RouterHandle, u16) {
    let mut config = Network::new().edge_config(address);
    config.connectors.clear();
    let (port, address) = (free_port(), format!("{address}:1"));
    config.tcp_connectors.push(bridge("server", server, &address));
    config.tcp_listeners.push(bridge("service", port, &address));
    (run(&config), port)
}

/// A client and its server, both ends in the test.
async fn pair(server: &TcpListener, port: u16) -> (TcpStream, TcpStream) {
    (dial(port).await, server.accept().await.unwrap().0)
}

fn pipes() -> usize {
    let links = fs::read_dir("/proc/self/fd").unwrap().flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    links.filter_map(|link| link.to_str()?.strip_prefix("pipe:").map(str::to_owned)).collect::<HashSet<_>>().len()
}

async fn fill(stream: &mut TcpStream) -> Vec<u8> {
    let mut sent = Vec::new();
    loop {
        let block = pattern(100_000, sent.len() / 7);
        match timeout(Duration::from_millis(300), stream.write(&block)).await {
            Ok(n) => sent.extend_from_slice(&block[..n.unwrap()]),
            Err(_) => return sent,
        }
    }
}

#[tokio::test]
async fn bytes_of_all_sizes_arrive_in_order_and_are_counted() {
    let (router, port) = joined("sizes", echo_server().await.port());
    let lengths = [1, 32_767, 32_768, 65_536, 65_537, 1_000_000, 9_999_999];
    let mut tasks = tokio::task::JoinSet::new();
    for (seed, length) in lengths.into_iter().enumerate() {
        tasks.spawn(async move {
            let mut stream = dial(port).await;
            let (mut read, mut write) = stream.split();
            let send = async {
                let (bytes, mut random) = (pattern(length, seed), fastrand::Rng::with_seed(seed as u64));
                let mut left = &bytes[..];
                while !left.is_empty() {
                    let most = if random.bool() { 300_000 } else { 100 };
                    let (now, rest) = left.split_at(random.usize(1..=most).min(left.len()));
                    write.write_all(now).await.unwrap();
                    left = rest;
                }
                write.shutdown().await.unwrap();
            };
            let mut answer = Vec::new();
            let (_, received) = tokio::join!(send, read.read_to_end(&mut answer));
            received.unwrap();
            assert!(answer == pattern(length, seed), "{length}: {} bytes came back", answer.len());
        });
    }
    tasks.join_all().await;
    let total = lengths.iter().sum::<usize>() as u64;
    let status = until(&router, |s| s.totals.open_flows == 0).await;
    assert_eq!((status.totals.bytes_in, status.totals.bytes_out), (2 * total, 2 * total));
    let counts = [&status.listeners[0].counts, &status.connectors[0].counts];
    assert!(counts.iter().all(|counts| (counts.bytes_in, counts.bytes_out) == (total, total)), "{counts:?}");
    assert!(counts.iter().all(|counts| counts.failures.is_empty()), "{counts:?}");
    for side in ["listener", "connector"] {
        let side = format!("side=\"{side}\"");
        logged(&["access", "sizes:1", &side, "bytes_in=9999999", "bytes_out=9999999"]).await;
    }
}

#[tokio::test]
async fn each_end_may_stop_before_the_other_and_urgent_data_is_no_obstacle() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (router, port) = joined("ends", server.local_addr().unwrap().port());
    for turned in [false, true] {
        let (client, served) = pair(&server, port).await;
        let (mut first, mut second) = if turned { (served, client) } else { (client, served) };
        let sender = tokio::spawn(async move {
            first.write_all(&pattern(3_000_000, 1)).await.unwrap();
            SockRef::from(&first).send_out_of_band(b"!").unwrap();
            first.write_all(&pattern(3_000_000, 2)).await.unwrap();
            first.shutdown().await.unwrap();
            let mut answer = Vec::new();
            first.read_to_end(&mut answer).await.unwrap();
            answer
        });
        let mut received = Vec::new();
        timeout(ENOUGH, second.read_to_end(&mut received)).await.unwrap().unwrap();
        assert!(received == [pattern(3_000_000, 1), pattern(3_000_000, 2)].concat());
        // Its half is over, the other goes on.
        second.write_all(&pattern(2_000_000, 3)).await.unwrap();
        second.shutdown().await.unwrap();
        assert!(timeout(ENOUGH, sender).await.unwrap().unwrap() == pattern(2_000_000, 3));
    }
    until(&router, |s| s.totals.open_flows == 0).await;
}

#[tokio::test]
async fn resets_pass_on_and_removal_and_drain_cut_what_they_should() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (router, port) = joined("resets", server.local_addr().unwrap().port());
    for turned in [false, true] {
        let (client, served) = pair(&server, port).await;
        let (mut first, mut second) = if turned { (served, client) } else { (client, served) };
        fill(&mut first).await;
        SockRef::from(&first).set_linger(Some(Duration::ZERO)).unwrap();
        drop(first);
        let mut rest = Vec::new();
        let error = timeout(ENOUGH, second.read_to_end(&mut rest)).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        // The other way round: who does not read breaks off.
        let (client, served) = pair(&server, port).await;
        let (mut first, second) = if turned { (served, client) } else { (client, served) };
        fill(&mut first).await;
        SockRef::from(&second).set_linger(Some(Duration::ZERO)).unwrap();
        drop(second);
        let error = timeout(ENOUGH, first.read(&mut [0])).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    let status = until(&router, |s| s.totals.open_flows == 0).await;
    assert_eq!(status.listeners[0].counts.failures.iter().map(|failed| failed.count).sum::<u64>(), 4);
    logged(&["access", "resets:1", "connection reset by peer"]).await;

    let (mut client, mut served) = pair(&server, port).await;
    let mut sent = fill(&mut client).await;
    router.remove_tcp_listener("service").await.unwrap();
    router.remove_tcp_connector("server").await.unwrap();
    let sending = tokio::spawn(async move {
        let more = pattern(5_000_000, 9);
        client.write_all(&more).await.unwrap();
        sent.extend_from_slice(&more);
        (client, sent)
    });
    let mut received = vec![0; 1];
    timeout(ENOUGH, served.read_exact(&mut received)).await.unwrap().unwrap();
    while let Ok(n) = timeout(Duration::from_millis(500), served.read_buf(&mut received)).await {
        assert!(n.unwrap() > 0);
    }
    let (mut client, sent) = sending.await.unwrap();
    assert!(received == sent, "what was open goes on: {} of {}", received.len(), sent.len());
    fill(&mut client).await;
    assert!(router.drain(Duration::from_millis(100)).await.unwrap().cut > 0);
    assert!(!matches!(timeout(ENOUGH, client.read(&mut [0])).await.unwrap(), Ok(n) if n > 0));
}

#[test]
fn a_slow_reader_has_one_pipe_and_without_descriptors_bytes_are_copied() {
    // In a process of its own: it looks at the descriptors, and takes them all.
    let mut test = Command::new(std::env::current_exe().unwrap());
    let output = test.args(["--exact", "joined::with_few_descriptors", "--ignored", "--nocapture"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "run by the test above"]
async fn with_few_descriptors() {
    let (router, port) = joined("few", echo_server().await.port());
    let mut ready = dial(port).await;
    ready.write_all(b"ready").await.unwrap();
    ready.read_exact(&mut [0; 5]).await.unwrap();
    let before = pipes();
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 200, hard).unwrap();
    let mut taken = Vec::new();
    while let Ok(file) = fs::File::open("/dev/null") {
        taken.push(file);
    }
    let answer = exchange(ready, pattern(5_000_000, 4)).await;
    drop(taken);
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
    assert!(answer == pattern(5_000_000, 4));
    assert_eq!(pipes(), before, "there was none to be had");
    until(&router, |s| s.totals.open_flows == 0).await;

    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (router, port) = joined("slow", server.local_addr().unwrap().port());
    let (mut client, mut served) = pair(&server, port).await;
    let sent = fill(&mut client).await;
    assert!(sent.len() < 64 << 20, "nobody held back: {}", sent.len());
    let status = router.status().await.unwrap();
    assert!(status.totals.bytes_in - status.totals.bytes_out <= 256 * 1024, "{:?}", status.totals);
    assert_eq!(pipes(), before + 1);
    client.shutdown().await.unwrap();
    let mut received = Vec::new();
    timeout(ENOUGH, served.read_to_end(&mut received)).await.unwrap().unwrap();
    assert!(received == sent);
    drop((client, served));
    until(&router, |s| s.totals.open_flows == 0).await;
    assert_eq!(pipes(), before + 1, "one waits for the next");
}
