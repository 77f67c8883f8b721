//! What an agent does when files come, change and go.

use std::fs;
use std::process::Command;

use moorline_tests::command::{finish, stderr, stdout};
use moorline_tests::definition::Definition;
use moorline_tests::ports::free_port;
use moorline_tests::process::eventually;

use super::place::{Place, addresses, get, still_echoes, unit_file};

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn a_gateway_is_as_its_file_says() {
    let place = Place::new();
    let mut agent = place.agent(&[]);
    let before = place.host.tree();

    // Without a token it cannot be installed, and that is told.
    place.write("gate.yaml", &place.host.definition());
    agent.wait_for(&["gate.yaml", "put its link token beside it"]);
    place.token("gate.token");
    let told = place.until_linked("gate");
    assert_eq!(told["file"], place.dir.join("gate.yaml").to_str().unwrap());
    assert!(told["problem"].is_null() && told["certificate_days_left"].as_i64().unwrap() > 1000, "{told}");
    let mut client = place.host.client();
    let pid = place.pid("gate");
    // The link is the gateway's own now.
    fs::remove_file(place.dir.join("gate.token")).unwrap();

    place.write("gate.yaml", &place.host.definition().binding("other:7", place.host.echo.port()));
    place.until("the edit is applied", "gate", |gate| addresses(gate, "bindings").contains(&"other:7".to_owned()));
    still_echoes(&mut client);

    // What cannot be used changes nothing, and is told with its place.
    fs::write(place.dir.join("gate.yaml"), "name: gate\nbindings:\n  - name: x\n    nonsense: 1\n").unwrap();
    agent.wait_for(&["gate.yaml:3:", "error"]);
    let told = place.until("the problem is told", "gate", |gate| !gate["problem"].is_null());
    assert!(told["problem"].as_str().unwrap().contains("gate.yaml:3:"), "{told}");
    assert!(told["running"] == true && addresses(&told, "bindings").contains(&"other:7".to_owned()), "{told}");
    still_echoes(&mut client);

    place.write("gate.yaml", &place.host.definition());
    place.until("the file is good again", "gate", |gate| {
        gate["problem"].is_null() && !addresses(gate, "bindings").contains(&"other:7".to_owned())
    });
    still_echoes(&mut client);
    assert_eq!(place.pid("gate"), pid, "the router was started again");

    // A file of another name is the same gateway's.
    fs::rename(place.dir.join("gate.yaml"), place.dir.join("moved.yml")).unwrap();
    let moved = place.dir.join("moved.yml");
    place.until("the file has another name", "gate", |gate| gate["file"] == moved.to_str().unwrap());
    agent.wait_for(&["moved.yml"]);
    still_echoes(&mut client);
    assert_eq!(place.pid("gate"), pid);

    drop(client);
    fs::remove_file(moved).unwrap();
    place.until_gone("gate");
    agent.wait_for(&["is removed"]);
    assert_eq!(place.host.tree(), before, "something stays behind");
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn only_what_came_from_a_file_goes_with_it() {
    let place = Place::new();
    let mut agent = place.agent(&[]);
    // By hand, from elsewhere.
    place.host.write(&place.host.definition());
    place.host.apply();
    let pid = place.pid("gate");
    let mut client = place.host.client();

    // The agent does not take it over by itself.
    place.write("gate.yaml", &Definition::new("gate"));
    agent.wait_for(&["was installed from", "hands it to the agent"]);
    fs::remove_file(place.dir.join("gate.yaml")).unwrap();
    place.until("the file is forgotten", "gate", |gate| gate["file"].is_null());

    // A file that defines another gateway takes the old one away.
    place.token("some.token");
    place.write("some.yaml", &Definition::new("one").binding("one:1", place.host.echo.port()));
    place.until_linked("one");
    place.write("some.yaml", &Definition::new("two").binding("two:2", place.host.echo.port()));
    place.until_linked("two");
    place.until_gone("one");

    // Of two files for one gateway the first counts.
    place.write("third.yaml", &Definition::new("two"));
    agent.wait_for(&["third.yaml", "some.yaml defines the same gateway"]);
    fs::remove_file(place.dir.join("third.yaml")).unwrap();

    // A new token that is none leaves the link as it is, and is told.
    fs::write(place.dir.join("some.token"), "none").unwrap();
    let told = place.until("the token is told", "two", |two| {
        two["problem"].as_str().is_some_and(|problem| problem.contains("some.token"))
    });
    assert_eq!(told["linked"], true, "{told}");
    fs::remove_file(place.dir.join("some.token")).unwrap();
    place.token("some.token");
    place.until("the link is a new one", "two", |two| two["problem"].is_null() && two["linked"] == true);

    // A file that got another name and an error may be meant to stay.
    let renamed = place.dir.join("renamed.yaml");
    fs::rename(place.dir.join("some.yaml"), &renamed).unwrap();
    fs::write(&renamed, "name: \"two\"\nbindings: 5\n").unwrap();
    agent.wait_for(&["renamed.yaml:2:"]);
    assert!(place.host.home.join(unit_file("two")).exists());
    place.write("renamed.yaml", &Definition::new("two").binding("two:3", place.host.echo.port()));
    place.until("the gateway is the file's", "two", |two| addresses(two, "bindings") == ["two:3"]);
    fs::rename(renamed, place.dir.join("some.yaml")).unwrap();

    // A directory that goes away takes nothing along.
    let aside = place.dir.with_extension("aside");
    fs::rename(&place.dir, &aside).unwrap();
    agent.wait_for(&["all gateways stay as they are"]);
    let refused = place.run(&["run", "--socket", "other"]);
    assert!(refused.status.code() == Some(2) && stderr(&refused).contains("is not there"), "{}", stderr(&refused));
    fs::rename(&aside, &place.dir).unwrap();

    fs::remove_file(place.dir.join("some.yaml")).unwrap();
    place.until_gone("two");
    still_echoes(&mut client);
    assert_eq!(place.pid("gate"), pid);
    place.host.good(&["delete", "gate"]);
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn gateways_outlive_the_agent_and_what_was_missed_is_done() {
    let place = Place::new();
    let mut agent = place.agent(&[]);
    place.token("gate.token");
    place.write("gate.yaml", &place.host.definition());
    place.until_linked("gate");
    let mut client = place.host.client();
    let pid = place.pid("gate");

    let second = place.run(&["run", "--socket", "second"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(stderr(&second).contains("another agent keeps"), "{}", stderr(&second));

    agent.crash();
    assert_eq!(place.run(&["status"]).status.code(), Some(3));
    place.write("gate.yaml", &place.host.definition().forward("missed:1", free_port()));
    still_echoes(&mut client);
    let mut agent = place.agent(&[]);
    place.until("what was missed is done", "gate", |gate| addresses(gate, "forwards").contains(&"missed:1".to_owned()));
    still_echoes(&mut client);
    assert_eq!(place.pid("gate"), pid);

    // A change by the words of `gateway` is written to the file, and is the agent's from then on.
    let port = place.host.echo.port().to_string();
    place.host.good(&["bind", "worded:5", "127.0.0.1", &port, "--gateway", "gate"]);
    let text = fs::read_to_string(place.dir.join("gate.yaml")).unwrap();
    assert!(text.contains("worded:5"), "{text}");
    place.until("the word stays", "gate", |gate| addresses(gate, "bindings").contains(&"worded:5".to_owned()));
    still_echoes(&mut client);
    drop(client);

    // What was removed by hand comes back.
    place.host.systemctl(&["disable", "--now", "gate.service"]);
    fs::remove_file(place.host.home.join(unit_file("gate"))).unwrap();
    agent.wait_for(&["gate", "start"]);
    place.until_linked("gate");
    drop(place.host.client());

    // Ending it touches nothing.
    let pid = place.pid("gate");
    agent.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(agent.wait().success(), "{}", agent.said());
    assert_eq!(place.pid("gate"), pid);

    // A file that goes while no agent looks takes its gateway along all the same.
    fs::remove_file(place.dir.join("gate.yaml")).unwrap();
    let _agent = place.agent(&[]);
    place.until_gone("gate");
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn one_endpoint_tells_of_all_gateways() {
    let place = Place::new();
    let port = free_port();
    let mut agent = place.agent(&["--listen", &port.to_string()]);
    assert!(get(port, "/healthz").0.starts_with("HTTP/1.1 200 "));
    assert!(get(port, "/readyz").0.starts_with("HTTP/1.1 200 "), "nothing to keep is kept");
    for (name, address) in [("near", "near:1"), ("far", "far:2")] {
        place.token(&format!("{name}.token.yaml"));
        place.write(&format!("{name}.yaml"), &Definition::new(name).binding(address, place.host.echo.port()));
    }
    place.until_linked("near");
    place.until_linked("far");
    eventually("all are ready", || get(port, "/readyz").0.starts_with("HTTP/1.1 200 ").then_some(()));
    let told = place.good(&["status"]);
    assert!(told.contains("near: runs, linked") && told.contains("far: runs, linked"), "{told}");

    let (head, metrics) = get(port, "/metrics");
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("application/openmetrics-text"), "{head}");
    for line in [
        "agent_gateways 2",
        "agent_gateway_linked{gateway=\"near\"} 1",
        "agent_gateway_linked{gateway=\"far\"} 1",
        "agent_applied_total{gateway=\"far\"} 1",
        "uplink_up{gateway=\"near\",uplink=\"conn1\"} 1",
        "uplink_up{gateway=\"far\",uplink=\"conn1\"} 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
    for once in ["# TYPE uplink_up gauge", "# TYPE flows counter", "# EOF"] {
        assert_eq!(metrics.matches(once).count(), 1, "{once} in\n{metrics}");
    }
    assert!(
        metrics.contains("flows_total{gateway=\"far\",address=\"far:2\"") && metrics.ends_with("# EOF\n"),
        "{metrics}"
    );

    place.host.systemctl(&["stop", "far.service"]);
    fs::write(place.dir.join("bad.yaml"), "name: [\n").unwrap();
    agent.wait_for(&["bad.yaml:1:"]);
    eventually("a file without a gateway is not ready", || {
        get(port, "/readyz").0.starts_with("HTTP/1.1 503 ").then_some(())
    });
    let output = place.run(&["status"]);
    assert!(output.status.code() == Some(3) && stdout(&output).contains("bad.yaml"), "{}", stdout(&output));
    assert!(get(port, "/nothing").0.starts_with("HTTP/1.1 404 "));
    // Stopped by hand, it comes back with the next comparison.
    place.until_linked("far");
    for file in ["bad.yaml", "near.yaml", "far.yaml"] {
        fs::remove_file(place.dir.join(file)).unwrap();
    }
    place.until_gone("near");
    place.until_gone("far");
}

#[test]
#[ignore = "for tests/hosts/user-systemd"]
fn the_service_is_installed_and_leaves_nothing() {
    let place = Place::new();
    let before = place.host.tree();
    let options = ["install", "--interval", "2"];
    assert_eq!(place.run(&["status"]).status.code(), Some(3));
    place.good(&options);
    assert_ne!(place.pid("moorline-agent"), "0");
    let status = place.good(&["status"]);
    assert!(status.contains(".config/moorline/gateways"), "{status}");
    assert!(place.good(&["uninstall"]).contains("is removed"));
    assert_eq!(place.host.tree(), before, "something stays behind");
    assert!(place.good(&["uninstall"]).contains("nothing to do"));

    // One that does not start leaves nothing either.
    let own = place.host.home.join(".config/systemd/user/moorline-agent.service.d");
    fs::create_dir_all(&own).unwrap();
    fs::write(own.join("fail.conf"), "[Service]\nExecStartPre=/bin/false\n").unwrap();
    let failed = place.run(&options);
    assert!(
        failed.status.code() == Some(1) && stderr(&failed).contains("everything is as it was"),
        "{}",
        stderr(&failed)
    );
    fs::remove_dir_all(&own).unwrap();
    for empty in [".config/systemd/user", ".config/systemd", ".config"] {
        let _ = fs::remove_dir(place.host.home.join(empty));
    }
    assert_eq!(place.host.tree(), before, "something stays behind");

    place.good(&options);
    place.token("gate.token");
    place.write("gate.yaml", &place.host.definition());
    place.until_linked("gate");
    let mut client = place.host.client();
    let pid = place.pid("gate");

    // systemd starts it again; new options start it anew.
    let agent = place.pid("moorline-agent");
    finish(Command::new("kill").args(["-KILL", &agent]));
    eventually("the agent is started again", || {
        (!["0", &agent].contains(&&*place.pid("moorline-agent"))).then_some(())
    });
    let port = free_port();
    place.good(&["install", "--interval", "2", "--listen", &port.to_string()]);
    eventually("it is ready", || get(port, "/readyz").0.starts_with("HTTP/1.1 200 ").then_some(()));

    place.good(&["uninstall"]);
    still_echoes(&mut client);
    assert_eq!(place.pid("gate"), pid, "a gateway went with the agent");
    drop(client);
    place.host.good(&["delete", "gate"]);
    for file in ["gate.yaml", "gate.token"] {
        fs::remove_file(place.dir.join(file)).unwrap();
    }
    for empty in [".config/moorline/gateways", ".config/moorline", ".config"] {
        let _ = fs::remove_dir(place.host.home.join(empty));
    }
    assert_eq!(place.host.tree(), before, "something stays behind");
}
