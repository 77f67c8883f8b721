//! Routers on real sockets, among themselves and beside the network's own (`real_*`, where `SKROUTERD` names one).

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

mod amqp;
mod collector;
mod grpc;
mod http1;
mod http2;
mod http2_sockets;
mod http_sockets;
mod idle;
mod joined;
mod links;
mod management;
mod network;
mod pki;
#[path = "../../../tests/src/ports.rs"]
mod ports;
mod real_http;
mod real_links;
mod real_requests;
mod real_router;
mod real_service_tls;
mod router;
mod service_sync;
mod service_tls;
mod silence;
mod tls;
mod tls_peers;
mod uplinks;
mod vanflow;
mod web;
