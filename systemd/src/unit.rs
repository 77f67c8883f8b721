//! The text of a service unit, from a typed description.
//!
//! Everything here is a function of its arguments: a unit can be shown without being written. What is right depends on
//! the release of systemd, so [`ServiceUnit::text`] takes it; without it the text is right for all since 239, and newer
//! ones are told in it what older ones skip with a warning.

mod fault;
mod name;
mod quote;
mod sandbox;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use fault::UnitFault;
pub use name::UnitName;
pub use quote::{quoted, quoted_path};
pub use sandbox::Sandbox;

/// Where the machine's administrator keeps system units.
pub const SYSTEM_UNIT_DIRECTORY: &str = "/etc/systemd/system";

/// What systemd grants a stopping service beyond the drain before it kills it.
const STOP_MARGIN: Duration = Duration::from_secs(5);

/// Where a user keeps units: `systemd/user` in the configuration directory (`$XDG_CONFIG_HOME`, else `~/.config`).
pub fn user_unit_directory(config_home: &Path) -> PathBuf {
    config_home.join("systemd/user")
}

/// Where a system service of an [`Account::Dynamic`] opens its sockets: a directory that comes and goes with the service.
pub fn runtime_directory(name: &UnitName) -> PathBuf {
    Path::new("/run").join(runtime(name))
}

/// Where a system service finds its [`Credential`]s: `$CREDENTIALS_DIRECTORY`, for those who cannot ask the environment.
pub fn credentials_directory(name: &UnitName) -> PathBuf {
    Path::new("/run/credentials").join(name.as_ref())
}

fn runtime(name: &UnitName) -> String {
    format!("moorline-{}", name.stem())
}

/// A service unit that runs a router.
///
/// The service is started again whenever it ends, for ever, with growing pauses where systemd can (254 and later), and
/// is given the time to drain when it stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceUnit {
    /// What made the text, with its version; named in the first line.
    pub generator: String,
    /// One line for people.
    pub description: String,
    /// What runs.
    pub program: Program,
    /// When the service counts as started.
    pub readiness: Readiness,
    /// Whose service it is; decides between a user unit and a system unit.
    pub account: Account,
    /// The environment beside systemd's own. Never a secret: everybody on the host may read it.
    pub environment: Vec<(String, String)>,
    /// How long the program may take to end its connections in order.
    pub drain: Duration,
    /// Exit statuses that no restart can cure: after one of them the service stays failed.
    pub give_up_on: Vec<u8>,
    /// Files that systemd reads and hands over in `$CREDENTIALS_DIRECTORY` (247 and later), readable by nobody else.
    pub credentials: Vec<Credential>,
    /// Directories (or files) that the program reads, wherever the sandbox hides what is around them: under `/home`,
    /// `/root` and `/run/user`. A file that is replaced by rename stays the old one until the service starts again;
    /// name its directory instead. The program itself need not be named.
    pub readable: Vec<PathBuf>,
    /// Directories that the program writes. All others are read-only in [`Sandbox::Full`].
    pub writable: Vec<PathBuf>,
    /// What the program is kept from.
    pub sandbox: Sandbox,
}

/// A program with its arguments, each taken literally: `%`, `$`, blanks, quotes and line breaks mean themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The executable, absolute.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// When a service counts as started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// When it says so, see [`crate::notify`]. With a watchdog it must go on to say that it lives, or is ended (SIGABRT)
    /// and started anew.
    Notify {
        /// The longest silence.
        watchdog: Option<Duration>,
    },
    /// When its executable was started (240 and later; before, when its process exists). For programs that do not know
    /// systemd, such as skrouterd.
    Started,
}

/// Whose service it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Account {
    /// A user unit. It is not ordered after the network, since a user manager knows no such target; a router that
    /// finds no network yet keeps trying.
    Session,
    /// A system unit under an account that exists while the service runs, with a [`runtime_directory`] that nobody else
    /// may enter but root. Its keys come as [`ServiceUnit::credentials`]: root's files are not its own.
    Dynamic {
        /// Whether it may listen on ports below 1024.
        low_ports: bool,
    },
    /// A system unit under an account of the host, with a state directory `/var/lib/moorline/<name>`.
    Named {
        /// The user's name or number.
        user: String,
        /// The group's; else the user's own.
        group: Option<String>,
        /// Whether it may listen on ports below 1024.
        low_ports: bool,
    },
}

impl Account {
    fn low_ports(&self) -> bool {
        match self {
            Account::Session => false,
            Account::Dynamic { low_ports } | Account::Named { low_ports, .. } => *low_ports,
        }
    }
}

/// A file that systemd hands to the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Its name in `$CREDENTIALS_DIRECTORY`: letters, digits, `_`, `-`, `.`.
    pub name: String,
    /// The file, absolute, read by systemd when the service starts.
    pub path: PathBuf,
}

