use std::collections::HashMap;
use std::path::PathBuf;

use zbus::zvariant::OwnedValue;

use super::fault::said;
use super::proxy::ManagerProxy;
use crate::UnitName;

/// What systemd knows of a service unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitState {
    /// Whether its file was read.
    pub load: Load,
    /// What was wrong with the file.
    pub load_error: Option<String>,
    /// What it is at.
    pub active: Active,
    /// The same in finer words of systemd's: `running`, `auto-restart`, `dead`, `failed`.
    pub sub: String,
    /// systemd's word for how it is started: `enabled`, `disabled`, `static`, `masked`; empty without a file.
    pub enabled: String,
    /// The file.
    pub fragment: Option<PathBuf>,
    /// Whether the file, or a drop-in, changed since systemd read it.
    pub needs_reload: bool,
    /// The service's process.
    pub main_pid: Option<u32>,
    /// How often systemd started it anew since somebody last started it.
    pub restarts: u32,
    /// How it last went: `success`, or why it failed, such as `exit-code`, `signal`, `watchdog`, `timeout`.
    pub result: String,
    /// The exit status of its last main process, or the signal that ended it.
    pub exit_status: i32,
    /// What the service last said of itself.
    pub status_text: Option<String>,
    /// When it became active, in microseconds since 1970; zero if it never did.
    pub since_unix_usec: u64,
}

/// Whether a unit's file was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Load {
    /// It was.
    Loaded,
    /// There is none.
    NotFound,
    /// It has a setting that makes it unusable.
    BadSetting,
    /// It could not be read.
    Error,
    /// Somebody took care that it cannot be started.
    Masked,
    /// Any other, in systemd's word.
    Other(String),
}

/// What a unit is at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Active {
    Active,
    Reloading,
    Inactive,
    Failed,
    Activating,
    Deactivating,
    /// Any other, in systemd's word.
    Other(String),
}

impl UnitState {
    /// Whether the service is started and has not ended.
    pub fn is_running(&self) -> bool {
        matches!(self.active, Active::Active | Active::Reloading)
    }

    /// Whether the service is started with its manager.
    pub fn is_enabled(&self) -> bool {
        self.enabled == "enabled"
    }
}

/// Reads the state of the unit `name`.
pub(super) async fn read(proxy: &ManagerProxy<'static>, name: &UnitName) -> zbus::Result<UnitState> {
    let path = proxy.load_unit(name.as_ref()).await?;
    // No interface means all of them (sd-bus): two answers could be of two moments, a service that runs and no process.
    let answer = proxy
        .inner()
        .connection()
        .call_method(Some("org.freedesktop.systemd1"), &path, Some("org.freedesktop.DBus.Properties"), "GetAll", &"")
        .await?;
    let properties = Properties(answer.body().deserialize()?);
    Ok(UnitState {
        load: load(properties.text("LoadState")),
        load_error: properties.load_error(),
        active: active(properties.text("ActiveState")),
        sub: properties.text("SubState"),
        enabled: enabled(proxy, name).await?,
        fragment: Some(properties.text("FragmentPath")).filter(|path| !path.is_empty()).map(PathBuf::from),
        needs_reload: properties.number("NeedDaemonReload").unwrap_or(false),
        main_pid: properties.number("MainPID").filter(|pid| *pid != 0),
        restarts: properties.number("NRestarts").unwrap_or(0),
        result: properties.text("Result"),
        exit_status: properties.number("ExecMainStatus").unwrap_or(0),
        status_text: Some(properties.text("StatusText")).filter(|text| !text.is_empty()),
        since_unix_usec: properties.number("ActiveEnterTimestamp").unwrap_or(0),
    })
}

/// Asked of the disk: the property of the unit is as old as its last reading.
async fn enabled(proxy: &ManagerProxy<'static>, name: &UnitName) -> zbus::Result<String> {
    match proxy.get_unit_file_state(name.as_ref()).await {
        Err(cause) if said(&cause).is_some() => Ok(String::new()),
        answer => answer,
    }
}

struct Properties(HashMap<String, OwnedValue>);

impl Properties {
    fn text(&self, name: &str) -> String {
        self.0.get(name).and_then(|value| <&str>::try_from(value).ok()).unwrap_or_default().to_owned()
    }

    fn number<'a, T: TryFrom<&'a OwnedValue>>(&'a self, name: &str) -> Option<T> {
        self.0.get(name).and_then(|value| T::try_from(value).ok())
    }

    /// A pair of a D-Bus error's name and its message, both empty if there is none.
    fn load_error(&self) -> Option<String> {
        let (_, message) = <(String, String)>::try_from(self.0.get("LoadError")?.try_clone().ok()?).ok()?;
        Some(message).filter(|message| !message.is_empty())
    }
}

fn load(word: String) -> Load {
    match word.as_str() {
        "loaded" => Load::Loaded,
        "not-found" => Load::NotFound,
        "bad-setting" => Load::BadSetting,
        "error" => Load::Error,
        "masked" => Load::Masked,
        _ => Load::Other(word),
    }
}

fn active(word: String) -> Active {
    match word.as_str() {
        "active" => Active::Active,
        "reloading" => Active::Reloading,
        "inactive" => Active::Inactive,
        "failed" => Active::Failed,
        "activating" => Active::Activating,
        "deactivating" => Active::Deactivating,
        _ => Active::Other(word),
    }
}
