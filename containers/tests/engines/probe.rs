//! The program in the containers of these tests: static, alone in its image. Built by the tests, not by cargo.

use std::{env, fs, io, process, thread, time::Duration};

fn main() {
    match env::args().nth(1).as_deref() {
        Some("health") => process::exit(0),
        Some("exit") => process::exit(42),
        Some("report") => report(),
        Some("say") => env::args().for_each(|word| println!("{word:?}")),
        _ => {}
    }
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}

/// One line for each thing tried: what, and `yes`, `no` or what is seen.
fn report() {
    let can = |result: io::Result<()>| if result.is_ok() { "yes" } else { "no" };
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    println!("user: {}", field("Uid:").split_whitespace().next().unwrap());
    println!("group: {}", field("Gid:").split_whitespace().next().unwrap());
    println!("capabilities: {} {} {}", field("CapEff:"), field("CapBnd:"), field("CapPrm:"));
    println!("no new privileges: {}", field("NoNewPrivs:"));
    println!("filtered system calls: {}", field("Seccomp:"));
    println!("read the key: {}", fs::read_to_string("/config/key").unwrap_or_else(|cause| cause.to_string()));
    println!("write to the configuration: {}", can(fs::write("/config/x", "")));
    println!("change the key: {}", can(fs::write("/config/key", "")));
    println!("write to the root: {}", can(fs::write("/x", "")));
    println!("write to /tmp: {}", can(fs::write("/tmp/x", "")));
    println!("write to /scratch: {}", can(fs::write("/scratch/x", "")));
    println!("a variable: {}", env::var("SKUPPER_SITE_ID").unwrap_or_default());
    println!("a TCP socket: {}", can(std::net::TcpListener::bind("127.0.0.1:0").map(drop)));
    println!("the host's network: {}", fs::read_link("/proc/self/ns/net").unwrap().display());
    println!("/etc/hosts: {}", can(fs::metadata("/etc/hosts").map(drop)));
    println!("done: yes");
}
