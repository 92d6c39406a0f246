//! The pass over unfinished jobs: counts by state, ready, deferred and blocked jobs, SLAs, retries, stalled DAGs.
//!
//! A small backlog is read by one statement, so that all its numbers are of one instant. A large one is read in slices of
//! unfinished DAGs, in the order of their ids. All jobs of a DAG are in one slice, so that each DAG is of one instant. Then
//! the jobs follow that belong to no unfinished DAG. They are found among all unfinished jobs, the waiting ones in an index
//! that has their DAGs. A slice has at least one DAG, so the
//! slice of a DAG with very many unfinished jobs can time out; no slice splits a DAG.
//!
//! Where one transaction must not lock all partitions, `divided` reads groups of queues. `statements` has the SQL, `reads`
//! its values and rows. Neighbours: [`pass`](crate::collect::pass) maps the rows to samples.

mod divided;
mod reads;
mod stalled;
mod statements;

use sqlx::postgres::PgRow;
use sqlx::types::Uuid;

use self::divided::Divided;
use self::reads::{Reads, Scope, Strays, WaitingJob};
use self::statements::Zeros;
use crate::collect::collector::Context;
use crate::collect::collectors::statistics::DEPENDENCIES_FROM_JSON;
use crate::collect::slice::{Slice, SliceSize};
use crate::postgres::{Failure, Plans, Reason, Run};
use crate::schema::Schema;

/// The most unfinished jobs, and the most unfinished DAGs, that one statement reads.
const MOST_IN_ONE: i64 = 20_000;

/// One statement reads this many times the DAGs of a slice, so that it is not tried where a slice must be small.
const SLICES_IN_ONE: i64 = 20;

/// How many jobs a slice by ids looks at for each DAG of other slices.
const IDS_FOR_DAG: i64 = 10;

pub(crate) struct Backlog {
    sizes: Sizes,
    position: Position,
}

/// How large the next slices are.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    dags: SliceSize,
    /// Jobs of a slice by ids.
    ids: SliceSize,
}

/// What the next slice reads.
enum Position {
    Start,
    /// The unfinished DAGs from this id on.
    Dags(Uuid),
    /// The waiting jobs behind this one that belong to no unfinished DAG, in the order of an index.
    Waiting(WaitingJob),
    /// The other jobs that belong to no unfinished DAG, from this id on. `Strays` says which are other ones.
    Jobs(Uuid, Strays),
    /// Groups of queues.
    Divided(Divided),
    /// Nothing but the rows of 0.
    End,
}

impl Sizes {
    /// Returns how many unfinished jobs one statement reads, at most.
    fn most_in_one(self) -> i64 {
        self.dags.get().saturating_mul(SLICES_IN_ONE).min(MOST_IN_ONE)
    }
}

impl Backlog {
    pub(crate) const FIRST_SLICE: SliceSize = SliceSize::new(1_000, 1, 10_000);

    pub(crate) fn begin(size: SliceSize) -> Self {
        let sizes = Sizes { dags: size, ids: size.in_smaller_units(IDS_FOR_DAG) };
        Backlog { sizes, position: Position::Start }
    }

    pub(crate) fn plans(schema: &Schema) -> Plans {
        if statements::is_divided(schema) { Plans::Custom } else { Plans::Generic }
    }

    pub(crate) fn slice_size(&self) -> SliceSize {
        self.sizes.dags
    }

    /// Reads the next slice. After a time-out the next one is smaller.
    pub(crate) async fn step(&mut self, run: &mut Run, context: &Context<'_>) -> Result<Slice, Failure> {
        if !statements::can_run(context.schema) {
            return Ok(Slice { rows: Vec::new(), is_last: true });
        }
        if context.schema.has_index(&statements::BY_STATE) {
            // The planner does not know how long the arrays of a statement are. It could prefer scans of small tables, which
            // compare each row with each element. Merging would sort by names. Where statistics are from before a backlog,
            // it could sort all jobs for each slice instead of reading them in the order of an index.
            let set = "SET LOCAL enable_seqscan = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_sort = off";
            run.execute(sqlx::raw_sql(set)).await?;
            // With a thousand queues, a loop over the pairs of rows and queue labels takes longer than a second. Lookups row by
            // row are lateral, so they stay loops. The fallback finds parents by a loop that must stay one too.
            if context.schema.lack(&DEPENDENCIES_FROM_JSON.instead_of[0]).is_none() {
                run.execute(sqlx::raw_sql("SET LOCAL enable_nestloop = off")).await?;
            }
        }
        let slice = self.read(&mut Reads { run, context, queues: None }).await;
        if slice.as_ref().is_err_and(|failure| failure.reason == Reason::Timeout) {
            // Only the kind of slice that timed out.
            let size = match self.position {
                Position::Start | Position::Dags(_) => &mut self.sizes.dags,
                Position::Waiting(_) | Position::Jobs(..) | Position::Divided(_) | Position::End => {
                    &mut self.sizes.ids
                }
            };
            size.shrink();
        }
        slice
    }

