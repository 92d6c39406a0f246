//! Counts by queue and throughput by hour, as the maintenance page computes them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::inspect::in_process;
use crate::inspect::lists::{on_each_shape, rows, sorted};

#[tokio::test]
async fn statistics_equal_the_maintenance_page() {
    on_each_shape(async |_, database| {
        let ours = in_process::json(&database.url, &["stats"]).await;
        let mut by_state: BTreeMap<String, i64> = BTreeMap::new();
        for row in ours.as_array().unwrap() {
            let states =
                row.as_object().unwrap().iter().filter(|(name, _)| *name != "queue" && *name != "total");
            let mut total = 0;
            for (state, count) in states {
                *by_state.entry(state.clone()).or_default() += count.as_i64().unwrap();
                total += count.as_i64().unwrap();
            }
            assert_eq!(row["total"], total, "{row}");
        }
        by_state.retain(|_, count| *count > 0);
        let page =
            rows(database, "select state::text as state, count(*) as count from job group by state").await;
        let page: BTreeMap<String, i64> = page
            .iter()
            .map(|row| (row["state"].as_str().unwrap().to_owned(), row["count"].as_i64().unwrap()))
            .collect();
        assert_eq!(by_state, page);
        let queues = rows(database, "select name as queue, count(*) as total from job group by name").await;
        let ours: Vec<Value> = ours.as_array().unwrap().clone();
        let ours = ours.iter().map(|row| json!({"queue": row["queue"], "total": row["total"]})).collect();
        assert_eq!(sorted(ours), sorted(queues));

        let retries = "select name as queue, count(*) as jobs, round(avg(retry_count), 2) as average_retries,
            max(retry_count) as most_retries from job where retry_count > 0 group by name";
        let retries = rows(database, retries).await;
        let ours = in_process::json(&database.url, &["stats", "retries"]).await.as_array().unwrap().clone();
        assert_eq!(sorted(ours), sorted(retries));
    })
    .await;
}

#[tokio::test]
async fn throughput_equals_the_page_and_includes_idle_hours() {
    on_each_shape(async |_, database| {
        // Hours in Kolkata begin half an hour later.
        for zone in ["UTC", "Asia/Kolkata"] {
            database.run(&format!("set timezone = '{zone}'")).await;
            let page = "select date_trunc('hour', completed_on) as hour, count(*) as completed from job
                where state = 'completed' and completed_on > now() - interval '24 hours'
                group by date_trunc('hour', completed_on) order by hour";
            let busy = rows(database, page).await;
            let ours = in_process::json(&database.url, &["stats", "throughput", "--timezone", zone]).await;
            let ours = ours.as_array().unwrap();
            assert_eq!(ours.len(), 25);
            let ours: Vec<Value> = ours.iter().filter(|hour| hour["completed"] != 0).cloned().collect();
            assert!(busy.len() > 5);
            assert_eq!(ours, busy, "{zone}");
        }
    })
    .await;
}
