//! Bundles through the crate's public face: written, read, unpacked by real tools, damaged and hostile.

// The functions that the tests share are not tests themselves to the lint.
#![allow(clippy::unwrap_used)]

mod damage;
mod hostile;
mod read;
mod sample;
mod scripts;
mod skupper;
mod written;
