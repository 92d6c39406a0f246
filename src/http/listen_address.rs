//! Address of a listener, as in `--web.listen-address`.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

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
