//! What the system knows of this process.

use std::fs;

/// Bytes of address space, and of memory in use; none where the system does not tell.
pub(super) fn memory() -> (Option<u64>, Option<u64>) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        kilobytes.checked_mul(1024)
    };
    (field("VmSize:"), field("VmRSS:"))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn linux_tells() {
        let (size, resident) = memory();
        assert!(size.unwrap() > resident.unwrap() && resident.unwrap() > 4096);
    }
}
