//! A router whose sockets wait does nothing, whatever they wait for.

use std::process::Command;
use std::time::Duration;

use crate::network::{Network, bridge, dial, free_port, is_up, run, until};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// Milliseconds of processor time of the router threads, from `/proc`; the tick is 10 ms.
fn router_cpu() -> u64 {
    let mut ticks = 0;
    for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        let Ok(stat) = std::fs::read_to_string(task.path().join("stat")) else { continue };
        let (head, tail) = stat.rsplit_once(')').unwrap();
        if head.ends_with("(router") {
            let fields: Vec<&str> = tail.split_ascii_whitespace().collect();
            ticks += fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        }
    }
    ticks * 10
}

async fn fill(stream: &mut TcpStream) -> usize {
    let block = vec![7; 64 * 1024];
    let mut sent = 0;
    while let Ok(n) = tokio::time::timeout(Duration::from_millis(500), stream.write(&block)).await {
        sent += n.unwrap();
    }
    sent
}

#[test]
fn sockets_that_wait_cost_nothing() {
    // In a process of its own, whose router threads are those of this test alone.
    let mut test = Command::new(std::env::current_exe().unwrap());
    let output = test.args(["--exact", "idle::measured_alone", "--ignored", "--nocapture"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "run by the test above"]
async fn measured_alone() {
    let network = Network::new();
    let _hub = run(&network.hub_config());
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = network.edge_config("edge-a");
    config.tcp_connectors.push(bridge("server", server.local_addr().unwrap().port(), "service:1"));
    let near_server = run(&config);
    let mut config = network.edge_config("edge-b");
    let port = free_port();
    config.tcp_listeners.push(bridge("service", port, "service:1"));
    let near_client = run(&config);
    until(&near_server, is_up).await;

    // Nothing happens on it.
    let idle = (dial(port).await, server.accept().await.unwrap().0);
    // The client has ended, the server has not.
    let mut half = (dial(port).await, server.accept().await.unwrap().0);
    half.0.write_all(b"request").await.unwrap();
    half.0.shutdown().await.unwrap();
    // The server does not read: bytes wait in every buffer on the way.
    let mut up = (dial(port).await, server.accept().await.unwrap().0);
    let sent_up = fill(&mut up.0).await;
    // The client does not read.
    let mut down = (dial(port).await, server.accept().await.unwrap().0);
    let sent_down = fill(&mut down.1).await;
    // The client has ended while its bytes still wait.
    let mut stuck = (dial(port).await, server.accept().await.unwrap().0);
    fill(&mut stuck.0).await;
    stuck.0.shutdown().await.unwrap();

    assert!(sent_up < 64 << 20 && sent_down < 64 << 20, "nobody held back: {sent_up} {sent_down}");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let before = router_cpu();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let used = router_cpu() - before;
    assert!(used <= 60, "{used} ms of processor time in 2 s");

    // A blocked connection stalls nobody.
    let mut other = (dial(port).await, server.accept().await.unwrap().0);
    other.0.write_all(b"ping").await.unwrap();
    let mut four = [0; 4];
    tokio::io::AsyncReadExt::read_exact(&mut other.1, &mut four).await.unwrap();
    // A client that resets while its bytes still wait is noticed on the other side.
    socket2::SockRef::from(&up.0).set_linger(Some(Duration::ZERO)).unwrap();
    drop(up.0);
    until(&near_client, |s| s.totals.open_flows == 5).await;
    drop((idle, half, down, stuck, near_server));
}
