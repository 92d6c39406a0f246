//! Reads libpq's password file, with `host:port:database:user:password` in each line.
//!
//! Input: the path of the file and the connection. Output: the password, or why the file was not used. The driver and libpq
//! would report the reason only in the log.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Most bytes that are read of the file.
const LIMIT: u64 = 1 << 20;

/// Default folders of sockets. A password file names them `localhost`.
pub(super) const SOCKET_FOLDERS: [&str; 3] = ["/var/run/postgresql", "/private/tmp", "/tmp"];

/// The connection that a line has to match.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) database: &'a str,
    pub(super) user: &'a str,
}

/// Returns the password of the first line that matches, or why the file was not used.
pub(super) fn password(path: &Path, wanted: &Wanted<'_>) -> Result<String, String> {
    let unusable = |why: String| format!("the password file {} was not used: {why}", path.display());
    let metadata = fs::metadata(path).map_err(|error| unusable(error.to_string()))?;
    if !metadata.is_file() {
        return Err(unusable("it is not a plain file".to_owned()));
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let why = format!("other users may read or write it (mode {mode:04o}); chmod 0600 it");
        return Err(unusable(why));
    }
    let mut content = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(LIMIT).read_to_end(&mut content))
        .map_err(|error| unusable(error.to_string()))?;
    let content = String::from_utf8_lossy(&content);
    content.lines().find_map(|line| wanted.password_in(line)).ok_or_else(|| {
        let Wanted { host, port, database, user } = wanted;
        unusable(format!("no line matches {host}:{port}:{database}:{user}"))
    })
}

impl Wanted<'_> {
    /// Returns the password of a line that matches.
    fn password_in(&self, line: &str) -> Option<String> {
        if line.starts_with('#') {
            return None;
        }
        let [host, port, database, user, password] = fields(line)?;
        let fits = |field: &Option<String>, value: &str| field.as_deref().is_none_or(|text| text == value);
        let is_default_socket = SOCKET_FOLDERS.contains(&self.host) && host.as_deref() == Some("localhost");
        (fits(&port, &self.port.to_string())
            && fits(&database, self.database)
            && fits(&user, self.user)
            && (fits(&host, self.host) || is_default_socket))
            .then(|| password.unwrap_or_else(|| "*".to_owned()))
    }
}

/// Returns the five fields of a line without escapes. A field is `None` for `*`, which matches everything.
fn fields(line: &str) -> Option<[Option<String>; 5]> {
    let mut fields = vec![String::new()];
    let mut characters = line.trim_end_matches('\r').chars();
    let mut is_star = vec![false];
    while let Some(c) = characters.next() {
        let last = fields.len() - 1;
        match c {
            // The password may hold colons.
            ':' if fields.len() < 5 => {
                fields.push(String::new());
                is_star.push(false);
            }
            '\\' => fields[last].extend(characters.next()),
            _ => {
                is_star[last] = c == '*' && fields[last].is_empty();
                fields[last].push(c);
            }
        }
    }
    let all = fields.into_iter().zip(is_star).map(|(field, is_star)| (!is_star).then_some(field));
    all.collect::<Vec<_>>().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str, host: &str) -> Option<String> {
        Wanted { host, port: 5432, database: "d", user: "u" }.password_in(line)
    }

    #[test]
    fn first_four_fields_select_line() {
        for (line, host, password) in [
            ("h:5432:d:u:p", "h", Some("p")),
            ("*:*:*:*:p:q\\:r\\\\s*\r", "h", Some("p:q:r\\s*")),
            ("*:*:*:*:*", "h", Some("*")),
            ("\\:\\:1:5432:d:u:p", "::1", Some("p")),
            ("localhost:*:*:u:p", "/var/run/postgresql", Some("p")),
            ("/elsewhere:*:*:u:p", "/elsewhere", Some("p")),
            ("localhost:*:*:u:p", "/elsewhere", None),
            ("\\*:*:*:*:p", "h", None),
            ("h:5432:d:other:p", "h", None),
            ("h:5433:d:u:p", "h", None),
            ("#h:5432:d:u:p", "#h", None),
            ("h:5432:d:u", "h", None),
            ("", "h", None),
        ] {
            assert_eq!(found(line, host).as_deref(), password, "{line} for {host}");
        }
    }
}
