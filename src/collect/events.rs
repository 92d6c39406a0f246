//! Counts the events of `job_history` and `dag_history`, each exactly once, though transactions commit late, the
//! exporter restarts, and most rows are no events. The only collector that remembers anything from run to run.
//!
//! `history` reads the database and `rows` decodes the answers. `state` is the memory and what is done when a history
//! does not go on: `position` is how far counting has come, `watermark` and `recent_finishes` tell events from rows
//! that only look like events, `totals` are the counts, of one `tally` for each series. `labels` and `presence` decide
//! which series there are. `state_file` keeps all of it. The runner publishes what [`EventCounter::collect`] returns.

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
mod slices;
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
use self::observed::{End, Instant, NAMES, TABLES};
pub use self::slices::SliceSize;
use self::state::State;
pub use self::state_file::StateFileError;
use crate::collect::collector::declare::optional;
use crate::collect::collector::{Collector, Context, Division, Query, QuerySamples, SqlFile};
use crate::collect::pace::Pace;
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

/// By table, as in [`NAMES`].
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
        arguments: nothing_new,
    },
    Query {
        sql: SqlFile { name: "dag_events.sql", text: include_str!("events/dag_events.sql") },
        pace: Pace::Events,
        pass: None,
        wanted: |_| true,
        by_queue: &[],
        optional: &[optional!("dag_history"."planner": "text")],
        needs: &[
            // Without the jobs' history the collector is off.
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
        arguments: nothing_new,
    },
];

/// Arguments of a slice without rows, to find out whether a query runs at all.
fn nothing_new(context: &Context<'_>) -> Result<PgArguments, sqlx::error::BoxDynError> {
    let mut arguments = PgArguments::default();
    arguments.add(0_i64)?;
    arguments.add(0_i64)?;
    arguments.add("3")?;
    arguments.add("3")?;
    arguments.add(context.schema.sendable_text())?;
    Ok(arguments)
}

/// A poll that is behind reads no further slice after this time; the load budget decides when the next poll runs.
const ENOUGH: Duration = Duration::from_secs(1);

/// The collector's memory.
pub struct EventCounter {
    path: Option<PathBuf>,
    bounds: Bounds,
    /// Rows of history that are read at once, at most.
    pub slice: SliceSize,
    /// A poll that is behind reads no further slice after this time; the load budget says when it goes on.
    pub enough: Duration,
    /// None before the first poll without a state file.
    state: Option<State>,
}

impl EventCounter {
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
        Ok(EventCounter { path, bounds, slice: SliceSize::default(), enough: ENOUGH, state })
    }

    /// Counts what is new in the transaction of `run`. `first_scrape` is when what was published last was scraped
    /// first, if it was.
    ///
    /// # Errors
    /// Any failure of the database; [`Reason::HistoryLost`] where events cannot be counted, once for each cause;
    /// and where the state cannot be saved. What was not counted for a failure is counted by the next poll.
    pub async fn collect(
        &mut self,
        run: &mut Run,
        context: &Context<'_>,
        first_scrape: Option<tokio::time::Instant>,
        now: tokio::time::Instant,
    ) -> Result<QuerySamples, Failure> {
        let instant = history::instant(run).await?;
        // 3 is below every transaction, so that nothing was seen before.
        let (seen, ceiling) = self
            .state
            .as_ref()
            .map_or(([0; TABLES], 3), |state| (state.position.last_seen(), state.position.last_ceiling()));
        let ends = history::ends(run, &QUERIES, context.schema, seen, ceiling).await?;
        self.check_triggers(&ends)?;
        let identity = Identity::new(&instant, &context.config.database.schema);
        let (mut state, checked) = self.state_for(identity, &instant, &ends);
        if let Some(first_scrape) = first_scrape {
            state.totals.scraped(first_scrape);
        }
        let limit = context.config.queues.limit;
        let totals = &state.totals;
        let values_of = |label: &str| totals.values_of(label);
        let mut labels = Labels::new(&values_of, &mut state.presence, context.queues, limit, instant.at);
        let counted = match checked {
            Ok(()) => self.count(&mut state, run, context.schema, &instant, &ends, &mut labels).await,
            Err(lost) => Err(lost),
        };
        labels.note_presence(&mut state.presence, instant.at);
        state.totals.introduce(context.queues, &context.schema.finished_states(), &mut labels);
        state.totals.evict(&labels);
        if counted.is_ok() {
            // A failed poll publishes nothing, so what it has counted is not published yet.
            state.totals.publish(context.config.events.new_series_hold, now);
        }
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
        Ok(QuerySamples { query: QUERIES[0].sql.name, samples })
    }

    /// Fails where a trigger that writes a history is disabled, or was there and is gone.
    fn check_triggers(&self, ends: &[End; TABLES]) -> Result<(), Failure> {
        let were_written = self.state.as_ref().map_or([false; TABLES], |state| state.are_written);
        let is_silent = |table: usize| {
            let end = &ends[table];
            end.is_here && (end.is_disabled || were_written[table] && !end.is_written)
        };
        let Some(table) = (0..TABLES).find(|&table| is_silent(table)) else { return Ok(()) };
        let message =
            format!("the trigger that writes {} is disabled or gone: no event can be counted", NAMES[table]);
        Err(Failure::new(Reason::HistoryLost, message))
    }

    /// A copy of the state with what [`State::check`] says, or a new one where there is none of this database.
    fn state_for(
        &self,
        identity: Identity,
        instant: &Instant,
        ends: &[End; TABLES],
    ) -> (State, Result<(), Failure>) {
        match &self.state {
            Some(state) if state.identity == identity => {
                let mut state = state.clone();
                let checked = state.check(instant, ends);
                (state, checked)
            }
            before => {
                if let (Some(_), Some(path)) = (before, &self.path) {
                    state_file::set_aside(path, "it was written for another database or schema");
                }
                (State::from_now(identity, instant, ends), Ok(()))
            }
        }
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
        while let Some(next) = state.next(instant, ends) {
            let slice = history::slice(run, &QUERIES[next.table], schema, &next, self.slice.rows()).await;
            let (end, rows) = slice.inspect_err(|failure| {
                if failure.reason == Reason::Timeout {
                    self.slice.timed_out();
                }
            })?;
            self.slice.was_read();
            let events = state.events(next.table, rows, next.settled, instant);
            state.totals.add(events, labels, &self.bounds);
            state.position.read_to(next.table, end);
            if run.busy() > self.enough {
                break;
            }
        }
        Ok(())
    }
}