    async fn read(&mut self, reads: &mut Reads<'_, '_>) -> Result<Slice, Failure> {
        let started = reads.run.busy();
        let by_dag = statements::can_read_by_dag(reads.context.schema);
        let rows = match &mut self.position {
            Position::Start if statements::is_divided(reads.context.schema) => {
                self.position = Position::Divided(Divided::begin(reads).await?);
                Vec::new()
            }
            Position::Start => {
                let most = self.sizes.most_in_one();
                let (jobs, dags) = reads.sizes(most).await?;
                if jobs.max(dags) <= most {
                    let rows = reads.jobs(Scope::All, Zeros { queues: true, dags: true }).await?;
                    return Ok(Slice { rows, is_last: true });
                }
                self.position = if by_dag {
                    Position::Dags(Uuid::nil())
                } else {
                    Position::Jobs(Uuid::nil(), Strays::AndOthers)
                };
                Vec::new()
            }
            &mut Position::Dags(from) => {
                let last = reads.last_dag(from, self.sizes.dags.get()).await?;
                let to = last.unwrap_or(Uuid::max());
                let rows = reads.jobs(Scope::Dags(from, to), Zeros::NONE).await?;
                self.sizes.dags.adapt(reads.run.busy().saturating_sub(started));
                self.position = match behind(to) {
                    Some(next) => Position::Dags(next),
                    None if statements::can_read_waiting(reads.context.schema) => {
                        Position::Waiting(WaitingJob::start())
                    }
                    None => Position::Jobs(Uuid::nil(), Strays::Only),
                };
                rows
            }
            Position::Waiting(after) => {
                let next = reads.next_waiting(after, self.sizes.ids.get()).await?;
                let rows = match &next {
                    Some((_, ids)) => of_ids(reads, ids, Strays::Only).await?,
                    None => Vec::new(),
                };
                self.sizes.ids.adapt(reads.run.busy().saturating_sub(started));
                self.position = match next {
                    Some((next, _)) => Position::Waiting(next),
                    None => Position::Jobs(Uuid::nil(), Strays::NotWaiting),
                };
                rows
            }
            &mut Position::Jobs(from, strays) => {
                let next = reads.next_jobs(from, self.sizes.ids.get(), strays).await?;
                let rows = match &next {
                    Some((_, ids)) => of_ids(reads, ids, strays).await?,
                    None => Vec::new(),
                };
                self.sizes.ids.adapt(reads.run.busy().saturating_sub(started));
                let next = next.and_then(|(last, _)| behind(last));
                self.position = next.map_or(Position::End, |next| Position::Jobs(next, strays));
                rows
            }
            Position::Divided(divided) => {
                if let Some(rows) = divided.read(reads, &mut self.sizes).await? {
                    rows
                } else {
                    self.position = Position::End;
                    Vec::new()
                }
            }
            Position::End => {
                let is_divided = statements::is_divided(reads.context.schema);
                // The statement reads no job, so no partition need be locked.
                reads.queues = is_divided.then_some(&[]);
                let zeros = Zeros { queues: true, dags: by_dag && !is_divided };
                let rows = reads.jobs(Scope::Ids(&[], Strays::Only), zeros).await?;
                return Ok(Slice { rows, is_last: true });
            }
        };
        Ok(Slice { rows, is_last: false })
    }
}

/// Reads the jobs with these ids, if there are any.
async fn of_ids(reads: &mut Reads<'_, '_>, ids: &[Uuid], strays: Strays) -> Result<Vec<PgRow>, Failure> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    reads.jobs(Scope::Ids(ids, strays), Zeros::NONE).await
}

/// Returns the id behind this one.
fn behind(id: Uuid) -> Option<Uuid> {
    id.as_u128().checked_add(1).map(Uuid::from_u128)
}
