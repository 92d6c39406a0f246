//! A server whose lock table has no room for all partitions of `job`.

use std::collections::BTreeSet;

use marie_exporter::demo::server::Server;
use marie_exporter::demo::shape::Shape;
use serde_json::Value;
use sqlx::{Connection, PgConnection};

use crate::asking::{ask, column, json};
use crate::databases::run;

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

/// The ids that the database makes of `q1 3` and the like.
async fn made(admin: &mut PgConnection, names: &[&str]) -> BTreeSet<String> {
    let made = sqlx::query_scalar("select md5(name)::uuid::text from unnest($1::text[]) as n (name)");
    made.bind(names).fetch_all(admin).await.unwrap().into_iter().collect()
}

#[tokio::test]
async fn commands_read_the_queues_that_they_need() {
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
        assert_eq!(ids(&listed), made(&mut admin, names).await, "{words:?}");
        let refusal = ask(&url, &words).await.unwrap_err().to_string();
        assert!(refusal.contains("locks in one transaction") && refusal.contains("--queue"), "{refusal}");
    }
    let [waiting] = <[String; 1]>::try_from(Vec::from_iter(made(&mut admin, &["q5 4"]).await)).unwrap();
    let shown = json(&url, &["jobs", "show", &waiting]).await;
    let parents: Vec<Value> =
        shown["parents"].as_array().unwrap().iter().map(|parent| parent["id"].clone()).collect();
    assert_eq!(ids(&parents), made(&mut admin, &["q6 3"]).await, "{shown}");

    let [dag] = <[String; 1]>::try_from(Vec::from_iter(made(&mut admin, &["dag 5"]).await)).unwrap();
    let shown = json(&url, &["dags", "show", &dag]).await;
    assert!(shown.to_string().contains(&waiting), "{shown}");
}
