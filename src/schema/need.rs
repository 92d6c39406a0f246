//! What a query needs of a database, and what of it a database lacks.

use std::fmt;

use super::Filter;

/// Something that a query cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// That it is there, which takes no right.
    Table(&'static str),
    /// A table's columns, to read them; [`crate::inspect::grants`] are made of these.
    Columns(&'static str, &'static [&'static str]),
    Index(Index),
}

/// An index by definition: a b-tree on `table` that begins with `columns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    pub table: &'static str,
    pub columns: &'static [&'static str],
    /// The condition of a partial index.
    pub predicate: Option<&'static str>,
}

/// Why a query cannot run here; the values of the label `reason` of a disabled collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// Table or column is not in the schema.
    Missing(String),
    /// It is there, and our role may not read it.
    Permission(String),
    /// Our role may read it, and row-level security keeps rows back.
    Filtered(Filter),
    /// Reading it would take more of the server's locks than one transaction of ours may hold.
    Locks(String),
}

impl Lack {
    pub fn reason(&self) -> &'static str {
        match self {
            Lack::Missing(_) => "missing_table",
            Lack::Permission(_) | Lack::Filtered(_) => "permission",
            Lack::Locks(_) => "lock_limit",
        }
    }

    /// Whether an operator can lift it by a right.
    pub fn is_permission(&self) -> bool {
        matches!(self, Lack::Permission(_) | Lack::Filtered(_))
    }

    /// Whether an operator can lift it, by a right or by a setting of the server. Schemas come in several shapes, so a
    /// missing table needs no change.
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
