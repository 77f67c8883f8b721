//! The program itself, in a run so small that its numbers mean nothing: what it says must be there and well-formed.

#![allow(clippy::unwrap_used, reason = "a test may stop at what is missing")]

use std::fs;
use std::process::Command;

use serde_json::Value;

#[test]
fn bytes_move_and_are_reported() {
    let out = tempfile::tempdir().unwrap();
    let mut bench = Command::new(env!("CARGO_BIN_EXE_moorline-bench"));
    bench.env("MOORLINE_BIN", moorline_tests::command::program()).env_remove("SKROUTERD");
    bench.args(["--small", "--reps", "1", "--seconds", "0.1", "--competitor", "direct,own-legacy,own-lite"]);
    bench.args(["--load", "bulk,request,idle,recovery", "--case", "8 up,1 both,16 conn,idle,3 s"]);
    let output = bench.arg("--out").arg(out.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let results = fs::read_to_string(out.path().join("results.json")).unwrap();
    let results: Value = serde_json::from_str(&results).unwrap();
    assert_eq!(results["failures"], Value::Array(Vec::new()));
    let value = |competitor: &str, case: &str, name: &str| {
        let records = results["records"].as_array().unwrap();
        let is_it =
            |record: &&Value| record["competitor"] == competitor && record["case"] == case && record["name"] == name;
        let record = records.iter().find(is_it).unwrap_or_else(|| panic!("{competitor}, {case}: no {name}"));
        record["value"].as_f64().unwrap()
    };
    for competitor in ["direct", "own-legacy", "own-lite"] {
        for (case, name) in [
            ("8 up", "Gb/s"),
            ("1 both ways", "Gb/s"),
            ("16 connections", "requests/s"),
            ("16 connections", "p99.9, µs"),
            ("80 open", "opened/s"),
        ] {
            assert!(value(competitor, case, name) > 0.0, "{competitor}, {case}: {name}");
        }
    }
    for competitor in ["own-legacy", "own-lite"] {
        assert!(value(competitor, "8 up", "edge CPU, s/GB") > 0.0);
        assert!(value(competitor, "80 open", "edge memory, MiB") > 1.0);
        assert!(value(competitor, "3 s", "serves after, ms") > 0.0);
        let described =
            results["competitors"].as_array().unwrap().iter().find(|one| one["name"] == competitor).unwrap();
        assert!(described["cipher"].as_str().unwrap().starts_with("TLS_"), "{described}");
    }

    let report = fs::read_to_string(out.path().join("report.md")).unwrap();
    for row in report.lines().filter(|line| line.starts_with("| own-lite |")) {
        assert!(!row.contains("NaN") && !row.contains("inf"), "{row}");
    }
    for plot in ["throughput.svg", "latency-p99.svg", "memory.svg", "opening.svg"] {
        assert!(report.contains(&format!("({plot})")), "{plot} is not in the report");
        let svg = fs::read_to_string(out.path().join(plot)).unwrap();
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n") && svg.contains("own-lite"), "{plot}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{plot}");
    }
}

#[test]
fn the_loads_run_with_nothing_between() {
    let out = tempfile::tempdir().unwrap();
    let mut bench = Command::new(env!("CARGO_BIN_EXE_moorline-bench"));
    bench.env("MOORLINE_BIN", moorline_tests::command::program()).env_remove("SKROUTERD");
    bench.args(["--small", "--reps", "1", "--seconds", "0.1", "--competitor", "direct"]);
    bench.args(["--load", "bulk,request,schedule,connect,idle,beside,recovery,local,bindings"]);
    let output = bench.arg("--out").arg(out.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report = fs::read_to_string(out.path().join("report.md")).unwrap();
    assert!(!report.contains("did not come to an end"), "{report}");
    for load in ["bulk", "request", "schedule", "connect", "idle", "beside", "local"] {
        assert!(report.contains(&format!("\n## {load}\n")), "no {load}: {report}");
    }
}

#[test]
fn a_load_that_is_not_there_is_named() {
    let mut bench = Command::new(env!("CARGO_BIN_EXE_moorline-bench"));
    let output = bench.env("MOORLINE_BIN", "/proc/self/exe").args(["--load", "bulk,weight"]).output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("there is no weight, but bulk, "), "{said}");
}
