//! The statements of the pass over unfinished jobs.
//!
//! The main statement is `backlog.sql`. A scope says which jobs it reads: all unfinished ones, those of some DAGs, or those
//! with some ids.

use sqlx::Arguments;
use sqlx::error::BoxDynError;
use sqlx::postgres::PgArguments;

use crate::collect::collector::declare::optional;
use crate::collect::collector::definition::Definition;
use crate::collect::collector::{Context, Division, Fallback, Optional, Query, SqlFile};
use crate::collect::collectors::statistics::{DEPENDENCIES_FROM_JSON, NO_DAGS};
use crate::collect::collectors::{dags, retries, scheduler, sla, statistics};
use crate::collect::pace::{Pace, PassKind};
use crate::metrics::Family;
use crate::schema::{Index, Need, Schema};

/// Finds unfinished jobs. With it, no scan of a whole table is needed.
pub(super) const BY_STATE: Index = Index { table: "job", columns: &["state"], predicate: None };

/// Finds the jobs of a DAG.
const BY_DAG: Index = Index { table: "job", columns: &["dag_id"], predicate: None };

/// Has the waiting jobs with their DAGs.
const BY_START_AND_DAG: Index = Index {
    table: "job",
    columns: &["state", "start_after", "dag_id"],
    predicate: Some("state = any (array['created', 'retry'])"),
};

/// Finds the parents of many jobs in one scan.
const BY_CHILD: Index = Index { table: "job_dependencies", columns: &["job_id"], predicate: None };

const DAGS: Need = Need::Columns("dag", &["id", "state"]);
const DAG_ID: Optional = optional!("job"."dag_id": "uuid");

/// Everything that the main statement fills.
const FAMILIES: &[&Family] = &[
    &statistics::JOBS,
    &statistics::OLDEST_WAITING_JOB,
    &statistics::JOBS_READY,
    &statistics::JOBS_DEFERRED,
    &statistics::JOBS_BLOCKED,
    &statistics::OLDEST_READY_JOB,
    &retries::JOBS_RETRIED,
    &retries::RETRY_ATTEMPTS,
    &retries::RETRY_ATTEMPTS_MAX,
    &retries::RETRIES_EXHAUSTED,
    &sla::SLA_OVERDUE,
    &sla::SLA_DUE_SOON,
    &dags::DAGS_STALLED,
    &scheduler::LAST_ACTIVITY,
];

/// No rows, where neither the table nor the jobs' own lists can be read.
const NO_DEPENDENCIES: Fallback = Fallback {
    table: "job_dependencies",
    instead_of: DEPENDENCIES_FROM_JSON.instead_of,
    sql: include_str!("no_job_dependencies.sql"),
    needs: &[],
};

const OVER_UNFINISHED: Query = Query {
    sql: SqlFile { name: "backlog.sql", text: include_str!("backlog.sql") },
    pace: Pace::Backlog,
    pass: Some(PassKind::Backlog),
    wanted: |_| true,
    by_queue: FAMILIES,
    optional: &[
        DAG_ID,
        optional!("job"."created_on": "timestamptz"),
        optional!("job"."started_on": "timestamptz"),
        optional!("job"."completed_on": "timestamptz"),
        optional!("job"."start_after": "timestamptz"),
        optional!("job"."retry_count": "int"),
        optional!("job"."retry_limit": "int"),
        optional!("job"."soft_sla": "timestamptz"),
        optional!("job"."hard_sla": "timestamptz"),
        optional!("job"."lease_expires_at": "timestamptz"),
        optional!("job"."run_lease_expires_at": "timestamptz"),
    ],
    needs: &[Need::Columns("job", &["id", "name", "state"])],
    fallbacks: &[NO_DAGS, DEPENDENCIES_FROM_JSON, NO_DEPENDENCIES],
    definitions: &[],
    index: Some(BY_STATE),
    division: Division::ByQueueWithParents,
    arguments: |context| arguments(context, Zeros { queues: true, dags: true }),
};

