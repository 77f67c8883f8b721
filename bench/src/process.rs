//! What processes use, as the kernel counts it: processor time to the nanosecond, memory to the page.

use std::fs;
use std::time::Duration;

use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// The processor time that the processes used so far. One that has ended counts nothing.
pub(crate) fn cpu(processes: &[u32]) -> Duration {
    let of_one = |id: &u32| {
        let clock = clock_getcpuclockid(Pid::from_raw(i32::try_from(*id).ok()?)).ok()?;
        Some(Duration::from(clock_gettime(clock).ok()?))
    };
    processes.iter().filter_map(of_one).sum()
}

/// That of this process.
pub(crate) fn own_cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

/// What the processes have in memory (`VmRSS`), in KiB. Pages of programs and libraries are in it, which they may share.
pub(crate) fn resident(processes: &[u32]) -> f64 {
    status(processes, "VmRSS:")
}

/// What of it is theirs alone (`RssAnon`), in KiB.
pub(crate) fn anonymous(processes: &[u32]) -> f64 {
    status(processes, "RssAnon:")
}

fn status(processes: &[u32], key: &str) -> f64 {
    let of_one = |id: &u32| {
        let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        line.trim().trim_end_matches(" kB").parse::<f64>().ok()
    };
    processes.iter().filter_map(of_one).sum()
}

/// The process and those that it has started.
pub(crate) fn family(id: u32) -> Vec<u32> {
    let mut family = vec![id];
    let mut at = 0;
    while let Some(parent) = family.get(at) {
        // Each thread has its children; only the first thread of the programs here starts any.
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
        family.extend(children.split_ascii_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        at += 1;
    }
    family
}

/// What became of the machine's time so far, in ticks of the kernel's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Machine {
    /// The host took it away.
    pub(crate) stolen: u64,
    /// Nobody wanted it.
    pub(crate) idle: u64,
    /// All of it, on all cores.
    pub(crate) all: u64,
}

/// Asks `/proc/stat`.
pub(crate) fn machine() -> Machine {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let first = stat.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = first.split_ascii_whitespace().skip(1).take(8).filter_map(|tick| tick.parse().ok()).collect();
    let tick = |at: usize| ticks.get(at).copied().unwrap_or_default();
    // user nice system idle iowait irq softirq steal
    Machine { stolen: tick(7), idle: tick(3) + tick(4), all: ticks.iter().sum() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let own = [std::process::id()];
        let before = cpu(&own);
        // As little as it is, the clock sees it.
        assert!((0..100_000).fold(1_u64, |sum, n| sum.rotate_left(3) ^ n) > 0);
        assert!(cpu(&own) > before);
        assert!(own_cpu() >= before);
        assert!(resident(&own) > anonymous(&own) && anonymous(&own) > 50.0);
        assert_eq!(family(own[0])[0], own[0]);
        assert!(machine().all > machine().idle);
    }

    #[test]
    fn a_process_that_is_gone_uses_nothing() {
        assert_eq!(cpu(&[u32::MAX, 0x7fff_fffe]), Duration::ZERO);
        assert_eq!(resident(&[0x7fff_fffe]), 0.0);
    }
}
