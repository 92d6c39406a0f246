//! Columns of a table, and rows below them.

use serde_json::Value;

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Name in the query, in JSON and in CSV. The heading of a table has spaces in place of the underscores.
    pub name: &'static str,
    pub kind: Kind,
}

/// How a table shows a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// A UUID, shown as text.
    Id,
    /// Aligned to the right.
    Number,
    /// State of a job or DAG, in its colour.
    State,
    /// Time to the second, with the offset of its time zone.
    Time,
    /// Seconds, shown as in `2h 5m`.
    Duration,
    /// A number, shown as a bar relative to the largest of the column.
    Bar,
}

/// The values of a table, in the order of its columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    pub rows: Vec<Vec<Value>>,
    /// Whether the limit has cut off further rows.
    pub more: bool,
}

pub(crate) const fn text(name: &'static str) -> Column {
    Column { name, kind: Kind::Text }
}

pub(crate) const fn number(name: &'static str) -> Column {
    Column { name, kind: Kind::Number }
}

pub(crate) const fn state(name: &'static str) -> Column {
    Column { name, kind: Kind::State }
}

pub(crate) const fn time(name: &'static str) -> Column {
    Column { name, kind: Kind::Time }
}
