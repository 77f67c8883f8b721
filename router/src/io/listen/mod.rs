//! Listening sockets: of services (`tcpListener`) and of AMQP (`listener`).

mod accept;
mod amqp;
mod bind;
mod owner;
mod secure;
mod tcp;

pub(super) use accept::Sockets;
pub(super) use amqp::{AmqpListenPlan, serve as serve_amqp, serve_local as serve_local_amqp};
pub use bind::BindError;
pub(super) use bind::{BindTarget, open, probe};
pub use owner::PortOwner;
pub(super) use secure::{SETUP_LIMIT, secure};
pub(super) use tcp::{TcpListening, listen as listen_tcp, serve as serve_tcp};
