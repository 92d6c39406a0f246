//! The pass over unfinished jobs: counts by state, ready, deferred and blocked jobs, SLAs, retries, stalled DAGs.
//!
//! A small backlog is read by one statement, so that all its numbers are of one instant. A large one is read in slices of
//! unfinished DAGs, in the order of their ids. All jobs of a DAG are in one slice, so that each DAG is of one instant. Then
//! the jobs that belong to no unfinished DAG follow, in the order of their ids. A slice has at least one DAG, so the
//! slice of a DAG with very many unfinished jobs can time out; no slice splits a DAG.
//!
//! `statements` has the SQL. Neighbours: [`pass`](crate::collect::pass) maps the rows to samples.

mod statements;

use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::types::Uuid;
use sqlx::{Arguments, Row};

use self::statements::{LAST_DAG, NEXT_JOBS, OVER_ALL, OVER_DAGS, OVER_IDS, SIZE, Statement, Zeros};
use crate::collect::collector::{Context, Query};
use crate::collect::pass::Slice;
use crate::collect::slice_size::SliceSize;
use crate::postgres::{Failure, Plans, Reason, Run};
use crate::schema::Schema;

/// The most unfinished jobs, and the most unfinished DAGs, that one statement reads.
const MOST_IN_ONE: i64 = 20_000;

/// One statement reads this many times the DAGs of a slice, so that it is not tried where a slice must be small.
const SLICES_IN_ONE: i64 = 20;

/// How many jobs a slice by ids looks at for each DAG of other slices.
const IDS_FOR_DAG: i64 = 10;

pub(crate) struct Backlog {
    /// How many DAGs the next slice has.
    dags: SliceSize,
    /// How many jobs the next slice by ids looks at.
    ids: SliceSize,
    position: Position,
}

/// What the next slice reads.
#[derive(Debug, Clone, Copy)]
enum Position {
    Start,
    /// The unfinished DAGs from this id on.
    Dags(Uuid),
    /// The jobs that belong to no unfinished DAG, from this id on.
    Jobs(Uuid),
    /// Nothing but the rows of 0.
    End,
}

impl Position {
    /// Returns the position behind this id, `end` behind the last one.
    fn behind(id: Uuid, position: fn(Uuid) -> Position, end: Position) -> Position {
        id.as_u128().checked_add(1).map_or(end, |next| position(Uuid::from_u128(next)))
    }
}

impl Backlog {
    pub(crate) const FIRST_SLICE: SliceSize = SliceSize::new(1_000, 1, 10_000);

    pub(crate) fn begin(size: SliceSize) -> Self {
        Backlog { dags: size, ids: size.in_smaller_units(IDS_FOR_DAG), position: Position::Start }
    }

    pub(crate) fn plans(&self, schema: &Schema) -> Plans {
        if statements::is_divided(schema) { Plans::Custom } else { Plans::Generic }
    }

    pub(crate) fn slice_size(&self) -> SliceSize {
        self.dags
    }

    /// Reads the next slice. After a time-out the next one is smaller.
    pub(crate) async fn step(&mut self, run: &mut Run, context: &Context<'_>) -> Result<Slice, Failure> {
        if !statements::can_run(context.schema) {
            return Ok(Slice { rows: Vec::new(), is_last: true });
        }
        if context.schema.has_index(&statements::BY_STATE) {
            // The planner does not know how long the arrays of a statement are. It could prefer scans of small tables, which
            // compare each row with each element.
            run.execute(sqlx::raw_sql("SET LOCAL enable_seqscan = off; SET LOCAL enable_mergejoin = off"))
                .await?;
        }
        let slice = self.read(run, context).await;
        if slice.as_ref().is_err_and(|failure| failure.reason == Reason::Timeout) {
            self.shrink();
        }
        slice
    }

    fn shrink(&mut self) {
        match self.position {
            Position::Start | Position::Dags(_) => drop(self.dags.shrink()),
            Position::Jobs(_) | Position::End => drop(self.ids.shrink()),
        }
    }

