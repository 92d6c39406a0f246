//! The plans of the pass: a range of pages is read as such, and a range of ids by its index.

use marie_exporter::collect::collector::Query;
use marie_exporter::collect::pace::PassKind;
use marie_exporter::demo::shape::Shape;
use sqlx::postgres::PgArguments;
use sqlx::{AssertSqlSafe, Row};

use super::reader::Reader;
use crate::support::databases::Database;

/// Values for $1 to $10.
const COUNTED: &str = "'{}', '{}', '{}', 0, true, null, '{}', false, true, true";

/// Returns the statement of the pass that has this in its text.
fn statement(part: &str) -> &'static Query {
    let has_part = |query: &&&Query| query.definitions.iter().any(|definition| definition.sql.contains(part));
    PassKind::History.statements().iter().find(has_part).unwrap()
}

async fn plan(database: &mut Database, text: &str, arguments: &str, mode: &str) -> String {
    database
        .run(&format!(
            "set search_path = pg_catalog, pg_temp; set jit = off; set max_parallel_workers_per_gather = 0;
             set plan_cache_mode = {mode}; deallocate all; prepare pass as {text}"
        ))
        .await;
    let explain = AssertSqlSafe(format!("explain (costs off) execute pass({arguments})"));
    let rows = sqlx::raw_sql(explain).fetch_all(&mut database.admin).await.unwrap();
    let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    database.run("reset all; set search_path = marie_scheduler, pg_catalog").await;
    lines.join("\n")
}

#[tokio::test]
async fn ranges_of_pages_and_ids_are_not_found_by_a_scan() {
    for shape in [Shape::Mid, Shape::New] {
        let mut database = Database::new(shape).await;
        database
            .run(
                "set session_replication_role = replica;
                 insert into job (id, name, dag_id, data, state, completed_on)
                 select gen_random_uuid(), (array['extract', 'idle'])[1 + n % 2], md5('dag')::uuid,
                     to_jsonb(repeat(md5(n::text), 20)),
                     (case when n % 50 < 2 then 'failed' else 'completed' end)::job_state, now()
                 from generate_series(1, 5000) as n;
                 reset session_replication_role;
                 analyze job",
            )
            .await;
        let reader = Reader::new(&database.url).await;
        let (pages, ids) = (statement("ctid"), statement("uuid"));
        let nil = "'00000000-0000-0000-0000-000000000000', '10000000-0000-0000-0000-000000000000'";
        for (mode, is_divided) in
            [("force_generic_plan", false), ("force_custom_plan", false), ("force_custom_plan", true)]
        {
            if is_divided && shape == Shape::New {
                continue;
            }
            let text = |query: &Query| {
                if !is_divided {
                    return (query.text(&reader.schema), "");
                }
                // The last argument has a number of its own, because $1 to $12 precede it.
                let mut arguments = PgArguments::default();
                for _ in 0..12 {
                    sqlx::Arguments::add(&mut arguments, 0).unwrap();
                }
                let queues = ["extract".to_owned()];
                (query.text_of_queues(&reader.schema, &mut arguments, &queues).unwrap(), ", '{extract}'")
            };
            let place = format!("{} with {mode}, divided: {is_divided}", shape.name());
            let (statement, queues) = text(pages);
            let bounds = format!("{COUNTED}, '(10,0)', '(20,0)'{queues}");
            let found = plan(&mut database, &statement, &bounds, mode).await;
            let partitions = if shape == Shape::New || is_divided { 1 } else { 2 };
            assert_eq!(found.matches("Tid Range Scan on").count(), partitions, "{place}:\n{found}");
            assert!(!found.contains("Seq Scan") && !found.contains("Index Scan"), "{place}:\n{found}");
            let (statement, queues) = text(ids);
            let found = plan(&mut database, &statement, &format!("{COUNTED}, {nil}{queues}"), mode).await;
            assert_eq!(found.matches("Index Cond: ((id >=").count(), partitions, "{place}:\n{found}");
            assert!(!found.contains("Seq Scan"), "{place}:\n{found}");
        }
    }
}
