//! Which database and schema the counted history belongs to.

use serde::{Deserialize, Serialize};

use super::observed::Instant;
use crate::config::SchemaName;

/// Whose history was counted. Another one's transaction ids mean nothing here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Identity {
    system_identifier: String,
    database_oid: i64,
    schema: String,
}

impl Identity {
    pub(super) fn new(instant: &Instant, schema: &SchemaName) -> Self {
        Identity {
            system_identifier: instant.system_identifier.clone(),
            database_oid: instant.database_oid,
            schema: schema.as_str().to_owned(),
        }
    }
}