const NO_DAG: Definition = definition(include_str!("no_open_dag.sql"));
const OPEN_DAGS: Definition = definition(include_str!("open_dag.sql"));
const DAGS_BETWEEN: Definition = definition(include_str!("open_dag_between.sql"));
const UNFINISHED: Definition = definition(include_str!("unfinished.sql"));
const OF_DAGS: Definition = definition(include_str!("unfinished_of_dags.sql"));
const OF_IDS: Definition = definition(include_str!("unfinished_of_ids.sql"));
const BY_ID: Definition = definition(include_str!("parents_by_id.sql"));
const BY_KEY: Definition = definition(include_str!("parents_by_key.sql"));
const JUDGED: Definition = definition(include_str!("judged.sql"));

/// A statement over the jobs of one scope, in two forms that differ in how parents are found.
pub(super) struct Statement {
    with_index: Query,
    without_index: Query,
}

/// The main statement over all unfinished jobs and DAGs.
pub(super) static OVER_ALL: Statement = Statement {
    with_index: over(&[OPEN_DAGS, UNFINISHED, BY_ID, JUDGED]),
    without_index: over(&[OPEN_DAGS, UNFINISHED, BY_KEY, JUDGED]),
};

/// The main statement over the unfinished DAGs with ids from $10 to $11.
pub(super) static OVER_DAGS: Statement = Statement {
    with_index: over(&[DAGS_BETWEEN, OF_DAGS, BY_ID, JUDGED]),
    without_index: over(&[DAGS_BETWEEN, OF_DAGS, BY_KEY, JUDGED]),
};

/// The main statement over all unfinished jobs, without DAGs.
pub(super) static OVER_JOBS: Statement = Statement {
    with_index: over(&[NO_DAG, UNFINISHED, BY_ID, JUDGED]),
    without_index: over(&[NO_DAG, UNFINISHED, BY_KEY, JUDGED]),
};

/// The main statement over the jobs with the ids $10: all of them if $11, otherwise those that belong to no unfinished DAG.
pub(super) static OVER_IDS: Statement = Statement {
    with_index: over(&[NO_DAG, OF_IDS, BY_ID, JUDGED]),
    without_index: over(&[NO_DAG, OF_IDS, BY_KEY, JUDGED]),
};

/// Finds the DAGs that an unfinished job of the queues $1 moves.
pub(super) static MOVING: Statement = Statement {
    with_index: Query { definitions: &[NO_DAG, UNFINISHED, BY_ID, JUDGED], ..MOVING_DAGS },
    without_index: Query { definitions: &[NO_DAG, UNFINISHED, BY_KEY, JUDGED], ..MOVING_DAGS },
};

/// Finds the DAGs that an unfinished job of the queues $1 with an id of $10 moves.
pub(super) static MOVING_OF_IDS: Statement = Statement {
    with_index: Query { definitions: &[NO_DAG, OF_IDS, BY_ID, JUDGED], ..MOVING_DAGS },
    without_index: Query { definitions: &[NO_DAG, OF_IDS, BY_KEY, JUDGED], ..MOVING_DAGS },
};

const MOVING_DAGS: Query = Query {
    sql: SqlFile { name: "moving_dags.sql", text: include_str!("moving_dags.sql") },
    by_queue: &[],
    ..OVER_UNFINISHED
};

/// Of the DAGs $1, finds those that have jobs, and whether one of these failed.
pub(super) static WITH_JOBS: Query = Query {
    sql: SqlFile { name: "dags_with_jobs.sql", text: include_str!("dags_with_jobs.sql") },
    needs: &[Need::Columns("job", &["dag_id", "state"])],
    ..BESIDE
};

/// Counts the unfinished jobs and DAGs up to $1.
pub(super) static SIZE: Query = Query {
    sql: SqlFile { name: "size.sql", text: include_str!("size.sql") },
    needs: &[Need::Columns("job", &["state"])],
    fallbacks: &[NO_DAGS],
    ..BESIDE
};

