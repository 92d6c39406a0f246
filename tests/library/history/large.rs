//! A large table without an index for the jobs that are not completed.

use marie_exporter::demo::shape::Shape;

use super::reader::{Reader, assert_equal, truth};
use crate::support::databases::Database;
use crate::support::long_tests::is_long_run;

/// Numbers for which all finished jobs must be counted are missing. They are not wrong.
#[tokio::test]
async fn large_table_without_index_has_numbers_of_completed_jobs() {
    if !is_long_run() {
        return;
    }
    let mut database = Database::new(Shape::Page).await;
    // One row a page.
    database
        .run(
            "alter table job set (fillfactor = 10);
             insert into job (id, name, data, state, retry_count, completed_on)
             select gen_random_uuid(), (array['extract', 'idle'])[1 + n % 2], to_jsonb(repeat(md5(n::text), 25)),
                 (array['completed', 'completed', 'failed', 'strange', 'created'])[1 + n % 5], n % 3,
                 now() - interval '10 minutes' - n * interval '20 seconds'
             from generate_series(1, 100100) as n;
             insert into job (id, name, state, completed_on) values (gen_random_uuid(), 'idle', 'completed', now());
             analyze job",
        )
        .await;
    let mut reader = Reader::new(&database.url).await;
    let pass = reader.begin(5_000);
    let (found, slices) = reader.rest(pass).await;
    assert!(slices > 10, "{slices} slices");
    let mut expected = truth(&mut database.admin).await;
    expected.retain(|(family, labels), _| match family.as_str() {
        "marie_jobs" => labels[1] == "completed",
        "marie_jobs_cleanup_due" => labels[0] == "completed_7d",
        "marie_job_last_failed_timestamp_seconds" => false,
        family => !family.contains("retr"),
    });
    assert_equal(&found, &expected, "without an index");
    assert!(expected.len() > 8, "{expected:?}");
}
