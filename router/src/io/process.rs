//! What the system knows of this process.

use std::fs;

use serde::Serialize;

/// Memory of the process, in bytes; none where the system does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct MemoryStatus {
    /// Address space.
    pub address_space: Option<u64>,
    /// In use, and not swapped out.
    pub resident: Option<u64>,
}

pub(super) fn memory() -> MemoryStatus {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        kilobytes.checked_mul(1024)
    };
    MemoryStatus { address_space: field("VmSize:"), resident: field("VmRSS:") }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn linux_tells() {
        let memory = memory();
        assert!(memory.address_space.unwrap() > memory.resident.unwrap() && memory.resident.unwrap() > 4096);
    }
}
