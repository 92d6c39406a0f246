//! Every shape installs in any schema, and its triggers and functions behave as Marie's.

use marie_exporter::demo::shape::Shape;
use sqlx::Connection;

use crate::demo::{connect_to_new_database, count, run};

/// A schema name that is valid only if it is quoted correctly.
const UGLY: &str = "ma\"rie; drop";

#[tokio::test]
async fn every_shape_installs_in_schema_with_special_characters() {
    let mut connection = connect_to_new_database("every \"shape\"").await;
    for shape in Shape::ALL {
        let mut transaction = connection.begin().await.unwrap();
        shape.install(&mut transaction, UGLY).await.unwrap();
        let schema: String =
            sqlx::query_scalar("select current_schema()::text").fetch_one(&mut *transaction).await.unwrap();
        assert_eq!(schema, UGLY);
        transaction.rollback().await.unwrap();
    }
    let left = "select count(*) from pg_class where relname = 'job'";
    assert_eq!(count(&mut connection, left).await, 0);
}

#[tokio::test]
async fn job_leaves_four_history_rows_and_its_dag_three() {
    let mut connection = connect_to_new_database("history").await;
    for shape in [Shape::Old, Shape::Mid, Shape::New] {
        shape.install(&mut connection, shape.name()).await.unwrap();
        run(
            &mut connection,
            "select create_queue('extract', '{\"retry_limit\": 2}');
             insert into dag (id, name, state) values (gen_random_uuid(), 'd_dag', 'created');
             insert into job (id, name, dag_id, state)
                 select gen_random_uuid(), 'extract', id, 'created' from dag;
             update dag set state = 'active', started_on = now();
             update job set state = 'active', started_on = now();
             update job set state = 'active', started_on = now();
             update job set state = 'completed', completed_on = now();
             update dag set state = 'completed', completed_on = now()",
        )
        .await;
        let states: Vec<String> =
            sqlx::query_scalar("select state::text from job_history order by history_id")
                .fetch_all(&mut connection)
                .await
                .unwrap();
        assert_eq!(states, ["created", "active", "active", "completed"], "{}", shape.name());
        assert_eq!(count(&mut connection, "select count(*) from dag_history").await, 3);

        run(&mut connection, "delete from dag").await;
        assert_eq!(count(&mut connection, "select count(*) from job").await, 0);
        assert_eq!(count(&mut connection, "select count(*) from job_history").await, 4);
        assert_eq!(count(&mut connection, "select count(*) from dag_history").await, 4);
    }
}

#[tokio::test]
async fn functions_and_triggers_work_with_any_search_path() {
    let mut connection = connect_to_new_database("search_path").await;
    for shape in [Shape::Old, Shape::Mid, Shape::New] {
        let mut transaction = connection.begin().await.unwrap();
        shape.install(&mut transaction, "marie").await.unwrap();
        run(
            &mut transaction,
            "set search_path = pg_catalog;
             select marie.create_queue('extract', '{}'::json);
             insert into marie.dag (id, name) values ('00000000-0000-0000-0000-000000000001', 'd');
             insert into marie.job (id, name, dag_id, dependencies) values
                 ('00000000-0000-0000-0000-00000000000a', 'extract',
                  '00000000-0000-0000-0000-000000000001', '[]'),
                 ('00000000-0000-0000-0000-00000000000b', 'extract',
                  '00000000-0000-0000-0000-000000000001',
                  '[\"00000000-0000-0000-0000-00000000000a\"]')",
        )
        .await;
        let parents = "select count(*) from marie.job_dependencies";
        assert_eq!(count(&mut transaction, parents).await, 1);
        transaction.rollback().await.unwrap();
    }
}

#[tokio::test]
async fn create_queue_adds_a_partition_except_in_the_new_shape() {
    let mut connection = connect_to_new_database("queues").await;
    for (shape, partitions) in [(Shape::Old, 1), (Shape::Mid, 1), (Shape::New, 0)] {
        shape.install(&mut connection, shape.name()).await.unwrap();
        // The second call finds the queue and ignores its options.
        run(
            &mut connection,
            "select create_queue('extract', '{\"retry_limit\": 1}');
             select create_queue('extract', '{\"retry_limit\": 9}')",
        )
        .await;
        let found = "select count(*) from pg_inherits where inhparent = 'job'::regclass";
        assert_eq!(count(&mut connection, found).await, partitions, "{}", shape.name());
        let queues = "select count(*) from queue where name = 'extract' and retry_limit = 1";
        assert_eq!(count(&mut connection, queues).await, 1);
    }
}

#[tokio::test]
async fn refresh_rewrites_every_job_that_is_not_completed() {
    let mut connection = connect_to_new_database("refresh").await;
    for shape in [Shape::Old, Shape::Mid] {
        shape.install(&mut connection, shape.name()).await.unwrap();
        run(
            &mut connection,
            "select create_queue('extract', '{}');
             insert into dag (id, name) values (gen_random_uuid(), 'd_dag');
             insert into job (id, name, dag_id, state, hard_sla)
                 select gen_random_uuid(), 'extract', id, label::job_state, now() - interval '1 h'
                 from dag, unnest(array['created', 'active', 'failed', 'completed']) as label;
             select refresh_job_priority(), refresh_job_durations(), refresh_dag_durations()",
        )
        .await;
        let refreshed = "select count(*) from job_history where priority >= 1000";
        // The active job counts twice, because its duration is another update.
        assert_eq!(count(&mut connection, refreshed).await, 4, "{}", shape.name());
    }
}
