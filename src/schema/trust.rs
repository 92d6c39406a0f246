//! Relations that the exporter does not use, because reading them would run code of a role that it has no reason to
//! trust. Trusted are the owner of the schema, the owner of the table `job`, superusers, and roles that can act as one
//! of these. The rule itself is `relations.sql`.

use std::fmt;

use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::display_text::{MESSAGE_LIMIT, escaped};

/// A relation that counts as missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untrusted {
    /// As PostgreSQL describes the relation: `view marie_scheduler.job_attempt`.
    relation: String,
    owner: String,
    cause: Cause,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Cause {
    /// It belongs to a role that is not trusted.
    Owner,
    /// It is neither a table nor a view.
    Kind,
    /// One of its partitions, or a relation under a view, is neither a table nor a view.
    KindOf { object: String },
    /// Something that it consists of, or that runs when it is read, belongs to a role that is not trusted.
    OwnerOf { object: String, owner: String },
}

impl Untrusted {
    /// The row of a relation in `relations.sql`; none where the relation is used.
    pub(super) fn from_row(row: &PgRow) -> Result<Option<Self>, sqlx::Error> {
        let Some(object) = row.try_get::<Option<String>, _>("object")? else { return Ok(None) };
        let object = escaped(&object, MESSAGE_LIMIT);
        let text = |column| row.try_get::<String, _>(column).map(|text| escaped(&text, MESSAGE_LIMIT));
        let (is_itself, is_kind) = (row.try_get("is_itself")?, row.try_get("is_kind")?);
        let cause = match (is_itself, is_kind) {
            (true, false) => Cause::Owner,
            (true, true) => Cause::Kind,
            (false, true) => Cause::KindOf { object },
            (false, false) => Cause::OwnerOf { object, owner: text("object_owner")? },
        };
        Ok(Some(Untrusted { relation: text("relation")?, owner: text("owner")?, cause }))
    }
}

impl fmt::Display for Untrusted {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Untrusted { relation, owner, cause } = self;
        write!(to, "{relation} is not used and counts as missing: ")?;
        let stranger = "who owns neither the schema nor its table job and is no superuser";
        match cause {
            Cause::Owner => {
                write!(to, "it belongs to {owner}, {stranger}. Drop it, or give it to the owner of job")
            }
            Cause::Kind => write!(
                to,
                "it (of {owner}) is neither a table nor a view, so its rows can be old or incomplete. Drop it, or make it a table"
            ),
            Cause::KindOf { object } => write!(
                to,
                "it (of {owner}) contains {object}, which is neither a table nor a view. Detach or drop that"
            ),
            Cause::OwnerOf { object, owner: other } => write!(
                to,
                "it (of {owner}) depends on {object} of {other}, {stranger}. Give that to the owner of job, or drop it"
            ),
        }
    }
}
