//! Identity of the database and schema whose histories are counted.

use serde::{Deserialize, Serialize};

use super::observed::ServerState;
use crate::config::SchemaName;

/// Server, database and schema of a state. Transaction ids of different servers cannot be compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Identity {
    system_identifier: String,
    database_oid: i64,
    schema: String,
}

impl Identity {
    pub(super) fn new(server: &ServerState, schema: &SchemaName) -> Self {
        Identity {
            system_identifier: server.system_identifier.clone(),
            database_oid: server.database_oid,
            schema: schema.as_str().to_owned(),
        }
    }
}
