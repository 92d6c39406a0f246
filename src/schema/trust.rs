//! Relations that the exporter does not use, because reading them would run code of an untrusted role. Trusted are the
//! owner of the schema, the owner of the table `job`, superusers, and roles that can act as one of these.
//! `relations.sql` contains the rule.

use std::fmt;

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::{Schema, TABLES};
use crate::postgres::{Connection, Failure, Reason};
use crate::terminal::escape::{MESSAGE_LIMIT, escaped};

/// A relation that counts as missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untrusted {
    /// PostgreSQL's description of the relation, such as `view marie_scheduler.job_attempt`.
    relation: String,
    owner: String,
    cause: Cause,
}

/// Why a relation is untrusted.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cause {
    /// It belongs to an untrusted role.
    Owner,
    /// It is neither a table nor a view.
    Kind,
    /// One of its partitions, or a relation that the view reads, is neither a table nor a view.
    KindOf { object: String },
    /// Something that it consists of, or that runs when it is read, belongs to an untrusted role.
    OwnerOf { object: String, owner: String },
}

impl Untrusted {
    /// Reads a row of `relations.sql`. `None` if the relation is trusted.
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

impl Schema {
    /// Fails if writing to the scheduler's tables would run code of an untrusted role: code of triggers, of defaults, or of
    /// tables that refer to them.
    ///
    /// # Errors
    /// [`Reason::Permission`] with the object and what to do.
    pub async fn refuse_untrusted_code(&self, connection: &mut Connection) -> Result<(), Failure> {
        let used: Vec<&str> =
            TABLES.into_iter().filter(|table| !self.untrusted.contains_key(*table)).collect();
        let statement =
            sqlx::query(include_str!("relations.sql")).bind(self.name.as_str()).bind(used).bind(true);
        for row in connection.fetch_all(statement).await? {
            if let Some(Untrusted { relation, owner, cause }) = Untrusted::from_row(&row)? {
                let message = format!(
                    "{relation} could run code of another role with your rights: it (of {owner}) {cause}"
                );
                return Err(Failure::new(Reason::Permission, message));
            }
        }
        Ok(())
    }
}

impl fmt::Display for Untrusted {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Untrusted { relation, owner, cause } = self;
        write!(to, "{relation} is not used and counts as missing: it (of {owner}) {cause}")
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let untrusted = "that owns neither the schema nor its table job and is no superuser";
        match self {
            Cause::Owner => {
                write!(to, "belongs to a role {untrusted}. Drop it, or give it to the owner of job")
            }
            Cause::Kind => write!(
                to,
                "is neither a table nor a view, so its rows can be old or incomplete. Drop it, or make it a table"
            ),
            Cause::KindOf { object } => {
                write!(to, "contains {object}, which is neither a table nor a view. Detach or drop that")
            }
            Cause::OwnerOf { object, owner } => write!(
                to,
                "depends on {object} of {owner}, a role {untrusted}. Give that to the owner of job, or drop it"
            ),
        }
    }
}
