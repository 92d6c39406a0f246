//! Counts the events of `job_history` and `dag_history`, each exactly once, though transactions commit late, the
//! exporter restarts, and most rows are no events. The only collector that remembers anything from run to run:
//! `position` is how far it has come, `totals` what it has counted, `state_file` keeps both; `history` asks the
//! database, `families` says what becomes of the answers.

mod bounds;
mod families;
mod history;
mod position;
mod state_file;
mod totals;

use std::cmp::Reverse;
use std::path::PathBuf;
use std::time::Duration;

use sqlx::Arguments;
use sqlx::postgres::PgArguments;

use self::bounds::{Bounds, negated};
use self::history::{End, Instant, NAMES, TABLES};
use self::position::Position;
use self::state_file::Identity;
pub use self::state_file::StateFileError;
use self::totals::{Labels, Totals};
use crate::collector::{Answer, Collector, Context, Pace, Query, SqlFile};
use crate::config::Config;
use crate::database::{Failure, Reason, Run};
use crate::schema::{Index, Need, Schema};

pub static COLLECTOR: Collector = Collector {
    name: "events",
    about: "Jobs and DAGs created and finished, each counted once: counters and histograms",
    families: families::FAMILIES,
    queries: &QUERIES,
};

/// By table, as in [`NAMES`].
static QUERIES: [Query; TABLES] = [
    Query {
        sql: SqlFile { name: "job_events.sql", text: include_str!("events/job_events.sql") },
        pace: Pace::Fast,
        wanted: |_| true,
        by_queue: &[],
        needs: &[Need::Columns(
            "job_history",
            &[
                "history_id",
                "xmin",
                "id",
                "name",
                "state",
                "retry_count",
                "start_after",
                "created_on",
                "started_on",
                "completed_on",
                "soft_sla",
                "hard_sla",
                "history_created_on",
            ],
        )],
        stand_ins: &[],
        index: Some(Index { table: "job_history", columns: &["history_id"], predicate: None }),
        arguments: |context| {
            let bounds = Bounds::new(&context.config.events);
            let mut arguments = nothing_new()?;
            arguments.add(negated(&bounds.wait))?;
            arguments.add(negated(&bounds.run))?;
            arguments.add(negated(&bounds.retries))?;
            Ok(arguments)
        },
    },
    Query {
        sql: SqlFile { name: "dag_events.sql", text: include_str!("events/dag_events.sql") },
        pace: Pace::Fast,
        wanted: |_| true,
        by_queue: &[],
        needs: &[
            // Without the jobs' history the collector is off.
            Need::Columns("job_history", &["history_id"]),
            Need::Columns(
                "dag_history",
                &[
                    "history_id",
                    "xmin",
                    "id",
                    "state",
                    "planner",
                    "created_on",
                    "completed_on",
                    "history_created_on",
                ],
            ),
        ],
        stand_ins: &[],
        index: Some(Index { table: "dag_history", columns: &["history_id"], predicate: None }),
        arguments: |context| {
            let mut arguments = nothing_new()?;
            arguments.add(negated(&Bounds::new(&context.config.events).dag))?;
            Ok(arguments)
        },
    },
];

/// A slice without rows, for whoever wants to know whether a query runs at all.
fn nothing_new() -> Result<PgArguments, sqlx::error::BoxDynError> {
    let mut arguments = PgArguments::default();
    arguments.add(0_i64)?;
    arguments.add(0_i64)?;
    arguments.add("3")?;
    arguments.add("3")?;
    Ok(arguments)
}

/// Rows of history that are read at once. A fraction of a second of work, and no memory: the database returns
/// sums.
const SLICE: i64 = 50_000;

/// Fewer are tried where the statement time-out strikes, down to this.
const SMALLEST_SLICE: i64 = 100;

const ENOUGH: Duration = Duration::from_secs(1);

