//! Repeated completions of control-flow nodes by the simulated scheduler, which imitates the real one.

use std::time::{Duration, Instant};

use marie_exporter::demo::shape::Shape;
use marie_exporter::demo::simulator::Simulator;

use crate::events::counting::{Counting, sum};
use crate::events::new_database;
use crate::events::truth::{ends, truth};

const FINISHED: &str = "marie_jobs_finished_total";

/// Counts each row with a new `completed_on`, repeated completions included.
const FINISH_ROWS: &str = "select count(*) from marie_scheduler.job_history
    where history_id > $1 and state not in ('created', 'retry', 'active') and completed_on = history_created_on";

#[tokio::test]
async fn repeated_completions_of_simulator_are_not_counted() {
    let mut database = new_database(Shape::New).await;
    let mut counting = Counting::start(&database).await;
    let after = ends(&mut database.admin).await;
    let mut simulator = Simulator::new(&database.url, "marie_scheduler", 100.0);
    let began = Instant::now();
    let mut rows: i64 = 0;
    let enough = async {
        loop {
            let _ = counting.run().await;
            rows =
                sqlx::query_scalar(FINISH_ROWS).bind(after[0]).fetch_one(&mut database.admin).await.unwrap();
            if rows > 600 && began.elapsed() > Duration::from_secs(10) {
                break;
            }
            assert!(began.elapsed() < Duration::from_mins(1), "only {rows} finishes");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    simulator.run(Box::pin(enough)).await;
    let counted = sum(&counting.settle(&mut database).await, FINISHED);
    let entered = sum(&truth(&mut database.admin, after).await, FINISHED);
    let rows: i64 =
        sqlx::query_scalar(FINISH_ROWS).bind(after[0]).fetch_one(&mut database.admin).await.unwrap();
    eprintln!("{rows} rows of finishes, {entered} entries, {counted} counted");
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let surplus = rows as f64 / entered;
    assert!(surplus > 1.02, "the simulator repeats too few completions: {surplus}");
    assert!((entered..=entered * 1.001).contains(&counted), "{counted} counted, {entered} entered");
}
