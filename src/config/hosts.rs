//! The hosts of a connection, from libpq's keywords `host`, `hostaddr` and `port`.

use std::net::IpAddr;
use std::path::Path;

use sqlx::postgres::PgSslMode;

use super::keywords::Keywords;
use super::password_file::SOCKET_FOLDERS;

/// Most hosts. Trying more would take too long.
const MOST_HOSTS: usize = 8;

const DEFAULT_PORT: u16 = 5432;

/// One server to try.
#[derive(Debug, Clone)]
pub(super) struct Host {
    /// Name or address as given, or the folder of a socket.
    pub(super) name: String,
    /// Address to connect to, instead of resolving the name.
    address: Option<String>,
    pub(super) port: u16,
}

/// Returns the hosts. The error is a reason that follows "the database URL".
pub(super) fn hosts(keywords: &Keywords) -> Result<Vec<Host>, String> {
    let list = |name| keywords.get(name).map(|value| value.split(',').map(str::to_owned).collect::<Vec<_>>());
    let (names, addresses, ports) = (list("host"), list("hostaddr"), list("port"));
    let count = names.as_ref().or(addresses.as_ref()).map_or(1, Vec::len);
    if count > MOST_HOSTS {
        return Err(format!("names more than {MOST_HOSTS} hosts"));
    }
    if addresses.as_ref().is_some_and(|addresses| addresses.len() != count) {
        return Err("has another number of hosts in hostaddr than in host".to_owned());
    }
    // A single port is that of all hosts.
    let ports = ports.unwrap_or_else(|| vec![String::new()]);
    if ports.len() != 1 && ports.len() != count {
        return Err("has another number of ports than of hosts".to_owned());
    }
    let nth = |list: &Option<Vec<String>>, place: usize| {
        list.as_ref().and_then(|list| list.get(place)).filter(|text| !text.is_empty()).cloned()
    };
    (0..count)
        .map(|place| {
            let text = ports.get(place).or(ports.first()).map(|text| text.trim()).unwrap_or_default();
            let port = if text.is_empty() { DEFAULT_PORT } else { port(text)? };
            let address = nth(&addresses, place);
            if let Some(address) = &address {
                let without_zone = address.split('%').next().unwrap_or_default();
                without_zone.parse::<IpAddr>().map_err(|error| format!("is not valid: {error}"))?;
            }
            let name = nth(&names, place).or_else(|| address.clone()).unwrap_or_else(|| default_host(port));
            Ok(Host { name: without_brackets(&name).to_owned(), address, port })
        })
        .collect()
}

/// Parses a port. The error is a reason that follows "the database URL".
fn port(text: &str) -> Result<u16, String> {
    let port = text.parse::<u16>().ok().filter(|port| *port > 0);
    port.ok_or_else(|| "is not valid: invalid port number".to_owned())
}

/// Removes the brackets of an IPv6 address. They belong into URLs only, but users write them elsewhere too.
fn without_brackets(name: &str) -> &str {
    name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name)
}

/// Returns the folder of the local server's socket, or `localhost` if there is no socket.
fn default_host(port: u16) -> String {
    let socket = format!(".s.PGSQL.{port}");
    let folder = SOCKET_FOLDERS.into_iter().find(|folder| Path::new(folder).join(&socket).exists());
    folder.unwrap_or("localhost").to_owned()
}

impl Host {
    /// Returns the address or name to connect to.
    pub(super) fn target(&self) -> &str {
        self.address.as_deref().unwrap_or(&self.name)
    }

    pub(super) fn is_socket(&self) -> bool {
        self.target().starts_with('/')
    }

    /// Returns the TLS mode for this host, or the reason why the driver cannot provide the wanted one.
    pub(super) fn ssl_mode(&self, wanted: PgSslMode) -> Result<PgSslMode, String> {
        // As in libpq, a local socket needs no TLS.
        if self.is_socket() {
            return Ok(PgSslMode::Disable);
        }
        if matches!(wanted, PgSslMode::VerifyFull) && self.address.is_some() {
            return Err("has hostaddr and sslmode=verify-full: the certificate has to be valid for host, and the driver \
                        would compare it with hostaddr; leave hostaddr out"
                .to_owned());
        }
        if !self.target().contains('%') {
            return Ok(wanted);
        }
        match wanted {
            PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer => Ok(PgSslMode::Disable),
            PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull => {
                Err("has an IPv6 address with a zone, for which the driver has no TLS: give the server a name, in \
                     /etc/hosts for example, or use sslmode=disable"
                    .to_owned())
            }
        }
    }
}