/// Transaction ids are compared by their lower 32 bits, half of which are the future.
const FARTHEST: u64 = 1 << 30;

/// The collector's memory.
pub struct Feed {
    path: Option<PathBuf>,
    bounds: Bounds,
    /// Rows of history that are read at once, at most; lowered where the statement time-out strikes.
    pub most_rows: i64,
    /// A poll that is behind reads no further slice after this time; the load budget says when it goes on.
    pub enough: Duration,
    /// None before the first poll without a state file.
    state: Option<State>,
}

/// What the state file holds.
#[derive(Debug, Clone)]
struct State {
    identity: Identity,
    timeline: i64,
    /// The tables' files, which TRUNCATE and VACUUM FULL replace.
    files: [i64; TABLES],
    /// Whether a trigger was seen that writes them.
    are_written: [bool; TABLES],
    position: Position,
    totals: Totals,
}

impl Feed {
    /// Takes up what the state file holds, if there is one.
    ///
    /// # Errors
    /// When the file is there and cannot be read, or cannot be made.
    pub fn new(config: &Config) -> Result<Self, StateFileError> {
        let bounds = Bounds::new(&config.events);
        let path = config.events.state_file.clone();
        let state = match &path {
            Some(path) if config.collectors.is_enabled(COLLECTOR.name) => state_file::load(path, &bounds)?,
            _ => None,
        };
        Ok(Feed { path, bounds, most_rows: SLICE, enough: ENOUGH, state })
    }

    /// Counts what is new in the transaction of `run`. `was_scraped` says whether what the poll before published
    /// has been seen.
    ///
    /// # Errors
    /// Any failure of the database; [`Reason::HistoryLost`] where events cannot be counted, once for each cause;
    /// and where the state cannot be saved. What was not counted for a failure is counted by the next poll.
    pub async fn poll(
        &mut self,
        run: &mut Run,
        context: &Context<'_>,
        was_scraped: bool,
    ) -> Result<Answer, Failure> {
        let instant = history::instant(run).await?;
        // 3 is below every transaction, so that nothing was seen before.
        let (seen, ceiling) = self
            .state
            .as_ref()
            .map_or(([0; TABLES], 3), |state| (state.position.last_seen(), state.position.last_ceiling()));
        let ends = history::ends(run, &QUERIES, context.schema, seen, ceiling).await?;
        let were_written = self.state.as_ref().map_or([false; TABLES], |state| state.are_written);
        let is_silent =
            |table: usize| ends[table].is_disabled || were_written[table] && !ends[table].is_written;
        if let Some(table) = (0..TABLES).find(|&table| is_silent(table)) {
            let message = format!(
                "the trigger that writes {} is disabled or gone: no event can be counted",
                NAMES[table]
            );
            return Err(Failure::new(Reason::HistoryLost, message));
        }
        let identity = Identity::new(&instant, &context.config.database.schema);
        let mut state = match self.state.clone() {
            Some(state) if state.identity == identity => state,
            before => {
                if let (Some(_), Some(path)) = (before, &self.path) {
                    state_file::set_aside(path, "it was written for another database or schema");
                }
                State::from_now(identity, &instant, &ends)
            }
        };
        if was_scraped {
            state.totals.were_shown();
        }
        let mut labels = Labels::new(&state.totals, context.queues, context.config.queues.limit);
        let lost = state.check(&instant, &ends);
        let counted = match lost {
            Ok(()) => self.count(&mut state, run, context.schema, &instant, &ends, &mut labels).await,
            Err(lost) => Err(lost),
        };
        state.totals.introduce(context.queues, &context.schema.finished_states(), &mut labels);
        state.totals.evict(&labels);
        // Before it is published: else a restart would take back what Prometheus has seen, which to
        // Prometheus is a counter that was reset.
        if let Some(path) = &self.path {
            state_file::save(path, &state, &self.bounds)
                .await
                .map_err(|error| Failure::new(Reason::Other, error.to_string()))?;
        }
        let state = self.state.insert(state);
        counted?;
        let samples = state
            .totals
            .samples(&self.bounds, state.position.counted_until())
            .map_err(|error| Failure::new(Reason::Other, error.to_string()))?;
        Ok(Answer { query: QUERIES[0].sql.name, samples })
    }

