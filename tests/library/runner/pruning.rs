//! Locks that a statement takes when `job` has many partitions, on this release of PostgreSQL.
//!
//! The division of a query into groups of queues depends on these numbers.

use std::time::Instant;

use marie_exporter::demo::server::Server;
use marie_exporter::demo::shape::Shape;
use marie_exporter::postgres::{Run, Session};
use sqlx::{Connection, PgConnection, Row};

use crate::support::databases::{SERVER, run};
use crate::support::running;

const PARTITIONS: u64 = 200;

/// Locks of planning for one partition: the table and 21 indexes, as in production.
const PARTITION: u64 = 1 + 21;

/// The partitioned table with its own 21 indexes, and the transaction's virtual id.
const PARENT: u64 = 1 + 21 + 1;

const WHOLE: &str = "select count(*) from marie_scheduler.job where state = 'created'";
const ONE_QUEUE: &str = "select count(*) from marie_scheduler.job where state = 'created' and name = $1";
const TEN_QUEUES: &str =
    "select count(*) from marie_scheduler.job where state = 'created' and name = any($1)";

/// The locks that the exporter's session holds now.
const LOCKS: &str = "
    select count(*)
    from pg_locks as l
    join pg_stat_activity as a on a.pid = l.pid
    where a.application_name = 'marie-exporter' and a.datname = current_database()";

/// Creates a database with one partition for each of the queues `q1` to `q200`.
async fn partitioned(server: &Server) -> (String, PgConnection) {
    let url = server.create_database("partitions").await.unwrap();
    let mut admin = PgConnection::connect(&url).await.unwrap();
    Shape::Mid.install(&mut admin, "marie_scheduler").await.unwrap();
    for queue in 1..=PARTITIONS {
        run(&mut admin, &format!("select marie_scheduler.create_queue('q{queue}', '{{}}')")).await;
    }
    (url, admin)
}

#[derive(Clone, Copy)]
enum Queues<'a> {
    All,
    One(&'a str),
    Group(&'a [String]),
}

/// Runs the statement, returns how many locks the transaction then holds, and prints them with the elapsed time.
async fn locks(run: &mut Run, observer: &mut PgConnection, what: &str, queues: Queues<'_>) -> u64 {
    let statement = match queues {
        Queues::All => sqlx::query(WHOLE),
        Queues::One(name) => sqlx::query(ONE_QUEUE).bind(name),
        Queues::Group(names) => sqlx::query(TEN_QUEUES).bind(names),
    };
    let began = Instant::now();
    run.fetch_one(statement).await.unwrap();
    let took = began.elapsed();
    let locks = sqlx::query(LOCKS).fetch_one(observer).await.unwrap().get::<i64, _>(0).unsigned_abs();
    eprintln!("PostgreSQL {}, {what}: {locks} locks, {took:.1?}", SERVER.version());
    locks
}

#[tokio::test]
async fn named_queues_lock_only_their_partitions() {
    let (url, mut observer) = partitioned(&SERVER).await;
    let config = running::config(&url, &[]);
    let mut session = Session::new(config.database.clone(), config.collectors.timeout);
    let group: Vec<String> = (11..=20).map(|queue| format!("q{queue}")).collect();

    let mut run = session.begin().await.unwrap();
    let planned = locks(&mut run, &mut observer, "all partitions, planned", Queues::All).await;
    session.finish(run, None).await;
    let mut run = session.begin().await.unwrap();
    let prepared =
        locks(&mut run, &mut observer, "all partitions, from the prepared plan", Queues::All).await;
    session.finish(run, None).await;
    let mut run = session.begin_planning_for_values().await.unwrap();
    let one = locks(&mut run, &mut observer, "one queue", Queues::One("q7")).await;
    session.finish(run, None).await;
    let mut run = session.begin_planning_for_values().await.unwrap();
    let ten = locks(&mut run, &mut observer, "ten queues", Queues::Group(&group)).await;
    session.finish(run, None).await;
    session.close().await;

    assert!(planned >= PARTITIONS * PARTITION, "without names every partition and index is locked");
    assert!(prepared >= PARTITIONS, "a prepared plan locks every partition");
    assert!(one <= PARENT + PARTITION, "one queue: {one} locks");
    assert!(ten <= PARENT + 10 * PARTITION, "ten queues: {ten} locks");
}
