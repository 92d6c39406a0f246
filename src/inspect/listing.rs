//! A listing is a query and the columns of it that are printed.
//!
//! [`listing!`] declares each column once: its name, how it is printed, and the column of the table that it reads. The
//! needs of the query follow from that, and from these what the command `grants` prints. PostgreSQL makes a JSON object
//! of each row, so a value is found by the name of its column.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sqlx::postgres::PgArguments;

use crate::collect::collector::{Division, Optional, Query, SqlFile};
use crate::collect::pace::Pace;
use crate::postgres::{Failure, Reason};
use crate::schema::Need;
use crate::terminal::columns::{Column, Kind, Rows};

/// A query whose rows are printed.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) columns: &'static [Column],
    pub(super) query: Query,
}

impl Listing {
    /// Decodes rows for code that works with their values.
    ///
    /// # Errors
    /// If a value is not of the type that `T` has for its column. The message shows the row.
    pub(super) fn decode<T: DeserializeOwned>(&self, rows: &[Vec<Value>]) -> Result<Vec<T>, Failure> {
        let decode = |row: &Vec<Value>| {
            let names = self.columns.iter().map(|column| column.name.to_owned());
            let object = Value::Object(names.zip(row.iter().cloned()).collect::<Map<_, _>>());
            T::deserialize(&object).map_err(|error| {
                Failure::new(Reason::Other, format!("{}: {error} in the row {object}", self.query.sql.name))
            })
        };
        rows.iter().map(decode).collect()
    }

    /// Decodes the first row, if there is one.
    ///
    /// # Errors
    /// As of [`Listing::decode`].
    pub(super) fn decode_first<T: DeserializeOwned>(&self, rows: &Rows) -> Result<Option<T>, Failure> {
        Ok(self.decode(&rows.rows[..rows.rows.len().min(1)])?.pop())
    }
}

/// The settings that all queries of the reading commands share. Their parameters come from the command.
pub(super) const QUERY: Query = Query {
    sql: SqlFile { name: "", text: "" },
    pace: Pace::Backlog,
    pass: None,
    wanted: |_| true,
    by_queue: &[],
    optional: &[],
    needs: &[],
    fallbacks: &[],
    definitions: &[],
    index: None,
    division: Division::Whole,
    arguments: |_| Ok(PgArguments::default()),
};

/// The same for queries whose rows of one queue do not depend on other queues.
pub(super) const QUERY_BY_QUEUE: Query = Query { division: Division::ByQueue, ..QUERY };

/// A column of a listing, with the column of the table that it reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    column: Column,
    is_printed: bool,
    source: Source,
}

#[derive(Debug, Clone, Copy)]
enum Source {
    Required(&'static str),
    /// A column that some shapes lack, and the type of the NULL in its place.
    Optional(&'static str, &'static str),
    Computed,
}

impl Field {
    const fn new(name: &'static str, kind: Kind) -> Self {
        Field { column: Column { name, kind }, is_printed: true, source: Source::Required(name) }
    }

    /// Reads a column of another name.
    pub(super) const fn from(self, source: &'static str) -> Self {
        Field { source: Source::Required(source), ..self }
    }

    /// Is NULL, of this type, where the table lacks the column.
    pub(super) const fn optional(self, data_type: &'static str) -> Self {
        let source = match self.source {
            Source::Required(name) | Source::Optional(name, _) => Source::Optional(name, data_type),
            Source::Computed => Source::Computed,
        };
        Field { source, ..self }
    }

