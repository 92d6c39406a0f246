//! Independent oracle: the event series computed from the plain rows of the histories, by the metric contract.

use std::collections::BTreeMap;

use marie_exporter::metrics::{Distribution, Value};
use sqlx::types::Uuid;
use sqlx::{PgConnection, Row};

use crate::events::counting::Series;

/// The bounds of `counting::BUCKETS` in microseconds.
const BOUNDS: [i64; 3] = [100_000, 1_000_000, 60_000_000];
const RETRIES: [i64; 6] = [0, 1, 2, 3, 5, 8];

#[derive(Default)]
struct Truth {
    counters: BTreeMap<(&'static str, Vec<String>), u64>,
    observations: BTreeMap<(&'static str, Vec<String>), Vec<i64>>,
}

/// Returns the last `history_id` of both histories.
pub(crate) async fn ends(session: &mut PgConnection) -> [i64; 2] {
    let row = sqlx::query(
        "select coalesce((select max(history_id) from job_history), 0) as jobs,
            coalesce((select max(history_id) from dag_history), 0) as dags",
    );
    let row = row.fetch_one(session).await.unwrap();
    [row.get("jobs"), row.get("dags")]
}

/// Returns the series of all events after these `history_id`s.
pub(crate) async fn truth(session: &mut PgConnection, after: [i64; 2]) -> Series {
    let mut truth = Truth::default();
    truth.jobs(session, after[0]).await;
    truth.dags(session, after[1]).await;
    truth.series()
}

impl Truth {
    async fn jobs(&mut self, session: &mut PgConnection, after: i64) {
        let micros = |column: &str| format!("(extract(epoch from {column}) * 1000000)::int8 as {column}");
        let columns = ["created_on", "start_after", "started_on", "completed_on", "soft_sla", "hard_sla"];
        let sql = format!(
            "select history_id, id, name, state::text as state, retry_count, {},
                (extract(epoch from history_created_on) * 1000000)::int8 as written
             from job_history where history_id > $1 order by history_id",
            columns.map(micros).join(", ")
        );
        let mut finishes = BTreeMap::new();
        let mut creations = BTreeMap::new();
        let mut unfinished: BTreeMap<Uuid, Vec<i64>> = BTreeMap::new();
        for row in sqlx::query(sqlx::AssertSqlSafe(sql)).bind(after).fetch_all(session).await.unwrap() {
            let time = |column: &str| row.get::<Option<i64>, _>(column);
            let written = row.get::<i64, _>("written");
            let (id, state): (Uuid, String) = (row.get("id"), row.get("state"));
            let history_id = row.get::<i64, _>("history_id");
            let queue: String = row.get("name");
            if ["created", "retry", "active"].contains(&state.as_str()) {
                unfinished.entry(id).or_default().push(history_id);
                if state == "created" && time("created_on") == Some(written) {
                    creations.insert((id, written), queue);
                }
            } else if time("completed_on") == Some(written) {
                let retries = i64::from(row.get::<i32, _>("retry_count"));
                finishes.insert((id, written), (history_id, queue, state, retries, columns.map(time)));
            }
        }
        for queue in creations.into_values() {
            self.count("marie_jobs_created_total", &[&queue], 1);
        }
        let mut in_order: Vec<_> = finishes.into_iter().map(|((id, _), finish)| (id, finish)).collect();
        in_order.sort_by_key(|(_, (history_id, ..))| *history_id);
        let mut last: BTreeMap<Uuid, i64> = BTreeMap::new();
        for (id, (history_id, queue, state, retries, times)) in in_order {
            let before = last.insert(id, history_id);
            let is_between = |row: &i64| before.is_some_and(|before| before < *row) && *row < history_id;
            // Finished again without being unfinished in between, which is not an event.
            if before.is_some() && !unfinished.get(&id).is_some_and(|rows| rows.iter().any(is_between)) {
                continue;
            }
            let [Some(created), start_after, started, Some(completed), soft, hard] = times else { panic!() };
            self.count("marie_jobs_finished_total", &[&queue, &state], 1);
            self.observe("marie_job_retries", &[&queue, &state], retries);
            for (sla, due) in [("soft", soft), ("hard", hard)] {
                let Some(due) = due.filter(|due| *due > created + 60_000_000) else { continue };
                self.count("marie_job_sla_finished_total", &[&queue, sla], 1);
                self.count("marie_job_sla_missed_total", &[&queue, sla], u64::from(completed > due));
            }
            let Some(started) = started else { continue };
            let ready = start_after.unwrap_or(created).max(created);
            if retries == 0 {
                self.observe("marie_job_wait_seconds", &[&queue], started - ready);
            }
            self.observe("marie_job_run_seconds", &[&queue, &state], completed - started);
            self.observe("marie_job_turnaround_seconds", &[&queue, &state], completed - created);
        }
    }

    async fn dags(&mut self, session: &mut PgConnection, after: i64) {
        let sql = "select distinct on (id, completed_on) coalesce(planner, 'unknown')::text as planner,
                state::text as state, (extract(epoch from completed_on - created_on) * 1000000)::int8 as run
             from dag_history
             where history_id > $1 and state in ('completed', 'failed', 'cancelled', 'expired')
                and completed_on = history_created_on
             order by id, completed_on, history_id desc";
        for row in sqlx::query(sql).bind(after).fetch_all(session).await.unwrap() {
            let labels: [String; 2] = [row.get("planner"), row.get("state")];
            self.observe("marie_dag_run_seconds", &[&labels[0], &labels[1]], row.get("run"));
        }
    }

    fn count(&mut self, family: &'static str, labels: &[&str], more: u64) {
        *self.counters.entry((family, owned(labels))).or_default() += more;
    }

    fn observe(&mut self, family: &'static str, labels: &[&str], value: i64) {
        self.count("marie_events_clamped_total", &[], u64::from(value < 0));
        self.observations.entry((family, owned(labels))).or_default().push(value.max(0));
    }

    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn series(self) -> Series {
        let counters = self.counters.into_iter().map(|(key, count)| (key, Value::Number(count as f64)));
        let histograms = self.observations.into_iter().map(|(key, values)| {
            let (bounds, unit): (&[i64], f64) =
                if key.0 == "marie_job_retries" { (&RETRIES, 1.0) } else { (&BOUNDS, 1e6) };
            let up_to = |bound: i64| values.iter().filter(|value| **value <= bound).count() as u64;
            let mut cumulative: Vec<u64> = bounds.iter().map(|bound| up_to(*bound)).collect();
            cumulative.push(up_to(i64::MAX));
            let below = |place: usize| if place == 0 { 0 } else { cumulative[place - 1] };
            let distribution = Distribution {
                bounds: bounds.iter().map(|bound| *bound as f64 / unit).collect(),
                counts: (0..cumulative.len()).map(|place| cumulative[place] - below(place)).collect(),
                sum: values.iter().sum::<i64>() as f64 / unit,
            };
            (key, Value::Distribution(distribution))
        });
        counters.chain(histograms).collect()
    }
}

fn owned(labels: &[&str]) -> Vec<String> {
    labels.iter().map(ToString::to_string).collect()
}

/// Describes the differences between the counted series and the oracle; series with 0 may be absent.
pub(crate) fn differences(counted: &Series, truth: &Series) -> Vec<String> {
    let until = "marie_events_counted_until_timestamp_seconds";
    let mut keys: Vec<_> = counted.keys().chain(truth.keys()).filter(|key| key.0 != until).collect();
    keys.sort();
    keys.dedup();
    let differs = |key: &&&(&'static str, Vec<String>)| match (counted.get(**key), truth.get(**key)) {
        (Some(one), Some(other)) => one != other,
        (one, other) => one.or(other).is_some_and(|value| value.number() != 0.0),
    };
    let describe = |key: &(&'static str, Vec<String>)| {
        format!("{key:?}: counted {:?}, expected {:?}", counted.get(key), truth.get(key))
    };
    keys.iter().filter(differs).map(|key| describe(key)).collect()
}
