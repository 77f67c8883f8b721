//! The names that this host knows and those that it can ask for.

use std::fmt::Display;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::timeout;

use super::dns::NameServers;
use super::hosts::Hosts;
use super::watched::Watched;

/// Name servers get this long, search domains and repeated questions included. Below the limit of a connection, so that
/// its failure says who did not answer.
const LIMIT: Duration = Duration::from_secs(4);

/// Where names are looked up: first in the hosts file, then by name servers.
pub(super) struct Names {
    hosts: Watched<Hosts>,
    servers: Watched<Result<NameServers, String>>,
    server_port: u16,
}

impl Names {
    /// As this host has it configured.
    pub(super) fn of_host() -> Self {
        Self::new("/etc/hosts".into(), "/etc/resolv.conf".into(), 53)
    }

    pub(super) fn new(hosts: PathBuf, resolv_conf: PathBuf, server_port: u16) -> Self {
        Self { hosts: Watched::new(hosts), servers: Watched::new(resolv_conf), server_port }
    }

    /// The addresses of a name, at least one.
    pub(super) async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let hosts = self.hosts.now(|content| Hosts::parse(&content.unwrap_or_default()));
        if let Some(known) = hosts.addresses(host) {
            return Ok(known.to_vec());
        }
        let servers = self.servers.now(|content| NameServers::parse(content, self.server_port));
        let servers = match &*servers {
            Ok(servers) => servers,
            Err(problem) => return Err(io::Error::other(format!("/etc/resolv.conf: {problem}"))),
        };
        match timeout(LIMIT, servers.addresses(host)).await {
            Ok(found) => found,
            Err(_) => Err(silent(servers)),
        }
    }
}

