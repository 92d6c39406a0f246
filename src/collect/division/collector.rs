//! Runs a collector whose queries take too many locks for one transaction.

use std::time::Duration;

use super::{Stop, fetch};
use crate::collect::collector::{Collector, Context, QuerySamples};
use crate::collect::pace::Pace;
use crate::postgres::Session;

/// Runs a collector's queries of one pace, each in transactions of its own, and adds their results to `samples` up to the
/// first failure. Returns also how long the database was busy.
pub(crate) async fn collect(
    session: &mut Session,
    collector: &'static Collector,
    pace: Pace,
    context: &Context<'_>,
    samples: &mut Vec<QuerySamples>,
) -> (Result<(), Stop>, Duration) {
    let mut busy = Duration::ZERO;
    let mut queues = context.queues.clone();
    for query in collector.queries_at(pace, context.config, context.schema) {
        let fetched = match fetch(session, query, context).await {
            Ok(fetched) => fetched,
            Err(failure) => return (Err(Stop::Unreachable(failure)), busy),
        };
        busy += fetched.busy;
        let mapped = fetched.parts.and_then(|parts| {
            parts
                .iter()
                .map(|rows| collector.map_rows(query, rows, &mut queues))
                .collect::<Result<Vec<_>, _>>()
        });
        match mapped {
            Ok(parts) => {
                let merged = QuerySamples::merged(&parts);
                samples.push(QuerySamples { query: query.sql.name, samples: merged });
            }
            Err(failure) => return (Err(Stop::Failed(failure)), busy),
        }
    }
    (Ok(()), busy)
}
