//! What gateways go through between `apply` and `remove`.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use moorline_tests::command::{finish, program, stderr, stdout};
use moorline_tests::definition::Definition;
use moorline_tests::peer::connect_when_open;
use moorline_tests::ports::free_port;

use super::host::{Host, echoes};

const UNIT: &str = ".config/systemd/user/gate.service";
const STATE: &str = ".local/state/moorline/gateways/gate";

/// Steps, without the one that repeats where nobody can grant it.
fn steps(plan: &str) -> Vec<&str> {
    plan.lines().filter(|line| !line.starts_with("linger ") && !line.contains("nothing to do")).collect()
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn a_gateway_is_installed_changed_and_removed() {
    let host = Host::new();
    let before = host.tree();
    host.write(&host.definition());
    let plan = host.good(&["plan", "gate.yaml", "--token", "token.yaml"]);
    for step in ["write ", "gate.service", "reload ", "enable ", "start "] {
        assert!(plan.contains(step), "{step} is not in\n{plan}");
    }
    assert_eq!(host.tree(), before, "a plan changes nothing");
    assert_eq!(host.run(&["status", "gate"]).status.code(), Some(3));

    let said = host.apply();
    assert!(said.contains("runs and is linked to"), "{said}");
    let mut client = host.client();
    let pid = host.pid();
    for (path, mode) in host.tree() {
        if path.starts_with(host.home.join(STATE)) {
            let wanted = if fs::metadata(&path).unwrap().is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode, wanted, "{}", path.display());
        }
    }
    no_secret_is_told(&host);
    let status = host.good(&["status"]);
    assert!(status.contains("linked to") && status.contains("1 open, 1 connections"), "{status}");

    assert_eq!(steps(&host.good(&["plan", "gate.yaml"])), Vec::<&str>::new(), "twice changes nothing");
    host.write(&host.definition().binding("other:7", host.echo.port()));
    let said = host.apply();
    assert!(said.contains("add      tcpConnector") && !said.contains("restart"), "{said}");
    assert_eq!(host.pid(), pid, "the router was started again");
    assert!(echoes(&mut client, b"still here"), "the change cut a connection");
    assert_eq!(steps(&host.good(&["plan", "gate.yaml"])), Vec::<&str>::new());

    finish(Command::new("kill").args(["-KILL", &pid]));
    drop(client);
    drop(host.client());
    assert_ne!(host.pid(), pid);

    assert!(host.good(&["remove", "gate"]).contains("is removed"));
    assert_eq!(host.tree(), before, "something stays behind");
    assert!(host.systemctl(&["list-units", "--all"]).lines().all(|line| !line.contains("gate.service")));
    assert!(host.good(&["remove", "gate"]).contains("nothing to do"));
}