impl ServiceUnit {
    /// The text of the unit called `name`.
    ///
    /// `release` is systemd's on the host that the unit is for ([`crate::Version::release`]), `None` if that is not
    /// known. Fails on what systemd cannot be told: a relative path, one that is not UTF-8 or has control characters,
    /// and credentials where systemd knows none.
    pub fn text(&self, name: &UnitName, release: Option<u32>) -> Result<String, UnitFault> {
        let mut text = String::new();
        let generator = quote::line("generator", &self.generator)?;
        let _ = writeln!(
            text,
            "# {name}: generated by {generator}, which replaces this file; changes belong in a drop-in."
        );
        self.unit_section(&mut text)?;
        self.service_section(&mut text, name, release)?;
        let target = if self.account == Account::Session { "default.target" } else { "multi-user.target" };
        let _ = writeln!(text, "\n[Install]\nWantedBy={target}");
        Ok(text)
    }

    fn unit_section(&self, text: &mut String) -> Result<(), UnitFault> {
        let description = quote::line("description", &self.description)?.replace('%', "%%");
        let _ = writeln!(text, "\n[Unit]\nDescription={description}");
        if self.account != Account::Session {
            text.push_str("Wants=network-online.target\nAfter=network-online.target nss-lookup.target\n");
        }
        // A router is to come back however often it fell; systemd's own limit would leave it down for good.
        text.push_str("StartLimitIntervalSec=0\n");
        Ok(())
    }

    fn service_section(&self, text: &mut String, name: &UnitName, release: Option<u32>) -> Result<(), UnitFault> {
        text.push_str("\n[Service]\n");
        match self.readiness {
            Readiness::Notify { watchdog } => {
                text.push_str("Type=notify\nNotifyAccess=main\n");
                if let Some(limit) = watchdog {
                    let _ = writeln!(text, "WatchdogSec={}", span(limit));
                }
            }
            // Where exec is not known (before 240) systemd would fall back to simple, with an error in the journal.
            Readiness::Started if release.is_some_and(|release| release >= 240) => text.push_str("Type=exec\n"),
            Readiness::Started => text.push_str("Type=simple\n"),
        }
        let _ = writeln!(text, "ExecStart={}", quote::command(&self.program)?);
        for (variable, value) in &self.environment {
            let _ = writeln!(text, "Environment={}", quote::assignment(variable, value)?);
        }
        self.restarts(text, release);
        let _ = writeln!(text, "TimeoutStopSec={}", span(self.drain + STOP_MARGIN));
        // Every connection is a descriptor; systemd takes as much as the host allows.
        text.push_str("LimitNOFILE=524288\nUMask=0077\n");
        self.handed_over(text, release)?;
        self.runs_as(text, name)?;
        sandbox::write(self, text)
    }

    fn restarts(&self, text: &mut String, release: Option<u32>) {
        text.push_str("Restart=always\n");
        match release {
            // systemd counts restarts until somebody starts the service by hand, so the last pause is also that of a
            // service which falls once a month: it stays short.
            Some(254..) => text.push_str("RestartSec=250ms\nRestartSteps=5\nRestartMaxDelaySec=5s\n"),
            _ => text.push_str("RestartSec=1s\n"),
        }
        if !self.give_up_on.is_empty() {
            let statuses: Vec<String> = self.give_up_on.iter().map(u8::to_string).collect();
            let _ = writeln!(text, "RestartPreventExitStatus={}", statuses.join(" "));
        }
    }

    fn handed_over(&self, text: &mut String, release: Option<u32>) -> Result<(), UnitFault> {
        if let (Some(release @ ..247), false) = (release, self.credentials.is_empty()) {
            return Err(UnitFault::TooOld { setting: "LoadCredential", least: 247, release });
        }
        for Credential { name, path } in &self.credentials {
            let _ = writeln!(text, "LoadCredential={}", quote::credential(name, path)?);
        }
        Ok(())
    }

    fn runs_as(&self, text: &mut String, name: &UnitName) -> Result<(), UnitFault> {
        match &self.account {
            Account::Session => return Ok(()),
            Account::Dynamic { .. } => {
                let directory = runtime(name);
                let _ = writeln!(text, "DynamicUser=yes\nRuntimeDirectory={directory}\nRuntimeDirectoryMode=0700");
                return Ok(());
            }
            Account::Named { user, group, .. } => {
                let _ = writeln!(text, "User={}", quote::account(user)?);
                if let Some(group) = group {
                    let _ = writeln!(text, "Group={}", quote::account(group)?);
                }
            }
        }
        let _ = writeln!(text, "StateDirectory=moorline/{}\nStateDirectoryMode=0700", name.stem());
        Ok(())
    }
}

/// A time span in systemd's words.
fn span(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{}s", duration.as_secs())
    } else {
        format!("{}ms", duration.as_millis())
    }
}
