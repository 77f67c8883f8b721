//! What the start and many closed connections leave behind in memory goes back to the system.
//!
//! The C library keeps freed memory that stands between what is still in use: thousands of connections that have closed
//! would hold most of theirs for ever.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::sleep;

use super::driver::Driver;
use super::signal::Signal;
use crate::core::Router;

/// Fewer are not worth the pages that are faulted in again.
const MANY: usize = 500;
/// More may leave in this time, and their links after them.
const PAUSE: Duration = Duration::from_millis(500);

/// How many connections and messages there are, and how many were since memory was last given back.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    most: Cell<usize>,
    leaves: Signal,
}

impl Crowd {
    /// So many are there now.
    pub(super) fn is(&self, now: usize) {
        let most = self.most.get();
        if now > most {
            self.most.set(now);
        } else if most - now >= MANY && now <= most / 2 {
            self.leaves.set();
        }
    }
}

/// What the memory of a router grows with: TCP connections, and messages that pass.
pub(super) fn size(router: &Router) -> usize {
    router.open_flows() + router.open_splices()
}

/// Gives memory back after the start, and whenever half of many have gone. A steady coming and going leaves it alone.
pub(super) async fn run(driver: Rc<Driver>) {
    loop {
        let (mut before, mut now) = (usize::MAX, driver.inspect(size));
        while now < before {
            sleep(PAUSE).await;
            (before, now) = (now, driver.inspect(size));
        }
        driver.crowd.most.set(now);
        driver.core(|router, _| router.shrink());
        give_back();
        driver.crowd.leaves.wait().await;
    }
}

/// All threads share one heap: what one has freed, such as the plan of the start, the router uses again.
#[allow(unsafe_code)]
pub(super) fn share_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt(3) takes no pointer, and may be called from any thread at any time.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

#[allow(unsafe_code)]
fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim(3) takes no pointer, may be called from any thread at any time, and touches free memory alone.
    unsafe {
        libc::malloc_trim(0);
    }
    // Most instructions are of the start. Those that run again come back from the system's cache of files.
    if let Some((start, length)) = instructions() {
        // SAFETY: the range is one private mapping of a file that may not be written, so that its pages are as in the file
        // and are mapped from there again when they are touched; nothing else is in it.
        unsafe {
            libc::madvise(std::ptr::with_exposed_provenance_mut(start), length, libc::MADV_DONTNEED);
        }
    }
}

/// Where the mapping with the instructions of this module begins, and its length in bytes.
fn instructions() -> Option<(usize, usize)> {
    let here = give_back as fn() as usize;
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    maps.lines().find_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
        // Of a file, and nobody's copy.
        let ours = rest.starts_with("r-xp ") && rest.contains('/') && (start..end).contains(&here);
        ours.then(|| (start, end - start))
    })
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::{Crowd, give_back, instructions};

    fn leaves(crowd: &Crowd) -> bool {
        crowd.leaves.poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn instructions_come_back() {
        let (start, length) = instructions().unwrap();
        assert!(start > 0 && length > 100_000);
        give_back();
        assert_eq!(instructions(), Some((start, length)));
    }

    #[test]
    fn a_crowd_that_leaves_is_noticed_and_a_steady_one_is_not() {
        let crowd = Crowd::default();
        (0..=2000).chain((1001..2000).rev()).for_each(|size| crowd.is(size));
        assert!(!leaves(&crowd));
        crowd.is(1000);
        assert!(leaves(&crowd));
        let few = Crowd::default();
        (0..500).chain((0..500).rev()).for_each(|size| few.is(size));
        assert!(!leaves(&few));
    }
}
