//! A task of the runner: the collectors of one pace that run together, and when their next run is due.

use std::time::Duration;

use tokio::time::Instant;

use super::pace_run::PaceRun;
use crate::collect::budget::Budget;
use crate::collect::collector::Collector;
use crate::collect::collectors::COLLECTORS;
use crate::collect::pace::{Pace, PassKind};
use crate::collect::pass::fed_queries;
use crate::collect::slice::SliceSize;
use crate::config::Config;
use crate::schema::Schema;

pub(super) struct Task {
    pub(super) pace: Pace,
    /// The pass that the task executes, `None` if it executes the collectors that no pass feeds.
    pub(super) pass: Option<PassKind>,
    /// Size of the next pass's first slice.
    pub(super) slice: Option<SliceSize>,
    /// Time of the next step.
    pub(super) due: Instant,
    /// Interval in force: the configured one, or longer if the load budget delays the runs.
    pub(super) interval: Duration,
    /// The run that has begun and not ended.
    pub(super) run: Option<PaceRun>,
    /// When the latest run ended.
    last_end: Option<Instant>,
}

impl Task {
    /// Returns the tasks of the enabled collectors, the most urgent first. All are due at once.
    pub(super) fn all(config: &Config, now: Instant) -> Vec<Task> {
        let kinds = [
            (Pace::Pulse, None),
            (Pace::Events, None),
            (Pace::Backlog, None),
            (Pace::Backlog, Some(PassKind::Backlog)),
            (Pace::History, None),
            (Pace::History, Some(PassKind::History)),
        ];
        let task = |(pace, pass): (Pace, Option<PassKind>)| Task {
            pace,
            pass,
            slice: pass.map(PassKind::first_slice),
            due: now,
            interval: configured_interval(config, pace),
            run: None,
            last_end: None,
        };
        let tasks = kinds.into_iter().map(task);
        tasks.filter(|task| task.collectors(config, None).next().is_some()).collect()
    }

    /// Returns the enabled collectors of this task; before the schema is read, all that it may have.
    pub(super) fn collectors<'a>(
        &self,
        config: &'a Config,
        schema: Option<&'a Schema>,
    ) -> impl Iterator<Item = &'static Collector> + use<'a> {
        let (pace, pass) = (self.pace, self.pass);
        COLLECTORS.iter().copied().filter(move |collector| {
            let is_enabled = config.collectors.is_enabled(collector.name) && collector.has_pace(pace);
            is_enabled && schema.is_none_or(|schema| is_member(collector, pace, pass, config, schema))
        })
    }

    /// Whether the first pass over unfinished jobs has not ended. The history leaves it the allowance of the start, because
    /// otherwise neither would be complete with a million waiting jobs.
    pub(super) fn is_first_backlog(&self) -> bool {
        self.pass == Some(PassKind::Backlog) && !self.has_run()
    }

    /// Whether a run has ended.
    pub(super) fn has_run(&self) -> bool {
        self.last_end.is_some()
    }

    /// Returns how long after it is due the task may wait for more urgent ones. Because this is bounded, it gets its turn
    /// even if those are always due, as on a slow database.
    pub(super) fn patience(&self) -> Duration {
        match self.pace {
            Pace::Pulse => Duration::ZERO,
            Pace::Events => Duration::from_millis(500),
            Pace::Backlog => Duration::from_secs(1),
            Pace::History => Duration::from_secs(2),
        }
    }

    /// Ends the run and returns the interval now in force.
    pub(super) fn end_run(
        &mut self,
        began: Instant,
        busy: Duration,
        budget: &Budget,
        config: &Config,
    ) -> Duration {
        let now = Instant::now();
        let configured = configured_interval(config, self.pace);
        // While other paces use their shares, runs end further apart than the budget alone demands.
        let longest = budget.longest(self.pace, busy);
        let measured =
            self.last_end.replace(now).map_or(Duration::ZERO, |last_end| now.duration_since(last_end));
        self.interval = configured.max(budget.forecast(self.pace, busy, now)).max(measured.min(longest));
        self.due = now.max(began + configured);
        self.interval
    }
}

/// Whether a collector belongs to the task of this pace and pass on this database. A collector that is fed by a pass has
/// its other statements of this pace in the same run.
fn is_member(
    collector: &Collector,
    pace: Pace,
    pass: Option<PassKind>,
    config: &Config,
    schema: &Schema,
) -> bool {
    let is_fed = |kind| fed_queries(kind, config, schema).any(|(fed, _)| fed.name == collector.name);
    if let Some(kind) = pass {
        return is_fed(kind);
    }
    let pass_of_pace = PassKind::ALL.into_iter().find(|kind| kind.pace() == pace);
    collector.queries_at(pace, config, schema).next().is_some() && !pass_of_pace.is_some_and(is_fed)
}

fn configured_interval(config: &Config, pace: Pace) -> Duration {
    match pace {
        Pace::Pulse | Pace::Events | Pace::Backlog => config.collectors.interval,
        Pace::History => config.collectors.slow_interval,
    }
}
