//! Random tables with every state, nulls where the schema allows them, times at and next to each boundary of a query,
//! twins with and without jobs, and queues without a row.

use marie_exporter::demo::shape::Shape;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use sqlx::types::Uuid;

use crate::queries::contract::World;
use crate::queries::rows::{DAY, Dag, HOUR, Job, MINUTE};
use crate::queries::scheduler::Scheduler;

const QUEUES: [&str; 6] = ["extract", "classify", "we\"ird\\que\nue", "transform", "other", "load {x=\"1\"}"];
const DAG_STATES: [&str; 9] =
    ["created", "active", "active", "active", "completed", "failed", "cancelled", "expired", "suspended"];

struct Dice(StdRng);

impl Dice {
    fn one_in(&mut self, chances: u32) -> bool {
        self.0.random_range(0..chances) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from.choose(&mut self.0).unwrap().clone()
    }

    /// Returns a random offset from now, often at a boundary or a microsecond from one.
    fn time(&mut self) -> i64 {
        let boundary = [0, MINUTE, 15 * MINUTE, 20 * MINUTE, HOUR, DAY, 7 * DAY, 30 * DAY];
        match self.0.random_range(0..4) {
            0 => self.0.random_range(-40 * DAY..2 * DAY),
            1 => self.0.random_range(-2 * HOUR..2 * HOUR),
            2 => -self.pick(&boundary) + self.pick(&[-1, 0, 0, 1]),
            _ => self.pick(&[MINUTE, 15 * MINUTE]) + self.pick(&[-1, 0, 0, 1]),
        }
    }

    fn maybe_time(&mut self) -> Option<i64> {
        (!self.one_in(5)).then(|| self.time())
    }

    fn job(&mut self, number: u128, dag: &Dag, queues: &[String], states: &[&'static str]) -> Job {
        let created = self.time();
        let sla = |dice: &mut Dice| match dice.0.random_range(0..3) {
            0 => Some(created + dice.pick(&[-1, 0, 2, MINUTE, MINUTE + 1])),
            _ => dice.maybe_time(),
        };
        Job {
            created,
            start_after: Some(self.time()),
            started: self.maybe_time(),
            completed: self.maybe_time(),
            expire_in: Some(self.pick(&[0, 0, 15 * MINUTE, HOUR])),
            retry_count: self.0.random_range(0..4),
            retry_limit: self.0.random_range(0..4),
            soft_sla: sla(self),
            hard_sla: sla(self),
            lease_expires: self.maybe_time(),
            run_lease_expires: self.maybe_time(),
            ..Job::new(number, &self.pick(queues), dag, self.pick(states))
        }
    }
}

/// Creates every queue that [`fill`] may use, once, because partitions are slow to create.
pub(crate) async fn create_queues(scheduler: &mut Scheduler) {
    for queue in QUEUES {
        scheduler.create_queue(queue, r#"{"retry_limit": 2}"#).await;
    }
    scheduler.create_queue("idle", "{}").await;
}

/// Fills the scheduler's tables from `seed`, and reads them back for the oracle.
pub(crate) async fn fill(scheduler: &mut Scheduler, seed: u64) -> World {
    let mut dice = Dice(StdRng::seed_from_u64(seed));
    let mut world = World {
        shape: scheduler.shape,
        now: scheduler.now,
        jobs: Vec::new(),
        dags: Vec::new(),
        queue_rows: Vec::new(),
        stuck_after: [("classify".to_owned(), 20 * MINUTE)].into(),
        progress_limit: 3,
    };
    let kept = dice.0.random_range(2..=QUEUES.len());
    let mut queues: Vec<String> = QUEUES[..kept].iter().map(ToString::to_string).collect();
    for queue in &QUEUES[..kept] {
        if dice.one_in(5) {
            queues.push(format!("${queue}_dlq"));
        }
    }

    world.dags = (0..dice.0.random_range(10..60))
        .map(|number| Dag {
            state: (!dice.one_in(12)).then(|| dice.pick(&DAG_STATES).to_owned()),
            planner: (!dice.one_in(5)).then(|| dice.pick(&["ocr", "table \"x\"", "unknown"]).to_owned()),
            created: dice.time(),
            started: dice.maybe_time(),
            ..Dag::new(1_000_000 + number, "active", "")
        })
        .collect();
    let states = world.states();
    let mut jobs: Vec<Job> = Vec::new();
    for _ in 0..dice.0.random_range(1..world.dags.len()) {
        let dag = dice.pick(&world.dags);
        // Only few states occur in a DAG, so that some DAGs are stalled.
        let states: Vec<&str> = (0..dice.0.random_range(1..5)).map(|_| dice.pick(&states)).collect();
        let first = jobs.len();
        for _ in 0..dice.0.random_range(0..20) {
            let mut job = dice.job(jobs.len() as u128 + 1, &dag, &queues, &states);
            while !jobs.is_empty() && dice.one_in(2) {
                let of_dag = jobs.get(first..).filter(|jobs| !jobs.is_empty() && !dice.one_in(5));
                job.parents.push(dice.pick(of_dag.unwrap_or(&jobs)).id);
            }
            if dice.one_in(10) {
                // A purged parent does not block.
                job.parents.push(Uuid::from_u128(u128::MAX));
            }
            jobs.push(job);
        }
    }
    scheduler.insert(&world.dags, &jobs).await;
    if scheduler.shape == Shape::Page {
        world.dags.clear();
    } else {
        // The row of a queue can be deleted while its jobs remain.
        let deleted = &QUEUES[kept - usize::from(dice.one_in(2))..];
        for queue in deleted {
            scheduler
                .execute(&format!("delete from queue where name in ($q${queue}$q$, $q$${queue}_dlq$q$)"))
                .await;
        }
        world.queue_rows = scheduler.texts("select name from queue").await;
    }
    world.jobs = scheduler.jobs().await;
    assert_eq!(world.jobs.len(), jobs.len());
    world
}
