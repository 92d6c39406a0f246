//! Reads a YAML file into a tree of texts, each with its line.
//!
//! Scalars of all types become text, because the parser of the setting's flag reads them.

use std::fmt;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{MessageFormatter, Spanned, UserMessageFormatter};

use super::error::{ConfigError, Origin, beginning, looks_secret};

/// The entries of a mapping, in the file's order.
pub(crate) type Entries = Vec<(Spanned<String>, Spanned<Node>)>;

/// A value in the file.
pub(crate) enum Node {
    Scalar(String),
    List(Vec<Spanned<Node>>),
    Mapping(Entries),
}

/// Parses the top-level mapping. An empty file is valid and has no entries.
pub(crate) fn read(text: &str, path: &Path) -> Result<Entries, ConfigError> {
    let wrong = |line, reason: String| ConfigError::Yaml {
        origin: Origin::File { path: path.to_owned(), line },
        reason,
    };
    let options = serde_saphyr::options! {
        // A snippet of the file in an error could show the database URL of a nearby line.
        with_snippet: false,
        strict_booleans: true,
        // No setting is deeper than three levels, and each level needs space on the stack. A file of ten thousand users has
        // twenty thousand nodes. Without a limit, aliases could make millions of a few lines.
        budget: serde_saphyr::budget! { max_depth: 16, max_nodes: 50_000 },
    };
    let root: Spanned<Node> = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let line = error.location().map_or(0, |location| location.line());
        let text = UserMessageFormatter.format_message(&error);
        // The origin names the line already.
        let reason = text.split_once(" at line ").map_or(&*text, |(text, _)| text);
        // It may repeat a key, which can be a misplaced secret.
        let reason = if looks_secret(reason) {
            "the text there looks like a secret, so it is not shown"
        } else {
            reason
        };
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
