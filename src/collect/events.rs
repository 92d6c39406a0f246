//! The collector `events`: counts the events of `job_history` and `dag_history`, each exactly once, also if
//! transactions commit late or the exporter restarts. Most rows of the histories are no events. No other collector
//! keeps a state from run to run.
//!
//! - Input: `history` reads the database, and `rows` decodes the rows.
//! - State: `state` combines the following parts, and detects a history that was truncated, rewritten or restored.
//!   - `position`: up to where the histories are counted.
//!   - `watermark` and `recent_finishes`: which rows only look like events.
//!   - `totals`: the counts, one `tally` for each series. `labels` and `presence` decide which series exist.
//!   - `state_file`: saves the state, and loads it after a restart.
//! - Output: the exporter publishes the samples that [`EventCounter::collect`] returns.

mod bounds;
mod families;
mod history;
mod identity;
mod labels;
mod observed;
mod position;
mod presence;
mod recent_finishes;
mod rows;
mod state;
mod state_file;
mod tally;
mod totals;
mod watermark;

use std::path::PathBuf;
use std::time::Duration;

use sqlx::Arguments;
use sqlx::postgres::PgArguments;

use self::bounds::Bounds;
use self::identity::Identity;
use self::labels::Labels;
use self::observed::{End, NAMES, ServerState, TABLES};
use self::state::State;
pub use self::state_file::StateFileError;
use crate::collect::collector::declare::optional;
use crate::collect::collector::{Collector, Context, Division, Query, QuerySamples, SqlFile};
use crate::collect::pace::Pace;
use crate::collect::slice::SliceSize;
use crate::config::Config;
use crate::postgres::{Failure, Reason, Run};
use crate::schema::{Index, Need, Schema};

pub static COLLECTOR: Collector = Collector {
    name: "events",
    about: "Jobs and DAGs created and finished, each counted once: counters and histograms",
    families: families::FAMILIES,
    joint: &[],
    queries: &QUERIES,
};

/// One query for each history, in the order of [`NAMES`].
static QUERIES: [Query; TABLES] = [
    Query {
        sql: SqlFile { name: "job_events.sql", text: include_str!("events/job_events.sql") },
        pace: Pace::Events,
        pass: None,
        wanted: |_| true,
        by_queue: &[],
        optional: &[
            optional!("job_history"."soft_sla": "timestamptz"),
            optional!("job_history"."hard_sla": "timestamptz"),
        ],
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
                "history_created_on",
            ],
        )],
        fallbacks: &[],
        definitions: &[],
        index: Some(Index { table: "job_history", columns: &["history_id"], predicate: None }),
        division: Division::Whole,
        arguments: empty_slice,
    },
    Query {
        sql: SqlFile { name: "dag_events.sql", text: include_str!("events/dag_events.sql") },
        pace: Pace::Events,
        pass: None,
        wanted: |_| true,
        by_queue: &[],
        optional: &[optional!("dag_history"."planner": "text")],
        needs: &[
            // Without a readable history of jobs the collector is disabled.
            Need::Columns("job_history", &["history_id"]),
            Need::Columns(
                "dag_history",
                &["history_id", "xmin", "id", "state", "created_on", "completed_on", "history_created_on"],
            ),
        ],
        fallbacks: &[],
        definitions: &[],
        index: Some(Index { table: "dag_history", columns: &["history_id"], predicate: None }),
        division: Division::Whole,
        arguments: empty_slice,
    },
];

/// Returns the arguments of a slice without rows, with which `check` tests whether a query runs.
fn empty_slice(context: &Context<'_>) -> Result<PgArguments, sqlx::error::BoxDynError> {
    let mut arguments = PgArguments::default();
    arguments.add(0_i64)?;
    arguments.add(0_i64)?;
    arguments.add("3")?;
    arguments.add("3")?;
    arguments.add(context.schema.sendable_text())?;
    Ok(arguments)
}

/// Rows of a slice: at first, at least, and at most, which needs a few megabytes of memory.
const FIRST_SLICE: SliceSize = SliceSize::new(5_000, 100, 50_000);

/// Database time after which a run reads no further slice. The load budget decides when the next run continues.
const TIME_LIMIT: Duration = Duration::from_millis(500);

/// Counts events, and keeps the counts from run to run.
pub struct EventCounter {
    path: Option<PathBuf>,
    bounds: Bounds,
    /// Most rows of a history that one statement reads.
    pub slice_size: SliceSize,
    /// Database time after which a run reads no further slice.
    pub time_limit: Duration,
    /// `None` before the first run if no state was loaded from a file.
    state: Option<State>,
}

impl EventCounter {
    /// Creates a counter that continues from the state file, if one is configured.
    ///
    /// # Errors
    /// If the file exists but cannot be read, or if it cannot be created.
    pub fn new(config: &Config) -> Result<Self, StateFileError> {
        let bounds = Bounds::new(&config.events);
        let path = config.events.state_file.clone();
        let state = match &path {
            Some(path) if config.collectors.is_enabled(COLLECTOR.name) => state_file::load(path, &bounds)?,
            _ => None,
        };
        Ok(EventCounter { path, bounds, slice_size: FIRST_SLICE, time_limit: TIME_LIMIT, state })
    }