fn silent(servers: &impl Display) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s from {servers}", LIMIT.as_secs()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::SocketAddr;
    use std::path::Path;

    use moorline_tests::name_server::{NameServer, Question, Says};
    use tempfile::TempDir;

    use super::*;

    /// A host whose two files and name server are the test's.
    struct Host {
        files: TempDir,
        server: NameServer,
        names: Names,
    }

    fn host(resolv_conf: &str, answer: impl Fn(&Question) -> Says + Send + Sync + 'static) -> Host {
        let server = NameServer::start(SocketAddr::from(([127, 0, 0, 1], 0)), answer).unwrap();
        let files = tempfile::tempdir().unwrap();
        fs::write(files.path().join("resolv.conf"), resolv_conf).unwrap();
        let names = names(files.path(), server.address().port());
        Host { files, server, names }
    }

    fn names(files: &Path, port: u16) -> Names {
        Names::new(files.join("hosts"), files.join("resolv.conf"), port)
    }

    impl Host {
        async fn found(&self, name: &str) -> Vec<String> {
            self.names.addresses(name).await.unwrap().iter().map(ToString::to_string).collect()
        }

        fn asked(&self) -> Vec<String> {
            let mut names: Vec<String> = self.server.asked().into_iter().map(|(name, _)| name).collect();
            names.dedup();
            names
        }
    }

    fn addresses(texts: &[&str]) -> Says {
        Says::Addresses(texts.iter().map(|text| text.parse().unwrap()).collect())
    }

    fn only(wanted: &'static str) -> impl Fn(&Question) -> Says {
        move |(name, _)| if name == wanted { addresses(&["10.9.8.7", "fd00::7"]) } else { Says::NoSuchName }
    }

    #[tokio::test]
    async fn both_families_are_asked_for() {
        let host = host("nameserver 127.0.0.1\n", only("db.example.com"));
        assert_eq!(host.found("DB.example.com").await, ["10.9.8.7", "fd00::7"]);
        let mut families: Vec<bool> = host.server.asked().into_iter().map(|(_, four)| four).collect();
        families.sort_unstable();
        assert_eq!(families, [false, true]);
    }

    #[tokio::test]
    async fn one_family_is_enough_also_when_the_other_is_never_answered() {
        for silent_for_four in [true, false] {
            let host = host("nameserver 127.0.0.1\n", move |(_, four)| match (*four == silent_for_four, four) {
                (true, _) => Says::Nothing,
                (false, true) => addresses(&["10.9.8.7"]),
                (false, false) => addresses(&["fd00::7"]),
            });
            let expected = if silent_for_four { "fd00::7" } else { "10.9.8.7" };
            assert_eq!(host.found("db.example.com").await, [expected]);
        }
        let host =
            host("nameserver 127.0.0.1\n", |(_, four)| if *four { addresses(&[]) } else { addresses(&["fd00::7"]) });
        assert_eq!(host.found("six.example.com").await, ["fd00::7"]);
    }

    #[tokio::test]
    async fn search_domains_come_first_for_short_names() {
        let host = host("nameserver 127.0.0.1\nsearch one.test two.test\n", only("db.two.test"));
        assert_eq!(host.found("db").await, ["10.9.8.7", "fd00::7"]);
        let mut asked = host.asked();
        asked.sort_unstable();
        asked.dedup();
        assert_eq!(asked, ["db.one.test", "db.two.test"]);
    }

    #[tokio::test]
    async fn names_with_enough_dots_are_asked_for_as_they_are() {
        for (options, first, second) in [
            ("", "db.corp", "db.corp.one.test"),
            ("options ndots:1\n", "db.corp", "db.corp.one.test"),
            ("options ndots:2\n", "db.corp.one.test", "db.corp"),
        ] {
            let resolv_conf = format!("search one.test\nnameserver 127.0.0.1\n{options}");
            let found_first = host(&resolv_conf, only(first));
            found_first.found("db.corp").await;
            assert!(found_first.asked().iter().all(|name| name == first), "{options}: {:?}", found_first.asked());
            let found_second = host(&resolv_conf, only(second));
            assert_eq!(found_second.found("db.corp").await, ["10.9.8.7", "fd00::7"], "{options}");
        }
    }

    #[tokio::test]
    async fn a_final_dot_ends_the_search_and_an_underscore_is_no_obstacle() {
        let host = host("search one.test\nnameserver 127.0.0.1\n", only("my_db"));
        assert_eq!(host.found("my_db.").await, ["10.9.8.7", "fd00::7"]);
        assert_eq!(host.asked(), ["my_db"]);
    }

    #[tokio::test]
    async fn who_knows_no_such_name_is_said() {
        let host = host("search one.test\nnameserver 127.0.0.1\n", |_| Says::NoSuchName);
        let error = host.names.addresses("missing.test").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert_eq!(error.to_string(), "no such name, says name server 127.0.0.1");
    }

    #[tokio::test]
    async fn a_name_without_addresses_and_a_server_in_trouble_are_told_apart() {
        let empty = host("nameserver 127.0.0.1\n", |_| addresses(&[]));
        let error = empty.names.addresses("mail.test").await.unwrap_err();
        assert_eq!(error.to_string(), "the name has no address, says name server 127.0.0.1");
        let failing = host("nameserver 127.0.0.1\n", |_| Says::Failure);
        let error = failing.names.addresses("db.test").await.unwrap_err();
        assert!(error.to_string().ends_with("asked name server 127.0.0.1"), "{error}");
        assert_ne!(error.kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn a_silent_server_is_given_up_and_named() {
        let host = host("nameserver 127.0.0.1\noptions timeout:30 attempts:9\n", |_| Says::Nothing);
        let error = host.names.addresses("db.test").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
        assert!(error.to_string().contains("127.0.0.1"), "{error}");
        assert!(host.server.asked().len() >= 2, "a lost packet must not be the end: {:?}", host.server.asked());
    }

    #[tokio::test]
    async fn a_dead_first_server_leaves_the_second() {
        // Nobody is at the first address.
        let host = host("nameserver 127.86.3.9\nnameserver 127.0.0.1\n", only("db.test"));
        assert_eq!(host.found("db.test").await, ["10.9.8.7", "fd00::7"]);
    }

    #[tokio::test]
    async fn long_answers_come_over_tcp() {
        let host = host("nameserver 127.0.0.1\n", |_| Says::AddressesOverTcp(vec![[10, 1, 1, 1].into(); 60]));
        assert_eq!(host.found("many.test").await.len(), 60);
    }

    #[tokio::test]
    async fn a_host_without_resolv_conf_asks_itself() {
        for content in [None, Some("options ndots:1\n; nameserver 10.0.0.1\n")] {
            let host = host("", only("db.test"));
            match content {
                None => fs::remove_file(host.files.path().join("resolv.conf")).unwrap(),
                Some(content) => fs::write(host.files.path().join("resolv.conf"), content).unwrap(),
            }
            assert_eq!(host.found("db.test").await, ["10.9.8.7", "fd00::7"]);
        }
    }

    #[tokio::test]
    async fn the_hosts_file_comes_first_and_is_read_again_when_it_changes() {
        let host = host("search one.test\nnameserver 127.0.0.1\n", |_| Says::NoSuchName);
        let hosts = host.files.path().join("hosts");
        fs::write(&hosts, "10.0.0.1 db\n10.0.0.1 other # db\n").unwrap();
        assert_eq!(host.found("db").await, ["10.0.0.1"]);
        fs::write(&hosts, "10.0.0.1 db\nfd00::1 db db.one.test\n").unwrap();
        assert_eq!(host.found("DB").await, ["10.0.0.1", "fd00::1"]);
        assert_eq!(host.server.asked(), []);
        fs::remove_file(&hosts).unwrap();
        host.names.addresses("db").await.unwrap_err();
        assert!(!host.server.asked().is_empty());
    }

    #[tokio::test]
    async fn resolv_conf_is_read_again_when_it_changes() {
        let host = host("nameserver 127.0.0.1\nsearch one.test\n", only("db.two.test"));
        host.names.addresses("db").await.unwrap_err();
        fs::write(host.files.path().join("resolv.conf"), "nameserver 127.0.0.1\nsearch two.test # moved\n").unwrap();
        assert_eq!(host.found("db").await, ["10.9.8.7", "fd00::7"]);
    }

    #[tokio::test]
    async fn a_name_that_was_missing_is_found_once_it_is_there() {
        let missing = std::sync::atomic::AtomicBool::new(true);
        let host = host("nameserver 127.0.0.1\n", move |(_, four)| {
            if *four && missing.swap(false, std::sync::atomic::Ordering::SeqCst) {
                Says::NoSuchName
            } else {
                addresses(&["10.9.8.7"])
            }
        });
        // At once, or as soon as the answer that there is none has lost its worth.
        let mut found = host.names.addresses("new.test").await;
        while found.is_err() {
            tokio::time::sleep(Duration::from_millis(200)).await;
            found = host.names.addresses("new.test").await;
        }
        assert_eq!(found.unwrap(), ["10.9.8.7".parse::<IpAddr>().unwrap()]);
    }

    #[tokio::test]
    async fn texts_that_are_no_names_are_refused() {
        let host = host("nameserver 127.0.0.1\n", |_| Says::NoSuchName);
        for text in ["a..b", &"x".repeat(64), &"abc.".repeat(80)] {
            let error = host.names.addresses(text).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{text}: {error}");
        }
        assert_eq!(host.server.asked(), []);
    }
}