/// Nobody sees the private key but in its file.
fn no_secret_is_told(host: &Host) {
    let key = fs::read_to_string(host.home.join(STATE).join("skupper-router-certs/conn1-profile/tls.key")).unwrap();
    let secret = key.lines().nth(1).unwrap();
    let mut told = host.systemctl(&["show", "gate.service"]) + &host.systemctl(&["cat", "gate.service"]);
    for file in ["environ", "cmdline"] {
        told += &String::from_utf8_lossy(&fs::read(format!("/proc/{}/{file}", host.pid())).unwrap_or_default());
    }
    assert!(told.contains("Moorline gateway gate") && !told.contains(secret));
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn a_change_that_fails_is_taken_back() {
    let host = Host::new();
    host.write(&host.definition());
    host.apply();
    let mut client = host.client();
    let (pid, before) = (host.pid(), host.tree());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    // The binding moves, a good forward comes, and one whose port is taken.
    let changed = Definition::new("gate").binding("echo:7", free_port()).forward("echo:7", host.entry);
    host.write(&changed.forward("good:1", free_port()).forward("bad:1", port));
    let output = host.run(&["apply", "gate.yaml"]);
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    let said = stderr(&output);
    assert!(said.contains(&port.to_string()) && said.contains("everything is as it was"), "{said}");
    assert_eq!((host.pid(), host.tree()), (pid, before));
    assert!(echoes(&mut client, b"still here"));
    drop(host.client());
    host.write(&host.definition());
    assert_eq!(steps(&host.good(&["plan", "gate.yaml"])), Vec::<&str>::new());
    host.good(&["remove", "gate"]);
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn an_apply_that_is_killed_is_finished_by_the_next() {
    let host = Host::new();
    let before = host.tree();
    host.write(&host.definition());
    let count = host.good(&["plan", "gate.yaml", "--token", "token.yaml"]).lines().count();
    for killed_at in 0..count {
        let mut apply = host.command(&["apply", "gate.yaml", "--token", "token.yaml"]);
        let mut child = apply.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        // Each step is said before it begins.
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said: Vec<String> = lines.take(killed_at + 1).map(Result::unwrap).collect();
        child.kill().unwrap();
        child.wait().unwrap();
        println!("killed at: {}", said.last().unwrap());
        if killed_at % 2 == 0 {
            host.apply();
            drop(host.client());
        }
        host.good(&["remove", "gate"]);
        assert_eq!(host.tree(), before, "something stays behind");
    }
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn a_restart_that_fails_is_taken_back_and_one_that_was_killed_is_finished() {
    let host = Host::new();
    let clean = host.tree();
    host.write(&host.definition());
    host.good(&["apply", "gate.yaml", "--token", "token.yaml", "--wait", "60", "--drain-timeout", "3"]);
    drop(host.client());
    let (before, pid) = (host.tree(), host.pid());

    // Options that are not said again stay, so that nothing is to be done.
    assert_eq!(steps(&host.good(&["plan", "gate.yaml"])), Vec::<&str>::new());

    // Another identity needs a restart, and the new router cannot open a port.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let bad = host.definition().forward("bad:1", taken.local_addr().unwrap().port());
    host.write(&bad);
    let output = host.run(&["apply", "gate.yaml", "--router-id-suffix", "another"]);
    let said = stderr(&output);
    assert!(output.status.code() == Some(1) && said.contains("everything is as it was"), "{said}");
    assert_eq!(host.tree(), before);
    drop(host.client());
    assert_ne!(host.pid(), pid, "the old configuration was started anew");

    // Killed after the files were written and before the restart.
    host.write(&host.definition());
    let mut apply = host.command(&["apply", "gate.yaml", "--router-id-suffix", "third"]);
    let mut child = apply.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let last = lines.map_while(Result::ok).find(|line| line.starts_with("linger") || line.starts_with("restart"));
    child.kill().unwrap();
    child.wait().unwrap();
    println!("killed at: {last:?}");
    host.good(&["apply", "gate.yaml", "--router-id-suffix", "third", "--wait", "60"]);
    let status = host.good(&["status", "gate", "--output", "json"]);
    assert!(status.contains("skupper-gateway-third"), "{status}");
    drop(host.client());
    host.good(&["remove", "gate"]);
    assert_eq!(host.tree(), clean);

    // A first installation whose port is taken does not begin.
    host.write(&bad);
    let output = host.run(&["apply", "gate.yaml", "--token", "token.yaml"]);
    let said = stderr(&output);
    assert!(output.status.code() == Some(1) && said.contains("nothing was changed"), "{said}");
    assert_eq!(host.tree(), clean, "something was changed");

    // One that fails leaves nothing.
    host.write(&host.definition());
    let own = host.home.join(".config/systemd/user/gate.service.d");
    fs::create_dir_all(&own).unwrap();
    fs::write(own.join("fail.conf"), "[Service]\nExecStartPre=/bin/false\n").unwrap();
    let output = host.run(&["apply", "gate.yaml", "--token", "token.yaml"]);
    let said = stderr(&output);
    assert!(output.status.code() == Some(1) && said.contains("everything is as it was"), "{said}");
    fs::remove_dir_all(&own).unwrap();
    for empty in [".config/systemd/user", ".config/systemd", ".config"] {
        let _ = fs::remove_dir(host.home.join(empty));
    }
    assert_eq!(host.tree(), clean, "something stays behind");
    assert!(host.good(&["status"]).contains("No gateway definition found"));
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn a_bundle_is_launched_and_removed_by_its_scripts() {
    let host = Host::new();
    host.write(&host.definition());
    // A debug build with all that a debugger wants is larger than programs in bundles may be.
    host.good(&["generate-bundle", "gate.yaml", ".", "--token", "token.yaml", "--without-program"]);
    let archive = host.home.join("gate.tar.gz");
    assert_eq!(fs::metadata(&archive).unwrap().permissions().mode() & 0o777, 0o600);
    let unpacked = host.home.join("unpacked");
    fs::create_dir(&unpacked).unwrap();
    let tar = |file: &Path| finish(Command::new("tar").arg("-xzf").arg(file).arg("-C").arg(&unpacked));
    assert!(tar(&archive).status.success());
    let before = host.tree();
    let path = format!("{}:/usr/bin:/bin", program().parent().unwrap().display());
    let script = |shell: &str, name: &str| {
        let mut script = Command::new(shell);
        let output = finish(script.arg(name).current_dir(&unpacked).env("PATH", &path));
        assert!(output.status.success(), "{shell} {name}: {}{}", stdout(&output), stderr(&output));
        stdout(&output)
    };
    for (shell, launch, remove) in
        [("sh", "launch.py", "remove.py"), ("bash", "launch.sh", "remove.sh"), ("python3", "launch.py", "remove.py")]
    {
        let said = script(shell, launch);
        assert!(said.contains("runs and is linked to"), "{said}");
        drop(host.client());
        assert!(!script(shell, launch).contains("write "), "launched twice, something was written again");
        assert!(script(shell, remove).contains("is removed"));
        assert!(script(shell, remove).contains("nothing to do"));
        assert_eq!(host.tree(), before, "something stays behind");
    }

    // As Skupper makes it: what is served is in the router's configuration alone.
    for ours in ["manifest.json", "gateway.yaml", "launch.py", "remove.py"] {
        fs::remove_file(unpacked.join(ours)).unwrap();
    }
    fs::write(unpacked.join("expandvars.py"), "").unwrap();
    let output = host.run(&["launch", "unpacked", "--wait", "60"]);
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
    let mut client = host.client();
    // A definition is made of that, and edited as any other.
    let (pid, echo) = (host.pid(), host.echo.port().to_string());
    host.good(&["bind", "more:7", "localhost", &echo, "--wait", "60"]);
    let definition = fs::read_to_string(host.home.join(STATE).join("gateway.yaml")).unwrap();
    assert!(definition.contains("address: echo:7") && definition.contains("address: more:7"), "{definition}");
    assert_eq!(host.pid(), pid, "the router was started again");
    assert!(echoes(&mut client, b"still here"), "the change cut a connection");
    drop(client);
    host.good(&["remove", "gate"]);
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn a_unit_that_is_not_ours_is_left_alone() {
    let host = Host::new();
    host.write(&host.definition());
    let unit = host.home.join(UNIT);
    fs::create_dir_all(unit.parent().unwrap()).unwrap();
    fs::write(&unit, "[Service]\nExecStart=/bin/true\n").unwrap();
    let output = host.run(&["apply", "gate.yaml", "--token", "token.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("is not ours"), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(&unit).unwrap(), "[Service]\nExecStart=/bin/true\n");
    assert!(!host.home.join(STATE).exists());
    assert!(host.good(&["remove", "gate"]).contains("is not installed"));
    assert!(unit.exists());
}

/// What it says of itself, by its name.
fn said_by<'s>(status: &'s str, name: &str) -> &'s str {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in\n{status}")).trim()
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn the_networks_own_router_runs_as_a_service() {
    let host = Host::new();
    let before = host.tree();
    let router = format!("skrouterd={}", std::env::var("SKROUTERD").unwrap());
    host.write(&host.definition());
    let said = host.good(&["apply", "gate.yaml", "--token", "token.yaml", "--router", &router, "--wait", "60"]);
    assert!(said.contains("runs and is linked to"), "{said}");
    let mut client = host.client();
    let pid = host.pid();
    let runs = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
    assert_eq!(runs.trim(), "skrouterd");
    let status = host.good(&["status", "gate"]);
    assert!(status.contains("linked to") && status.contains("1 open, 1 connections"), "{status}");

    // Nothing to do, then a service more while a connection is open.
    assert_eq!(steps(&host.good(&["plan", "gate.yaml"])), Vec::<&str>::new());
    host.write(&host.definition().binding("other:7", host.echo.port()).forward("other:7", free_port()));
    let said = host.good(&["apply", "gate.yaml", "--wait", "60"]);
    assert!(said.contains("add      tcpConnector") && !said.contains("restart"), "{said}");
    assert_eq!(host.pid(), pid, "the router was started again");
    assert!(echoes(&mut client, b"still here"), "the change cut a connection");
    host.write(&host.definition());
    assert!(host.good(&["apply", "gate.yaml"]).contains("take     tcpConnector"));
    assert_eq!(steps(&host.good(&["plan", "gate.yaml"])), Vec::<&str>::new());
    assert!(echoes(&mut client, b"still here"), "the change cut a connection");

    // The port for management is for nobody without a certificate.
    let record = fs::read_to_string(host.home.join(STATE).join("record.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    let port = record["options"]["router"]["skrouterd"]["management_port"].as_u64().unwrap();
    let amqp = [b"AMQP\x00\x01\x00\x00".as_slice(), OPEN, BEGIN].concat();
    let anonymous = [b"AMQP\x03\x01\x00\x00".as_slice(), ANONYMOUS, &amqp].concat();
    for words in [amqp, anonymous] {
        let mut stranger = TcpStream::connect(("127.0.0.1", u16::try_from(port).unwrap())).unwrap();
        stranger.write_all(&words).unwrap();
        stranger.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        let _ = stranger.read_to_end(&mut answer);
        assert!(answer.windows(3).all(|bytes| bytes != b"\x00\x53\x11"), "it begins a session: {answer:?}");
    }

    // Ended from outside, it is started again; then it makes way for the embedded router, and comes back.
    finish(Command::new("kill").args(["-KILL", &pid]));
    drop(client);
    drop(host.client());
    let said = host.good(&["apply", "gate.yaml", "--router", "embedded", "--wait", "60"]);
    assert!(said.contains("restart") && said.contains("linked"), "{said}");
    drop(host.client());
    let said = host.good(&["apply", "gate.yaml", "--router", &router, "--wait", "60"]);
    assert!(said.contains("restart") && said.contains("linked"), "{said}");
    drop(host.client());

    // New keys are read at a start, and nothing stays of a router that ran.
    host.hub.token(&host.home.join("token2.yaml"));
    let said = host.good(&["apply", "gate.yaml", "--token", "token2.yaml", "--wait", "60"]);
    assert!(said.contains("(its certificates have changed)"), "{said}");
    drop(host.client());
    fs::remove_file(host.home.join("token2.yaml")).unwrap();

    host.good(&["remove", "gate"]);
    assert_eq!(host.tree(), before, "something stays behind");
    assert!(host.systemctl(&["list-units", "--all"]).lines().all(|line| !line.contains("gate.service")));
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn a_router_that_is_not_there_changes_nothing() {
    let host = Host::new();
    host.write(&host.definition());
    let before = host.tree();
    for router in ["skrouterd", "skrouterd=/nowhere/skrouterd"] {
        let arguments = ["apply", "gate.yaml", "--token", "token.yaml", "--router", router];
        let output = finish(host.command(&arguments).env("PATH", "/nowhere"));
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.contains("skrouterd not found, please 'dnf install skupper-router' first or use --type"),
            "{said}"
        );
    }
    assert_eq!(host.tree(), before);
}

#[test]
#[ignore = "for tests/hosts/system-systemd"]
fn roots_gateway_is_a_system_service_in_a_sandbox() {
    let host = Host::of_root();
    host.write(&host.definition());
    let plan = host.good(&["plan", "gate.yaml", "--token", "token.yaml"]);
    assert!(plan.contains("/etc/systemd/system/gate.service") && !plan.contains("linger"), "{plan}");
    let said = host.apply();
    assert!(said.contains("runs and is linked to"), "{said}");
    let mut client = host.client();
    let pid = host.pid();

    // What is in force, as the kernel tells of the process.
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let user = said_by(&status, "Uid").split_whitespace().next().unwrap().to_owned();
    assert_ne!(user, "0", "{status}");
    for (name, value) in [("NoNewPrivs", "1"), ("Seccomp", "2"), ("CapBnd", NONE), ("CapEff", NONE), ("CapPrm", NONE)] {
        assert_eq!(said_by(&status, name), value, "{name} in\n{status}");
    }
    // What its account may do where it is.
    let inside = |words: &[&str]| {
        let mut command = Command::new("nsenter");
        command.args(["--mount", "--target", &pid, "setpriv", "--clear-groups", "--regid", &user, "--reuid", &user]);
        finish(command.args(words)).status.success()
    };
    assert!(inside(&["cat", "/etc/passwd"]));
    for denied in [
        ["touch", "/etc/moorline-test"],
        ["touch", "/var/lib/moorline-test"],
        ["ls", "/var/lib/moorline/gateways/gate"],
        ["ls", "/home/tester"],
        ["ls", "/root/gateway"],
    ] {
        assert!(!inside(&denied), "{denied:?}");
    }
    // Its keys and sockets are for it and root, and files for root alone.
    let key = "skupper-router-certs.conn1-profile.tls.key";
    for path in [
        format!("/run/credentials/gate.service/{key}"),
        "/run/moorline-gate/management".to_owned(),
        "/var/lib/moorline/gateways/gate/skupper-router-certs/conn1-profile/tls.key".to_owned(),
    ] {
        let mut other = Command::new("setpriv");
        other.args(["--clear-groups", "--regid", "1777", "--reuid", "1777", "stat", &path]);
        assert!(fs::symlink_metadata(&path).is_ok() && !finish(&mut other).status.success(), "{path}");
    }

    // Services come and go as for anybody.
    assert_eq!(steps(&host.good(&["plan", "gate.yaml"])), Vec::<&str>::new());
    host.write(&host.definition().binding("other:7", host.echo.port()));
    let said = host.apply();
    assert!(said.contains("add      tcpConnector") && !said.contains("restart"), "{said}");
    assert_eq!(host.pid(), pid, "the router was started again");
    assert!(echoes(&mut client, b"still here"), "the change cut a connection");
    let told = host.good(&["status"]);
    assert!(told.contains("linked to") && !told.contains("log out"), "{told}");

    drop(client);

    // A port below 1024 is asked for: that power, and no other.
    host.write(&host.definition().forward("echo:7", 83));
    let said = host.apply();
    assert!(said.contains("restart  gate.service (its unit has changed)"), "{said}");
    let status = fs::read_to_string(format!("/proc/{}/status", host.pid())).unwrap();
    assert_eq!((said_by(&status, "CapBnd"), said_by(&status, "CapEff")), (LOW_PORTS, LOW_PORTS), "{status}");
    let mut low = connect_when_open(83);
    assert!(echoes(&mut low, b"hello"));
    drop(low);

    // New keys are read at a start; a router that is ended is started again.
    host.hub.token(&host.home.join("token2.yaml"));
    let said = host.good(&["apply", "gate.yaml", "--token", "token2.yaml", "--wait", "60"]);
    assert!(said.contains("(its certificates have changed)"), "{said}");
    finish(Command::new("kill").args(["-KILL", &host.pid()]));
    drop(host.client());

    assert!(host.good(&["remove", "gate"]).contains("is removed"));
    for path in [
        "/var/lib/moorline",
        "/etc/systemd/system/gate.service",
        "/etc/systemd/system/multi-user.target.wants/gate.service",
        "/run/moorline-gate",
        "/run/credentials/gate.service",
        "/usr/local/lib/moorline",
    ] {
        assert!(fs::symlink_metadata(path).is_err(), "{path} stays behind");
    }
    assert!(host.systemctl(&["list-units", "--all"]).lines().all(|line| !line.contains("gate.service")));
}

// AMQP frames, as a client sends them that is nobody.
const OPEN: &[u8] = b"\x00\x00\x00\x11\x02\x00\x00\x00\x00\x53\x10\xc0\x04\x01\xa1\x01x";
const BEGIN: &[u8] = b"\x00\x00\x00\x14\x02\x00\x00\x00\x00\x53\x11\xc0\x07\x04\x40\x43\x52\x64\x52\x64";
const ANONYMOUS: &[u8] = b"\x00\x00\x00\x19\x02\x01\x00\x00\x00\x53\x41\xc0\x0c\x01\xa3\x09ANONYMOUS";

const NONE: &str = "0000000000000000";
/// CAP_NET_BIND_SERVICE.
const LOW_PORTS: &str = "0000000000000400";