/// Finds the last of $2 unfinished DAGs from $1 on.
pub(super) static LAST_DAG: Query = Query {
    sql: SqlFile { name: "last_dag.sql", text: include_str!("last_dag.sql") },
    needs: &[DAGS],
    ..BESIDE
};

/// Finds the next $2 unfinished jobs from $1 on: all of them if $3, otherwise those that belong to no unfinished DAG.
pub(super) static NEXT_JOBS: Query = Query {
    sql: SqlFile { name: "next_jobs.sql", text: include_str!("next_jobs.sql") },
    needs: &[Need::Columns("job", &["id", "state"])],
    optional: &[DAG_ID],
    fallbacks: &[NO_DAGS],
    ..BESIDE
};

/// Finds the next $3 waiting jobs behind the start $1 and the DAG $2: those that belong to no unfinished DAG.
pub(super) static NEXT_WAITING: Query = Query {
    sql: SqlFile { name: "next_waiting.sql", text: include_str!("next_waiting.sql") },
    needs: &[DAGS, Need::Columns("job", &["id", "state", "dag_id", "start_after"])],
    ..BESIDE
};

/// As [`NEXT_JOBS`], only the jobs that [`NEXT_WAITING`] leaves out.
pub(super) static NEXT_OTHERS: Query = Query {
    sql: SqlFile { name: "next_others.sql", text: include_str!("next_others.sql") },
    needs: NEXT_WAITING.needs,
    ..BESIDE
};

const BESIDE: Query = Query { by_queue: &[], optional: &[], fallbacks: &[], ..OVER_UNFINISHED };

const fn definition(sql: &'static str) -> Definition {
    Definition { sql, needs: &[] }
}

const fn over(definitions: &'static [Definition]) -> Query {
    Query { definitions, ..OVER_UNFINISHED }
}

impl Statement {
    /// Returns the form for this database.
    pub(super) fn query(&'static self, schema: &Schema) -> &'static Query {
        if has_dependencies(schema) && !schema.has_index(&BY_CHILD) {
            &self.without_index
        } else {
            &self.with_index
        }
    }
}

/// Which labels have rows of 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Zeros {
    pub(super) queues: bool,
    /// The reasons of stalled DAGs.
    pub(super) dags: bool,
}

impl Zeros {
    pub(super) const NONE: Zeros = Zeros { queues: false, dags: false };
}

/// Returns $1 to $9 of the main statement.
pub(super) fn arguments(context: &Context<'_>, zeros: Zeros) -> Result<PgArguments, BoxDynError> {
    let mut arguments = context.queues.arguments(context.schema)?;
    arguments.add(context.config.sla_due_soon.as_secs_f64())?;
    arguments.add(zeros.queues)?;
    arguments.add(zeros.dags)?;
    Ok(arguments)
}

/// Whether all that the pass cannot do without can be read.
pub(super) fn can_run(schema: &Schema) -> bool {
    !OVER_UNFINISHED.needs.iter().any(|need| is_replaced(need, schema))
}

/// Whether one transaction must not read all partitions.
pub(super) fn is_divided(schema: &Schema) -> bool {
    OVER_ALL.query(schema).is_divided(schema)
}

/// Whether parents are read from the table of dependencies.
pub(super) fn has_dependencies(schema: &Schema) -> bool {
    !DEPENDENCIES_FROM_JSON.instead_of.iter().any(|need| is_replaced(need, schema))
}

/// Whether the jobs of a DAG can be read together.
pub(super) fn can_read_by_dag(schema: &Schema) -> bool {
    !is_replaced(&DAGS, schema) && !is_replaced(&DAG_ID.need, schema) && schema.has_index(&BY_DAG)
}

/// Whether an index has the waiting jobs in the order of [`NEXT_WAITING`].
pub(super) fn can_read_waiting(schema: &Schema) -> bool {
    !NEXT_WAITING.needs.iter().any(|need| is_replaced(need, schema)) && schema.has_index(&BY_START_AND_DAG)
}

/// Whether the statements are written without this need.
fn is_replaced(need: &Need, schema: &Schema) -> bool {
    OVER_UNFINISHED.is_replaced(need, schema)
}
