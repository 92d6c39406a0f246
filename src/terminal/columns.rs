//! Columns of a table and the rows below them. A column is found by its name, never by its place.

use serde_json::Value;

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// As in the query and in JSON and CSV; a table's heading has spaces for the underscores.
    pub name: &'static str,
    pub kind: Kind,
}

/// How a table shows a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// A UUID, shown as text.
    Id,
    /// To the right.
    Number,
    /// A state of a job or DAG, in its colour.
    State,
    /// To the second, with the offset of its time zone.
    Time,
    /// Seconds, as `2h 5m`.
    Duration,
    /// A number as a bar beside the longest.
    Bar,
}

/// The values of a table, in the order of its columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    pub rows: Vec<Vec<Value>>,
    /// Whether the limit kept some from being shown.
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
