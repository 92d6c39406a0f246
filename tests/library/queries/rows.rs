//! Jobs and DAGs as plain values, written into any shape's tables and read back.
//!
//! Times are microseconds from the start of the transaction. Values without a column in the shape are left out.

use sqlx::Row;
use sqlx::types::Uuid;

use crate::queries::scheduler::Scheduler;

pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: Uuid,
    pub(crate) queue: String,
    pub(crate) dag: Option<Uuid>,
    pub(crate) state: String,
    pub(crate) created: i64,
    pub(crate) start_after: Option<i64>,
    pub(crate) started: Option<i64>,
    pub(crate) completed: Option<i64>,
    pub(crate) expire_in: Option<i64>,
    pub(crate) retry_count: i32,
    pub(crate) retry_limit: i32,
    pub(crate) soft_sla: Option<i64>,
    pub(crate) hard_sla: Option<i64>,
    pub(crate) lease_expires: Option<i64>,
    pub(crate) run_lease_expires: Option<i64>,
    pub(crate) parents: Vec<Uuid>,
}

impl Job {
    /// Returns a job as the gateway creates it, an hour ago, without a time limit and without a soft SLA that counts.
    pub(crate) fn new(number: u128, queue: &str, dag: &Dag, state: &str) -> Self {
        Job {
            id: Uuid::from_u128(number),
            queue: queue.to_owned(),
            dag: Some(dag.id),
            state: state.to_owned(),
            created: -HOUR,
            start_after: Some(-HOUR),
            started: None,
            completed: None,
            expire_in: Some(0),
            retry_count: 0,
            retry_limit: 2,
            soft_sla: Some(-HOUR),
            hard_sla: Some(3 * HOUR),
            lease_expires: None,
            run_lease_expires: None,
            parents: Vec::new(),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Dag {
    pub(crate) id: Uuid,
    pub(crate) state: Option<String>,
    pub(crate) planner: Option<String>,
    pub(crate) created: i64,
    pub(crate) started: Option<i64>,
}

impl Dag {
    pub(crate) fn new(number: u128, state: &str, planner: &str) -> Self {
        Dag {
            id: Uuid::from_u128(number),
            state: Some(state.to_owned()),
            planner: Some(planner.to_owned()),
            created: -HOUR,
            started: None,
        }
    }
}

impl Scheduler {
    /// Creates a queue and its twin as clients do; does nothing if the shape has no table of queues.
    pub(crate) async fn create_queue(&mut self, name: &str, options: &str) {
        if self.columns("queue").await.is_empty() {
            return;
        }
        for (name, options) in [(format!("${name}_dlq"), "{}"), (name.to_owned(), options)] {
            self.execute(&format!("select create_queue($name${name}$name$, $json${options}$json$)")).await;
        }
    }

    pub(crate) async fn insert(&mut self, dags: &[Dag], jobs: &[Job]) {
        let dags: Vec<_> = dags.iter().map(|dag| self.dag_json(dag)).collect();
        self.insert_json("dag", &dags).await;
        let jobs: Vec<_> = jobs.iter().map(|job| self.job_json(job)).collect();
        self.insert_json("job", &jobs).await;
    }

    async fn insert_json(&mut self, table: &str, rows: &[serde_json::Value]) {
        let columns = self.columns(table).await;
        let Some(first) = rows.first().and_then(serde_json::Value::as_object) else { return };
        let columns: Vec<&str> = first
            .keys()
            .map(String::as_str)
            .filter(|key| columns.iter().any(|column| column == key))
            .collect();
        if columns.is_empty() {
            return;
        }
        let (columns, rows) = (columns.join(", "), serde_json::Value::from(rows));
        self.execute(&format!(
            "insert into {table} ({columns}) select {columns}
            from jsonb_populate_recordset(null::{table}, $json${rows}$json$)"
        ))
        .await;
    }

    /// Returns the columns of a table; an empty list if the table is missing.
    pub(crate) async fn columns(&mut self, table: &str) -> Vec<String> {
        self.texts(&format!(
            "select attname::text from pg_attribute
            where attrelid = to_regclass('{table}') and attnum > 0 and not attisdropped"
        ))
        .await
    }

    fn dag_json(&self, dag: &Dag) -> serde_json::Value {
        serde_json::json!({
            "id": dag.id.to_string(), "name": format!("{}_dag", dag.id), "state": dag.state,
            "planner": dag.planner, "created_on": self.at(dag.created),
            "started_on": dag.started.map(|time| self.at(time)),
        })
    }

    fn job_json(&self, job: &Job) -> serde_json::Value {
        let time = |time: Option<i64>| time.map(|time| self.at(time));
        let parents: Vec<String> = job.parents.iter().map(Uuid::to_string).collect();
        serde_json::json!({
            "id": job.id.to_string(), "name": job.queue, "dag_id": job.dag.map(|dag| dag.to_string()),
            "state": job.state, "created_on": self.at(job.created), "start_after": time(job.start_after),
            "started_on": time(job.started), "completed_on": time(job.completed),
            "expire_in": job.expire_in.map(interval),
            "retry_count": job.retry_count, "retry_limit": job.retry_limit,
            "soft_sla": time(job.soft_sla), "hard_sla": time(job.hard_sla),
            "lease_expires_at": time(job.lease_expires),
            "run_lease_expires_at": time(job.run_lease_expires), "dependencies": parents,
        })
    }

    /// Formats the time at this offset from the start of the transaction for PostgreSQL.
    pub(crate) fn at(&self, offset: i64) -> String {
        let since_1970 = std::time::Duration::from_micros(u64::try_from(self.now + offset).unwrap());
        humantime::format_rfc3339_micros(std::time::UNIX_EPOCH + since_1970).to_string()
    }

    /// Reads every job; values without a column in the shape are `None`.
    pub(crate) async fn jobs(&mut self) -> Vec<Job> {
        let time = |column: &str| {
            format!(
                "(extract(epoch from (to_jsonb(j) ->> '{column}')::timestamptz - now()) * 1000000)::int8
                    as {column}"
            )
        };
        let times = [
            "created_on",
            "start_after",
            "started_on",
            "completed_on",
            "soft_sla",
            "hard_sla",
            "lease_expires_at",
            "run_lease_expires_at",
        ];
        let times: Vec<String> = times.into_iter().map(time).collect();
        let parents = if self.columns("job_dependencies").await.is_empty() {
            "jsonb_array_elements_text(j.dependencies)"
        } else {
            "depends_on_id::text from job_dependencies where job_name = j.name and job_id = j.id"
        };
        let rows = self
            .fetch(&format!(
                "select id::text, name, dag_id::text, state::text, retry_count, retry_limit, {},
                    (extract(epoch from (to_jsonb(j) ->> 'expire_in')::interval) * 1000000)::int8 as expire_in,
                    array(select {parents}) as parents
                from job as j",
                times.join(", ")
            ))
            .await;
        let uuid = |text: String| Uuid::parse_str(&text).unwrap();
        rows.iter()
            .map(|row| Job {
                id: uuid(row.get("id")),
                queue: row.get("name"),
                dag: row.get::<Option<String>, _>("dag_id").map(uuid),
                state: row.get("state"),
                created: row.get("created_on"),
                start_after: row.get("start_after"),
                started: row.get("started_on"),
                completed: row.get("completed_on"),
                expire_in: row.get("expire_in"),
                retry_count: row.get("retry_count"),
                retry_limit: row.get("retry_limit"),
                soft_sla: row.get("soft_sla"),
                hard_sla: row.get("hard_sla"),
                lease_expires: row.get("lease_expires_at"),
                run_lease_expires: row.get("run_lease_expires_at"),
                parents: row.get::<Vec<String>, _>("parents").into_iter().map(uuid).collect(),
            })
            .collect()
    }
}

/// Formats microseconds for PostgreSQL, which before version 15 accepts at most 2^31 of them in one number.
fn interval(time: i64) -> String {
    format!("{} seconds {} microseconds", time / SECOND, time % SECOND)
}
