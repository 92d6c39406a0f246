//! Tables that are rewritten, emptied or divided differently between two slices.

use marie_exporter::demo::shape::Shape;

use super::reader::{Reader, assert_equal, truth};
use crate::support::databases::Database;

/// Inserts finished jobs over about 100 pages of each of two queues.
async fn filled(shape: Shape) -> Database {
    let mut database = Database::new(shape).await;
    let dag = if shape == Shape::Page { "null" } else { "md5('dag')::uuid" };
    database
        .run(&format!(
            "set session_replication_role = replica;
             insert into job (id, name, dag_id, data, state, retry_count, completed_on)
             select md5(n::text)::uuid, (array['extract', 'idle'])[1 + n % 2], {dag},
                 to_jsonb(repeat(md5(n::text), 20)),
                 (array['completed', 'completed', 'completed', 'failed', 'cancelled', 'created'])[1 + n % 6]
                     {cast}, n % 3, now() - n * interval '20 minutes'
             from generate_series(1, 2000) as n;
             reset session_replication_role;
             analyze job",
            cast = if shape == Shape::Page { "" } else { "::job_state" },
        ))
        .await;
    database
}

/// Partitions of `job`, or the table.
const TABLES: &str = "select inhrelid::regclass from pg_inherits where inhparent = 'job'::regclass
    union all select 'job'::regclass where not exists (select from pg_inherits where inhparent = 'job'::regclass)";

#[tokio::test]
async fn pass_over_a_rewritten_table_begins_again() {
    let cluster = format!(
        "do $$ declare t regclass; begin for t in {TABLES} loop
             execute format('alter table %s cluster on %s', t, (select indexrelid::regclass from pg_index
                 where indrelid = t and indpred is null and indisunique limit 1));
         end loop; end $$; cluster"
    );
    for shape in [Shape::Mid, Shape::New] {
        for (rewrite, may_leave_jobs) in [
            ("vacuum full job", true),
            (cluster.as_str(), true),
            ("alter table job alter column retry_count type bigint", true),
            ("delete from job where state = 'completed'; vacuum full job", true),
            ("truncate job cascade", false),
        ] {
            let mut database = filled(shape).await;
            let mut reader = Reader::new(&database.url).await;
            let (_, undisturbed) = {
                let pass = reader.begin(10);
                reader.rest(pass).await
            };
            assert!(undisturbed > 8, "{undisturbed} slices");
            let mut pass = reader.begin(10);
            for _ in 0..undisturbed - 2 {
                assert!(!reader.step(&mut pass).await);
            }
            for statement in rewrite.split("; ").filter(|_| !rewrite.starts_with("do ")) {
                database.run(statement).await;
            }
            if let Some((clustering, all)) = rewrite.rsplit_once("; ").filter(|_| rewrite.starts_with("do "))
            {
                database.run(clustering).await;
                database.run(all).await;
            }
            let (found, slices) = reader.rest(pass).await;
            let expected = truth(&mut database.admin).await;
            assert_equal(&found, &expected, &format!("{} after {rewrite}", shape.name()));
            assert!(!may_leave_jobs || slices > 3, "{} after {rewrite}: {slices} slices", shape.name());
            assert_eq!(!expected.is_empty(), may_leave_jobs, "{rewrite}");
        }
    }
}

#[tokio::test]
async fn removed_partition_makes_the_pass_begin_again() {
    let mut database = filled(Shape::Mid).await;
    let mut reader = Reader::new(&database.url).await;
    let mut pass = reader.begin(10);
    for _ in 0..8 {
        assert!(!reader.step(&mut pass).await);
    }
    database
        .run(
            "do $$ begin execute (select format('alter table job detach partition %s', tableoid::regclass)
              from job where name = 'idle' limit 1); end $$",
        )
        .await;
    let (found, _) = reader.rest(pass).await;
    assert_equal(&found, &truth(&mut database.admin).await, "after the removal");
}

#[tokio::test]
async fn further_queue_lets_the_pass_go_on() {
    let mut database = filled(Shape::Mid).await;
    let mut reader = Reader::new(&database.url).await;
    let pass = reader.begin(10);
    let (before, undisturbed) = reader.rest(pass).await;
    let mut pass = reader.begin(10);
    for _ in 0..4 {
        assert!(!reader.step(&mut pass).await);
    }
    database.run("select create_queue('further', '{}')").await;
    let (found, slices) = reader.rest(pass).await;
    assert_eq!(slices, undisturbed - 4);
    assert_equal(&found, &before, "with a further queue");
}

#[tokio::test]
async fn pages_that_vacuum_cuts_off_and_that_are_added_are_no_fault() {
    for shape in [Shape::Mid, Shape::New] {
        let mut database = filled(shape).await;
        let mut reader = Reader::new(&database.url).await;
        // Jobs of the last pages are removed, and others take their place.
        let mut pass = reader.begin(10);
        for _ in 0..3 {
            assert!(!reader.step(&mut pass).await);
        }
        database.run("delete from job where completed_on < now() - interval '20 days'").await;
        database.run("vacuum job").await;
        database
            .run(
                "insert into job (id, name, dag_id, data, state, completed_on)
                 select md5('more' || n)::uuid, 'extract', md5('dag')::uuid, to_jsonb(repeat(md5(n::text), 20)),
                     'completed', now()
                 from generate_series(1, 3000) as n",
            )
            .await;
        let (found, _) = reader.rest(pass).await;
        let now = truth(&mut database.admin).await;
        let key = ("marie_jobs".to_owned(), vec!["extract".to_owned(), "completed".to_owned()]);
        // The jobs that were added to pages beyond the first slices are counted.
        assert!(found[&key] <= now[&key] + 100.0 && found[&key] > 2500.0, "{} of {}", found[&key], now[&key]);
        let pass = reader.begin(10);
        assert_equal(&reader.rest(pass).await.0, &now, "at rest");
    }
}
