//! Gateways in containers: `moorline gateway apply -t docker|podman` on real engines.
//!
//! Each test runs `on_host::a_gateway_lives_in_a_container` beside an engine of `tests/hosts/engine`; where this machine
//! cannot do that, it says SKIPPED.

use moorline_tests::host::run_there;

fn beside(engine: &str) {
    run_there("engine", &[engine], &[("ENGINE", engine)], "contained::on_host::a_gateway_lives_in_a_container");
}

#[test]
fn a_gateway_lives_in_a_docker_container() {
    beside("docker");
}

#[test]
fn a_gateway_lives_in_a_podman_container() {
    beside("podman");
}

#[test]
fn a_gateway_lives_in_a_podman_container_without_root() {
    beside("rootless");
}

mod on_host {
    use std::fs;
    use std::io::Write;
    use std::net::TcpStream;
    use std::process::{Command, Output};

    use moorline_tests::command::{finish, program, stderr, stdout};
    use moorline_tests::definition::Definition;
    use moorline_tests::network::Hub;
    use moorline_tests::peer::{connect_when_open, echo_server, read_exactly};
    use moorline_tests::ports::free_port;
    use moorline_tests::process::eventually;
    use moorline_tests::scratch::Scratch;

    struct Host {
        home: Scratch,
        kind: &'static str,
    }

    impl Host {
        fn run(&self, arguments: &[&str]) -> Output {
            let mut command = Command::new(program());
            command.arg("gateway").args(arguments).current_dir(self.home.path()).env("NO_COLOR", "1");
            finish(command.env("XDG_STATE_HOME", self.home.path()))
        }

        /// What it said, when it went well.
        fn good(&self, arguments: &[&str]) -> String {
            let output = self.run(arguments);
            assert!(output.status.success(), "{arguments:?}: {}{}", stdout(&output), stderr(&output));
            stdout(&output)
        }

        /// The engine's own command line.
        fn engine(&self, arguments: &[&str]) -> String {
            stdout(&finish(Command::new(self.kind).args(arguments)))
        }

        fn lists(&self) -> [String; 2] {
            [self.engine(&["ps", "--all", "--quiet"]), self.engine(&["images", "--all", "--quiet"])]
        }

        fn id(&self) -> String {
            self.engine(&["inspect", "--format", "{{.Id}}", "gate"])
        }
    }

    fn echoes(client: &mut TcpStream, bytes: &[u8]) -> bool {
        client.write_all(bytes).is_ok() && read_exactly(client, bytes.len()).is_ok_and(|read| read == bytes)
    }

    fn client(entry: u16) -> TcpStream {
        eventually("the echo server answers", || {
            let mut client = connect_when_open(entry);
            echoes(&mut client, b"hello").then_some(client)
        })
    }

    #[test]
    #[ignore = "for tests/hosts/engine"]
    fn a_gateway_lives_in_a_container() {
        let kind = if std::env::var("ENGINE").unwrap() == "docker" { "docker" } else { "podman" };
        let (host, hub) = (Host { home: Scratch::new(), kind }, Hub::start());
        let (echo, entry) = (echo_server(free_port()), free_port());
        hub.token(&host.home.join("token.yaml"));
        let definition = || Definition::new("gate").binding("echo:7", echo.port()).forward("echo:7", entry);
        let before = host.lists();

        host.home.write("gate.yaml", &definition().yaml());
        let said = host.good(&["apply", "gate.yaml", "--token", "token.yaml", "-t", kind, "--wait", "60"]);
        assert!(said.contains("create   gate") && said.contains("runs and is linked to"), "{said}");
        let mut open = client(entry);
        let id = host.id();
        host.good(&["apply", "gate.yaml"]);
        // Where nobody can turn lingering on, that is still to be done.
        let planned = host.good(&["plan", "gate.yaml"]);
        assert!(planned.lines().all(|line| line.starts_with("linger ") || line.contains("nothing to do")), "{planned}");
        assert_eq!(host.id(), id);
        confined(&host);

        host.home.write("gate.yaml", &definition().binding("other:7", echo.port()).yaml());
        assert!(host.good(&["apply", "gate.yaml"]).contains("add      tcpConnector"));
        assert!(echoes(&mut open, b"still here") && host.id() == id, "the change cut a connection");

        let said = host.good(&["apply", "gate.yaml", "--drain-timeout", "1", "--wait", "60"]);
        assert!(said.contains("replace  gate"), "{said}");
        drop(open);
        drop(client(entry));
        assert_ne!(host.id(), id);

        // Taken away behind its back.
        host.engine(&["rm", "--force", "gate"]);
        let status = host.run(&["status"]);
        assert!(status.status.code() == Some(3) && stdout(&status).contains("is gone"), "{}", stdout(&status));
        host.good(&["apply", "gate.yaml", "--wait", "60"]);
        drop(client(entry));

        assert!(host.good(&["remove", "gate"]).contains("is removed"));
        assert_eq!(host.lists(), before, "something stays behind");
        assert!(!host.home.join("moorline").exists(), "something stays behind");
        assert!(host.good(&["remove", "gate"]).contains("nothing to do"));
    }

    /// Nobody sees the key, and the router has no more rights than it needs.
    fn confined(host: &Host) {
        let key = host.home.join("moorline/gateways/gate/skupper-router-certs/conn1-profile/tls.key");
        let key = fs::read_to_string(key).unwrap();
        let inspected = host.engine(&["inspect", "gate"]);
        assert!(!inspected.contains(key.lines().nth(1).unwrap()));
        for wanted in ["\"application\": \"skupper\"", "no-new-privileges", "\"ReadonlyRootfs\": true"] {
            assert!(inspected.contains(wanted), "{wanted} is not in\n{inspected}");
        }
    }
}