    async fn read(&mut self, run: &mut Run, context: &Context<'_>) -> Result<Slice, Failure> {
        let by_dag = statements::can_read_by_dag(context.schema);
        if let Position::Start = self.position {
            let most = self.dags.get().saturating_mul(SLICES_IN_ONE).min(MOST_IN_ONE);
            if has_at_most(run, context, most).await? {
                let rows =
                    fetch(run, context, &OVER_ALL, Zeros { queues: true, dags: true }, |_| Ok(())).await?;
                return Ok(Slice { rows, is_last: true });
            }
            self.position = if by_dag { Position::Dags(Uuid::nil()) } else { Position::Jobs(Uuid::nil()) };
        }
        let started = run.busy();
        let rows = match self.position {
            Position::Dags(from) => {
                let (rows, next) = dags(run, context, from, self.dags.get()).await?;
                self.dags.adapt(run.busy() - started);
                self.position = next;
                rows
            }
            Position::Jobs(from) => {
                let (rows, next) = jobs(run, context, from, self.ids.get(), !by_dag).await?;
                self.ids.adapt(run.busy() - started);
                self.position = next;
                rows
            }
            Position::Start | Position::End => {
                let zeros = Zeros { queues: true, dags: by_dag };
                let rows = of_ids(run, context, &[], false, zeros).await?;
                return Ok(Slice { rows, is_last: true });
            }
        };
        Ok(Slice { rows, is_last: false })
    }
}

/// Whether there are at most so many unfinished jobs, and at most so many unfinished DAGs.
async fn has_at_most(run: &mut Run, context: &Context<'_>, most: i64) -> Result<bool, Failure> {
    let arguments = bound(&SIZE, |arguments| arguments.add(most + 1))?;
    let rows = SIZE.fetch_of(run, context.schema, arguments, None).await?;
    let Some(row) = rows.first() else { return Ok(true) };
    Ok(row.try_get::<i64, _>("jobs")? <= most && row.try_get::<i64, _>("dags")? <= most)
}

/// Reads the jobs of the next unfinished DAGs. Returns the position behind them.
async fn dags(
    run: &mut Run,
    context: &Context<'_>,
    from: Uuid,
    count: i64,
) -> Result<(Vec<PgRow>, Position), Failure> {
    let arguments = bound(&LAST_DAG, |arguments| {
        arguments.add(from)?;
        arguments.add(count)
    })?;
    let last = LAST_DAG.fetch_of(run, context.schema, arguments, None).await?;
    let last = last.first().map(|row| row.try_get::<Uuid, _>("id")).transpose()?;
    let to = last.unwrap_or(Uuid::max());
    let rows = fetch(run, context, &OVER_DAGS, Zeros::NONE, |arguments| {
        arguments.add(from)?;
        arguments.add(to)
    })
    .await?;
    let behind = Position::Jobs(Uuid::nil());
    Ok((rows, Position::behind(to, Position::Dags, behind)))
}

/// Reads the next unfinished jobs: `all` of them, or those that belong to no unfinished DAG. Returns the position behind
/// them.
async fn jobs(
    run: &mut Run,
    context: &Context<'_>,
    from: Uuid,
    count: i64,
    all: bool,
) -> Result<(Vec<PgRow>, Position), Failure> {
    let arguments = bound(&NEXT_JOBS, |arguments| {
        arguments.add(from)?;
        arguments.add(count)?;
        arguments.add(all)
    })?;
    let found = NEXT_JOBS.fetch_of(run, context.schema, arguments, None).await?;
    let Some(found) = found.first() else { return Ok((Vec::new(), Position::End)) };
    let next = Position::behind(found.try_get("id")?, Position::Jobs, Position::End);
    let ids: Vec<Uuid> = found.try_get("ids")?;
    let rows = if ids.is_empty() { Vec::new() } else { of_ids(run, context, &ids, all, Zeros::NONE).await? };
    Ok((rows, next))
}

async fn of_ids(
    run: &mut Run,
    context: &Context<'_>,
    ids: &[Uuid],
    all: bool,
    zeros: Zeros,
) -> Result<Vec<PgRow>, Failure> {
    fetch(run, context, &OVER_IDS, zeros, |arguments| {
        arguments.add(ids)?;
        arguments.add(all)
    })
    .await
}

/// Runs the main statement over a scope, whose arguments `bind` adds.
async fn fetch(
    run: &mut Run,
    context: &Context<'_>,
    statement: &'static Statement,
    zeros: Zeros,
    bind: impl FnOnce(&mut PgArguments) -> Result<(), BoxDynError>,
) -> Result<Vec<PgRow>, Failure> {
    let query = statement.query(context.schema);
    let arguments = statements::arguments(context, zeros).and_then(|mut arguments| {
        bind(&mut arguments)?;
        Ok(arguments)
    });
    query.fetch_of(run, context.schema, arguments.map_err(|error| not_encoded(query, &error))?, None).await
}

fn bound(
    query: &Query,
    bind: impl FnOnce(&mut PgArguments) -> Result<(), BoxDynError>,
) -> Result<PgArguments, Failure> {
    let mut arguments = PgArguments::default();
    bind(&mut arguments).map_err(|error| not_encoded(query, &error))?;
    Ok(arguments)
}

fn not_encoded(query: &Query, error: &BoxDynError) -> Failure {
    Failure::new(Reason::Other, format!("{}: {error}", query.sql.name))
}
