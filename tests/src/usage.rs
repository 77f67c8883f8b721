//! What a process uses, as the kernel counts it.

use std::fs;

/// The most memory that was ever resident (`VmHWM`), in bytes.
#[must_use]
pub fn peak_resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("the status of a process that runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    let kibibytes = line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number of kB");
    kibibytes * 1024
}

/// The processor time used so far, in ticks of the kernel's clock.
#[must_use]
pub fn processor_ticks(process: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("the stat of a process that runs");
    // The name in parentheses may hold anything; fields are counted from its end.
    let (_, fields) = stat.rsplit_once(") ").expect("a name");
    let fields: Vec<&str> = fields.split(' ').collect();
    fields[11..=12].iter().map(|ticks| ticks.parse::<u64>().expect("ticks")).sum()
}

/// The ids and command lines of processes whose command line has `text`.
#[must_use]
pub fn running(text: &str) -> Vec<(u32, String)> {
    let own = std::process::id();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(line) = fs::read(entry.path().join("cmdline")) else { continue };
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if id != own && line.contains(text) {
            found.push((id, line));
        }
    }
    found
}
