//! Ordinary AMQP clients on the local listeners of gateways: qpid-proton and fe2o3-amqp.
//!
//! Those on proton run where `PYTHON_PROTON` names a python that can import it; with a real interior between the
//! gateways where `SKROUTERD` names one.

use std::process::Command;

use moorline_tests::authority::Authority;
use moorline_tests::definition::Definition;
use moorline_tests::network::{Gateway, Hub};
use moorline_tests::ports::free_port;
use moorline_tests::process::Process;
use moorline_tests::scratch::Scratch;
use moorline_tests::skrouterd::{RouterFile, Skrouterd};
use moorline_tests::turn;

mod fe2o3;

/// Where clients connect, and what runs for them.
struct Ground {
    name: String,
    from: u16,
    to: u16,
    // Edges end before their hub.
    _gateways: Vec<Gateway>,
    interior: Option<Process>,
    _hub: Option<Hub>,
    _home: Scratch,
}

impl Ground {
    /// Both clients on one gateway.
    fn one_gateway() -> Self {
        let (hub, port) = (Hub::start(), free_port());
        let gateways = vec![hub.gateway(&Definition::new("east").amqp(port, &[]))];
        let name = "one gateway".to_owned();
        Self { name, from: port, to: port, _gateways: gateways, interior: None, _hub: Some(hub), _home: Scratch::new() }
    }

    /// Each on a gateway of its own, with our hub between them.
    fn over_our_hub() -> Self {
        let (hub, from, to) = (Hub::start(), free_port(), free_port());
        let gateways = [("east", from), ("west", to)];
        let gateways = gateways.map(|(name, port)| hub.gateway(&Definition::new(name).amqp(port, &[])));
        let name = "gateway, our hub, gateway".to_owned();
        Self { name, from, to, _gateways: gateways.into(), interior: None, _hub: Some(hub), _home: Scratch::new() }
    }

    /// The same with a real interior; or one client on the interior itself.
    fn over_an_interior(real: &Skrouterd, west_is_a_gateway: bool) -> Self {
        let (home, port, inside) = (Scratch::new(), free_port(), free_port());
        let authority = Authority::new("skupper-site-ca");
        let certificates = authority.server(&["localhost", "127.0.0.1"]).write(&home.join("interior-certs"));
        let file = RouterFile::new("interior", "interior").certificates(&certificates).edge_listener(port);
        let file = file.client_listener(inside).multicast("mc");
        let interior = real.run("interior", &home, &file);
        let gateway = |name: &str, amqp: u16| {
            let home = Scratch::new();
            home.write("token.yaml", &authority.client(name).token("localhost", port));
            let mut gateway = Gateway::run(home, name, &Definition::new(name).amqp(amqp, &[]).yaml(), &[]);
            gateway.process.wait_for(&["linked to"]);
            gateway
        };
        let (from, to) = (free_port(), if west_is_a_gateway { free_port() } else { inside });
        let mut gateways = vec![gateway("east", from)];
        if west_is_a_gateway {
            gateways.push(gateway("west", to));
        }
        let end = if west_is_a_gateway { ", gateway" } else { "" };
        let name = format!("gateway, real interior {}{end}", real.version);
        Self { name, from, to, _gateways: gateways, interior: Some(interior), _hub: None, _home: home }
    }
}

const SCENARIOS: [&str; 8] =
    ["unsettled", "anonymous", "several", "balanced", "multicast", "verdicts", "requests", "large"];
/// Where every router is ours, a slow receiver holds its sender back, and settled messages are not lost for it.
const OURS: [&str; 2] = ["presettled", "slow"];
const REAL: [&str; 2] = ["few_presettled", "held"];

