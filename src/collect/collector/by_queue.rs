//! Sums the rows of queues without series of their own inside the database, so that neither their number nor the length
//! of their names costs memory here.
//!
//! Input: a statement whose rows have the column `queue`, NULL for the row of zeros of all queues together. Output: the
//! statement around it, whose rows have a NULL for the queues that are published as `other`. The arguments come from
//! [`crate::collect::queue_labels::QueueLabels::arguments`]; those of the statement itself begin with $7:
//!
//! - $1 the queues with series of their own; the statement gives each a row. NULL among them where there are others.
//! - $2 the queues that are summed as `other`, $3 those that the configuration leaves out, as far as they are known.
//! - $4 how many other names are returned one by one; $5 whether those beyond are summed as `other` or left out.
//! - $6 the pattern of text that the server can send, NULL where it can send all.

use std::collections::BTreeSet;

use crate::collect::queue_labels::LABEL;
use crate::metrics::{Family, Merge};

/// Returns the statement that sums the rows of `sql` into those of published queues, each family in its own way.
pub(super) fn summed(sql: &str, families: &[&Family]) -> String {
    let labels: BTreeSet<&str> =
        families.iter().flat_map(|family| family.labels).copied().filter(|label| *label != LABEL).collect();
    let labels: Vec<String> = labels.into_iter().map(|label| format!(",\n    answer.{label}")).collect();
    let labels = labels.concat();
    let values: Vec<String> = families.iter().map(|family| value(family)).collect();
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

/// The column of a family, which sums up the rows with the same labels.
fn value(family: &Family) -> String {
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
