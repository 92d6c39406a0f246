//! Concurrent sessions of schedulers, workers and cron, simulated as random statements of random sessions.
//!
//! Every order of statements and commits is possible. The same seed repeats the same order.

use std::collections::BTreeSet;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use sqlx::PgConnection;

use crate::support::databases::{Database, run};

/// Each session has its own jobs and DAG, so that no session waits for another's lock.
const SESSIONS: usize = 4;
const JOBS: usize = 3;

/// Microseconds: at the bounds of `counting::BUCKETS`, next to them, and negative.
const DURATIONS: [i64; 9] =
    [0, 99_999, 100_000, 100_001, 1_000_000, 1_000_001, 60_000_000, 3_600_000_000, -5_000_000];

pub(crate) struct Writers {
    pub(crate) random: StdRng,
    sessions: Vec<Session>,
    /// Whether a transaction may write a job twice.
    pub(crate) writes_twice: bool,
}

struct Session {
    number: usize,
    connection: PgConnection,
    is_open: bool,
    savepoints: usize,
    /// Rows that this transaction has written; `None` if it may write rows twice.
    written: Option<BTreeSet<String>>,
}

impl Writers {
    /// Creates sessions, queues and DAGs; other rows stay unchanged.
    pub(crate) async fn new(database: &mut Database) -> Self {
        let mut sessions = Vec::new();
        for number in 0..SESSIONS {
            database
                .run(&format!(
                    "select create_queue('queue {number}', '{{}}');
                     insert into dag (id, name, state, planner) values
                        (md5('dag {number}')::uuid, 'dag {number}', 'active', nullif('planner {number}', 'planner 0'))"
                ))
                .await;
            let connection = database.session().await;
            sessions.push(Session { number, connection, is_open: false, savepoints: 0, written: None });
        }
        Writers { random: StdRng::seed_from_u64(0), sessions, writes_twice: true }
    }

    /// Restarts the random sequence with this seed.
    pub(crate) fn seed(&mut self, seed: u64) {
        self.random = StdRng::seed_from_u64(seed);
    }

    /// Runs one statement of one session.
    pub(crate) async fn step(&mut self) {
        let writes_twice = self.writes_twice;
        let session = self.random.random_range(0..SESSIONS);
        let session = &mut self.sessions[session];
        if !session.is_open {
            session.written = (!writes_twice).then(BTreeSet::new);
        }
        let sql = session.statement(&mut self.random);
        run(&mut session.connection, &sql).await;
    }

    /// Commits or rolls back all open transactions.
    pub(crate) async fn end(&mut self) {
        for session in &mut self.sessions {
            if session.is_open {
                let end = if self.random.random_bool(0.8) { "commit" } else { "rollback" };
                run(&mut session.connection, end).await;
                session.is_open = false;
            }
        }
    }
}

impl Session {
    fn statement(&mut self, random: &mut StdRng) -> String {
        match random.random_range(0..20) {
            0..3 if !self.is_open => {
                (self.is_open, self.savepoints) = (true, 0);
                "begin".to_owned()
            }
            0..2 if self.is_open => {
                self.is_open = false;
                "commit".to_owned()
            }
            2 if self.is_open => {
                self.is_open = false;
                "rollback".to_owned()
            }
            // A job that a transaction writes under two transaction ids may appear in two runs.
            3 if self.is_open && self.written.is_some() => {
                self.savepoints += 1;
                format!("savepoint s{}", self.savepoints)
            }
            4 if self.is_open && self.savepoints > 0 => {
                let verb = ["rollback to", "release"].choose(random).unwrap();
                let sql = format!("{verb} savepoint s{}", self.savepoints);
                if *verb == "release" {
                    self.savepoints -= 1;
                }
                sql
            }
            // pg_cron rewrites all unfinished jobs. Inside a transaction only the session's own jobs are
            // written, because the locks would block the other sessions.
            5 if self.written.is_none() || !self.is_open => format!(
                "update job set priority = priority + 1 where id in
                  (select id from job where state <> 'completed' and ({} or name = 'queue {}') for update skip locked)",
                !self.is_open, self.number
            ),
            5 => "select".to_owned(),
            6 => self.finish_dag(random),
            7..10 => self.insert(random),
            10..12 => self.update(random, "state = 'active', started_on = now(), retry_count = retry_count + 1"),
            12 => self.update(random, "state = 'retry', completed_on = null, start_after = now()"),
            // A reset counts as a creation if it sets created_on again.
            13 => self.update(random, "state = 'created', completed_on = null, started_on = null, created_on = now()"),
            14 => self.update(random, "state = 'created', completed_on = null"),
            _ => self.finish(random),
        }
    }

    /// Returns the id of one of the session's jobs; null if the transaction may not write it again.
    fn job(&mut self, random: &mut StdRng) -> String {
        let job = format!("job {} {}", self.number, random.random_range(0..JOBS));
        self.unwritten(&job)
    }

    fn unwritten(&mut self, what: &str) -> String {
        let may_write = self.written.as_mut().is_none_or(|written| written.insert(what.to_owned()));
        if may_write { format!("md5('{what}')::uuid") } else { "null::uuid".to_owned() }
    }

    fn update(&mut self, random: &mut StdRng, set: &str) -> String {
        format!("update job set {set} where id = {}", self.job(random))
    }

    fn insert(&mut self, random: &mut StdRng) -> String {
        let created = ["now()", "now()", "now() - interval '1 day'", "now() + interval '1 hour'"];
        format!(
            "insert into job (id, name, dag_id, created_on, soft_sla, hard_sla)
             select id, 'queue {number}', md5('dag {number}')::uuid, {}, now(), now() + interval '4 hours'
             from (select {} as id) as job where id is not null
             on conflict do nothing",
            created.choose(random).unwrap(),
            self.job(random),
            number = self.number,
        )
    }

    fn finish(&mut self, random: &mut StdRng) -> String {
        let micros =
            |random: &mut StdRng| format!("interval '1 microsecond' * {}", DURATIONS.choose(random).unwrap());
        let (wait, run) = (micros(random), micros(random));
        let started = ["started_on", "null", "stamped", "stamped"].choose(random).unwrap();
        let times = if *started == "stamped" {
            format!(
                "started_on = now() - {run}, start_after = now() - {run} - {wait},
                 created_on = now() - {run} - {wait} - interval '1 second'"
            )
        } else {
            format!("started_on = {started}")
        };
        let state = ["completed", "completed", "failed", "cancelled", "expired"].choose(random).unwrap();
        let sla = ["soft_sla", "now()", "now() - interval '1 microsecond'", "null"].choose(random).unwrap();
        let id = self.job(random);
        let mut sql = format!(
            "update job set state = '{state}', completed_on = now(), soft_sla = {sla}, {times} where id = {id}"
        );
        if self.written.is_none() && self.is_open && random.random_bool(0.3) {
            sql = format!("{sql}; update job set output = '{{}}' where id = {id}");
        }
        sql
    }

    fn finish_dag(&mut self, random: &mut StdRng) -> String {
        let state = ["completed", "failed", "active"].choose(random).unwrap();
        format!(
            "update dag set state = '{state}', completed_on = now(),
                created_on = now() - interval '1 microsecond' * {} where id = {}",
            DURATIONS.choose(random).unwrap(),
            self.unwritten(&format!("dag {}", self.number))
        )
    }
}
