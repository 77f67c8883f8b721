//! PostgreSQL across the network: psql and pgbench through forward, hub and binding.

use moorline_tests::definition::Definition;
use moorline_tests::network::Hub;
use moorline_tests::peer::connect_when_open;
use moorline_tests::ports::free_port;
use moorline_tests::postgres::{Postgres, pgbench, psql};

#[test]
fn psql_and_pgbench_work_across_the_network() {
    let server = Postgres::start();
    let entry = free_port();
    let hub = Hub::start();
    let _west = hub.gateway(&Definition::new("database").binding("database:5432", server.port()));
    let mut east = hub.gateway(&Definition::new("client").forward("database:5432", entry));
    drop(connect_when_open(entry));

    assert_eq!(psql(entry, "SELECT 6 * 7"), "42");
    let long = psql(entry, "SELECT repeat('abcdefgh', 1000000)");
    assert!(long.len() == 8_000_000 && long.ends_with("abcdefgh"), "{} bytes", long.len());
    assert_eq!(psql(entry, "SELECT inet_server_port()"), server.port().to_string());

    let made = pgbench(entry, &["--initialize", "--scale=2", "--quiet"]);
    assert!(!made.contains("error"), "{made}");
    assert_eq!(psql(entry, "SELECT count(*) FROM pgbench_accounts"), "200000");
    for clients in ["1", "8"] {
        for mode in ["tpcb-like", "select-only"] {
            let report =
                pgbench(entry, &["--time=2", "--jobs=2", "--client", clients, "--builtin", mode, "--no-vacuum"]);
            assert!(report.contains("number of failed transactions: 0 "), "{mode}, {clients} clients: {report}");
            let done = report.lines().find_map(|line| line.strip_prefix("number of transactions actually processed: "));
            assert!(done.is_some_and(|done| done.trim().parse::<u64>().is_ok_and(|n| n > 0)), "{report}");
        }
    }
    // What the runs wrote is there, seen from beside the network.
    let history = server.psql_local("SELECT count(*) > 0 FROM pgbench_history");
    assert_eq!(String::from_utf8_lossy(&history.stdout).trim(), "t");
    east.process.wait_for(&["database:5432", "connection ended"]);
}
