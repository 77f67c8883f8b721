//! Gateways in containers: `moorline gateway apply -t docker|podman` on real engines.
//!
//! Each test runs `on_host::a_gateway_lives_in_a_container` beside an engine of `tests/hosts/engine`; where this machine
//! cannot do that, it says SKIPPED.

use moorline_tests::host::run_there;

fn beside(engine: &str) {
    run_there("engine", &[engine], &[("ENGINE", engine)], "contained::on_host::a_gateway_lives_in_a_container");
}

#[test]
fn row_26_40_a_gateway_lives_in_a_docker_container() {
    beside("docker");
}

#[test]
fn row_26_40_a_gateway_lives_in_a_podman_container() {
    beside("podman");
}

#[test]
fn row_26_40_a_gateway_lives_in_a_podman_container_without_root() {
    beside("rootless");
}

/// The network's own router, where `SKROUTERD` names one.
fn with_skrouterd(engine: &str) {
    let Ok(router) = std::env::var("SKROUTERD") else {
        println!("SKIPPED: SKROUTERD names no router");
        return;
    };
    let environment = [("ENGINE", engine), ("SKROUTERD", router.as_str())];
    run_there("engine", &[engine], &environment, "contained::on_host::the_networks_own_router_runs_in_a_container");
}

#[test]
fn row_48_the_networks_own_router_runs_in_a_docker_container() {
    with_skrouterd("docker");
}

#[test]
fn row_48_the_networks_own_router_runs_in_a_podman_container() {
    with_skrouterd("podman");
}

#[test]
fn row_48_the_networks_own_router_runs_in_a_podman_container_without_root() {
    with_skrouterd("rootless");
}

#[test]
fn row_48_an_image_that_cannot_be_fetched_changes_nothing() {
    for engine in ["docker", "podman"] {
        let test = "contained::on_host::an_image_that_cannot_be_fetched_changes_nothing";
        run_there("engine", &[engine], &[("ENGINE", engine)], test);
    }
}

mod on_host {
    use std::collections::BTreeSet;
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
    use moorline_tests::skrouterd::Skrouterd;

    struct Host {
        home: Scratch,
        kind: &'static str,
    }

    impl Host {
        fn new() -> Host {
            let kind = if std::env::var("ENGINE").unwrap() == "docker" { "docker" } else { "podman" };
            Host { home: Scratch::new(), kind }
        }

        fn run(&self, arguments: &[&str]) -> Output {
            self.run_with(arguments, "")
        }

