//! Watching certificate files: renewed ones are taken into use, and ends are told in good time.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::driver::Driver;
use super::tls::{Profile, Renewal};
use super::{Event, Timestamp};

const DAY: i64 = 86_400;
/// Before its end a certificate is warned of when so many seconds are left, each once.
const WARNINGS: [i64; 3] = [30 * DAY, 7 * DAY, DAY];

/// Reads the files of all profiles each `interval`, and when asked to. Contents are compared, so that it does not
/// matter how a file was replaced. New connections use what is new; nothing that is open is touched.
pub(super) async fn run(driver: Rc<Driver>, interval: Duration) {
    let mut told: HashMap<String, (Timestamp, usize)> = HashMap::new();
    loop {
        for profile in driver.profiles.in_use() {
            let status = profile.status();
            let Some(not_after) = status.not_after.into_iter().chain(status.ca_not_after).min() else { continue };
            let stage = stage(not_after.unix() - Timestamp::now().unix());
            if stage > 0 && told.insert(status.profile.clone(), (not_after, stage)) != Some((not_after, stage)) {
                tell_end(&driver, &status.profile, not_after, stage, status.not_after == Some(not_after));
            }
        }
        tokio::select! {
            () = sleep(interval) => {}
            () = driver.renew.wait() => {}
        }
        for profile in driver.profiles.in_use() {
            // Off this thread: a disk may be slow.
            let looked = spawn_blocking({
                let profile = std::sync::Arc::clone(&profile);
                move || profile.renew()
            });
            if let Ok(renewal) = looked.await {
                tell(&driver, &profile, renewal);
            }
        }
    }
}

fn tell(driver: &Driver, profile: &Profile, renewal: Renewal) {
    let name = profile.name();
    match renewal {
        Renewal::Same => {}
        Renewal::Renewed => {
            let not_after = profile.identity().not_after().map(|end| end.to_string()).unwrap_or_default();
            tracing::info!(profile = %name, %not_after, "renewed certificates are in use");
        }
        Renewal::Unusable(problem) => {
            tracing::warn!(profile = %name, %problem, "certificate files cannot be used, the old ones stay in use");
            driver.tell(Event::Warning { text: format!("sslProfile {name}: {problem}; the old files stay in use") });
        }
    }
}

/// 0: there is time; 1 to 3: warned of; 4: over.
fn stage(left: i64) -> usize {
    if left <= 0 { WARNINGS.len() + 1 } else { WARNINGS.iter().filter(|limit| left <= **limit).count() }
}

fn tell_end(driver: &Driver, profile: &str, not_after: Timestamp, stage: usize, own: bool) {
    let what = if own { "the certificate" } else { "a CA certificate" };
    let text = if stage > WARNINGS.len() {
        let text = format!("{what} of sslProfile {profile} has expired since {not_after}");
        tracing::error!("{text}");
        text
    } else {
        let text = format!("{what} of sslProfile {profile} expires at {not_after}");
        tracing::warn!("{text}");
        text
    };
    driver.tell(Event::Warning { text });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_at_thirty_seven_and_one_days_and_when_it_has_come() {
        let stages = [31 * DAY, 30 * DAY, 8 * DAY, 7 * DAY, 2 * DAY, DAY, 1, 0, -DAY].map(stage);
        assert_eq!(stages, [0, 1, 1, 2, 2, 3, 3, 4, 4]);
    }
}
