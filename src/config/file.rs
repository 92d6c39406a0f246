//! The YAML file as text: each key with its values and their lines, before any setting has looked
//! at them. Scalars of every type become the text that the flag's own parser reads.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{MessageFormatter, Spanned, UserMessageFormatter};

use super::error::{ConfigError, Origin, beginning, looks_secret};

/// The entries of a mapping, in the file's order.
pub(crate) type Entries = Vec<(Spanned<String>, Spanned<Node>)>;

pub(crate) enum Node {
    Scalar(String),
    List(Vec<Spanned<Node>>),
    Mapping(Entries),
}

/// Much more than anybody writes. A log or a disk that is named by mistake would take memory and minutes.
const LARGEST: u64 = 1 << 20;

/// The text of the file.
///
/// # Errors
/// When it cannot be read, is larger than [`LARGEST`], or is no text.
pub(crate) fn text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    if File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)? as u64 > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Reads the top-level mapping; an empty file has none and is fine.
pub(crate) fn read(text: &str, path: &Path) -> Result<Entries, ConfigError> {
    let wrong = |line, reason: String| ConfigError::Yaml {
        origin: Origin::File { path: path.to_owned(), line },
        reason,
    };
    let options = serde_saphyr::options! {
        // A snippet of the source could show the database URL two lines above.
        with_snippet: false,
        strict_booleans: true,
        // No setting is deeper than three, and each level takes some of the stack, of which a thread has 2 MiB. A file of
        // ten thousand users has twice as many nodes, and aliases make millions of a few lines.
        budget: serde_saphyr::budget! { max_depth: 16, max_nodes: 50_000 },
    };
    let root: Spanned<Node> = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let line = error.location().map_or(0, |location| location.line());
        let text = UserMessageFormatter.format_message(&error);
        // The line is said once, in front.
        let reason = text.split_once(" at line ").map_or(&*text, |(text, _)| text);
        // It may repeat a key, which where something is wrong can be anything.
        let reason =
            if looks_secret(reason) { "what is there looks like a secret, and is not shown" } else { reason };
        let (reason, more) = beginning(reason);
        wrong(line, format!("not valid YAML: {reason}{more}"))
    })?;
    match root.value {
        Node::Mapping(entries) => Ok(entries),
        Node::Scalar(text) if text.is_empty() => Ok(Vec::new()),
        _ => {
            let reason = "the file must be a mapping, as in \"collector.interval: 15s\"";
            Err(wrong(root.referenced.line(), reason.to_owned()))
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value, a list or a mapping")
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_owned()))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Scalar(String::new()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element()? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut mapping: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = mapping.next_entry()? {
            entries.push(entry);
        }
        Ok(Node::Mapping(entries))
    }
}
