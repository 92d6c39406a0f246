//! Random tables that are the same for the same seed.
//!
//! No age is near a threshold of a list or metric, so that two queries at slightly different times agree.

use marie_exporter::demo::shape::Shape;

use super::databases::Database;

pub(crate) const QUEUES: [&str; 4] = ["extract", "classify", "we\"ird\\que, 🦀", "$classify_dlq"];

/// Creates a database with random DAGs and jobs.
pub(crate) async fn filled(shape: Shape, seed: f64) -> Database {
    let mut database = Database::new(shape).await;
    let is_page = shape == Shape::Page;
    database.run(&format!("select setseed({seed})")).await;
    if !is_page {
        for queue in QUEUES {
            database
                .run(&format!(
                    "select create_queue($q${queue}$q$, '{{\"retry_limit\": 3, \"policy\": \"x\"}}')"
                ))
                .await;
        }
        database.run("delete from job; delete from dag; delete from job_history").await;
        let planner = if shape == Shape::Old { "" } else { ", planner" };
        let columns = format!("id, name, state, created_on, started_on{planner}");
        database.run(&format!("insert into dag ({columns}) select {columns} from ({DAGS}) as drawn")).await;
    }
    let skipped = if matches!(shape, Shape::New | Shape::Page) { "skipped" } else { "completed" };
    let queues = QUEUES.map(|queue| format!("$q${queue}$q$")).join(", ");
    let (column, start_after) = if is_page { ("", "") } else { (", start_after", ", start_after") };
    let state = if is_page { "state" } else { "state::job_state" };
    database
        .run(&format!(
            "create temporary table drawn as {JOBS};
             insert into job (id, name, dag_id, priority, data, state, retry_count, retry_limit, created_on, started_on,
                 completed_on, dependencies {column})
             select id, (array[{queues}])[queue], dag_id, priority, data, {state}, retry_count, 3, created_on,
                 started_on, completed_on, dependencies {start_after}
             from (select drawn.*, case when label = 'skipped' then '{skipped}' else label end as state from drawn) as d;
             analyze job"
        ))
        .await;
    database
}

const DAGS: &str = "
    select
        md5('dag ' || n)::uuid as id, 'dag ' || n as name,
        (array['created', 'active', 'active', 'active', 'suspended', 'completed', 'failed', 'cancelled', null])
            [1 + floor(random() * 9)] as state,
        (array['ocr', 'tables', null])[1 + floor(random() * 3)] as planner,
        now() - n * interval '1 minute' as created_on, now() - n * interval '30 seconds' as started_on
    from generate_series(1, 30) as n";

const JOBS: &str = "
    select
        md5('job ' || n)::uuid as id,
        1 + floor(random() * 4)::int as queue,
        md5('dag ' || 1 + floor(random() * 30))::uuid as dag_id,
        floor(random() * 3)::int as priority,
        case when random() < 0.9 then jsonb_build_object('metadata', case when random() < 0.9 then jsonb_build_object(
            'doc_type', (array['invoice', 'contract', null])[1 + floor(random() * 3)], 'doc_id', n % 7
        ) else '\"none\"' end) end as data,
        (array['created', 'created', 'retry', 'active', 'active', 'completed', 'completed', 'failed', 'expired', 'cancelled',
            'skipped'])[1 + floor(random() * 11)] as label,
        floor(random() * 4)::int as retry_count,
        now() - (7 * n + 2) * interval '1 minute' as created_on,
        case when random() < 0.8 then now() - (array[5, 30, 45, 75, 300, 3000])[1 + floor(random() * 6)]
            * interval '1 minute' end as started_on,
        case when random() < 0.8 then now() - (floor(random() * 40) * 45 + 10 + n * 0.0001) * interval '1 minute' end
            as completed_on,
        now() + (array[-3, -1, 2])[1 + floor(random() * 3)] * interval '1 hour' as start_after,
        (
            select coalesce(jsonb_agg(distinct md5('job ' || 1 + floor(power(random(), 2) * (n - 1)) + k * 0)), '[]')
            from generate_series(1, floor(random() * 3 + n * 0)::int) as k
        ) as dependencies
    from generate_series(1, 400) as n";