    /// Counts the new events in the transaction of `run` and returns all series.
    ///
    /// `first_scrape` is the time of the first scrape since samples were last published; `None` if there was no scrape.
    ///
    /// # Errors
    /// - [`Reason::HistoryLost`] if events are lost: once for each cause, or at each run while a trigger is disabled.
    /// - Any failure of the database or of saving the state. The next run counts the events that this run did not.
    pub async fn collect(
        &mut self,
        run: &mut Run,
        context: &Context<'_>,
        first_scrape: Option<tokio::time::Instant>,
        now: tokio::time::Instant,
    ) -> Result<QuerySamples, Failure> {
        let server = history::read_server_state(run).await?;
        // Every transaction id is above 3, so without a state no row counts as seen.
        let (seen, ceiling) = self
            .state
            .as_ref()
            .map_or(([0; TABLES], 3), |state| (state.position.last_seen(), state.position.last_ceiling()));
        let ends = history::read_ends(run, &QUERIES, context.schema, seen, ceiling).await?;
        self.check_triggers(&ends)?;
        let identity = Identity::new(&server, &context.config.database.schema);
        let (mut state, checked) = self.state_for(identity, &server, &ends);
        if let Some(first_scrape) = first_scrape {
            state.totals.note_scrape(first_scrape);
        }
        let limit = context.config.queues.limit;
        let totals = &state.totals;
        let values_of = |label: &str| totals.values_of(label);
        let mut labels = Labels::new(&values_of, &mut state.presence, context.queues, limit, server.at);
        let counted = match checked {
            Ok(()) => self.count(&mut state, run, context.schema, &server, &ends, &mut labels).await,
            Err(lost) => Err(lost),
        };
        labels.note_presence(&mut state.presence, server.at);
        state.totals.create_known_series(context.queues, &context.schema.finished_states(), &mut labels);
        state.totals.evict(&labels);
        if counted.is_ok() {
            // A failed run publishes nothing, so its new series are not published yet.
            state.totals.publish(context.config.events.new_series_hold, now);
        }
        // The state is saved before its counts are published. Otherwise a counter could fall after a restart, and
        // Prometheus would take that for a reset.
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
        Ok(QuerySamples { query: QUERIES[0].sql.name, samples })
    }

    /// Fails if a trigger that writes a history is disabled, or was enabled at an earlier run and has been dropped.
    fn check_triggers(&self, ends: &[End; TABLES]) -> Result<(), Failure> {
        let were_written = self.state.as_ref().map_or([false; TABLES], |state| state.are_written);
        let is_silent = |table: usize| {
            let end = &ends[table];
            end.is_readable && (end.is_disabled || were_written[table] && !end.is_written)
        };
        let Some(table) = (0..TABLES).find(|&table| is_silent(table)) else { return Ok(()) };
        let message =
            format!("no event can be counted: the trigger that writes {} is disabled or gone", NAMES[table]);
        Err(Failure::new(Reason::HistoryLost, message))
    }

    /// Returns a copy of the state with the result of [`State::check`]. Returns a new state if none belongs to this
    /// database.
    fn state_for(
        &self,
        identity: Identity,
        server: &ServerState,
        ends: &[End; TABLES],
    ) -> (State, Result<(), Failure>) {
        match &self.state {
            Some(state) if state.identity == identity => {
                let mut state = state.clone();
                let checked = state.check(server, ends);
                (state, checked)
            }
            before => {
                if let (Some(_), Some(path)) = (before, &self.path) {
                    state_file::set_aside(path, "it was written for another database or schema");
                }
                (State::from_now(identity, server, ends), Ok(()))
            }
        }
    }

    /// Reads slices until no row is new or the time limit has passed. The slices before a failure stay counted.
    async fn count(
        &mut self,
        state: &mut State,
        run: &mut Run,
        schema: &Schema,
        server: &ServerState,
        ends: &[End; TABLES],
        labels: &mut Labels,
    ) -> Result<(), Failure> {
        state.position.remember_run(server, ends);
        while let Some(next) = state.next(server, ends) {
            let (size, before) = (self.slice_size.get(), run.busy());
            let slice = history::read_slice(run, &QUERIES[next.table], schema, &next, size).await;
            let (end, rows) = slice.inspect_err(|failure| {
                if failure.reason == Reason::Timeout {
                    self.slice_size.shrink();
                }
            })?;
            // A slice of few rows says nothing about a full one.
            if end.saturating_sub(next.span.after) >= size {
                self.slice_size.adapt(run.busy().saturating_sub(before));
            }
            let events = state.events(next.table, rows, next.settled, server);
            state.totals.add(events, labels, &self.bounds);
            state.position.mark_read(next.table, end);
            if run.busy() > self.time_limit {
                break;
            }
        }
        Ok(())
    }
}
