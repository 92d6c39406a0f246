//! Tables as a query reads them where some of its optional columns are missing.

use std::collections::BTreeSet;

use crate::schema::{Need, Schema};

/// A column that some generations of the schema lack.
#[derive(Debug)]
pub struct Optional {
    pub table: &'static str,
    /// The column alone.
    pub need: Need,
    /// The type of the NULL that stands for it.
    pub data_type: &'static str,
}

/// Returns the tables that lack optional columns here, each with a common table expression that has NULL for them.
pub(super) fn without_missing(
    needs: &(impl Iterator<Item = &'static Need> + Clone),
    optional: &'static [Optional],
    schema: &Schema,
) -> Vec<(&'static str, String)> {
    let is_missing = |column: &&Optional| schema.is_missing(&column.need);
    let tables: BTreeSet<&'static str> =
        optional.iter().filter(is_missing).map(|column| column.table).collect();
    let expression = |table: &'static str| {
        let of_table = || optional.iter().filter(move |column| column.table == table);
        let there = of_table().filter(|column| !is_missing(column)).map(|column| &column.need);
        let columns: BTreeSet<&str> =
            needs.clone().chain(there).flat_map(|need| columns(need, table)).copied().collect();
        let mut selected: Vec<String> = columns.into_iter().map(str::to_owned).collect();
        for column in of_table().filter(is_missing) {
            let names = columns_of(column);
            selected.extend(names.iter().map(|name| format!("null::{} as {name}", column.data_type)));
        }
        // Not materialized, so that the table's indexes serve.
        let selected = selected.join(", ");
        (table, format!("{table} as not materialized (select {selected} from marie_scheduler.{table})"))
    };
    tables.into_iter().map(expression).collect()
}

fn columns_of(optional: &Optional) -> &'static [&'static str] {
    columns(&optional.need, optional.table)
}

fn columns(need: &Need, of: &str) -> &'static [&'static str] {
    match need {
        Need::Columns(table, columns) if *table == of => columns,
        Need::Columns(..) | Need::Table(_) | Need::Index(_) => &[],
    }
}
