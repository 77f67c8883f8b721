//! The service side: what runs in the units of these tests.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use moorline_systemd::notify::Notifier;

/// Does what `$ORDER` says, until it is stopped.
#[test]
#[ignore = "runs as a service of the other tests"]
fn main() {
    let out = PathBuf::from(std::env::var_os("OUT").unwrap());
    let order = std::env::var("ORDER").unwrap();
    let notifier = Notifier::from_environment().unwrap().unwrap();
    match order.as_str() {
        "serve" => notifier.ready("serving").unwrap(),
        "exit" => std::process::exit(42),
        "never ready" => {}
        "hang once" => {
            // Lives until it has been seen, then falls silent; the second time it lives on.
            let before = out.join("hung");
            notifier.ready("watched").unwrap();
            let pause = notifier.watchdog().unwrap();
            let silent = !before.exists();
            fs::write(before, "").unwrap();
            for _ in 0..4 {
                notifier.alive().unwrap();
                thread::sleep(pause);
            }
            if !silent {
                loop {
                    notifier.alive().unwrap();
                    thread::sleep(pause);
                }
            }
        }
        "report" => {
            fs::write(out.join("report"), crate::sandbox::report()).unwrap();
            notifier.ready("reported").unwrap();
        }
        "echo" => {
            let said: Vec<String> = std::env::args().chain([std::env::var("SAID").unwrap()]).collect();
            fs::write(out.join("echo"), said.join("\u{1f}")).unwrap();
            notifier.ready("echoed").unwrap();
        }
        other => panic!("no such order: {other}"),
    }
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}
