//! Runs a pass slice by slice as the exporter does, and computes its numbers a second way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use marie_exporter::collect::pace::PassKind;
use marie_exporter::collect::pass::Pass;
use marie_exporter::collect::queue_labels::{QueueInventory, QueueLabels};
use marie_exporter::collect::slice::SliceSize;
use marie_exporter::config::Config;
use marie_exporter::postgres::{Plans, Session};
use marie_exporter::schema::Schema;
use sqlx::{PgConnection, Row};

use crate::support::running;

/// Values by family and label values.
pub(super) type Series = BTreeMap<(String, Vec<String>), f64>;

/// A session like the exporter's, with what it knows of the database.
pub(super) struct Reader {
    session: Session,
    pub(super) config: Config,
    pub(super) schema: Schema,
    queues: QueueLabels,
}

impl Reader {
    pub(super) async fn new(url: &str) -> Self {
        let config = running::config(url, &[]);
        let mut session = Session::new(config.database.clone(), config.collectors.timeout);
        let mut run = session.begin().await.unwrap();
        let schema = Schema::read(&mut run, &config.database.schema).await.unwrap();
        let inventory = QueueInventory::read(&mut run, &schema, &config.queues).await.unwrap();
        let queues = QueueLabels::read(&mut run, &schema, &inventory, &config.queues).await.unwrap();
        session.finish(run, None).await;
        Reader { session, config, schema, queues }
    }

    /// Begins a pass with slices of so many pages.
    pub(super) fn begin(&self, pages: i64) -> Pass {
        let size = SliceSize::new(pages, pages, pages);
        Pass::begin(PassKind::History, Arc::new(self.schema.clone()), self.queues.clone(), size)
    }

    /// Reads one slice. Returns whether the pass is complete.
    pub(super) async fn step(&mut self, pass: &mut Pass) -> bool {
        let run = match pass.plans() {
            Plans::Custom => self.session.begin_planning_for_values().await,
            Plans::Generic | Plans::Auto => self.session.begin().await,
        };
        let mut run = run.unwrap();
        let outcome = pass.step(&mut run, &self.config).await;
        self.session.finish(run, outcome.as_ref().err()).await;
        outcome.unwrap()
    }

    /// Reads the rest of a pass. Returns its numbers and how many slices it had.
    pub(super) async fn rest(&mut self, mut pass: Pass) -> (Series, usize) {
        let mut slices = 1;
        while !self.step(&mut pass).await {
            slices += 1;
        }
        (series(pass), slices)
    }
}

fn series(pass: Pass) -> Series {
    let samples = pass.into_samples().flat_map(|(_, fed)| fed.samples);
    let mut series = Series::new();
    for samples in samples {
        for (labels, value) in samples.iter() {
            // Rows of zeros are the same in every pass.
            if value.number() != 0.0 {
                series.insert((samples.family.name.to_owned(), labels.to_vec()), value.number());
            }
        }
    }
    series
}

/// Returns the numbers of all finished jobs at one instant.
pub(super) async fn truth(admin: &mut PgConnection) -> Series {
    let rows = sqlx::query(
        "with finished as (
            select name::text as queue, state::text as state, retry_count, completed_on
            from marie_scheduler.job
            where state not in ('created', 'retry', 'active')
        )
        select 'marie_jobs' as family, array[queue, state] as labels, count(*)::float8 as value
        from finished group by queue, state
        union all
        select 'marie_jobs_completed_last_hour', array[queue], count(*) from finished
        where state = 'completed' and completed_on > now() - interval '1 hour' group by queue
        union all
        select 'marie_jobs_completed_last_day', array[queue], count(*) from finished
        where state = 'completed' and completed_on > now() - interval '1 day' group by queue
        union all
        select 'marie_job_last_' || state || '_timestamp_seconds', array[queue], extract(epoch from max(completed_on))
        from finished where state in ('completed', 'failed') group by queue, state
        union all
        select 'marie_jobs_retried', array[queue], count(*) from finished where retry_count > 0 group by queue
        union all
        select 'marie_jobs_retry_attempts', array[queue], sum(retry_count) from finished where retry_count > 0 group by queue
        union all
        select 'marie_jobs_retry_attempts_max', array[queue], max(retry_count) from finished
        where retry_count > 0 group by queue
        union all
        select 'marie_jobs_cleanup_due', array['completed_7d'], count(*) from finished
        where state = 'completed' and completed_on < now() - interval '7 days'
        union all
        select 'marie_jobs_cleanup_due', array['failed_30d'], count(*) from finished
        where state = 'failed' and completed_on < now() - interval '30 days'
        union all
        select 'marie_scheduler_last_activity_timestamp_seconds', array['finish'], extract(epoch from max(completed_on))
        from marie_scheduler.job",
    )
    .fetch_all(admin)
    .await
    .unwrap();
    let series =
        rows.iter().map(|row| ((row.get("family"), row.get("labels")), row.get::<Option<f64>, _>("value")));
    series.filter_map(|(key, value)| Some((key, value.filter(|value| *value != 0.0)?))).collect()
}

/// Asserts that two passes have the same numbers, and names those that differ.
pub(super) fn assert_equal(found: &Series, expected: &Series, place: &str) {
    let keys: BTreeSet<_> = found.keys().chain(expected.keys()).collect();
    let differences: Vec<String> = keys
        .into_iter()
        .filter(|key| found.get(*key) != expected.get(*key))
        .map(|key| format!("{key:?}: found {:?}, expected {:?}", found.get(key), expected.get(key)))
        .collect();
    assert!(differences.is_empty(), "{place}:\n{}", differences.join("\n"));
}
