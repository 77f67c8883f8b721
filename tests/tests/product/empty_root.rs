//! The program where there is nothing else: no library, no /proc, no /dev, only itself and the two files that name hosts.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use moorline_tests::command::program;
use moorline_tests::name_server::{NameServer, Says};
use moorline_tests::peer::named_server;
use moorline_tests::ports::free_port;
use moorline_tests::process::{Process, eventually};
use moorline_tests::scratch::Scratch;

/// Set for the half of the test that runs on a network of its own, where it may answer as the host's name server.
const INSIDE: &str = "MOORLINE_TEST_INSIDE";

#[test]
fn names_are_found_in_an_empty_root() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let own_network = |words: &[&str]| Command::new("unshare").args(["-r", "-n", "--"]).args(words).output();
    match own_network(&["chroot", "/", "ip", "link", "set", "lo", "up"]) {
        Ok(output) if output.status.success() => {}
        other => {
            println!("skipped: this host gives no user and network namespaces with chroot: {other:?}");
            return;
        }
    }
    let test = std::env::current_exe().unwrap();
    let again = ["--exact", "empty_root::names_are_found_in_an_empty_root", "--nocapture"];
    let mut command = Command::new("unshare");
    command.args(["-r", "-n", "--"]).arg(test).args(again);
    // Built here, since there is no network inside.
    let ended = command.env("MOORLINE_BIN", program()).env(INSIDE, "1").status().unwrap();
    assert!(ended.success(), "{ended}");
}

fn inside() {
    let up = Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap();
    assert!(up.success(), "{up}");
    let names = NameServer::start(SocketAddr::from(([127, 0, 0, 1], 53)), |(name, _)| match name.as_str() {
        "server.corp.test" => Says::Addresses(vec!["127.0.0.1".parse().unwrap()]),
        _ => Says::NoSuchName,
    })
    .unwrap();
    let (service, local) = (free_port(), free_port());
    let _server = named_server(service, "from the server ");

    let root = Scratch::new();
    fs::create_dir(root.join("etc")).unwrap();
    root.write("etc/hosts", "127.0.0.7 here\n");
    root.write("etc/resolv.conf", "search corp.test\nnameserver 127.0.0.1\n");
    root.write(
        "skrouterd.json",
        &format!(
            r#"[["router", {{"id": "alone", "mode": "edge"}}],
                ["tcpListener", {{"name": "in", "host": "here", "port": "{local}", "address": "db:1"}}],
                ["tcpConnector", {{"name": "out", "host": "server", "port": "{service}", "address": "db:1"}}]]"#
        ),
    );
    fs::copy(program(), root.join("moorline")).unwrap();
    let mut command = Command::new("chroot");
    command.arg(root.path()).args(["/moorline", "router", "-c", "/skrouterd.json"]);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let _router = Process::start("the router in its root", command.env_clear().env("PATH", path));

    let here = SocketAddr::from(([127, 0, 0, 7], local));
    let mut client = eventually("the router listens where the hosts file says", || TcpStream::connect(here).ok());
    client.write_all(b"and back").unwrap();
    let mut said = [0; 24];
    client.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"from the server and back");
    assert!(names.asked().iter().any(|(name, _)| name == "server.corp.test"), "{:?}", names.asked());
}