/// Every scenario with proton's clients, in both directions.
fn proton(ground: &Ground, unsettled: u32) {
    let _turn = turn::heavy();
    let Some(python) = python() else { return };
    let mut failed = Vec::new();
    for (from, to) in [(ground.from, ground.to), (ground.to, ground.from)] {
        let more = if ground.interior.is_some() { REAL } else { OURS };
        for scenario in SCENARIOS.into_iter().chain(more) {
            let count = if scenario == "unsettled" { unsettled } else { 2000 };
            let output = Command::new(&python)
                .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/product/amqp_clients/proton_clients.py"))
                .args([scenario, &url(from), &url(to), &count.to_string()])
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            println!("{}: {}", ground.name, said.trim());
            if !output.status.success() {
                let error = String::from_utf8_lossy(&output.stderr);
                println!("{}: {scenario} FAILED:\n{error}", ground.name);
                failed.push(scenario);
            }
        }
    }
    assert!(failed.is_empty(), "{}: {failed:?}", ground.name);
}

fn python() -> Option<std::ffi::OsString> {
    let python = std::env::var_os("PYTHON_PROTON");
    if python.is_none() {
        println!("skipped: PYTHON_PROTON is not set");
    }
    python
}

fn url(port: u16) -> String {
    format!("amqp://127.0.0.1:{port}")
}

#[test]
fn proton_on_one_gateway() {
    if python().is_some() {
        proton(&Ground::one_gateway(), 20_000);
    }
}

#[test]
fn proton_over_our_hub() {
    if python().is_some() {
        proton(&Ground::over_our_hub(), 100_000);
    }
}

#[test]
fn proton_over_a_real_interior() {
    let (Some(_), Some(real)) = (python(), Skrouterd::from_environment()) else {
        println!("skipped: it needs PYTHON_PROTON and SKROUTERD");
        return;
    };
    proton(&Ground::over_an_interior(&real, true), 100_000);
    proton(&Ground::over_an_interior(&real, false), 20_000);
}

#[test]
fn fe2o3_on_one_gateway() {
    fe2o3::every_scenario(&Ground::one_gateway());
}

#[test]
fn fe2o3_over_our_hub() {
    fe2o3::every_scenario(&Ground::over_our_hub());
}

#[test]
fn fe2o3_over_a_real_interior() {
    let Some(real) = Skrouterd::from_environment() else {
        println!("skipped: SKROUTERD names no router");
        return;
    };
    fe2o3::every_scenario(&Ground::over_an_interior(&real, true));
    fe2o3::every_scenario(&Ground::over_an_interior(&real, false));
}

/// A gateway whose AMQP listener demands a certificate, and where those of the test are.
fn guarded_gateway() -> (Hub, Gateway, u16, Authority, Scratch) {
    let (hub, port, home, authority) = (Hub::start(), free_port(), Scratch::new(), Authority::new("clients-ca"));
    authority.server(&["localhost"]).write(&home.join("credentials/clients"));
    let definition = Definition::new("east").amqp(port, &["ssl-profile: clients", "authenticate-peer: true"]);
    let credentials = home.join("credentials");
    let gateway = hub.gateway_with(&definition, &["--credentials-dir", credentials.to_str().unwrap()]);
    (hub, gateway, port, authority, home)
}

#[test]
fn a_guarded_listener_lets_nobody_in_without_a_certificate_of_its_authority() {
    let (_hub, mut gateway, port, authority, home) = guarded_gateway();
    let stranger = Authority::new("clients-ca").client("stranger").write(&home.join("stranger"));
    let friend = authority.client("friend").write(&home.join("friend"));
    for (certificates, welcome) in [(None, false), (Some(&stranger), false), (Some(&friend), true)] {
        assert_eq!(moorline_tests::peer::tls_speaks_amqp(port, certificates.map(|dir| dir.as_path())), welcome);
    }
    gateway.process.wait_for(&["WARN", "the client presented no certificate"]);
}

#[test]
fn proton_with_a_certificate_on_a_guarded_listener() {
    let Some(python) = python() else { return };
    let (_hub, _gateway, port, authority, home) = guarded_gateway();
    let friend = authority.client("friend").write(&home.join("friend"));
    let output = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/product/amqp_clients/proton_clients.py"))
        .args(["certified", &format!("amqps://localhost:{port}"), friend.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
