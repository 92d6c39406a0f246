//! Reads the partitions of `job` that may have rows, with their queues. [`crate::collect::division`] forms groups of them.

use sqlx::Row;

use crate::config::SchemaName;
use crate::postgres::{Connection, Failure, Reason};

/// A partition of `job` that may have rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuePartition {
    /// The values of `job.name` in the partition's bound.
    pub queues: Vec<String>,
    /// Number of relations that planning a statement over it locks: the partition and its indexes.
    pub relations: u64,
    /// Id of the partition in the catalog.
    pub table: i64,
}

impl QueuePartition {
    /// Reads the partitions that may have rows.
    ///
    /// # Errors
    /// Also if the bound of a partition is not a list of values.
    pub async fn read_all(connection: &mut Connection, schema: &SchemaName) -> Result<Vec<Self>, Failure> {
        let rows = connection
            .fetch_all(sqlx::query(include_str!("queue_partitions.sql")).bind(schema.as_str()))
            .await?;
        rows.iter()
            .map(|row| {
                let bound: String = row.try_get("bound")?;
                let queues = listed_values(&bound).ok_or_else(|| {
                    Failure::new(
                        Reason::Other,
                        format!("a partition of job is not for a list of queues: {bound}"),
                    )
                })?;
                let relations = row.try_get::<i64, _>("relations")?.unsigned_abs();
                Ok(QueuePartition { queues, relations, table: row.try_get("table")? })
            })
            .collect()
    }
}

/// Returns the strings of a bound as PostgreSQL prints it: `FOR VALUES IN ('a', 'it''s')`.
fn listed_values(bound: &str) -> Option<Vec<String>> {
    let mut rest = bound.strip_prefix("FOR VALUES IN (")?.strip_suffix(')')?;
    let mut values = Vec::new();
    loop {
        if let Some(after) = rest.strip_prefix("NULL") {
            rest = after;
        } else {
            let (value, after) = split_literal(rest)?;
            values.push(value);
            // A type other than text follows the literal.
            let end = if after.starts_with("::") { after.find(", ").unwrap_or(after.len()) } else { 0 };
            rest = &after[end..];
        }
        match rest.strip_prefix(", ") {
            Some(after) => rest = after,
            None if rest.is_empty() => return Some(values),
            None => return None,
        }
    }
}

/// Splits the string literal at the beginning from the rest. Quotes in a literal are doubled.
fn split_literal(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('\'')?;
    let mut value = String::new();
    loop {
        let (part, after) = rest.split_once('\'')?;
        value.push_str(part);
        match after.strip_prefix('\'') {
            Some(after) => {
                value.push('\'');
                rest = after;
            }
            None => return Some((value, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_bounds_are_parsed() {
        for (bound, values) in [
            ("FOR VALUES IN ('extract')", Some(vec!["extract"])),
            ("FOR VALUES IN ('a', 'it''s, (b)', '')", Some(vec!["a", "it's, (b)", ""])),
            ("FOR VALUES IN ('a'::character varying, NULL, '''')", Some(vec!["a", "'"])),
            ("FOR VALUES IN ('back\\slash')", Some(vec!["back\\slash"])),
            ("DEFAULT", None),
            ("FOR VALUES FROM ('a') TO ('b')", None),
            ("FOR VALUES IN ('a' 'b')", None),
        ] {
            let values = values.map(|values| values.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(listed_values(bound), values, "{bound}");
        }
    }
}
