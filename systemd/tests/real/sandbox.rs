//! What a service can and cannot do, tried from inside.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use moorline_systemd::unit::{Credential, Sandbox};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use crate::host::{LONG, home, install, manager, unit};

/// One line for each thing tried: what, and `yes`, `no` or what is seen.
pub(crate) fn report() -> String {
    let home = Path::new("/home/tester");
    let mut text = String::new();
    let mut tell = |what: &str, seen: &dyn std::fmt::Display| writeln!(text, "{what}: {seen}").unwrap();
    let can = |result: io::Result<()>| if result.is_ok() { "yes" } else { "no" };
    let write = |path: &Path| fs::write(path, "x");
    let count = |path: &str| fs::read_dir(path).map(|entries| entries.count()).unwrap_or(0);
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();

    tell("user namespace", &fs::read_link("/proc/self/ns/user").unwrap().display());
    tell("no new privileges", &field("NoNewPrivs:"));
    tell("filtered system calls", &field("Seccomp:"));
    tell("user", &field("Uid:").split_whitespace().next().unwrap());
    tell("a port below 1024", &can(std::net::TcpListener::bind("127.0.0.1:443").map(drop)));
    tell("capabilities", &format!("{} {}", field("CapEff:"), field("CapBnd:")));
    let out = PathBuf::from(std::env::var_os("OUT").unwrap());
    tell("write to its own directory", &can(write(&out.join("x"))));
    tell("write to its configuration", &can(write(&home.join("config/x"))));
    tell("read its configuration", &can(fs::read(home.join("config/key")).map(drop)));
    tell("read the key of ssh", &can(fs::read(home.join(".ssh/id")).map(drop)));
    tell(
        "write to home",
        &can(write(&home.join("x")).and_then(|()| fs::read("/proc/self/root/home/tester/.ssh/id").map(drop))),
    );
    tell("write to /var/tmp of the host", &can(fs::read("/var/tmp/moorline-outside").map(drop)));
    tell("read /tmp of the host", &can(fs::read("/tmp/moorline-outside").map(drop)));
    tell("write to /usr", &can(write(Path::new("/usr/x"))));
    tell("kernel tunables", &can(fs::write("/proc/sys/vm/swappiness", "60")));
    tell("control groups", &can(fs::create_dir("/sys/fs/cgroup/moorline-x")));
    tell("kernel log", &can(fs::File::open("/dev/kmsg").map(drop)));
    tell("disks among the devices", &can(fs::metadata("/dev/vda").map(drop)));
    tell(
        "the key of ssh by another process",
        &can(fs::read(format!("/proc/{}/root/home/tester/.ssh/id", std::os::unix::process::parent_id())).map(drop)),
    );
    tell("other users' processes", &can(fs::metadata("/proc/1/status").map(drop)));
    tell("entries of /root", &count("/root"));
    tell("the bus of the user", &can(fs::metadata("/run/user/1777/bus").map(drop)));
    tell(
        "raw packets",
        &can(socket(AddressFamily::Packet, SockType::Raw, SockFlag::empty(), None).map(drop).map_err(io::Error::from)),
    );
    tell("a TCP socket", &can(std::net::TcpListener::bind("127.0.0.1:0").map(drop)));
    tell("a namespace of its own", &can(run("unshare", &["--user", "true"])));
    tell("a mount", &can(run("mount", &["-t", "tmpfs", "none", "/tmp"])));
    tell("memory to write and execute", &can(writable_code()));
    let credential = std::env::var_os("CREDENTIALS_DIRECTORY").map(|directory| Path::new(&directory).join("tls.key"));
    let credential = credential.and_then(|path| {
        use std::os::unix::fs::PermissionsExt;
        Some(format!(
            "{} {:o}",
            fs::read_to_string(&path).ok()?,
            fs::metadata(&path).ok()?.permissions().mode() & 0o777
        ))
    });
    tell("credential", &credential.unwrap_or_default());
    text
}

fn run(program: &str, arguments: &[&str]) -> io::Result<()> {
    let status = Command::new(program).args(arguments).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(status.to_string())) }
}