        /// `image`: what `QDROUTERD_IMAGE` says.
        fn run_with(&self, arguments: &[&str], image: &str) -> Output {
            let mut command = Command::new(program());
            command.arg("gateway").args(arguments).current_dir(self.home.path()).env("NO_COLOR", "1");
            finish(command.env("XDG_STATE_HOME", self.home.path()).env("QDROUTERD_IMAGE", image))
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
        let (host, hub) = (Host::new(), Hub::start());
        let kind = host.kind;
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
        assert!(is_settled(&host.good(&["plan", "gate.yaml"])));
        assert_eq!(host.id(), id);
        confined(&host);

        host.home.write("gate.yaml", &definition().binding("other:7", echo.port()).yaml());
        assert!(host.good(&["apply", "gate.yaml"]).contains("add      tcpConnector"));
        for words in [["bind", "more", "localhost", &echo.port().to_string()].as_slice(), &["unbind", "more"]] {
            assert_eq!(host.good(words), "");
        }
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

    #[test]
    #[ignore = "for tests/hosts/engine"]
    fn an_image_that_cannot_be_fetched_changes_nothing() {
        let (host, hub) = (Host::new(), Hub::start());
        hub.token(&host.home.join("token.yaml"));
        host.home.write("gate.yaml", &Definition::new("gate").forward("echo:7", free_port()).yaml());
        let before = host.lists();
        let arguments = ["apply", "gate.yaml", "--token", "token.yaml", "-t", host.kind, "--router", "skrouterd"];
        let output = host.run_with(&arguments, "registry.invalid/x/skupper-router:2.7.6");
        let said = stderr(&output);
        assert!(!output.status.success() && stdout(&output).contains("fetch    registry.invalid/x/"), "{said}");
        for word in ["registry.invalid", "QDROUTERD_IMAGE", "load -i", "everything is as it was"] {
            assert!(said.contains(word), "{word} is not in {said}");
        }
        assert_eq!(host.lists(), before);
        assert!(!host.home.join("moorline").exists(), "something stays behind");
    }

    #[test]
    #[ignore = "for tests/hosts/engine"]
    fn the_networks_own_router_runs_in_a_container() {
        let (host, hub) = (Host::new(), Hub::start());
        let (echo, entry) = (echo_server(free_port()), free_port());
        let image = skrouterd_image(&host);
        hub.token(&host.home.join("token.yaml"));
        let definition = || Definition::new("gate").binding("echo:7", echo.port()).forward("echo:7", entry);
        let before = host.lists();
        let good = |arguments: &[&str]| {
            let output = host.run_with(arguments, &image);
            assert!(output.status.success(), "{arguments:?}: {}{}", stdout(&output), stderr(&output));
            stdout(&output)
        };

        host.home.write("gate.yaml", &definition().yaml());
        let words = ["apply", "gate.yaml", "--token", "token.yaml", "-t", host.kind, "--router", "skrouterd"];
        let said = good(&[&words[..], &["--wait", "60"]].concat());
        assert!(said.contains("create   gate") && said.contains("linked to") && !said.contains("fetch"), "{said}");
        let mut open = client(entry);
        let id = host.id();
        assert!(host.engine(&["inspect", "gate"]).contains(&image));
        confined(&host);
        assert!(is_settled(&good(&["plan", "gate.yaml"])));

        host.home.write("gate.yaml", &definition().binding("other:7", echo.port()).yaml());
        assert!(good(&["apply", "gate.yaml"]).contains("add      tcpConnector"));
        for words in [["bind", "more", "localhost", &echo.port().to_string()].as_slice(), &["unbind", "more"]] {
            assert_eq!(host.good(words), "");
        }
        assert!(echoes(&mut open, b"still here") && host.id() == id, "the change cut a connection");
        drop(open);

        for router in ["embedded", "skrouterd"] {
            let said = good(&["apply", "gate.yaml", "--router", router, "--wait", "60"]);
            assert!(said.contains("replace  gate"), "{said}");
            drop(client(entry));
        }

        // What was not fetched for it stays.
        assert!(good(&["remove", "gate"]).contains("is removed"));
        assert!(!host.home.join("moorline").exists(), "something stays behind");
        assert_eq!(host.lists()[0], before[0], "a container stays behind");
        assert!(!host.engine(&["images", "--quiet", &image]).trim().is_empty(), "the image is gone");
    }

    /// An image of what `SKROUTERD` names: that file, what it names, and the libraries of all these.
    fn skrouterd_image(host: &Host) -> String {
        let program = std::env::var("SKROUTERD").unwrap();
        let text = fs::read_to_string(&program).unwrap();
        let named = text.split(|c: char| c.is_whitespace() || "=:\"".contains(c));
        // Not whole trees of the system, such as /usr.
        let named = named.filter(|word| word.starts_with('/') && word.matches('/').count() > 1);
        let mut files: BTreeSet<String> = named.filter(|path| fs::exists(path).unwrap()).map(str::to_owned).collect();
        files.extend([program.clone(), "/bin/sh".to_owned(), "/bin/bash".to_owned()]);
        let linked = |file: &str| -> Vec<String> {
            let said = stdout(&finish(Command::new("ldd").arg(file)));
            said.split_whitespace().filter(|word| word.starts_with("/lib")).map(str::to_owned).collect()
        };
        files.extend(files.clone().iter().flat_map(|file| linked(file)).collect::<Vec<_>>());
        // The router has Python in it, and that has modules with libraries of their own.
        let python = files.iter().find_map(|file| file.split("/libpython").nth(1)?.split(".so").next());
        let python = format!("/usr/lib/python{}", python.unwrap());
        for module in fs::read_dir(format!("{python}/lib-dynload")).unwrap() {
            files.extend(linked(module.unwrap().path().to_str().unwrap()));
        }
        files.insert(python);
        let empty = host.home.join("root");
        for dir in ["dev", "etc", "proc", "run", "sys", "tmp"] {
            fs::create_dir_all(empty.join(dir)).unwrap();
        }
        let archive = host.home.join("root.tar");
        let mut tar = Command::new("tar");
        tar.args(["--create", "--dereference", "--ignore-failed-read", "--file"]).arg(&archive);
        tar.arg("--directory").arg(&empty).args(["dev", "etc", "proc", "run", "sys", "tmp", "--directory", "/"]);
        let packed = finish(tar.args(files.iter().map(|file| file.trim_start_matches('/'))));
        assert!(packed.status.success(), "{}", stderr(&packed));
        let command = format!(r#"CMD ["/bin/sh", "-c", "exec {program} -c $QDROUTERD_CONF"]"#);
        let name = format!("localhost/network-router:{}", Skrouterd::from_environment().unwrap().version);
        let imported = finish(Command::new(host.kind).args(["import", "--change", &command]).arg(&archive).arg(&name));
        assert!(imported.status.success(), "{}", stderr(&imported));
        fs::remove_file(archive).unwrap();
        name
    }

    /// Where nobody can turn lingering on, that is still to be done.
    fn is_settled(plan: &str) -> bool {
        plan.lines().all(|line| line.starts_with("linger ") || line.contains("nothing to do"))
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
