//! [`Need`], what a query requires of the database, and [`Lack`], an unmet need.

use std::fmt;

use super::Filter;

/// Something that a query requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The table exists. No right is needed.
    Table(&'static str),
    /// The role can read these columns of the table. [`crate::inspect::grants`] lists all of them.
    Columns(&'static str, &'static [&'static str]),
    /// The index exists.
    Index(Index),
}

/// Definition of an index: a b-tree on `table` that begins with `columns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    pub table: &'static str,
    pub columns: &'static [&'static str],
    /// The condition of a partial index.
    pub predicate: Option<&'static str>,
}

/// Why a query cannot run on this database. Each variant has a value of the label `reason` of disabled collectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// The schema does not have the table, column or index.
    Missing(String),
    /// It exists, but the exporter's role may not read it.
    Permission(String),
    /// The role may read it, but row-level security hides rows.
    Filtered(Filter),
    /// Reading it would take more locks than one transaction of the exporter may hold.
    Locks(String),
}

impl Lack {
    /// Returns the value of the label `reason`.
    pub fn reason(&self) -> &'static str {
        match self {
            Lack::Missing(_) => "missing_table",
            Lack::Permission(_) | Lack::Filtered(_) => "permission",
            Lack::Locks(_) => "lock_limit",
        }
    }

    /// Returns whether a grant removes the lack.
    pub fn is_permission(&self) -> bool {
        matches!(self, Lack::Permission(_) | Lack::Filtered(_))
    }

    /// Returns whether a grant or a setting of the server removes the lack. A missing table needs no change, because the
    /// schema has several shapes.
    pub fn can_be_changed(&self) -> bool {
        !matches!(self, Lack::Missing(_))
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lack::Missing(what) => write!(to, "no {what}"),
            Lack::Permission(what) => write!(to, "{what} may not be read"),
            Lack::Filtered(filter) => filter.fmt(to),
            Lack::Locks(what) => write!(to, "would take {what}"),
        }
    }
}
