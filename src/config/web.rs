//! Settings of the HTTP server.

#![allow(clippy::doc_markdown, reason = "clap prints these comments as help, without markdown")]

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PathBufValueParser, TypedValueParser};

use super::values;
use crate::http::listen_address::ListenAddress;

/// Settings of the HTTP server.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Web")]
pub struct WebConfig {
    /// Address to serve on, also :10187 for all interfaces or unix:/run/marie.sock; repeat the flag or separate several
    /// addresses by commas
    #[arg(
        long = "web.listen-address",
        value_name = "ADDRESS",
        value_delimiter = ',',
        default_value = "127.0.0.1:10187"
    )]
    pub listen_addresses: Vec<ListenAddress>,

    /// Serve on the sockets that systemd passes, instead of the addresses
    #[arg(long = "web.systemd-socket", num_args = 0..=1, require_equals = true, value_name = "BOOL",
          default_value = "false", default_missing_value = "true", action = clap::ArgAction::Set,
          value_parser = values::switch)]
    pub systemd_socket: bool,

    /// Serve /-/healthy and /-/ready on this address too, without TLS, for probes without a client certificate
    #[arg(long = "web.health-address", value_name = "ADDRESS")]
    pub health_address: Option<ListenAddress>,

    /// Path of the metrics
    #[arg(long = "web.telemetry-path", value_name = "PATH", default_value = "/metrics",
          value_parser = values::telemetry_path)]
    pub telemetry_path: String,

    /// YAML file of TLS, passwords and headers, in the format of Prometheus's exporters; reloaded when it
    /// changes and on SIGHUP
    #[arg(long = "web.config.file", id = "web.config.file", value_name = "FILE",
          value_parser = PathBufValueParser::new().try_map(values::file))]
    pub config_file: Option<PathBuf>,
}