    /// Is calculated from other columns of the listing.
    pub(super) const fn computed(self) -> Self {
        Field { source: Source::Computed, ..self }
    }
}

/// A column that the query reads and does not return.
pub(super) const fn unprinted(name: &'static str) -> Field {
    Field { is_printed: false, ..Field::new(name, Kind::Text) }
}

pub(super) const fn text(name: &'static str) -> Field {
    Field::new(name, Kind::Text)
}

pub(super) const fn id(name: &'static str) -> Field {
    Field::new(name, Kind::Id)
}

pub(super) const fn number(name: &'static str) -> Field {
    Field::new(name, Kind::Number)
}

pub(super) const fn state(name: &'static str) -> Field {
    Field::new(name, Kind::State)
}

pub(super) const fn time(name: &'static str) -> Field {
    Field::new(name, Kind::Time)
}

pub(super) const fn duration(name: &'static str) -> Field {
    Field::new(name, Kind::Duration)
}

pub(super) const fn bar(name: &'static str) -> Field {
    Field::new(name, Kind::Bar)
}

/// How many of the fields are printed, required and optional.
pub(super) const fn counts(fields: &[Field]) -> [usize; 3] {
    let mut counts = [0; 3];
    let mut place = 0;
    while place < fields.len() {
        if fields[place].is_printed {
            counts[0] += 1;
        }
        match fields[place].source {
            Source::Required(_) => counts[1] += 1,
            Source::Optional(..) => counts[2] += 1,
            Source::Computed => {}
        }
        place += 1;
    }
    counts
}

pub(super) const fn printed<const N: usize>(fields: &[Field]) -> [Column; N] {
    let mut columns = [Column { name: "", kind: Kind::Text }; N];
    let (mut place, mut next) = (0, 0);
    while place < fields.len() {
        if fields[place].is_printed {
            columns[next] = fields[place].column;
            next += 1;
        }
        place += 1;
    }
    columns
}

pub(super) const fn required<const N: usize>(fields: &[Field]) -> [&'static str; N] {
    let mut names = [""; N];
    let (mut place, mut next) = (0, 0);
    while place < fields.len() {
        if let Source::Required(name) = fields[place].source {
            names[next] = name;
            next += 1;
        }
        place += 1;
    }
    names
}

pub(super) const fn optional<const N: usize>(table: &'static str, fields: &'static [Field]) -> [Optional; N] {
    let mut columns = [const { Optional { table: "", need: Need::Table(""), data_type: "" } }; N];
    let (mut place, mut next) = (0, 0);
    while place < fields.len() {
        if let Source::Optional(name, data_type) = &fields[place].source {
            let need = Need::Columns(table, std::slice::from_ref(name));
            columns[next] = Optional { table, need, data_type };
            next += 1;
        }
        place += 1;
    }
    columns
}

/// Declares a static [`Listing`]: its SQL, the table that its fields belong to, the fields in the order in which they are
/// printed, what it needs besides (`also`), and the remaining settings of the query.
///
/// The first string is the folder that messages name, the second the file beside the caller.
macro_rules! listing {
    (
        $(#[$doc:meta])*
        $visibility:vis $name:ident, $folder:literal, $file:literal, $($rest:tt)*
    ) => {
        $crate::inspect::listing::listing! {
            $(#[$doc])*
            $visibility $name,
            $crate::collect::collector::SqlFile { name: concat!($folder, $file), text: include_str!($file) };
            $($rest)*
        }
    };
    (
        $(#[$doc:meta])*
        $visibility:vis $name:ident, $sql:expr;
        $table:literal, [$($field:expr),* $(,)?], $(also $need:expr,)?
        Query { $($query:tt)* }
    ) => {
        $(#[$doc])*
        $visibility static $name: $crate::inspect::listing::Listing = {
            use $crate::inspect::listing::{self, Field, Listing};
            use $crate::schema::Need;
            const FIELDS: &[Field] = &[$($field),*];
            const COUNTS: [usize; 3] = listing::counts(FIELDS);
            const REQUIRED: &[&str] = &listing::required::<{ COUNTS[1] }>(FIELDS);
            Listing {
                columns: const { &listing::printed::<{ COUNTS[0] }>(FIELDS) },
                query: $crate::collect::collector::Query {
                    sql: $sql,
                    needs: &[Need::Columns($table, REQUIRED) $(, $need)?],
                    optional: const { &listing::optional::<{ COUNTS[2] }>($table, FIELDS) },
                    $($query)*
                },
            }
        };
    };
}
pub(super) use listing;