/// Asks for memory that may be written and executed.
#[allow(unsafe_code)]
fn writable_code() -> io::Result<()> {
    use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};
    let all = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE | ProtFlags::PROT_EXEC;
    let length = std::num::NonZeroUsize::MIN;
    // Safe: the kernel chooses an address that is free, and nothing is done with the memory.
    unsafe { mmap_anonymous(None, length, all, MapFlags::MAP_PRIVATE) }.map(drop).map_err(io::Error::from)
}

/// What is the same with namespaces and without.
pub(crate) const FILTERED: [(&str, &str); 9] = [
    ("no new privileges", "1"),
    ("filtered system calls", "2"),
    ("write to its own directory", "yes"),
    ("read its configuration", "yes"),
    ("raw packets", "no"),
    ("a TCP socket", "yes"),
    ("a namespace of its own", "no"),
    ("a mount", "no"),
    ("credential", "secret 400"),
];

/// What the view of the host adds.
///
/// Other users' processes stay to be seen: a user manager cannot mount a `/proc` of its own, and ProtectProc= is in force
/// in system units alone. What can be done to them is little: they are in another user namespace.
pub(crate) const HIDDEN: [(&str, &str); 14] = [
    ("capabilities", "0000000000000000 0000000000000000"),
    ("write to its configuration", "no"),
    ("read the key of ssh", "no"),
    ("write to home", "no"),
    ("write to /var/tmp of the host", "no"),
    ("read /tmp of the host", "no"),
    ("write to /usr", "no"),
    ("kernel tunables", "no"),
    ("control groups", "no"),
    ("kernel log", "no"),
    ("disks among the devices", "no"),
    ("the key of ssh by another process", "no"),
    ("entries of /root", "0"),
    ("the bus of the user", "no"),
];

/// Asserts a line of a report.
pub(crate) fn has(said: &str, what: &str, seen: &str) {
    assert!(said.lines().any(|line| line == format!("{what}: {seen}")), "{what}: {seen}\nin\n{said}");
}

#[tokio::test]
#[ignore = "needs tests/hosts/user-systemd"]
async fn in_force() {
    let manager = manager().await;
    assert!(manager.sandboxing(LONG).await.unwrap());
    for (directory, file, content) in [("config", "key", "secret"), (".ssh", "id", "ssh")] {
        fs::create_dir(home().join(directory)).unwrap();
        fs::write(home().join(directory).join(file), content).unwrap();
    }
    for directory in ["/tmp", "/var/tmp"] {
        fs::write(Path::new(directory).join("moorline-outside"), "x").unwrap();
    }
    let outside = fs::read_link("/proc/self/ns/user").unwrap();
    let mut table = Vec::new();
    for sandbox in [Sandbox::Filters { executable_memory: true }, Sandbox::Full { executable_memory: false }] {
        let mut reporting = unit("report");
        reporting.readable = vec![home().join("config")];
        reporting.credentials = vec![Credential { name: "tls.key".into(), path: home().join("config/key") }];
        reporting.sandbox = sandbox;
        let name = install(&manager, "reporting", &reporting).await;
        manager.start(&name, LONG).await.unwrap();
        let said = fs::read_to_string(home().join("out/report")).unwrap();
        manager.stop(&name, LONG).await.unwrap();
        table.push(said);
    }
    println!("filters alone:\n{}\nfull:\n{}", table[0], table[1]);
    let has = |said: &str, what: &str, seen: &str| {
        assert!(said.lines().any(|line| line == format!("{what}: {seen}")), "{what}: {seen}")
    };
    for said in &table {
        FILTERED.iter().for_each(|(what, seen)| has(said, what, seen));
    }
    HIDDEN.iter().for_each(|(what, seen)| has(&table[1], what, seen));
    has(&table[0], "memory to write and execute", "yes");
    has(&table[1], "memory to write and execute", "no");
    // Otherwise what is hidden in the second would prove nothing.
    for seen in
        ["read the key of ssh", "read /tmp of the host", "the bus of the user", "the key of ssh by another process"]
    {
        has(&table[0], seen, "yes");
    }
    assert!(table[0].contains(&outside.display().to_string()) && !table[1].contains(&outside.display().to_string()));
    for directory in ["/tmp", "/var/tmp"] {
        fs::remove_file(Path::new(directory).join("moorline-outside")).unwrap();
    }
}