    /// Reads slices until nothing is new or it has been enough. What was counted up to a failure is good.
    async fn count(
        &mut self,
        state: &mut State,
        run: &mut Run,
        schema: &Schema,
        instant: &Instant,
        ends: &[End; TABLES],
        labels: &mut Labels,
    ) -> Result<(), Failure> {
        state.position.note(instant, ends);
        while let Some(next) = state.position.next(instant, ends) {
            let slice =
                history::slice(run, &QUERIES[next.table], schema, &next, self.most_rows, &self.bounds).await;
            let (end, mut events) = slice.inspect_err(|failure| {
                if failure.reason == Reason::Timeout {
                    self.most_rows = (self.most_rows / 4).max(SMALLEST_SLICE);
                }
            })?;
            // Where labels are scarce, the busiest get them.
            events.sort_by_key(|observed| Reverse(observed.count()));
            state.totals.add(&events, labels)?;
            state.position.read_to(next.table, end);
            if run.busy() > self.enough {
                break;
            }
        }
        Ok(())
    }
}

impl State {
    fn from_now(identity: Identity, instant: &Instant, ends: &[End; TABLES]) -> Self {
        State {
            identity,
            timeline: instant.timeline,
            files: ends.map(|end| end.file),
            are_written: ends.map(|end| end.is_written),
            position: Position::from_now(instant, ends),
            totals: Totals::default(),
        }
    }

    /// Whether the history goes on where the last poll left it. Where not, counting goes on from what there is
    /// now: the totals stay, and the next poll succeeds.
    fn check(&mut self, instant: &Instant, ends: &[End; TABLES]) -> Result<(), Failure> {
        let lost = |what: String| Err(Failure::new(Reason::HistoryLost, what));
        let ceiling = self.position.last_ceiling();
        let seen = self.position.last_seen();
        let is_all_kept = (0..TABLES).all(|table| seen[table] == 0 || ends[table].is_kept);
        let restart = if instant.timeline != self.timeline {
            Some(format!("the server was restored or promoted (timeline {})", instant.timeline))
        } else if instant.ceiling < ceiling && instant.in_recovery {
            // A standby that was restarted replays what it had shown before; to start anew would count it twice.
            return lost("the standby is behind what was counted already, and has to catch up".to_owned());
        } else if instant.ceiling < ceiling && is_all_kept {
            self.position.forget_from(instant.ceiling);
            None
        } else if instant.ceiling < ceiling {
            Some(format!("the server was restored: its transaction ids went back to {}", instant.ceiling))
        } else if instant.ceiling.saturating_sub(self.position.horizon) > FARTHEST {
            Some("the last poll is too many transactions ago".to_owned())
        } else {
            None
        };
        if let Some(why) = restart {
            self.timeline = instant.timeline;
            self.files = ends.map(|end| end.file);
            self.position = Position::from_now(instant, ends);
            return lost(format!("{why}; events since the last poll are lost, counting goes on from now"));
        }
        self.are_written = ends.map(|end| end.is_written);
        let mut truncated = None;
        for table in 0..TABLES {
            let was_replaced = ends[table].file != self.files[table] && !ends[table].is_kept;
            self.files[table] = ends[table].file;
            if seen[table] > 0 && (ends[table].last < seen[table] || was_replaced) {
                self.position.reread(table);
                truncated = Some(NAMES[table]);
            }
        }
        match truncated {
            Some(table) => lost(format!(
                "{table} was truncated or purged: events in it that were not counted yet are lost"
            )),
            None => Ok(()),
        }
    }
}
