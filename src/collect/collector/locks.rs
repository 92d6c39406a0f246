//! Whether a query's locks are within the limit of one transaction, or must be divided between several.

use std::collections::BTreeSet;

use super::{Division, Query};
use crate::schema::{Lack, Need, Schema};

impl Query {
    /// Returns the tables whose rows the query reads on this database.
    pub fn tables(&self, schema: &Schema) -> BTreeSet<&'static str> {
        let tables = self.needs_here(schema).filter_map(|need| match need {
            Need::Columns(table, _) => Some(*table),
            Need::Table(_) | Need::Index(_) => None,
        });
        tables.collect()
    }

    /// Whether the query takes too many locks for one transaction, so that it is divided into groups of queues.
    pub fn is_divided(&self, schema: &Schema) -> bool {
        schema.locks(self.tables(schema)) > schema.locks_allowed
    }

    /// Returns the lack of locks if the query, divided if possible, takes more than a transaction may take.
    pub(super) fn lack_of_locks(&self, schema: &Schema) -> Option<Lack> {
        let tables = self.tables(schema);
        let locks = schema.locks(tables.iter().copied());
        let can_be_divided = || match self.division {
            Division::Whole => {
                schema.locks_of_filled_partitions(tables.iter().copied()) <= schema.locks_allowed
            }
            Division::ByQueue => schema.room_for_partitions(tables.iter().copied()).is_some(),
            // Without the table job_dependencies, parents are found by id alone, in any partition.
            Division::ByQueueWithParents => {
                tables.contains("job_dependencies")
                    && schema.room_for_partitions(tables.iter().copied()).is_some()
            }
        };
        let fits = locks <= schema.locks_allowed || can_be_divided();
        (!fits).then(|| schema.lack_of_locks(locks))
    }
}
