//! Errors of the web configuration. None of them repeats a value, because it may be a password, a hash or a key.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_saphyr::{Error, MessageFormatter, UserMessageFormatter};

/// Keys of the format that are not supported, and why they are not needed.
const UNSUPPORTED: [(&str, &str); 5] = [
    ("rate_limit", "the number of connections and of logins is limited without it"),
    (
        "client_allowed_sans",
        "each certificate of client_ca_file is accepted, so use an authority for these clients only",
    ),
    ("cipher_suites", "rustls has no weak ones"),
    ("prefer_server_cipher_suites", "rustls has no weak cipher suites"),
    ("curve_preferences", "rustls has no weak curves"),
];

/// The longest key or name that a message shows, in bytes.
const LONGEST_NAME: usize = 40;

/// Why a web configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WebConfigError {
    #[error("cannot read the configuration file {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{}{}: {reason}", path.display(), Line(*line))]
    Invalid { path: PathBuf, line: u64, reason: String },
}

/// A line in a message. The YAML parser reports line 0 if it knows none.
struct Line(u64);

impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { Ok(()) } else { write!(formatter, ", line {}", self.0) }
    }
}

/// A fault in the file, at a line of it.
pub(super) struct Fault {
    line: u64,
    reason: String,
}

impl Fault {
    pub(super) fn new(line: u64, reason: impl Into<String>) -> Self {
        Fault { line, reason: reason.into() }
    }

    pub(super) fn in_file(self, path: &Path) -> WebConfigError {
        WebConfigError::Invalid { path: path.to_owned(), line: self.line, reason: self.reason }
    }
}

/// Converts an error of the YAML parser.
pub(super) fn yaml_fault(error: &Error) -> Fault {
    let line = error.location().map_or(0, |location| location.line());
    let reason = match error.without_snippet() {
        Error::SerdeUnknownField { field, expected, .. } => unknown_key(field, expected),
        Error::SerdeInvalidType { expected, .. } | Error::SerdeInvalidValue { expected, .. } => {
            format!("there must be {expected}")
        }
        Error::Unexpected { expected: "mapping start", .. } => {
            "there must be a mapping of keys and values".to_owned()
        }
        Error::Unexpected { expected, .. } => format!("there must be a {expected}"),
        Error::DuplicateMappingKey { .. } => "a key is given twice".to_owned(),
        other => {
            let text = UserMessageFormatter.format_message(other);
            let text = text.split_once(" at line ").map_or(&*text, |(text, _)| text);
            // The parser quotes what it repeats of the file.
            if text.contains(['`', '"', '\'', '$']) || text.len() > 200 {
                "not valid YAML".to_owned()
            } else {
                format!("not valid YAML: {text}")
            }
        }
    };
    Fault::new(line, reason)
}

/// Returns the error for a key that is unknown, or known but not supported.
fn unknown_key(key: &str, known: &[&str]) -> String {
    match UNSUPPORTED.iter().find(|(name, _)| *name == key) {
        Some((name, why)) => format!("{name} is not supported, leave it out: {why}"),
        None => format!("unknown key {}; the keys here are {}", shown_name(key), known.join(", ")),
    }
}

/// Returns a key or a user name for a message, or asterisks unless it looks like a name.
pub(super) fn shown_name(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-. :".contains(c);
    if name.len() <= LONGEST_NAME && name.chars().all(is_plain) {
        format!("{name:?}")
    } else {
        "***".to_owned()
    }
}
