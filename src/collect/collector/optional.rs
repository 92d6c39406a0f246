//! Replaces tables that lack optional columns by expressions that have NULL for these columns.

use std::collections::BTreeSet;

use crate::schema::Need;

/// A column that some generations of the schema lack.
#[derive(Debug)]
pub struct Optional {
    pub table: &'static str,
    /// A need of this one column.
    pub need: Need,
    /// Type of the NULL in its place.
    pub data_type: &'static str,
}

/// Returns the tables that lack optional columns, each with a common table expression that has NULL in their place.
pub(super) fn without_missing(
    needs: &(impl Iterator<Item = &'static Need> + Clone),
    optional: &'static [Optional],
    is_missing: impl Fn(&Need) -> bool,
) -> Vec<(&'static str, String)> {
    let is_missing = |column: &&Optional| is_missing(&column.need);
    let tables: BTreeSet<&'static str> =
        optional.iter().filter(is_missing).map(|column| column.table).collect();
    let expression = |table: &'static str| {
        let of_this_table = || optional.iter().filter(move |column| column.table == table);
        let present = of_this_table().filter(|column| !is_missing(column)).map(|column| &column.need);
        let columns: BTreeSet<&str> =
            needs.clone().chain(present).flat_map(|need| columns_of_need(need, table)).copied().collect();
        let mut selected: Vec<String> = columns.into_iter().map(str::to_owned).collect();
        for column in of_this_table().filter(is_missing) {
            let names = columns_of_optional(column);
            selected.extend(names.iter().map(|name| format!("null::{} as {name}", column.data_type)));
        }
        // Not materialized, so that the indexes of the table are used.
        let selected = selected.join(", ");
        (table, format!("{table} as not materialized (select {selected} from marie_scheduler.{table})"))
    };
    tables.into_iter().map(expression).collect()
}

fn columns_of_optional(optional: &Optional) -> &'static [&'static str] {
    columns_of_need(&optional.need, optional.table)
}

fn columns_of_need(need: &Need, of_table: &str) -> &'static [&'static str] {
    match need {
        Need::Columns(table, columns) if *table == of_table => columns,
        Need::Columns(..) | Need::Table(_) | Need::Index(_) => &[],
    }
}
