//! Merges the rows of queues without series of their own in the database. Memory in the exporter then does not grow with
//! the number of queues or the length of their names.
//!
//! Input: a statement whose rows have the column `queue`. It is NULL in a row of zeros for all queues together. Output: a
//! statement around it, with NULL as the queue of rows that are published as `other`. The arguments come from
//! [`crate::collect::queue_labels::QueueLabels::arguments`]; those of the inner statement begin with $7:
//!
//! - $1 the queues with series of their own; the inner statement returns a row for each. A NULL among them stands for
//!   the queues beyond.
//! - $2 the queues that are merged as `other`, $3 those that the configuration excludes, as far as their names are known.
//! - $4 how many further names are returned one by one; $5 whether names beyond these are merged as `other` or excluded.
//! - $6 the pattern of text that the server can send, NULL if it can send any.

use std::collections::BTreeSet;

use crate::collect::queue_labels::LABEL;
use crate::metrics::{Family, Merge};

/// Returns the statement that merges the rows of `sql` into those of published queues, by the merge rule of each family.
pub(super) fn summed(sql: &str, families: &[&Family]) -> String {
    let labels: BTreeSet<&str> =
        families.iter().flat_map(|family| family.labels).copied().filter(|label| *label != LABEL).collect();
    let labels: Vec<String> = labels.into_iter().map(|label| format!(",\n    answer.{label}")).collect();
    let labels = labels.concat();
    let values: Vec<String> = families.iter().map(|family| value_column(family)).collect();
    let values = values.concat();
    format!(
        "with answer as materialized (
{sql}
),
place (queue, label, is_selected) as (
    select queue, queue, true from unnest($1::text[]) as own (queue) where queue is not null
    union all
    select queue, null, true from unnest($2::text[]) as summed (queue)
    union all
    select queue, null, false from unnest($3::text[]) as excluded (queue)
),
newcomer as (
    select answer.queue
    from answer
    where octet_length(answer.queue) <= 400 and char_length(answer.queue) <= 200
        and (answer.queue collate \"C\" ~ $6::text) is not false
        and not exists (select from place where place.queue = answer.queue)
    group by answer.queue
    order by answer.queue collate \"C\"
    limit $4
)
select
    coalesce(place.label, newcomer.queue) as queue{labels}{values}
from answer
left join place on place.queue = answer.queue
left join newcomer on newcomer.queue = answer.queue
where coalesce(place.is_selected, newcomer.queue is not null or answer.queue is null or $5)
group by coalesce(place.label, newcomer.queue){labels}"
    )
}

/// Returns the column that merges a family's values with the same labels.
fn value_column(family: &Family) -> String {
    let name = family.name;
    let value = match family.merge {
        Merge::Sum => format!("sum(answer.{name})"),
        Merge::Min => format!("min(answer.{name})"),
        Merge::Max => format!("max(answer.{name})"),
        Merge::Drop => {
            format!("max(answer.{name}) filter (where coalesce(place.label, newcomer.queue) is not null)")
        }
    };
    format!(",\n    {value}::float8 as {name}")
}
