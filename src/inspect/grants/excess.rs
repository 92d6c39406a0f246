//! What a role can do in the database beyond what the exporter needs: privileges on every kind of object, attributes,
//! memberships, ownership, and functions that run with the rights of their owner. The rule itself is `excess.sql`.

use sqlx::Row;

use crate::config::SchemaName;
use crate::postgres::{Connection, Failure};
use crate::schema::TABLES;
use crate::terminal::escape::{MESSAGE_LIMIT, escaped};

/// Rows of the catalog that are read: a role that may create objects can grant another one any number of rights to them.
const LIMIT: i64 = 5000;

/// The rank in `excess.sql` of what no grant to the role itself gives.
const OWNED: i32 = 2;
const FUNCTION: i32 = 4;
const PUBLIC: i32 = 5;

#[derive(Debug, Default)]
pub struct Excess {
    /// Rights of the role and of the roles that it can act as, the worst first.
    pub rights: Vec<String>,
    /// Whether all of them are rights to read a relation.
    pub is_reading: bool,
    /// Functions that the role can run with the rights of another one.
    pub functions: Vec<String>,
    /// What every role can do because somebody granted it to PUBLIC.
    pub through_public: Vec<String>,
    /// SQL that takes the rights from the role; comments where a person has to decide.
    pub(super) revokes: Vec<String>,
}

impl Excess {
    /// Reads what `role` can do; nothing where there is no such role.
    ///
    /// # Errors
    /// Any failure of the database.
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
