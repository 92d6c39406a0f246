//! The pass over finished jobs.
//!
//! The scheduler rewrites every job that is not completed once a minute, and the new version of a row can be on any page.
//! Completed jobs therefore are counted in ranges of pages. All other finished jobs are counted in one statement where
//! they are few, and otherwise in ranges of ids, where a row keeps its place. Where no index serves these, a small table is
//! counted in one statement, and of a large one only the completed jobs are counted. `statements` has the SQL, `files`
//! notices a rewritten table: then the pass begins again.
//!
//! A job that is completed a second time while the pass is between its two pages is counted twice, or not at all.

mod files;
mod progress;
mod statements;

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::types::Uuid;

use self::files::{Files, TableId};
use self::progress::{Bounds, Part, Progress};
use self::statements::{
    ALL, COUNT_OTHERS, Counted, IDS, LAST_ID, OTHERS, PAGES, count_others_arguments, fetch, last_id_arguments,
};
use crate::collect::collector::{Context, Query};
use crate::collect::collectors::{BY_ID_UNLESS_COMPLETED, BY_STATE};
use crate::collect::division;
use crate::collect::slice::Slice;
use crate::collect::slice::{SliceSize, TARGET};
use crate::postgres::{Failure, Plans, Reason, Run};
use crate::schema::Schema;
use crate::schema::queue_partitions::QueuePartition;

/// How many pages a table has at most that is counted in one statement where no index serves.
const MOST_PAGES_AT_ONCE: u64 = 100_000;

/// How many jobs that are not completed a range of ids has, for each page of its size.
const IDS_PER_PAGE: i64 = 16;

/// The statements that the pass may run, for the rights that they need.
pub(super) static STATEMENTS: [&Query; 6] = [&ALL, &PAGES, &IDS, &LAST_ID, &OTHERS, &COUNT_OTHERS];

/// How the finished jobs are divided into slices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    /// All in one statement.
    AtOnce,
    /// The completed ones by pages, the others by ids.
    PagesAndIds,
    /// The completed ones by pages, the others not at all.
    PagesOnly,
}

pub(crate) struct History {
    /// Pages of a slice, of all partitions together.
    pages: SliceSize,
    /// The same for a range of ids, because its jobs are on scattered pages.
    ids: SliceSize,
    /// `None` before the first slice.
    work: Option<Work>,
    has_begun_again: bool,
}

/// What remains to be read.
struct Work {
    method: Method,
    /// The files as of the slice before.
    files: Files,
    progress: Progress,
}

impl History {
    pub(crate) const FIRST_SLICE: SliceSize = SliceSize::new(1_000, 1, 200_000);

    pub(crate) fn begin(size: SliceSize) -> Self {
        let ids = if size.get() < Self::FIRST_SLICE.get() { size } else { Self::FIRST_SLICE };
        History { pages: size, ids, work: None, has_begun_again: false }
    }

    pub(crate) fn plans(schema: &Schema) -> Plans {
        if is_divided(schema) { Plans::Custom } else { Plans::Generic }
    }

    pub(crate) fn slice_size(&self) -> SliceSize {
        self.pages
    }

    /// Whether the table was rewritten, so that the slices before the last one are worthless.
    pub(crate) fn has_begun_again(&self) -> bool {
        self.has_begun_again
    }

    /// Reads the next slice.
    ///
    /// The table's files are read after it, in the same transaction: they are those that the statement has read.
    pub(crate) async fn step(&mut self, run: &mut Run, context: &Context<'_>) -> Result<Slice, Failure> {
        self.has_begun_again = false;
        if self.work.is_none() {
            self.work = Some(Work::begin(run, context.schema).await?);
        }
        let Some(work) = &mut self.work else { unreachable!("the pass has begun") };
        let before = run.busy();
        let bounds = work.next_bounds(run, context, self.pages, self.ids).await;
        let rows = match bounds {
            Ok(bounds) => work.read(run, context, &bounds).await.map(|rows| (rows, bounds)),
            Err(failure) => Err(failure),
        };
        let size = if work.progress.is_in_ids() { &mut self.ids } else { &mut self.pages };
        let (rows, bounds) = rows.inspect_err(|failure| {
            if failure.reason == Reason::Timeout {
                size.shrink();
            }
        })?;
        let took = run.busy().saturating_sub(before);
        // The rest of a part can be small, which says nothing about the next slice.
        if bounds != Bounds::All && (!work.progress.is_end(&bounds) || took > TARGET) {
            size.adapt(took);
        }
        let files = Files::read(run, context.schema).await?;
        if !files.keep(&work.files) {
            self.work = None;
            self.has_begun_again = true;
            return Ok(Slice { rows: Vec::new(), is_last: false });
        }
        let is_last = work.progress.advance(&bounds, &files);
        work.files = files;
        Ok(Slice { rows, is_last })
    }
}

