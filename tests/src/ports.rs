//! TCP ports that no other test uses. Other crates' tests have this file as a module of theirs.

use std::fs::{self, File, OpenOptions};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::sync::Mutex;

/// Below the range from which the system takes ports for outgoing connections, so that none of those sits on ours.
const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;

/// The claims of this process; they end with it.
static CLAIMS: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A port that is free on every address, and that no other test gets while this process runs.
#[must_use]
pub fn free_port() -> u16 {
    let user = fs::metadata("/proc/self").expect("this process").uid();
    let dir = std::env::temp_dir().join(format!("moorline-test-ports-{user}"));
    fs::create_dir_all(&dir).expect("a directory for the claims on ports");
    for _ in 0..1000 {
        let port = FIRST + fastrand::u16(0..COUNT);
        let claim = OpenOptions::new().create(true).append(true).open(dir.join(port.to_string())).expect("a claim");
        if claim.try_lock().is_ok() && TcpListener::bind(("0.0.0.0", port)).is_ok() {
            CLAIMS.lock().expect("claims").push(claim);
            return port;
        }
    }
    panic!("no TCP port is free")
}
