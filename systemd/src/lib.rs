//! The host's service manager: unit text, systemd and logind over D-Bus, and readiness.
//!
//! * [`mod@unit`] is pure: the text of a service unit from a typed description.
//! * [`Manager`] is a systemd, the user's or the machine's, asked over D-Bus: nothing here reads what `systemctl` prints.
//! * [`logind`] knows whether a user's services run without a login (linger), and turns that on.
//! * [`notify`] is the other side: a service tells the systemd that started it that it serves, stops, or lives.
//!
//! The crate depends on none of ours and holds no secret: credentials are named by path, and systemd reads them.

pub mod clock;
pub mod logind;
pub mod manager;
pub mod notify;
pub mod unit;

pub use manager::{Active, JobResult, LinkChange, Load, Manager, ManagerFault, Operation, UnitState, Version};
pub use unit::{ServiceUnit, UnitFault, UnitName};

/// Which systemd: the calling user's own, or the machine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// `systemd --user` of the calling user. It runs while that user is logged in, or always if the user lingers.
    User,
    /// The machine's systemd, process 1.
    System,
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Scope::User => "user",
            Scope::System => "system",
        })
    }
}
