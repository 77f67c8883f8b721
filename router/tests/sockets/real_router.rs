//! The network's own router as a child process, where `SKROUTERD` names it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// The program; says so when there is none.
pub fn program() -> Option<PathBuf> {
    let program = std::env::var_os("SKROUTERD").map(PathBuf::from);
    if program.is_none() {
        println!("skipped: SKROUTERD names no router");
    }
    program
}

/// Whether the router knows two TCP encapsulations.
pub fn has_encapsulations(program: &Path) -> bool {
    let output = Command::new(program).arg("-v").output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    said.split_whitespace().any(|word| word.starts_with("2."))
}

/// Ends with its owner.
pub struct RealRouter(Child);

impl RealRouter {
    pub fn run(program: &Path, folder: &Path, id: &str, mode: &str, entities: Vec<Value>) -> RealRouter {
        let mut all = vec![json!(["router", {"id": id, "mode": mode}])];
        all.extend(entities);
        let file = folder.join(format!("{id}.json"));
        std::fs::write(&file, serde_json::to_string(&all).unwrap()).unwrap();
        let log = std::fs::File::create(folder.join(format!("{id}.log"))).unwrap();
        let child = Command::new(program)
            .arg("-c")
            .arg(file)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        RealRouter(child)
    }
}

impl Drop for RealRouter {
    fn drop(&mut self) {
        // Whatever it is doing, it is over.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
