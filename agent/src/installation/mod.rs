//! A gateway that stays on this host: what its definition wants there, what is there, and the steps between the two.
//!
//! [`wanted`] reads, [`found`] observes, [`plan`] compares (pure), [`act`] carries out and undoes, [`live`] asks the
//! router. There is no other way to change an installed gateway.

pub(crate) mod act;
pub(crate) mod found;
pub(crate) mod home;
pub(crate) mod live;
pub(crate) mod plan;
pub(crate) mod record;
pub(crate) mod step;
pub(crate) mod wanted;
