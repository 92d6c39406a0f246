//! Settings of the HTTP server.

#![allow(clippy::doc_markdown, reason = "clap prints these comments as help, without markdown")]

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use clap::builder::{PathBufValueParser, TypedValueParser};

use super::values;

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

/// Longest path of a Unix socket that the system supports, in bytes.
const LONGEST_SOCKET: usize = 107;

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    Tcp(SocketAddr),
    /// The file of a Unix socket.
    Unix(PathBuf),
}

impl FromStr for ListenAddress {
    type Err = String;

    /// Parses `HOST:PORT`, `:PORT` for all interfaces as in other exporters, or `unix:PATH`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("unix:") {
            // As in unix:///run/marie.sock.
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path.len() {
                _ if !path.starts_with('/') => {
                    Err("write an absolute path, as in unix:/run/marie.sock".to_owned())
                }
                length if length > LONGEST_SOCKET => {
                    Err(format!("the path of a socket has at most {LONGEST_SOCKET} bytes"))
                }
                _ => Ok(Self::Unix(path.into())),
            };
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::Tcp(address));
        }
        let hint = "write an IP address and a port, as in 127.0.0.1:10187, [::1]:10187 or :10187, or unix:/run/marie.sock";
        let (host, port) = text.rsplit_once(':').ok_or(hint)?;
        let port: u16 = port.parse().map_err(|_| hint)?;
        match host {
            // `[::]` accepts IPv4 as well, unless the system's default was changed.
            "" => Ok(Self::Tcp((Ipv6Addr::UNSPECIFIED, port).into())),
            // No other name is accepted, because it would have to be resolved at start.
            "localhost" => Ok(Self::Tcp((Ipv4Addr::LOCALHOST, port).into())),
            _ => Err(hint.to_owned()),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(formatter),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_address_is_ip_localhost_port_or_socket() {
        for (text, address) in [
            ("127.0.0.1:10187", "127.0.0.1:10187"),
            ("[::1]:10187", "[::1]:10187"),
            (":10187", "[::]:10187"),
            ("localhost:0", "127.0.0.1:0"),
            ("unix:/run/marie.sock", "unix:/run/marie.sock"),
            ("unix:///run/marie.sock", "unix:/run/marie.sock"),
        ] {
            let parsed = text.parse::<ListenAddress>();
            assert_eq!(parsed.map(|address| address.to_string()), Ok(address.to_owned()));
        }
        let long = format!("unix:/{}", "x".repeat(107));
        for text in [
            "10187",
            "0.0.0.0",
            "::1:10187",
            "host:10187",
            ":70000",
            "",
            "unix:",
            "unix:marie.sock",
            "unix://marie",
            &long,
        ] {
            assert!(text.parse::<ListenAddress>().is_err(), "{text}");
        }
    }
}
