//! Reads what a role can do beyond what the exporter needs: privileges, attributes, memberships, ownership, and functions
//! that run with the rights of their owner. The rule is in `excess.sql`.

use sqlx::Row;

use crate::config::SchemaName;
use crate::postgres::{Connection, Failure};
use crate::schema::TABLES;
use crate::terminal::escape::{MESSAGE_LIMIT, escaped};

/// The most rows that are read, because a role that may create objects can grant any number of rights to another role.
const LIMIT: i64 = 5000;

/// Values of the column `rank` of `excess.sql`.
const OWNED: i32 = 2;
const FUNCTION: i32 = 4;
const PUBLIC: i32 = 5;

#[derive(Debug, Default)]
pub struct Excess {
    /// Rights of the role and of the roles that it can act as, the most dangerous first.
    pub rights: Vec<String>,
    /// Whether all of them are rights to read a relation.
    pub is_reading: bool,
    /// Functions that the role can run with the rights of another role.
    pub functions: Vec<String>,
    /// What each role can do by a grant to PUBLIC.
    pub through_public: Vec<String>,
    /// SQL that takes the rights from the role, with a comment where the operator has to decide.
    pub(super) revokes: Vec<String>,
}

impl Excess {
    /// Reads what `role` can do. The result is empty if there is no such role.
    pub async fn read(connection: &mut Connection, schema: &SchemaName, role: &str) -> Result<Self, Failure> {
        let statement = sqlx::query(include_str!("excess.sql"))
            .bind(role)
            .bind(schema.as_str())
            .bind(TABLES.as_slice())
            .bind(LIMIT);
        let mut excess = Excess { is_reading: true, ..Excess::default() };
        let mut count = 0;
        let rows = connection.fetch_all(statement).await?;
        let read = i64::try_from(rows.len()).unwrap_or(LIMIT);
        for row in rows {
            let what = escaped(row.try_get("what")?, MESSAGE_LIMIT);
            count = row.try_get("count")?;
            match row.try_get("rank")? {
                PUBLIC => excess.through_public.push(what),
                FUNCTION => excess.functions.push(what),
                rank => {
                    if let Some(revoke) = row.try_get("revoke")? {
                        excess.revokes.push(revoke);
                    } else if rank == OWNED {
                        excess.revokes.push(format!("-- It {what}. Give that to another role."));
                    }
                    excess.is_reading &= row.try_get::<bool, _>("is_read")?;
                    excess.rights.push(what);
                }
            }
        }
        if count > read {
            excess.revokes.push(format!("-- Rights left: {}. Run this again for the rest.", count - read));
            excess.rights.push(format!("{} more rights", count - read));
            excess.is_reading = false;
        }
        Ok(excess)
    }
}
