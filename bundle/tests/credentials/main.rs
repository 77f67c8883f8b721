//! The crate through its public face: tokens, authorities, credentials and their files.

// The functions that the tests share are not tests themselves to the lint.
#![allow(clippy::unwrap_used)]

mod authority;
mod claim;
mod credentials;
mod expiry;
mod files;
mod handshake;
mod site;
mod token;
mod token_damage;
mod token_faults;
