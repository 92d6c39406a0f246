//! HTTP serving with TLS, passwords and limits on clients, without knowledge of the scheduler.
//!
//! [`server`] accepts connections and serves the routes of its caller. [`web_config`] reads the file of
//! `--web.config.file`, and [`reload`] reads it again when it changes. [`tls`] and [`auth`] apply it.

pub mod auth;
pub mod client;
pub mod listen_address;
pub mod reload;
pub mod server;
pub mod text_file;
pub mod tls;
pub mod web_config;
