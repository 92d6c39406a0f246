//! TLS, passwords and their file: the binary over real sockets, and scraped by a real Prometheus. The tests need no
//! database, because serving needs none.

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
