//! The statements of the pass over finished jobs: one rule how they are counted, over three kinds of slices.

use sqlx::Arguments;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::types::Uuid;

use super::progress::Bounds;
use crate::collect::collector::declare::{optional, sql};
use crate::collect::collector::definition::Definition;
use crate::collect::collector::{Context, Division, Optional, Query};
use crate::collect::collectors::{
    BY_ID_UNLESS_COMPLETED, BY_STATE, retries, scheduler, statistics, storage, throughput,
};
use crate::collect::pace::{Pace, PassKind};
use crate::metrics::Family;
use crate::postgres::{Failure, Reason, Run};
use crate::schema::Need;

/// The families that the pass fills.
const FAMILIES: &[&Family] = &[
    &statistics::JOBS,
    &throughput::COMPLETED_LAST_HOUR,
    &throughput::COMPLETED_LAST_DAY,
    &throughput::LAST_COMPLETED,
    &throughput::LAST_FAILED,
    &retries::JOBS_RETRIED,
    &retries::RETRY_ATTEMPTS,
    &retries::RETRY_ATTEMPTS_MAX,
    &storage::CLEANUP_DUE,
    &scheduler::LAST_ACTIVITY,
];

const COUNTED: &[Optional] =
    &[optional!("job"."retry_count": "int"), optional!("job"."completed_on": "timestamptz")];

const OVER_ALL: Query = Query {
    sql: sql!("finished.sql"),
    pace: Pace::History,
    pass: Some(PassKind::History),
    wanted: |_| true,
    by_queue: FAMILIES,
    optional: COUNTED,
    needs: &[],
    fallbacks: &[],
    definitions: &[Definition {
        sql: include_str!("slice_of_all.sql"),
        needs: &[Need::Columns("job", &["name", "state"])],
    }],
    index: None,
    division: Division::ByQueue,
    arguments: |context| Counted::ALL.arguments(context, &[]),
};

/// Counts every finished job.
pub(super) static ALL: Query = OVER_ALL;

/// Counts the completed jobs in a range of pages.
pub(super) static PAGES: Query = Query {
    definitions: &[Definition {
        sql: include_str!("slice_of_pages.sql"),
        needs: &[Need::Columns("job", &["ctid", "name", "state"])],
    }],
    arguments: |context| Counted::ALL.arguments(context, &Bounds::FIRST_PAGE.arguments()),
    ..OVER_ALL
};

/// Counts the other finished jobs in a range of ids.
pub(super) static IDS: Query = Query {
    definitions: &[Definition {
        sql: include_str!("slice_of_ids.sql"),
        needs: &[Need::Columns("job", &["id", "name", "state"])],
    }],
    arguments: |context| Counted::ALL.arguments(context, &Bounds::ALL_IDS.arguments()),
    index: Some(BY_ID_UNLESS_COMPLETED),
    ..OVER_ALL
};

/// Counts the other finished jobs, where they are few.
pub(super) static OTHERS: Query = Query {
    definitions: &[Definition {
        sql: include_str!("slice_of_others.sql"),
        needs: &[Need::Columns("job", &["name", "state"])],
    }],
    index: Some(BY_STATE),
    ..OVER_ALL
};

/// Finds out whether the other finished jobs are few.
pub(super) static COUNT_OTHERS: Query = Query {
    sql: sql!("count_others.sql"),
    by_queue: &[],
    optional: &[],
    needs: &[Need::Columns("job", &["state"])],
    definitions: &[],
    index: Some(BY_STATE),
    arguments: |_| count_others_arguments(1),
    ..OVER_ALL
};

/// Returns the arguments of [`COUNT_OTHERS`].
pub(super) fn count_others_arguments(most: i64) -> Result<PgArguments, BoxDynError> {
    let mut arguments = PgArguments::default();
    arguments.add(most)?;
    Ok(arguments)
}

/// Finds the end of a range of ids.
pub(super) static LAST_ID: Query = Query {
    sql: sql!("last_id.sql"),
    by_queue: &[],
    optional: &[],
    needs: &[Need::Columns("job", &["id", "state"])],
    definitions: &[],
    index: Some(BY_ID_UNLESS_COMPLETED),
    arguments: |_| last_id_arguments(Uuid::nil(), 1),
    ..OVER_ALL
};

/// Returns the arguments of [`LAST_ID`].
pub(super) fn last_id_arguments(first: Uuid, jobs: i64) -> Result<PgArguments, BoxDynError> {
    let mut arguments = PgArguments::default();
    arguments.add(first.to_string())?;
    arguments.add(jobs)?;
    Ok(arguments)
}

/// What a statement counts, beside its slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted {
    /// Whether each queue has rows of zeros.
    pub(super) with_zeros: bool,
    /// Whether only jobs in state completed and those without a state are counted.
    pub(super) only_completed: bool,
    /// Whether the pass counts all finished jobs.
    pub(super) is_complete: bool,
}

impl Counted {
    const ALL: Counted = Counted { with_zeros: true, only_completed: false, is_complete: true };

    /// Returns the arguments $1 to $10, and those of the slice after them.
    pub(super) fn arguments(
        self,
        context: &Context<'_>,
        slice: &[String],
    ) -> Result<PgArguments, BoxDynError> {
        let mut arguments = context.queues.arguments(context.schema)?;
        let mut states = context.schema.finished_states();
        states.retain(|state| self.is_complete || state == "completed");
        arguments.add(states)?;
        arguments.add(self.with_zeros)?;
        arguments.add(self.only_completed)?;
        arguments.add(self.is_complete)?;
        for bound in slice {
            arguments.add(bound)?;
        }
        Ok(arguments)
    }
}

/// Runs a statement over the jobs of these queues, or over all.
pub(super) async fn fetch(
    query: &Query,
    run: &mut Run,
    context: &Context<'_>,
    arguments: Result<PgArguments, BoxDynError>,
    queues: Option<&[String]>,
) -> Result<Vec<PgRow>, Failure> {
    let arguments = arguments.map_err(|error| query.failure(Reason::Other, &error.to_string()))?;
    match queues {
        Some(queues) => query.fetch_with(run, context.schema, arguments, queues).await,
        None => query.fetch_of(run, context.schema, arguments, None).await,
    }
}
