//! Descriptors of the types that the engine knows: numbers, and the symbols that mean the same.

pub(crate) const OPEN: u64 = 0x10;
pub(crate) const BEGIN: u64 = 0x11;
pub(crate) const ATTACH: u64 = 0x12;
pub(crate) const FLOW: u64 = 0x13;
pub(crate) const TRANSFER: u64 = 0x14;
pub(crate) const DISPOSITION: u64 = 0x15;
pub(crate) const DETACH: u64 = 0x16;
pub(crate) const END: u64 = 0x17;
pub(crate) const CLOSE: u64 = 0x18;
pub(crate) const ERROR: u64 = 0x1d;
pub(crate) const RECEIVED: u64 = 0x23;
pub(crate) const ACCEPTED: u64 = 0x24;
pub(crate) const REJECTED: u64 = 0x25;
pub(crate) const RELEASED: u64 = 0x26;
pub(crate) const MODIFIED: u64 = 0x27;
pub(crate) const SOURCE: u64 = 0x28;
pub(crate) const TARGET: u64 = 0x29;
pub(crate) const COORDINATOR: u64 = 0x30;
pub(crate) const SASL_MECHANISMS: u64 = 0x40;
pub(crate) const SASL_INIT: u64 = 0x41;
pub(crate) const SASL_CHALLENGE: u64 = 0x42;
pub(crate) const SASL_OUTCOME: u64 = 0x44;

/// Symbolic descriptors, which a peer may use instead of the numbers (1.3).
const NAMES: [(&str, u64); 33] = [
    ("amqp:open:list", OPEN),
    ("amqp:begin:list", BEGIN),
    ("amqp:attach:list", ATTACH),
    ("amqp:flow:list", FLOW),
    ("amqp:transfer:list", TRANSFER),
    ("amqp:disposition:list", DISPOSITION),
    ("amqp:detach:list", DETACH),
    ("amqp:end:list", END),
    ("amqp:close:list", CLOSE),
    ("amqp:error:list", ERROR),
    ("amqp:received:list", RECEIVED),
    ("amqp:accepted:list", ACCEPTED),
    ("amqp:rejected:list", REJECTED),
    ("amqp:released:list", RELEASED),
    ("amqp:modified:list", MODIFIED),
    ("amqp:source:list", SOURCE),
    ("amqp:target:list", TARGET),
    ("amqp:coordinator:list", COORDINATOR),
    ("amqp:transactional-state:list", 0x34),
    ("amqp:sasl-mechanisms:list", SASL_MECHANISMS),
    ("amqp:sasl-init:list", SASL_INIT),
    ("amqp:sasl-challenge:list", SASL_CHALLENGE),
    ("amqp:sasl-response:list", 0x43),
    ("amqp:sasl-outcome:list", SASL_OUTCOME),
    ("amqp:header:list", 0x70),
    ("amqp:delivery-annotations:map", 0x71),
    ("amqp:message-annotations:map", 0x72),
    ("amqp:properties:list", 0x73),
    ("amqp:application-properties:map", 0x74),
    ("amqp:data:binary", 0x75),
    ("amqp:amqp-sequence:list", 0x76),
    ("amqp:amqp-value:*", 0x77),
    ("amqp:footer:map", 0x78),
];

/// The number of a symbolic descriptor.
pub(crate) fn named(symbol: &[u8]) -> Option<u64> {
    NAMES.iter().find(|(name, _)| name.as_bytes() == symbol).map(|&(_, number)| number)
}
