//! The URLs of the server: by its loopback port and by its socket.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Server;

/// The characters that a part of a URL cannot have.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

impl Server {
    /// Returns the URL of a database for the superuser `postgres`.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{}@127.0.0.1:{}/{}", self.account_in_url(), self.port, percent_encode(database))
    }

    /// Returns the URL by the socket, which only the server's account and root can reach.
    pub fn socket_url(&self, database: &str) -> String {
        let folder = percent_encode(&self.folder().display().to_string());
        format!("postgres://{}@{folder}:{}/{}", self.account_in_url(), self.port, percent_encode(database))
    }

    fn account_in_url(&self) -> String {
        match &self.password {
            None => "postgres".to_owned(),
            Some(password) => format!("postgres:{password}"),
        }
    }
}

fn percent_encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}
