//! The driver: sockets, TLS and timers around [`crate::core`].
