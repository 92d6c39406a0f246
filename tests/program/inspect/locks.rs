//! A server whose lock table has no room for all partitions of `job`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use marie_exporter::demo::server::Server;
use marie_exporter::demo::shape::Shape;
use serde_json::Value;
use sqlx::{Connection, PgConnection};

use crate::inspect::in_process::{self, column, json};
use crate::inspect::terminal::Terminal;
use crate::support::databases::run;

/// Jobs of a DAG for each queue: a failed one, a stuck one, a ready one, and one that waits for a job of the next queue.
const JOBS: &str = "
    insert into job (id, name, state, dag_id, started_on, completed_on, retry_count, dependencies)
    select
        md5('q' || q || ' ' || n)::uuid, 'q' || q,
        (array['failed', 'active', 'created', 'created'])[n]::job_state, md5('dag ' || q)::uuid,
        now() - interval '1 day', case when n = 1 then now() end, n,
        case when n = 4 then jsonb_build_array(md5('q' || q % 12 + 1 || ' 3')) else '[]' end
    from generate_series(1, 12) as q, generate_series(1, 4) as n
    order by n";

fn ids(rows: &[Value]) -> BTreeSet<String> {
    rows.iter().map(|row| row.as_str().unwrap().to_owned()).collect()
}

/// Returns the ids that the database derives from names such as `q1 3`.
async fn ids_of(admin: &mut PgConnection, names: &[&str]) -> BTreeSet<String> {
    let ids = sqlx::query_scalar("select md5(name)::uuid::text from unnest($1::text[]) as n (name)");
    ids.bind(names).fetch_all(admin).await.unwrap().into_iter().collect()
}

#[tokio::test]
async fn commands_read_only_the_queues_that_they_need() {
    let server = Server::start_with(&[("max_connections", "24")]).unwrap();
    let url = server.create_database("marie").await.unwrap();
    let mut admin = PgConnection::connect(&url).await.unwrap();
    Shape::Mid.install(&mut admin, "marie_scheduler").await.unwrap();
    for queue in 1..=12 {
        run(
            &mut admin,
            &format!(
                "select create_queue('q{queue}', '{{}}');
                 insert into dag (id, name, state) values (md5('dag {queue}')::uuid, 'dag {queue}', 'active')"
            ),
        )
        .await;
    }
    run(&mut admin, JOBS).await;

    for (words, names) in [
        (["jobs", "list"], ["q5 1", "q5 2", "q5 3", "q5 4"].as_slice()),
        (["jobs", "failed"], &["q5 1"]),
        (["jobs", "stuck"], &["q5 2"]),
        (["jobs", "next"], &["q5 3"]),
    ] {
        let listed = column(&url, &[words[0], words[1], "--queue=q5"], "id").await;
        assert_eq!(ids(&listed), ids_of(&mut admin, names).await, "{words:?}");
    }
    let [waiting] = <[String; 1]>::try_from(Vec::from_iter(ids_of(&mut admin, &["q5 4"]).await)).unwrap();
    let shown = json(&url, &["jobs", "show", &waiting]).await;
    let parents: Vec<Value> =
        shown["parents"].as_array().unwrap().iter().map(|parent| parent["id"].clone()).collect();
    assert_eq!(ids(&parents), ids_of(&mut admin, &["q6 3"]).await, "{shown}");

    let [dag] = <[String; 1]>::try_from(Vec::from_iter(ids_of(&mut admin, &["dag 5"]).await)).unwrap();
    let shown = json(&url, &["dags", "show", &dag]).await;
    assert!(shown.to_string().contains(&waiting), "{shown}");
}

/// Inserts 32 jobs into each of 32 queues, with random values. No age is near a threshold of a list.
const RANDOM_JOBS: &str = "
    with drawn as (
        select
            q, n,
            (array['created', 'created', 'retry', 'active', 'completed', 'completed', 'failed', 'expired', 'cancelled'])
                [1 + floor(random() * 9)]::job_state as state,
            now() - (7 * n + 2 + q * 0.0001) * interval '1 minute' as created_on
        from generate_series(1, 32) as q, generate_series(1, 32) as n
    )
    insert into job (id, name, state, dag_id, priority, retry_count, retry_limit, created_on, started_on, completed_on,
        start_after, soft_sla, hard_sla, data, dependencies)
    select
        md5('q' || q || ' ' || n)::uuid, pg_temp.queue_name(q), state,
        md5('dag ' || 1 + floor(random() * 34))::uuid, floor(random() * 3), floor(random() * 4), 3, created_on,
        case when random() < 0.9 then now() - (array[5, 30, 45, 90, 300, 3000])[1 + floor(random() * 6)] * interval '1 minute' end,
        case when random() < 0.9 then now() - (floor(random() * 40) * 45 + 10) * interval '1 minute' end,
        now() + (array[-3, -1, 2])[1 + floor(random() * 3)] * interval '1 hour',
        created_on + (array[-1, 30, 3000])[1 + floor(random() * 3)] * interval '1 minute',
        created_on + (array[-1, 60, 6000])[1 + floor(random() * 3)] * interval '1 minute',
        jsonb_build_object('metadata', jsonb_build_object('doc_id', n % 3)),
        case when n > 1 and random() < 0.4
            then jsonb_build_array(md5('q' || (q + floor(random() * 3)::int) % 32 + 1 || ' ' || n - 1)) else '[]' end
    from drawn
    order by n, q";

const QUEUE_NAME: &str = "
    create function pg_temp.queue_name(q int) returns text language sql as
        $$ select (array['q', 'Q ', 'z_\u{e9}'])[1 + q % 3] || q $$";

