//! TLS, passwords and their file: the binary over real sockets, and scraped by a real Prometheus. Without a
//! database, for none of this asks one.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[allow(dead_code, reason = "shared with tests that need more of it")]
#[path = "../support/process.rs"]
mod process;
#[allow(dead_code, reason = "shared with tests that need more of it")]
#[path = "../support/prometheus.rs"]
mod prometheus;

#[path = "../support/memory.rs"]
mod memory;

mod certificates;
mod client;
mod exporter;

mod flood;
mod handshakes;
mod health;
mod passwords;
mod refused;
mod reload;
mod scraped;
mod silent;
mod sockets;