impl Work {
    async fn begin(run: &mut Run, schema: &Schema) -> Result<Self, Failure> {
        let files = Files::read(run, schema).await?;
        let method = Method::new(schema, &files);
        let parts = if is_divided(schema) { divided(run, schema).await? } else { vec![Part::whole()] };
        let progress = Progress::new(parts, method == Method::AtOnce, method == Method::PagesAndIds, &files);
        Ok(Work { method, files, progress })
    }

    /// Returns the bounds of the next slice.
    async fn next_bounds(
        &self,
        run: &mut Run,
        context: &Context<'_>,
        pages: SliceSize,
        ids: SliceSize,
    ) -> Result<Bounds, Failure> {
        let first = match self.progress.next(pages, &self.files) {
            Bounds::Ids { first, .. } => first,
            bounds => return Ok(bounds),
        };
        let (queues, jobs) = (self.progress.queues(), ids.get() * IDS_PER_PAGE);
        if first.is_nil() && has_others_by_state(context.schema) {
            let rows = fetch(&COUNT_OTHERS, run, context, count_others_arguments(jobs), queues).await?;
            let others = rows.first().map_or(Ok(0), |row| row.try_get::<i64, _>("jobs"))?;
            if others < jobs {
                return Ok(Bounds::Others);
            }
        }
        let rows = fetch(&LAST_ID, run, context, last_id_arguments(first, jobs), queues).await?;
        let last = rows.first().map_or(Ok(Uuid::max()), |row| row.try_get("last_id"))?;
        Ok(Bounds::Ids { first, last })
    }

    async fn read(
        &self,
        run: &mut Run,
        context: &Context<'_>,
        bounds: &Bounds,
    ) -> Result<Vec<PgRow>, Failure> {
        let counted = Counted {
            with_zeros: self.progress.is_first(),
            only_completed: matches!(bounds, Bounds::Pages { .. }),
            is_complete: self.method != Method::PagesOnly,
        };
        let query = match bounds {
            Bounds::All => &ALL,
            Bounds::Pages { .. } => &PAGES,
            Bounds::Ids { .. } => &IDS,
            Bounds::Others => &OTHERS,
        };
        let queues = self.progress.queues();
        let labels = match queues {
            // The first slice of a divided pass reads no queue, and has the zeros of all.
            Some(queues) if !queues.is_empty() => context.queues.part(queues, &[]),
            _ => context.queues.clone(),
        };
        let context = Context { queues: &labels, ..*context };
        fetch(query, run, &context, counted.arguments(&context, &bounds.arguments()), queues).await
    }
}

impl Method {
    fn new(schema: &Schema, files: &Files) -> Self {
        let has_pages = files.are_local() && PAGES.lack(schema).is_none() && schema.reads_ranges_of_pages();
        // Clients may write any text as a state, and which of them have a label is decided over all jobs.
        let has_ids = schema.has_index(&BY_ID_UNLESS_COMPLETED) && !schema.takes_any_state();
        if has_pages && has_ids && IDS.lack(schema).is_none() {
            Method::PagesAndIds
        } else if has_pages && files.pages() > MOST_PAGES_AT_ONCE {
            Method::PagesOnly
        } else {
            Method::AtOnce
        }
    }
}

/// Whether an index has the finished jobs that are not completed next to each other, as in every known enum of the states.
fn has_others_by_state(schema: &Schema) -> bool {
    let states = schema.states();
    schema.has_index(&BY_STATE)
        && !schema.takes_any_state()
        && ["created", "retry", "active", "completed"].iter().eq(states.iter().take(4))
}

/// Whether one transaction may not lock all partitions.
fn is_divided(schema: &Schema) -> bool {
    schema.locks(["job"]) > schema.locks_allowed
}

/// Returns one part without queues, and a part for each group of queues.
async fn divided(run: &mut Run, schema: &Schema) -> Result<Vec<Part>, Failure> {
    let Some(room) = schema.room_for_partitions(["job"]) else {
        let lack = schema.lack_of_locks(schema.locks(["job"]));
        return Err(Failure::new(Reason::LockLimit, format!("{}: {lack}", ALL.sql.name)));
    };
    let partitions = QueuePartition::read_all(run, &schema.name).await?;
    let tables: BTreeMap<String, TableId> = partitions
        .iter()
        .flat_map(|partition| partition.queues.iter().map(|queue| (queue.clone(), partition.table)))
        .collect();
    let mut parts = vec![Part::of_no_queue()];
    for group in division::groups(partitions, room) {
        let own: BTreeSet<TableId> =
            group.queues.iter().filter_map(|queue| tables.get(queue)).copied().collect();
        parts.push(Part::of_queues(group.queues, own.into_iter().collect()));
    }
    Ok(parts)
}