/// Drops the indexes. Then one transaction may lock all partitions.
const DROP_INDEXES: &str = "
    do $$
    declare
        index regclass;
    begin
        for index in
            select indexrelid from pg_index where indrelid = 'job'::regclass and not indisunique
        loop
            execute format('drop index %s', index);
        end loop;
    end $$";

const LISTS: [&[&str]; 15] = [
    &["jobs", "list"],
    &["jobs", "list", "--state=active", "--since=1h"],
    &["jobs", "list", "--metadata=doc_id=1"],
    &["jobs", "failed"],
    &["jobs", "stuck"],
    &["jobs", "retrying"],
    &["jobs", "overdue"],
    &["jobs", "overdue", "--sla=soft"],
    &["jobs", "next"],
    &["jobs", "next", "--per-dag"],
    &["queues", "list"],
    &["dags", "list"],
    &["stats"],
    &["stats", "retries"],
    &["stats", "throughput"],
];

/// Returns the rows of each list, as one large page and as the third small one, without the columns that grow with time.
async fn lists(url: &str) -> Vec<(String, Vec<Value>)> {
    let mut lists = Vec::new();
    for list in LISTS {
        for page in [["--limit=5000", "--page=1"], ["--limit=7", "--page=3"]] {
            let words = [list, &page].concat();
            let mut rows = json(url, &words).await.as_array().unwrap().clone();
            for row in &mut rows {
                for age in ["active_for", "age", "due_in", "overdue_for"] {
                    row.as_object_mut().unwrap().remove(age);
                }
            }
            lists.push((words.join(" "), rows));
        }
    }
    lists
}

/// Notes the most locks that all sessions of the exporter hold together.
async fn count_locks(url: String, ends: Arc<AtomicBool>, most: Arc<AtomicU64>) {
    let mut session = PgConnection::connect(&url).await.unwrap();
    while !ends.load(Ordering::Relaxed) {
        let locks = sqlx::query_scalar::<_, i64>(
            "select count(*) from pg_locks join pg_stat_activity using (pid) where application_name = 'marie-exporter'",
        );
        most.fetch_max(locks.fetch_one(&mut session).await.unwrap().unsigned_abs(), Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A database with 32 queues that hold jobs and two that do not.
async fn filled_with_many_queues(url: &str) -> PgConnection {
    let mut admin = PgConnection::connect(url).await.unwrap();
    Shape::Mid.install(&mut admin, "marie_scheduler").await.unwrap();
    run(&mut admin, QUEUE_NAME).await;
    run(&mut admin, "select setseed(0.5)").await;
    for queue in 1..=34 {
        run(
            &mut admin,
            &format!(
                "select create_queue(pg_temp.queue_name({queue}), '{{\"retry_limit\": {queue}}}');
                 insert into dag (id, name, state) values (md5('dag {queue}')::uuid, 'dag {queue}', 'active')"
            ),
        )
        .await;
    }
    run(&mut admin, RANDOM_JOBS).await;
    run(&mut admin, "analyze").await;
    admin
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_by_groups_of_queues_equal_undivided_lists() {
    let mut server = Server::start_with(&[("max_connections", "24")]).unwrap();
    let url = server.create_database("marie").await.unwrap();
    let mut admin = filled_with_many_queues(&url).await;

    let (ends, most) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let counter = tokio::spawn(count_locks(url.clone(), Arc::clone(&ends), Arc::clone(&most)));
    let divided = lists(&url).await;
    let note = in_process::run(&url, &["jobs", "list"]).await.unwrap().note.unwrap();
    assert!(note.contains("transactions, one for each group of queues"), "{note}");
    let stuck = divided.iter().find(|(words, _)| words.starts_with("jobs stuck")).unwrap().1.len();
    let completed: u64 = column(&url, &["stats", "throughput"], "completed")
        .await
        .iter()
        .map(|hour| hour.as_u64().unwrap())
        .sum();
    let terminal = Terminal::running("", &["top", "--database-url", &url], 80, 24);
    terminal.until("all panes", |screen| {
        screen.contains(&format!("Stuck jobs ({stuck})"))
            && screen.contains(&format!("Completed in 24 h: {completed},"))
    });
    terminal.press(&["q"]);
    let deadline = Instant::now() + Duration::from_mins(1);
    while most.load(Ordering::Relaxed) < 100 {
        assert!(Instant::now() < deadline, "no locks were seen while lists are read");
        in_process::run(&url, &["jobs", "next"]).await.unwrap();
    }
    ends.store(true, Ordering::Relaxed);
    counter.await.unwrap();
    // An eighth of 24 times 64.
    assert!(most.load(Ordering::Relaxed) <= 192, "{most:?} locks");

    run(&mut admin, "alter system set max_locks_per_transaction = 2000").await;
    run(&mut admin, DROP_INDEXES).await;
    drop(admin);
    server.stop().unwrap();
    server.start_again().unwrap();
    assert!(!in_process::run(&url, &["jobs", "list"]).await.unwrap().note.unwrap().contains("transactions"));
    for ((words, divided), (_, whole)) in divided.into_iter().zip(lists(&url).await) {
        assert!(whole.len() > 5, "{words}: {whole:?}");
        if words.starts_with("stats throughput") {
            // A new hour may have begun between the two.
            let same = divided.iter().filter(|row| whole.contains(row)).count();
            assert!(same + 1 >= whole.len(), "{words}: {divided:?} and {whole:?}");
        } else {
            assert_eq!(divided, whole, "{words}");
        }
    }
}
