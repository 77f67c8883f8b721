//! Whether this host's clock is set from outside.

use std::time::Duration;

use tokio::time::timeout;
use zbus::Connection;

const LIMIT: Duration = Duration::from_secs(5);

#[zbus::proxy(
    interface = "org.freedesktop.timedate1",
    default_service = "org.freedesktop.timedate1",
    default_path = "/org/freedesktop/timedate1",
    gen_blocking = false
)]
trait TimeDate {
    #[zbus(property(emits_changed_signal = "false"), name = "NTPSynchronized")]
    fn ntp_synchronized(&self) -> zbus::Result<bool>;
}

/// Whether the kernel says that something keeps its clock right, whatever that is; none where nobody can be asked.
pub async fn is_synchronized() -> Option<bool> {
    let ask = async {
        let bus = Connection::system().await.ok()?;
        TimeDateProxy::new(&bus).await.ok()?.ntp_synchronized().await.ok()
    };
    timeout(LIMIT, ask).await.ok().flatten()
}
